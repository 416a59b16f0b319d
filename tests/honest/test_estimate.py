"""The winner's estimated score: right without a choice, unbiased with one, never without width."""

import math

import numpy as np
import pytest

from keras_sweep.honest.estimate import corrected
from keras_sweep.honest.scores import MeanScores, MetricScores, auc
from keras_sweep.training.row_values import weighed

# Of rows that weigh w by the gamma distribution of shape 0.5, right nine times of ten where w is above 1, else seven:
# the share of weight above 1 is the chance of it where the shape is 1.5.
TRUTH = 0.7 + 0.2 * (math.erfc(1) + 2 / math.sqrt(math.pi) * math.exp(-1))


def right(models: int, rows: int, share: float = 0.8, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((models, rows)) < share).astype(np.float32)


def estimated(rows: np.ndarray, **settings):
    best = int(rows.mean(1).argmax())
    return corrected(MeanScores(rows), best, 42, naive=float(rows[best].mean()), **{"share": True, **settings})


@pytest.mark.parametrize("rows", [right(1, 50), np.repeat(right(1, 50), 8, 0)], ids=["one model", "all alike"])
def test_where_there_is_nothing_to_choose_the_score_stands(rows):
    estimate = estimated(rows)
    assert estimate.value == estimate.naive
    assert 0 < estimate.low < estimate.value < estimate.high < 1


def test_where_rows_weigh_unlike_the_interval_is_as_wide_as_fewer_rows_make_it():
    random, inside, naive = np.random.default_rng(5), [], []
    for _ in range(300):
        weights = random.gamma(0.5, 1.0, 120)  # they say as much as 40 rows
        one = random.random(120) < np.where(weights > 1, 0.9, 0.7)
        rows = weighed("val_accuracy", one.astype(float), weights).astype(np.float32)[None]
        estimate = estimated(rows)
        inside.append(estimate.low <= TRUTH <= estimate.high)
        naive.append(estimate.naive)
    assert np.mean(naive) == pytest.approx(TRUTH, abs=0.02)
    assert 0.9 < np.mean(inside) < 0.99  # of intervals of 120 rows that weigh alike it would be 0.79


def test_rows_that_are_all_right_do_not_promise_certainty():
    estimate = estimated(np.ones((5, 30), np.float32))
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert 0.85 < estimate.low < 0.9  # Wilson's: 30 / (30 + 1.96 ** 2)


def test_the_interval_of_a_share_that_is_no_mean_of_rows_ends_where_shares_do():
    labels = np.arange(40) % 2
    outputs = 0.3 * labels + np.random.default_rng(0).random(40) / 2
    estimate = corrected(MetricScores([[auc(outputs, labels)]], 40), 0, 42, naive=0.97, share=True)
    assert (estimate.value, estimate.high) == (0.97, 1.0)
    assert 0.8 < estimate.low < 0.97


def test_of_many_models_alike_on_few_rows_the_best_is_taken_for_lucky():
    estimate = estimated(right(64, 20, 0.7, seed=3))
    assert estimate.naive > 0.85
    assert estimate.value < estimate.naive - 0.1
    assert estimate.low < 0.7 < estimate.high


@pytest.mark.parametrize(("share", "most"), [(0.5, 0.15), (0.7, 0.15), (0.8, 0.25), (0.9, 0.15)])
def test_of_many_models_alike_on_few_rows_the_estimate_is_right_on_average(share: float, most: float):
    random, error = np.random.default_rng(3), np.sqrt(share * (1 - share) / 20)
    found = [estimated((random.random((64, 20)) < share).astype(np.float32)) for _ in range(100)]
    assert np.mean([one.naive - share for one in found]) > 1.3 * error
    assert abs(np.mean([one.value - share for one in found])) < most * error  # in bags alone it is 0.3 to 1.1
    assert np.mean([one.low <= share <= one.high for one in found]) >= 0.95


def test_the_best_of_many_loses_on_average_what_choosing_it_added():
    truth = np.linspace(0.7, 0.75, 16)
    random = np.random.default_rng(7)
    errors, naive, inside = [], [], 0
    for _ in range(60):
        rows = (random.random((16, 200)) < truth[:, None]).astype(np.float32)
        best = int(rows.mean(1).argmax())
        estimate = estimated(rows)
        errors.append(estimate.value - truth[best])
        naive.append(estimate.naive - truth[best])
        inside += estimate.low <= truth[best] <= estimate.high
    assert np.mean(naive) > 0.03
    assert abs(np.mean(errors)) < 0.01
    assert inside >= 54


def test_the_best_of_models_that_differ_as_much_as_chance_does_loses_no_more_than_that():
    random = np.random.default_rng(11)
    error = np.sqrt(0.8 * 0.2 / 100)
    biases, naive = [], []
    for _ in range(150):
        truth = 0.8 + 1.5 * error * random.standard_normal(24)
        rows = (random.random((24, 100)) < truth[:, None]).astype(np.float32)
        best = int(rows.mean(1).argmax())
        estimate = estimated(rows)
        biases.append((estimate.value - truth[best]) / error)
        naive.append((estimate.naive - truth[best]) / error)
    assert np.mean(naive) > 0.6
    assert abs(np.mean(biases)) < 0.15  # in standard errors; with bags of as many rows as there are it is -0.24


def test_a_loss_that_is_minimized_is_corrected_upwards():
    losses = np.random.default_rng(0).lognormal(size=(12, 200)).astype(np.float32)
    best = int(losses.mean(1).argmin())
    estimate = corrected(MeanScores(-losses), best, 42, naive=float(losses[best].mean()), share=False, maximize=False)
    assert estimate.low < estimate.naive < estimate.value < estimate.high


def test_no_error_is_estimated_below_zero_and_no_share_above_one():
    losses = np.float32([[0.1] * 11 + [9.0]] * 3)
    naive = float(losses[0].mean())
    estimate = corrected(MeanScores(-losses), 0, 42, naive=naive, share=False, maximize=False)
    assert estimate.low == 0 < estimate.value < estimate.high
    signed = corrected(MeanScores(1 - losses), 0, 42, naive=naive - 1, share=False, maximize=False)
    assert signed.low < -1 < signed.value < signed.high
    shares = corrected(MeanScores(np.float32([[1, 1, 0.9, 1]] * 2)), 0, 42, naive=0.975, share=True)
    assert 0 < shares.low < shares.value <= shares.high <= 1


@pytest.mark.parametrize("rows", [np.zeros((3, 1)), np.full((3, 9), 2.5)], ids=["one row", "no spread"])
def test_rows_that_say_nothing_give_no_estimate(rows):
    assert estimated(rows.astype(np.float32), share=False) is None


def test_the_same_rows_and_seed_give_the_same_estimate():
    assert estimated(right(8, 300)) == estimated(right(8, 300))
