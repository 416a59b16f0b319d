"""Ties by paired differences: the truly best is among them, clear losers are not, and likeness has its error."""

from statistics import median

import numpy as np
import pytest
from scipy.stats import ttest_rel

from keras_sweep.honest.scores import MeanScores, MetricScores, auc, draw_bags
from keras_sweep.honest.ties import find_ties, more_trials
from keras_sweep.trial.comparison import Behind

BEHIND = {number: Behind(0.001 * number, 0.002, True) for number in range(1, 40)}


def alike(shares: list[float], rows: int, seed: int) -> np.ndarray:
    """Models that mostly get the same rows right, as real ones do."""
    ease = np.random.default_rng(seed).random(rows)
    noise = np.random.default_rng(seed + 1).normal(0, 0.05, (len(shares), rows))
    return (ease + noise < np.array(shares)[:, None]).astype(np.float32)


def test_the_error_of_a_difference_is_that_of_the_paired_t_test():
    rows = np.random.default_rng(0).normal(size=(4, 25)).astype(np.float32)
    behind, stderr, _ = find_ties(MeanScores(rows), 1, 42)
    for place in (0, 2, 3):
        assert behind[place] / stderr[place] == pytest.approx(ttest_rel(rows[1], rows[place]).statistic, abs=1e-5)
    behind, stderr, _ = find_ties(MeanScores(rows), np.array([1, 1, 3, 3]), 42)
    assert behind[2] == pytest.approx(rows[3].mean() - rows[2].mean(), abs=1e-6)
    assert behind[2] / stderr[2] == pytest.approx(ttest_rel(rows[3], rows[2]).statistic, abs=1e-5)
    assert stderr[0] > 0 == stderr[1] == stderr[3]


def test_of_shares_that_agree_the_error_is_half_of_wilsons_interval_and_no_more_where_it_is_larger():
    rows = np.ones((3, 30), np.float32)
    rows[1, :4] = 0
    _, stderr, _ = find_ties(MeanScores(rows), 0, 42, share=True)
    assert stderr[2] == pytest.approx(0.5 / 31)
    assert stderr[1] == pytest.approx(np.std(rows[1], ddof=1) / np.sqrt(30), abs=1e-6)
    assert find_ties(MeanScores(rows), 0, 42)[1][2] == 0


def rivals(t: float, count: int, shared: bool, rows: int = 400) -> np.ndarray:
    """A best model, and others that are each behind it by `t` standard errors, with luck of their own or in common."""
    noise = np.random.default_rng(1).standard_normal((1 if shared else count, rows))
    noise = np.linalg.qr((noise - noise.mean(1, keepdims=True)).T)[0].T  # [., n] uncorrelated, of length 1
    noise = np.repeat(noise, count, 0) if shared else noise
    behind = t / np.sqrt(rows * (rows - 1))
    return np.concatenate([np.zeros((1, rows)), noise - behind]).astype(np.float32)


@pytest.mark.parametrize("by_bags", [False, True])
def test_all_comparisons_together_hold_at_95_percent_and_those_that_go_together_count_as_one(by_bags: bool):
    """The largest of 20 independent t is below 2.82 in 95 % of all samples, a single one below 1.65."""

    def ties(t: float, shared: bool) -> int:
        rows = rivals(t, 20, shared)
        if not by_bags:
            return find_ties(MeanScores(rows), 0, 42)[2].sum()
        metrics = [[lambda weights, row=row: weights @ row / weights.sum(1)] for row in rows]
        return find_ties(MetricScores(metrics, rows.shape[1]), 0, 42)[2].sum()

    slack = 0.25 if by_bags else 0.08  # each error over bags is known to 3 %
    assert ties(2.82 + slack, shared=False) < 10 < ties(2.82 - slack, shared=False)
    assert ties(1.65 + slack, shared=True) == 1
    assert ties(1.65 - slack, shared=True) == 21


def test_a_metric_of_all_rows_has_the_scatter_over_bags_as_its_error():
    random = np.random.default_rng(3)
    labels = (random.random(50) < 0.5).astype(np.float32)
    scores = MetricScores([[auc((labels + 3 * random.random(50)) / 4, labels)] for _ in range(3)], 50)
    behind, stderr, _ = find_ties(scores, np.array([0, 0, 1]), 42)
    values = np.concatenate([scores.evaluate(bag) for bag in draw_bags(np.random.default_rng([42, 2]), 50, 500)])
    whole = scores.evaluate(np.ones((1, 50), np.float32))[0]
    assert behind == pytest.approx([0, whole[0] - whole[1], whole[1] - whole[2]])
    assert stderr[1:] == pytest.approx([np.std(values[:, k - 1] - values[:, k], ddof=1) for k in (1, 2)])
    assert stderr[0] == 0


@pytest.mark.parametrize("known", [1, 2, 100])
def test_bags_that_have_no_value_are_left_out_and_two_that_have_are_enough(known: int):
    every = np.concatenate(list(draw_bags(np.random.default_rng([42, 2]), 20, 500)))
    names = np.random.default_rng(0).random(20)
    least = np.sort(every @ names)[-known]

    def metric(weights: np.ndarray) -> np.ndarray:
        return np.where((weights @ names >= least) | (weights == 1).all(1), weights[:, 1], np.nan)

    behind, stderr, ties = find_ties(MetricScores([[metric], [lambda weights: 0 * metric(weights)]], 20), 0, 42)
    assert behind.tolist() == [0, 1]
    if known < 2:
        assert np.isnan(stderr[1]) and ties.all()
    else:
        assert stderr[1] == pytest.approx(np.std(every[every @ names >= least, 1], ddof=1))


def test_the_truly_best_is_among_the_ties():
    among = 0
    for seed in range(40):
        rows = alike([0.80, *[0.79] * 15], 300, 10 * seed)
        best = int(rows.mean(1).argmax())
        among += find_ties(MeanScores(rows), best, 42, share=True)[2][0]
    assert among >= 38


def test_what_is_worse_by_the_same_on_every_row_is_no_tie():
    losses = np.random.default_rng(0).random((1, 50)).astype(np.float32)
    _, _, ties = find_ties(MeanScores(-np.concatenate([losses, losses + 0.5])), 0, 42)
    assert ties.tolist() == [True, False]


def test_a_hopeless_crowd_does_not_make_the_good_ones_ties():
    rows = alike([0.80, 0.785, *[0.3] * 200], 4000, 5)
    assert find_ties(MeanScores(rows), 0, 42, share=True)[2].sum() == 1


def test_one_row_tells_nothing_apart():
    _, stderr, ties = find_ties(MeanScores(np.array([[1.0], [0.0]], np.float32)), 0, 42, share=True)
    assert np.isnan(stderr).all() and ties.all()


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
