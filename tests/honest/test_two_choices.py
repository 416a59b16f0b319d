"""The estimate after finalists: right on average though the same rows chose twice, exact where nothing was chosen."""

from statistics import NormalDist

import numpy as np
import pytest

from keras_sweep.honest.estimate import FirstChoice, estimate_winner
from keras_sweep.honest.scores import MeanScores, MetricScores, auc
from keras_sweep.trial.units import Units

ROWS, RECIPES, SEEDS, TOP = 300, 48, 4, 5


def table(index: int) -> tuple[np.ndarray, np.ndarray]:
    """[S, R, n] right rows of every training, and [S, R] its true share: rows are hard for all, or for a recipe."""
    random = np.random.default_rng([11, index])
    truth = 0.84 - 0.03 * random.exponential(1, RECIPES) + 0.004 * random.standard_normal((SEEDS, RECIPES))
    hard = 0.8 * random.standard_normal(ROWS) + 0.35 * random.standard_normal((RECIPES, ROWS))
    own = np.sqrt(1 - 0.8**2 - 0.35**2) * random.standard_normal((SEEDS, RECIPES, ROWS))
    bounds = np.array([[NormalDist().inv_cdf(share) for share in shares] for shares in truth])
    return (hard + own < bounds[:, :, None]).astype(np.float32), truth


def first_choice(first: np.ndarray, unsteady: np.ndarray, places: list[int]) -> FirstChoice:
    values = first.mean(1)
    return FirstChoice(MeanScores(first), np.sqrt(values * (1 - values) / ROWS), unsteady, places, SEEDS)


def test_the_estimate_after_two_choices_is_right_on_average() -> None:
    biases, naive, inside = [], [], 0
    for index in range(120):
        right, truth = table(index)
        unsteady = np.random.default_rng(index).random(RECIPES)
        choice = first_choice(right[0], unsteady, [0] * TOP)
        places = sorted(choice.finalists(right[0].mean(1, keepdims=True).T)[0].tolist())
        means = right[:, places].mean(0)
        best = int(means.mean(1).argmax())
        score, true = float(means[best].mean()), float(truth[:, places[best]].mean())
        after = first_choice(right[0], unsteady, places)
        found = estimate_winner(
            MeanScores(means), best, Units.from_rows(ROWS), index, naive=score, share=True, after=after
        )
        error = np.sqrt(true * (1 - true) / ROWS)
        luck = float(right.mean() - truth.mean())  # of the draw, which is nobody's choice
        biases.append((found.value - true - luck) / error)
        naive.append((score - true - luck) / error)
        inside += found.low <= true <= found.high
    assert np.mean(naive) > 0.5
    assert abs(np.mean(biases)) < 0.15  # it is known to 0.04; by the second choice alone it is 0.22
    assert inside >= 0.93 * 120


def test_finalists_of_a_bag_are_those_that_lead_and_the_steadiest_of_the_ties_first() -> None:
    choice = FirstChoice(
        MeanScores(np.zeros((4, 9), np.float32)), np.full(4, 0.02), np.array([3.0, 1.0, 2.0, 0.0]), [0, 1], SEEDS
    )
    values = np.array([[0.80, 0.79, 0.79, 0.70], [0.70, 0.80, 0.60, 0.75], [0.7, 0.7, np.nan, 0.9]])
    assert choice.finalists(values).tolist() == [[1, 2], [1, 3], [3, 0]]


def test_scores_tie_within_the_larger_of_their_two_errors() -> None:
    errors = np.array([0.01, 0.2, 0.01, 0.01, 0.03])
    choice = FirstChoice(MeanScores(np.zeros((5, 9), np.float32)), errors, np.arange(5.0)[::-1], [0, 1], SEEDS)
    values = np.array([[0.80, 0.65, 0.78, 0.70, 0.60], [0.7, 0.85, 0.72, 0.5, 0.6], [0.80, 0.5, 0.79, 0.795, 0.78]])
    # In the first row 1 ties by its own error; in the second it is the best, and 2 and 0 tie by its error.
    assert choice.finalists(values).tolist() == [[1, 0], [2, 1], [4, 3]]


def test_of_more_than_ten_only_those_that_lead_can_become_finalists() -> None:
    unsteady = np.array([*[1.0] * 10, 0.0, 0.0])  # the steadiest are the last two
    choice = FirstChoice(MeanScores(np.zeros((12, 9), np.float32)), np.full(12, 1.0), unsteady, [0, 1, 2], SEEDS)
    values = np.linspace(0.9, 0.7, 12)[None]
    assert choice.finalists(values).tolist() == [[0, 1, 2]]
    assert choice.finalists(values[:, ::-1]).tolist() == [[10, 11, 2]]


def test_the_luck_of_whom_a_bag_ends_with_is_that_of_the_means_and_foretold_for_others() -> None:
    """As the module says it, a bag at a time."""
    random, bags_, recipes, places = np.random.default_rng(0), 200, 6, [1, 4, 5]
    first, whole = random.random(recipes) / 10, random.random(3) / 10
    early = 0.04 * random.standard_normal((bags_, recipes)) + 0.02 * random.standard_normal((bags_, 1))
    luck = 0.6 * early[:, places] + 0.02 * random.standard_normal((bags_, 3))
    choice = FirstChoice(
        MeanScores(np.zeros((recipes, 9), np.float32)), random.random(recipes) / 20, random.random(recipes), places, 3
    )
    worth, its = choice.winners(first, early, whole, luck, np.random.default_rng(7))
    products = squares = 0.0
    apart, after = [], []
    for bag in range(bags_):
        own = [early[bag, place] - np.mean(early[bag, places]) for place in places]
        late = [value - np.mean(luck[bag]) for value in luck[bag]]
        products += sum(a * b for a, b in zip(own, late, strict=True))
        squares += sum(a * a for a in own)
        apart, after = [*apart, *own], [*after, *late]
    slope = products / squares
    assert 0.4 < slope < 0.8
    rest = [(b - slope * a) * (3 / 2) ** 0.5 for a, b in zip(apart, after, strict=True)]
    drawn = np.random.default_rng(7).choice(np.array(rest), (bags_, recipes))
    fall = np.mean([whole[index] - first[place] for index, place in enumerate(places)])
    ended = set()
    for bag in range(bags_):
        options = []
        for recipe in choice.finalists(first[None] + early[[bag]])[0]:
            if recipe in places:
                score, lucky = whole[places.index(recipe)], luck[bag, places.index(recipe)]
            else:
                common = np.mean(early[bag, places])
                lucky = np.mean(luck[bag]) + slope * (early[bag, recipe] - common) + drawn[bag, recipe]
                score = first[recipe] + fall
            options.append((score + lucky, score, lucky, recipe))
        _, score, lucky, recipe = max(options)
        ended.add(recipe in places)
        assert (worth[bag], its[bag]) == pytest.approx((score, lucky), abs=1e-12)
    assert ended == {True, False}


def test_without_a_bag_that_has_a_score_of_every_finalist_there_is_no_winner_and_no_correction() -> None:
    choice = first_choice(np.ones((3, 4), np.float32), np.zeros(3), [0, 1])
    worth, its = choice.winners(np.ones(3), np.zeros((0, 3)), np.ones(2), np.zeros((0, 2)), np.random.default_rng(0))
    assert (worth.size, its.size) == (0, 0)
    never = MetricScores([[lambda weights: np.where(weights.max(1) > 1, np.nan, 0.5)]] * 2, Units.from_rows(40))
    after = FirstChoice(never, np.zeros(2), np.zeros(2), [0, 1], 3)
    assert estimate_winner(never, 0, Units.from_rows(40), 42, naive=0.5, share=True, after=after) is None


def test_bags_on_which_a_finalist_has_no_score_are_left_out() -> None:
    random = np.random.default_rng(1)
    labels = np.zeros(12)
    labels[0] = 1  # every third bag has none of class 1, and no AUC
    outputs = random.random((5, 12))
    outputs[:, 0] += 0.3
    first = MetricScores([[auc(each / 1.3, labels)] for each in outputs], Units.from_rows(12))
    values = first.evaluate(np.ones((1, 12), np.float32))[0]
    after = FirstChoice(first, np.full(5, 0.1), np.arange(5.0), [0, 1], 2)
    found = estimate_winner(
        first.take(np.arange(2)), 0, Units.from_rows(12), 42, naive=float(values[0]), share=True, after=after
    )
    assert 0 <= found.low < found.value < found.high <= 1
    assert found.value != found.naive


def test_where_all_recipes_are_alike_the_score_stands() -> None:
    row = (np.random.default_rng(0).random((1, ROWS)) < 0.8).astype(np.float32)
    after = first_choice(np.repeat(row, 8, 0), np.zeros(8), [0, 3])
    means = MeanScores(np.repeat(row, 2, 0))
    found = estimate_winner(means, 0, Units.from_rows(ROWS), 42, naive=float(row.mean()), share=True, after=after)
    assert found.value == pytest.approx(found.naive, abs=1e-12)
