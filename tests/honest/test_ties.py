"""Ties by paired differences: the truly best is among them, clear losers are not, and likeness has its error."""

import numpy as np

from keras_sweep.honest.scores import MeanScores, MetricScores, auc, r2_score
from keras_sweep.honest.ties import more_trials, paired_ties
from keras_sweep.trial.comparison import Behind

BEHIND = {number: Behind(0.001 * number, 0.002, True) for number in range(1, 40)}


def alike(shares: list[float], rows: int, seed: int) -> np.ndarray:
    """Models that mostly get the same rows right, as real ones do."""
    ease = np.random.default_rng(seed).random(rows)
    noise = np.random.default_rng(seed + 1).normal(0, 0.05, (len(shares), rows))
    return (ease + noise < np.array(shares)[:, None]).astype(np.float32)


def test_pairs_tell_apart_what_single_errors_can_not():
    rows = alike([0.80, 0.78], 4000, 0)
    behind, stderr, ties = paired_ties(MeanScores(rows), 0, 42, share=True)
    assert stderr[1] < 0.7 * np.sqrt(0.8 * 0.2 / 4000)
    assert ties.tolist() == [True, False]
    assert abs(behind[1] - (rows[0].mean() - rows[1].mean())) < 1e-6


def test_the_truly_best_is_among_the_ties():
    among = 0
    for seed in range(40):
        rows = alike([0.80, *[0.79] * 15], 300, 10 * seed)
        best = int(rows.mean(1).argmax())
        among += paired_ties(MeanScores(rows), best, 42, share=True)[2][0]
    assert among >= 38


def test_models_that_agree_on_every_row_tie_and_have_an_error_all_the_same():
    behind, stderr, ties = paired_ties(MeanScores(np.ones((4, 30), np.float32)), 2, 42, share=True)
    assert ties.all() and not behind.any()
    assert stderr[2] == 0 and (np.delete(stderr, 2) > 0.01).all()


def test_what_is_worse_by_the_same_on_every_row_is_no_tie():
    losses = np.random.default_rng(0).random((1, 50)).astype(np.float32)
    _, _, ties = paired_ties(MeanScores(-np.concatenate([losses, losses + 0.5])), 0, 42)
    assert ties.tolist() == [True, False]


def test_a_hopeless_crowd_does_not_make_the_good_ones_ties():
    rows = alike([0.80, 0.785, *[0.3] * 200], 4000, 5)
    assert paired_ties(MeanScores(rows), 0, 42, share=True)[2].sum() == 1


def test_a_metric_of_all_rows_is_compared_on_bags():
    random = np.random.default_rng(0)
    labels = (random.random(400) < 0.5).astype(np.float32)
    good, bad = (labels * lift + random.random(400) for lift in (1.0, 0.1))
    scores = MetricScores([[auc(p / 2.5, labels)] for p in (good, good + 1e-3, bad)], 400)
    behind, stderr, ties = paired_ties(scores, 0, 42)
    assert ties.tolist() == [True, True, False]
    assert stderr[1] < 0.02 < stderr[2]
    assert behind[2] > 0.2


def test_where_the_metric_of_no_bag_is_known_nothing_is_told_apart_and_numpy_is_silent():
    equal = np.full(32, 3.0)
    outputs = np.random.default_rng(0).normal(3, 0.1, (2, 32))
    _, stderr, ties = paired_ties(MetricScores([[r2_score(each, equal)] for each in outputs], 32), 0, 42)
    assert np.isnan(stderr[1]) and ties.all()


def test_one_row_tells_nothing_apart():
    _, stderr, ties = paired_ties(MeanScores(np.array([[1.0], [0.0]], np.float32)), 0, 42, share=True)
    assert np.isnan(stderr).all() and ties.all()


def test_what_the_last_trials_gained_is_set_against_what_the_rows_resolve():
    still = more_trials([0.8] * 32 + [0.81] * 32, BEHIND)
    assert (still.trials, round(still.gain, 6), still.worth_it) == (32, 0.01, True)
    over = more_trials([0.81] * 32 + [0.811] * 32, BEHIND)
    assert not over.worth_it
    assert round(over.resolved, 5) == 0.00392
    assert more_trials([0.8] * 15, BEHIND) is None
    assert more_trials([0.8] * 64, {}) is None
