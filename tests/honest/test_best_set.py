"""The best set: it has every truly best model in 95 % of sweeps, and clear losers leave it."""

from statistics import median

import numpy as np
import pytest
from scipy.stats import ttest_rel

from keras_sweep.honest.best_set import BestSet, find_best_set, measure_spread, more_trials
from keras_sweep.honest.scores import METRICS, MeanScores, MetricScores, auc, draw_bags
from keras_sweep.trial.comparison import Behind
from keras_sweep.trial.units import Units

BEHIND = {number: Behind(0.001 * number, 0.002, True) for number in range(1, 40)}


def alike(shares: list[float], rows: int, seed: int) -> np.ndarray:
    """Models that mostly get the same rows right, as real ones do."""
    ease = np.random.default_rng(seed).random(rows)
    noise = np.random.default_rng(seed + 1).normal(0, 0.05, (len(shares), rows))
    return (ease + noise < np.array(shares)[:, None]).astype(np.float32)


def found(rows: np.ndarray, *, share: bool = True, best: int | None = None, units: Units | None = None) -> BestSet:
    scores = MeanScores.from_rows(rows, units or Units.from_rows(rows.shape[1]))
    return find_best_set(scores, int(scores.values.argmax()) if best is None else best, 42, share=share)


def members(rows: np.ndarray, **options) -> set[int]:
    return set(np.flatnonzero(found(rows, **options).members).tolist())


def test_the_error_of_a_difference_is_that_of_the_paired_t_test():
    rows = np.random.default_rng(0).normal(size=(4, 25)).astype(np.float32)
    best_set = found(rows, best=1, share=False)
    for place in (0, 2, 3):
        t = best_set.behind[place] / best_set.stderr[place]
        assert t == pytest.approx(ttest_rel(rows[1], rows[place]).statistic, abs=1e-5)
    assert (best_set.behind[1], best_set.stderr[1], best_set.members[1]) == (0, 0, True)


def test_the_error_of_a_difference_counts_units():
    random = np.random.default_rng(0)
    sizes = random.integers(1, 9, 30)
    groups = np.repeat(np.arange(30), sizes)
    shared = random.normal(size=(2, 30))[:, groups]
    rows = (shared + 0.3 * random.normal(size=shared.shape)).astype(np.float32)
    best_set = found(rows, best=0, share=False, units=Units.from_groups(groups))
    difference = (rows[0] - rows[1]).astype(float)
    away = [difference[groups == group].sum() - difference.mean() * sizes[group] for group in range(30)]
    error = np.sqrt(30 / 29 * np.square(away).sum()) / len(groups)  # of a ratio of sums: Cochran 1977, 6.4
    assert best_set.behind[1] == pytest.approx(difference.mean(), abs=1e-6)
    assert best_set.stderr[1] == pytest.approx(error, rel=1e-4)
    assert best_set.stderr[1] > 1.5 * found(rows, best=0, share=False).stderr[1]  # rows say more than they know


def test_of_shares_that_agree_the_error_is_half_of_wilsons_interval_and_no_more_where_it_is_larger():
    rows = np.ones((3, 30), np.float32)
    rows[1, :4] = 0
    best_set = found(rows, best=0)
    assert best_set.stderr[2] == pytest.approx(0.5 / 31)
    assert best_set.stderr[1] == pytest.approx(np.std(rows[1], ddof=1) / np.sqrt(30), abs=1e-6)
    assert found(rows, best=0, share=False).stderr[2] == 0


def coin_flips(index: int, models: int = 24, rows: int = 500) -> np.ndarray:
    """Right rows of models that answer alike, though nothing can be learned: the labels are coin flips."""
    random = np.random.default_rng([index, 5])
    answers = random.normal(size=rows) + 0.5 * random.normal(size=(models, rows)) > 0
    return (answers == (random.random(rows) < 0.5)).astype(np.float32)


def compare_with_winner_alone(rows: np.ndarray, seed: int) -> np.ndarray:
    """What is no model confidence set: the step-down test of each model against the winner, as if nobody chose it."""
    best, count = int(rows.mean(1).argmax()), rows.shape[1]
    away = rows[best] - rows
    errors = np.maximum(away.std(1, ddof=1) / np.sqrt(count), 0.5 / (count + 1))
    luck = (away - away.mean(1, keepdims=True)) / errors[:, None] / count
    left = np.arange(len(rows)) != best
    while left.any():
        draws = np.random.default_rng(seed).normal(size=(2_000, count)) @ luck[left].T
        is_far = left & (away.mean(1) / errors > np.quantile(draws.max(1), 0.95))
        if not is_far.any():
            break
        left &= ~is_far
    left[best] = True
    return left


def test_all_equal_models_stay_in_95_percent_of_sweeps():
    """A comparison with the winner alone would leave some out in more than half of all sweeps."""
    left_out = left_out_by_winner = 0
    for index in range(40):
        rows = coin_flips(index)
        left_out += not found(rows).members.all()
        left_out_by_winner += not compare_with_winner_alone(rows, index).all()
    assert left_out <= 5  # two are expected; six or more have a chance of 1 %
    assert left_out_by_winner >= 20


def confidence_set(rows: np.ndarray, seed: int) -> dict[int, float]:
    """Each model's p-value in the model confidence set of Hansen, Lunde and Nason 2011, by loops over pairs.

    The test of equal models is the range of their studentized differences; the worst leaves, one after the other.
    """
    count, random = rows.shape[1], np.random.default_rng(seed)
    means = rows.mean(1)
    bags = [rows[:, random.integers(0, count, count)].mean(1) - means for _ in range(1_000)]
    left, p_values, p_value = list(range(len(rows))), {}, 0.0
    while len(left) > 1:
        t, range_of_bag = dict.fromkeys(left, 0.0), np.zeros(len(bags))
        for model in left:
            for rival in left:
                luck = np.array([bag[rival] - bag[model] for bag in bags])
                if (error := luck.std()) > 0:
                    t[model] = max(t[model], (means[rival] - means[model]) / error)
                    range_of_bag = np.maximum(range_of_bag, luck / error)
        worst = max(left, key=lambda model: t[model])
        p_value = max(p_value, float((range_of_bag >= t[worst]).mean()))
        p_values[worst] = p_value
        left.remove(worst)
    return {**p_values, left[0]: 1.0}


@pytest.mark.parametrize("by_bags", [False, True], ids=["a mean over rows", "a metric of all rows"])
def test_members_are_those_of_the_model_confidence_set(by_bags: bool):
    """Models whose p-value is near 5 % may be in or out by the luck of the draws."""
    inside = outside = 0
    for seed in range(4):
        rows = alike(np.random.default_rng(seed).uniform(0.76, 0.82, 9).tolist(), 400, 10 * seed)
        best = int(rows.mean(1).argmax())
        if by_bags:
            metrics = [[lambda weights, row=row: weights @ row / weights.sum(1)] for row in rows]
            is_member = find_best_set(MetricScores(metrics, Units.from_rows(400)), best, 42, share=True).members
        else:
            is_member = found(rows).members
        for model, p_value in confidence_set(rows, seed).items():
            if not 0.02 < p_value < 0.1:
                assert is_member[model] == (p_value > 0.05), (seed, model, p_value)
                inside, outside = inside + (p_value > 0.05), outside + (p_value < 0.05)
    assert inside >= 8 and outside >= 8


def test_the_truly_best_stays_and_clear_losers_leave():
    stays = 0
    for seed in range(40):
        rows = alike([0.80, *[0.79] * 15, *[0.6] * 8], 300, 10 * seed)
        is_member = found(rows).members
        stays += is_member[0]
        assert not is_member[16:].any()
    assert stays >= 38


def test_what_is_worse_by_the_same_on_every_row_leaves():
    losses = np.random.default_rng(0).random((1, 50)).astype(np.float32)
    assert members(-np.concatenate([losses, losses + 0.5]), share=False) == {0}


@pytest.mark.parametrize("rows", [50, 400])
def test_identical_models_stay_together(rows: int):
    row = alike([0.8], rows, 3)
    assert members(np.repeat(row, 6, 0)) == set(range(6))
    assert members(np.repeat(row, 6, 0), share=False) == set(range(6))
    poor = np.concatenate([np.repeat(row, 6, 0), 1 - row])
    assert members(poor) == set(range(6)) == members(poor, share=False)


def test_a_hopeless_crowd_does_not_make_the_good_ones_equal():
    rows = alike([0.80, 0.785, *[0.3] * 200], 4_000, 5)
    assert members(rows) == {0} == members(rows[:2])


def test_twelve_hundred_models_lose_their_crowd_and_keep_all_equal_ones():
    shares = [0.8] * 30 + [0.79] * 10 + np.linspace(0.3, 0.7, 1_160).tolist()
    rows = alike(shares, 1_000, 7)
    left = members(rows)
    assert set(range(30)) <= left and len(left) <= 50
    assert len(members(alike([0.8] * 1_200, 300, 8))) == 1_200


def test_one_unit_tells_nothing_apart():
    best_set = found(np.array([[1.0], [0.0]], np.float32))
    assert np.isnan(best_set.stderr).all() and best_set.members.all() and best_set.reach == np.inf
    assert best_set.behind.tolist() == [0, 1]
    rows = np.array([[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], np.float32)
    assert members(rows, units=Units.from_groups(np.zeros(5))) == {0, 1}


def test_few_units_are_not_trusted_to_be_normal():
    """Of 12 groups a group or two are unusual. In most of 40 sweeps all equal models stay; losers leave."""
    groups = np.repeat(np.arange(12), 25)
    units, left_out = Units.from_groups(groups), 0
    for seed in range(40):
        random = np.random.default_rng([seed, 3])
        hard = random.normal(size=12)[groups] + random.normal(size=(12, 12))[:, groups]
        logits = hard + random.normal(size=(12, 300)) + np.where(np.arange(12) < 10, 0.5, -4.0)[:, None]
        is_member = found((logits > 0).astype(np.float32), units=units).members
        left_out += not is_member[:10].all()
        assert not is_member[10:].any()
    assert left_out <= 5


def test_units_that_are_alike_make_the_set_larger():
    """Copies of rows say nothing new: ten copies of each row count as the row."""
    rows = alike([0.8, 0.79, 0.77, 0.75, 0.7, 0.6], 200, 2)
    copies = np.repeat(rows, 10, 1)
    assert members(copies, units=Units.from_groups(np.repeat(np.arange(200), 10))) == members(rows)
    assert members(copies) < members(rows)


def test_finalists_are_compared_by_means_and_other_models_by_their_single_seed():
    random, count = np.random.default_rng(0), 400
    common = random.normal(size=count)
    levels = np.array([0.0, 1.0, 0.0, 1.0, 0.0, -1.0])
    first = (common + 0.2 * random.normal(size=(6, count)) + levels[:, None]).astype(np.float32)
    # Of the finalists 0, 1, 2 the seed of the search misjudged two: 0 is the best by the mean, 1 is far behind.
    means = (common + 0.2 * random.normal(size=(3, count)) + np.array([[3.0], [0.0], [3.0]])).astype(np.float32)
    best_set = find_best_set(MeanScores(first), 0, 42, share=False, means=MeanScores(means), finalists=[0, 1, 2])
    # 3 is as good as any with a single seed; 4 and 5 are behind 1 and 3 with a single seed.
    assert best_set.members.tolist() == [True, False, True, True, False, False]
    of_means, of_first = means.astype(float), first.astype(float)
    for index in (1, 2):
        assert best_set.behind[index] == pytest.approx((of_means[0] - of_means[index]).mean(), abs=1e-5)
        t = ttest_rel(of_means[0], of_means[index]).statistic
        assert best_set.behind[index] / best_set.stderr[index] == pytest.approx(t, rel=1e-3)
    for index in (3, 4, 5):
        assert best_set.behind[index] == pytest.approx((of_first[0] - of_first[index]).mean(), abs=1e-5)
        t = ttest_rel(of_first[0], of_first[index]).statistic
        assert best_set.behind[index] / best_set.stderr[index] == pytest.approx(t, rel=1e-3)
    assert (best_set.behind[0], best_set.stderr[0]) == (0, 0)


def test_a_metric_of_all_rows_has_the_scatter_over_bags_as_its_error():
    random = np.random.default_rng(3)
    labels = (random.random(50) < 0.5).astype(np.float32)
    metrics = [[auc((labels + 3 * random.random(50)) / 4, labels)] for _ in range(3)]
    scores = MetricScores(metrics, Units.from_rows(50))
    best_set = find_best_set(scores, 0, 42, share=True)
    values = np.concatenate([scores.evaluate(bag) for bag in draw_bags(np.random.default_rng([42, 2]), 50, 500)])
    whole = scores.evaluate(np.ones((1, 50), np.float32))[0]
    assert best_set.behind == pytest.approx([0, whole[0] - whole[1], whole[0] - whole[2]])
    unbiased = np.sqrt(50 / 49)
    expected = [unbiased * np.std(values[:, 0] - values[:, k], ddof=1) for k in (1, 2)]
    assert best_set.stderr[1:] == pytest.approx(expected)


def test_a_metric_of_all_rows_is_drawn_by_groups():
    random = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 10)
    labels = (random.random(400) < 0.5).astype(np.float32)
    hard = random.normal(size=(2, 40))[:, groups]
    outputs = 1 / (1 + np.exp(-(2 * labels - 1) * (0.5 + hard)))
    metrics = [[auc(output.astype(np.float32), labels)] for output in outputs]
    errors = [
        find_best_set(MetricScores(metrics, units), 0, 42, share=True).stderr[1]
        for units in (Units.from_groups(groups), Units.from_rows(400))
    ]
    assert errors[0] > 2 * errors[1]


def row_mean(row: np.ndarray, names: np.ndarray | None = None, least: float = 0.0):
    """A mean over rows, as a metric. Without a value in bags whose `names` sum to less than `least`."""

    def evaluate(weights: np.ndarray) -> np.ndarray:
        means = weights @ row / weights.sum(1)
        return means if names is None else np.where((weights @ names >= least) | (weights == 1).all(1), means, np.nan)

    return evaluate


@pytest.mark.parametrize("share_of_bags", [0.1, 0.6, 0.9])
def test_a_model_without_a_value_in_some_bags_stays_and_does_not_make_others_members(share_of_bags: float):
    rows = alike([0.9, 0.89, 0.5, 0.5, 0.9], 200, 4)
    names = np.random.default_rng(0).random(200)
    every = np.concatenate(list(draw_bags(np.random.default_rng([42, 2]), 200, 500)))
    least = float(np.quantile(every @ names, share_of_bags))
    metrics = [*([row_mean(row)] for row in rows[:4]), [row_mean(rows[4], names, least)]]
    best_set = find_best_set(MetricScores(metrics, Units.from_rows(200)), 0, 42, share=True)
    assert best_set.members.tolist() == [True, True, False, False, True]
    without = find_best_set(MetricScores(metrics[:4], Units.from_rows(200)), 0, 42, share=True)
    assert best_set.stderr[:4] == pytest.approx(without.stderr)
    assert np.isnan(best_set.stderr[4]) and np.isfinite(best_set.reach)


@pytest.mark.parametrize("known", [0.3, 0.9])
def test_bags_in_which_no_model_has_a_value_are_left_out_unless_they_are_most(known: float):
    rows = alike([0.9, 0.5], 60, 4)
    names = np.random.default_rng(0).random(60)
    every = np.concatenate(list(draw_bags(np.random.default_rng([42, 2]), 60, 500)))
    least = float(np.quantile(every @ names, 1 - known))
    metrics = [[row_mean(row, names, least)] for row in rows]
    best_set = find_best_set(MetricScores(metrics, Units.from_rows(60)), 0, 42, share=True)
    assert best_set.behind[1] == pytest.approx(rows[0].mean() - rows[1].mean(), abs=1e-6)
    if known < 0.5:
        assert best_set.members.all() and np.isnan(best_set.stderr[1]) and best_set.reach == np.inf
    else:
        bags = every[every @ names >= least]
        means = bags @ (rows[0] - rows[1]) / 60
        assert best_set.stderr[1] == pytest.approx(np.sqrt(60 / 59) * means.std(ddof=1), rel=1e-4)
        assert best_set.members.tolist() == [True, False]


def test_a_model_that_predicts_no_positive_has_the_precision_zero_and_does_not_make_others_members():
    random = np.random.default_rng(0)
    labels = (random.random((500, 1)) < 0.3).astype(np.float32)
    good = np.where(random.random((500, 1)) < 0.95, labels, 1 - labels)
    outputs = [good, (random.random((500, 1)) < 0.5).astype(np.float32), np.zeros_like(labels)]
    scores = MetricScores([[METRICS["precision"](output, labels)] for output in outputs], Units.from_rows(500))
    best_set = find_best_set(scores, 0, 42, share=True)
    assert best_set.members.tolist() == [True, False, False]
    assert best_set.behind[2] == pytest.approx(scores.values[0])  # from a precision of 0
    assert np.isfinite(best_set.stderr).all()


def test_what_all_models_have_in_common_is_not_in_their_spread():
    rows = np.random.default_rng(0).normal(size=(4, 80)).astype(np.float32)
    scores, shifted = (MeanScores(each) for each in (rows, rows + 5 * np.sin(np.arange(80, dtype=np.float32))))
    assert measure_spread(shifted, 42) == pytest.approx(measure_spread(scores, 42), abs=1e-6)
    covariance = np.cov(rows - rows.mean(0)) / 80
    spread = measure_spread(scores, 42)
    assert spread @ spread.T == pytest.approx(covariance, rel=1e-4, abs=1e-7)


def test_what_is_out_of_reach_could_not_stay_with_the_largest_error_of_all():
    """A model whose scores were not kept is judged by its distance alone."""
    random = np.random.default_rng(0)
    rows = (random.random((12, 400)) < np.linspace(0.78, 0.82, 12)[:, None]).astype(np.float32)
    best_set = found(rows)
    best = int(rows.mean(1).argmax())
    largest = max(np.std(rows[best] - row, ddof=1) for row in rows) / np.sqrt(400)
    assert 2 * largest < best_set.reach < 4.5 * largest  # times a limit for one to 66 pairs
    assert all(best_set.behind[best_set.members] <= best_set.reach)
    assert found(np.repeat(rows, 4, 1), units=Units.from_groups(np.arange(1_600) // 4)).reach == pytest.approx(
        best_set.reach, rel=0.05
    )


def test_the_set_depends_on_the_seed_alone():
    rows = alike([0.8, 0.79, 0.78, 0.77, 0.76, 0.75], 300, 1)
    first, again = found(rows), found(rows)
    assert (first.members == again.members).all() and first.reach == again.reach
    assert find_best_set(MeanScores(rows), 0, 43, share=True).reach != first.reach


def test_what_the_rows_resolve_is_twice_the_median_error_of_the_sixteen_closest():
    errors = [0.001 * (7 * number % 16 + 1) for number in range(16)]
    behind = {number + 5: Behind(0.3, 0.9, False) for number in range(30)}  # far behind, in front in the mapping
    behind |= {number + 50: Behind(0.01 * number, error, True) for number, error in enumerate(errors)}
    behind |= {4: Behind(0.0, None, True), 3: Behind(0.0, 0.0, True)}
    assert more_trials([0.8] * 16, behind).resolved == pytest.approx(1.96 * median(errors))


def test_what_as_many_trials_as_the_last_half_gained_is_said_from_sixteen_trials_on():
    values = [0.5, 0.9, *[0.6] * 6, 0.7, *[0.91] * 3, *[0.8] * 4]
    assert more_trials(values[:-1], BEHIND) is None
    assert (more_trials(values, BEHIND).trials, round(more_trials(values, BEHIND).gain, 9)) == (8, 0.01)
    assert more_trials([0.5] * 68 + [0.6] + [0.7] * 31, BEHIND).trials == 32
    assert more_trials([0.5] * 67 + [0.6] + [0.7] * 32, BEHIND).gain == pytest.approx(0.1)
    assert more_trials([0.6] * 16, {0: Behind(0.0, 0.01, True)}).gain == 0
    assert more_trials([0.8] * 64, {}) is None
