"""The winner's estimated score: right without a choice, unbiased with one, never without width."""

import math
from statistics import fmean, pvariance, variance

import numpy as np
import pytest
from scipy.stats import binomtest, norm, t

from keras_sweep.honest.estimate import estimate_winner
from keras_sweep.honest.scores import MeanScores, MetricScores, auc, draw_bags, r2_score, root_mean_squared_error
from keras_sweep.trial.units import Units


def right(models: int, rows: int, share: float = 0.8, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((models, rows)) < share).astype(np.float32)


def estimate_by_rows(scores: MeanScores | MetricScores, best: int, **settings):
    """Estimate the winner's score. Each row is a unit."""
    return estimate_winner(scores, best, Units.from_rows(scores.shape[1]), 42, **settings)


def estimated(rows: np.ndarray, **settings):
    best = int(rows.mean(1).argmax())
    return estimate_by_rows(MeanScores(rows), best, naive=float(rows[best].mean()), **{"share": True, **settings})


def widths_by_hand(rows: np.ndarray) -> list[float]:
    """How much wider the luck of each share is than in bags: by as much as that of the share all models may have."""
    models, count = rows.shape
    shares = [fmean(row) for row in rows]
    apart = fmean(pvariance(row) for row in (rows - rows.mean(0)).tolist()) * models / (models - 1) / (count - 1)
    differ = variance(shares)
    weight = min(max((4 - (differ / apart - 1) / math.sqrt(2 / (models - 1))) / 3, 0), 1)
    towards = max(1 - apart / max(differ, apart), 0)
    centres = [fmean(shares) + towards * (share - fmean(shares)) for share in shares]
    own = [share * (1 - share) for share in shares]
    ratios = [
        math.sqrt(c * (1 - c) * count / (count - 1) / o) if o > 0 else 1.0 for c, o in zip(centres, own, strict=True)
    ]
    return [1 + weight * (ratio - 1) for ratio in ratios]


def optimism_by_hand(rows: np.ndarray, best: int, widths: list[float]) -> float:
    """By how much the best of the models gains by the choice: a bag at a time, 500 bags of twice as many rows."""
    whole, count, lost = [fmean(row) for row in rows.astype(float)], rows.shape[1], []
    for block in draw_bags(np.random.default_rng([42, 1]), count, 500, 2 * count):
        for bag in block.astype(float):
            inside = [float(row @ bag) / (2 * count) for row in rows]
            luck = [w * (i - a) for w, i, a in zip(widths, inside, whole, strict=True)]
            chosen = max(range(len(rows)), key=lambda k: (round(whole[k] + luck[k], 9), -k))
            lost.append(whole[best] - whole[chosen] + 2 * (luck[chosen] - luck[best]))
    assert len(lost) == 500
    return fmean(lost)


def test_a_loss_is_corrected_and_has_an_interval_as_the_formulas_say():
    losses = np.random.default_rng(2).lognormal(size=(6, 40)).astype(np.float32)
    best = int(losses.mean(1).argmin())
    naive = float(losses[best].mean())
    estimate = estimate_by_rows(MeanScores(-losses), best, naive=naive, share=False, maximize=False)
    lost = optimism_by_hand(-losses, best, [1.0] * 6)
    assert lost > 0.02
    error = np.std(losses[best], ddof=1) / math.sqrt(40)
    width = math.hypot(t.ppf(0.975, 39) * error, norm.ppf(0.975) * lost / 2)
    assert estimate.value == pytest.approx(naive + lost, abs=1e-4)
    assert (estimate.low, estimate.high) == pytest.approx((naive + lost - width, naive + lost + width), abs=1e-4)
    assert "bias corrected over 6 of the models, normal interval at 95 %, 40 rows" in estimate.method


@pytest.mark.parametrize(
    ("truth", "seed"),
    [([0.8] * 12, 1), ([0.8] * 12, 2), ([0.7, 0.75, 0.8, 0.85, 0.9], 3), ([0.7, 0.8, 0.9], 3), ([0.5, 0.8, 0.95], 4)],
)
def test_shares_are_corrected_by_the_luck_that_rows_of_their_true_share_would_have(truth: list[float], seed: int):
    rows = (np.random.default_rng(seed).random((len(truth), 60)) < np.array(truth)[:, None]).astype(np.float32)
    best = int(rows.mean(1).argmax())
    estimate = estimated(rows)
    assert estimate.value == pytest.approx(
        estimate.naive - optimism_by_hand(rows, best, widths_by_hand(rows)), abs=2e-5
    )
    assert "Wilson's interval at 95 %, 60 rows" in estimate.method


@pytest.mark.parametrize(("right_rows", "count"), [(41, 50), (10, 10), (0, 8), (1, 300)])
def test_the_interval_of_a_model_that_nobody_chose_is_wilsons(right_rows: int, count: int):
    estimate = estimated((np.arange(count) < right_rows).astype(np.float32)[None])
    expected = binomtest(right_rows, count).proportion_ci(0.95, "wilson")
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_the_interval_of_rows_that_weigh_unlike_is_wilsons_for_as_many_as_scatter_as_much():
    rows = np.float32([2, 2, 0, 1, 0, 0, 1.5, 1.5, 0, 1.6])
    mean, spread = fmean(rows.tolist()), pvariance(rows.tolist())
    count = 10 * mean * (1 - mean) / spread
    assert count < 5
    z = t.ppf(0.975, 9)  # the variance of right or wrong rows is known, any other is estimated
    centre = (mean + z * z / 2 / count) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(mean * (1 - mean) / count + z * z / 4 / count**2)
    estimate = estimated(rows[None])
    assert (estimate.low, estimate.high) == pytest.approx((centre - half, min(centre + half, 1)), abs=1e-6)


def test_half_of_the_correction_counts_as_uncertainty_of_a_share():
    rows = right(20, 40, 0.7)
    estimate = estimated(rows)
    lost, z = estimate.naive - estimate.value, norm.ppf(0.975)
    value = estimate.value
    centre = (value + z * z / 80) / (1 + z * z / 40)
    half = z / (1 + z * z / 40) * math.sqrt(value * (1 - value) / 40 + z * z / 4 / 40**2)
    width = math.hypot(half, z * lost / 2)
    assert (estimate.low, estimate.high) == pytest.approx((centre - width, centre + width), abs=1e-6)


def test_a_share_with_a_fault_may_lose_more_than_to_the_mean_of_all():
    """Each model is wrong on a row of its own: in a bag without that row it has no fault."""
    rows = 1 - np.eye(10, dtype=np.float32)
    lost = optimism_by_hand(rows, 0, widths_by_hand(rows))
    assert lost > 0.12 > 1 - rows.mean()
    assert estimated(rows).value == pytest.approx(0.9 - lost, abs=1e-4)


def test_a_share_without_a_fault_loses_no_more_than_to_the_mean_of_all():
    rows = np.ones((8, 12), np.float32)
    rows[1:, :3] = right(7, 3, 0.4)
    estimate = estimated(rows)
    unbounded = optimism_by_hand(rows, 0, widths_by_hand(rows))
    assert estimate.value == pytest.approx(1 - min(unbounded, 1 - float(rows.mean())), abs=1e-4)
    noisy = 1 + np.random.default_rng(0).standard_normal((8, 50)).astype(np.float32) * 3
    noisy -= noisy.mean(1, keepdims=True) - 1  # each has the score 1, which is no share
    scores = MeanScores(noisy)
    assert estimate_by_rows(scores, 0, naive=1.0, share=False).value < 0.9


def test_errors_and_r2_of_all_rows_together_have_an_interval_from_bags():
    random = np.random.default_rng(0)
    labels = random.random((30, 1)).astype(np.float32)
    outputs = [labels + 0.05 * random.standard_normal((30, 1)) for _ in range(3)]
    outputs = [np.where(np.arange(30)[:, None] == 7, labels + 3, each).astype(np.float32) for each in outputs]
    errors = MetricScores([[root_mean_squared_error(each, labels)] for each in outputs], Units.from_rows(30), sign=-1.0)
    whole = -errors.evaluate(np.ones((1, 30), np.float32))[0]
    best = int(whole.argmin())
    estimate = estimate_by_rows(errors, best, naive=float(whole[best]), share=False, maximize=False)
    own = np.concatenate(
        [errors.evaluate(bag)[:, best] for bag in draw_bags(np.random.default_rng([42, 1]), 30, 500, 60)]
    )
    width = t.ppf(0.975, 29) * math.sqrt(2 * 30 / 29) * np.std(own)
    assert estimate.value >= estimate.naive
    assert estimate.low == 0 < estimate.value - width / 2  # no error is below zero
    extra = norm.ppf(0.975) * (estimate.value - estimate.naive) / 2
    assert estimate.high == pytest.approx(estimate.value + math.hypot(width, extra), abs=1e-6)
    poor = MetricScores([[r2_score(np.zeros_like(labels), labels)]], Units.from_rows(30))
    naive = float(poor.evaluate(np.ones((1, 30), np.float32))[0, 0])
    estimate = estimate_by_rows(poor, 0, naive=naive, share=False)
    assert estimate.low < estimate.value == naive < 0 < estimate.high + 3  # R2 has no least value


@pytest.mark.parametrize("rows", [right(1, 50), np.repeat(right(1, 50), 8, 0)], ids=["one model", "all alike"])
def test_where_there_is_nothing_to_choose_the_score_stands(rows):
    estimate = estimated(rows)
    assert estimate.value == estimate.naive
    assert 0 < estimate.low < estimate.value < estimate.high < 1


def test_the_interval_of_a_share_that_is_no_mean_of_rows_ends_where_shares_do():
    labels = np.arange(40) % 2
    outputs = 0.3 * labels + np.random.default_rng(0).random(40) / 2
    estimate = estimate_by_rows(MetricScores([[auc(outputs, labels)]], Units.from_rows(40)), 0, naive=0.97, share=True)
    assert (estimate.value, estimate.high) == (0.97, 1.0)
    assert 0.8 < estimate.low < 0.97


@pytest.mark.parametrize(("share", "most"), [(0.5, 0.15), (0.7, 0.15), (0.8, 0.25), (0.9, 0.15)])
def test_of_many_models_alike_on_few_rows_the_estimate_is_right_on_average(share: float, most: float):
    random, error = np.random.default_rng(3), np.sqrt(share * (1 - share) / 20)
    found = [estimated((random.random((64, 20)) < share).astype(np.float32)) for _ in range(100)]
    assert np.mean([one.naive - share for one in found]) > 1.3 * error
    assert abs(np.mean([one.value - share for one in found])) < most * error  # in bags alone it is 0.3 to 1.1
    assert np.mean([one.low <= share <= one.high for one in found]) >= 0.95


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


def test_no_error_is_estimated_below_zero_and_no_share_above_one():
    losses = np.float32([[0.1] * 11 + [9.0]] * 3)
    naive = float(losses[0].mean())
    estimate = estimate_by_rows(MeanScores(-losses), 0, naive=naive, share=False, maximize=False)
    assert estimate.low == 0 < estimate.value < estimate.high
    signed = estimate_by_rows(MeanScores(1 - losses), 0, naive=naive - 1, share=False, maximize=False)
    assert signed.low < -1 < signed.value < signed.high
    shares = estimate_by_rows(MeanScores(np.float32([[1, 1, 0.9, 1]] * 2)), 0, naive=0.975, share=True)
    assert 0 < shares.low < shares.value <= shares.high <= 1


def test_the_interval_of_shares_in_groups_is_wilsons_for_the_rows_that_vary_as_much():
    """Korn and Graubard 1998: the effective number of rows, by the variance between groups."""
    groups = np.repeat(np.arange(20), 30)
    random = np.random.default_rng(0)
    row = (random.normal(size=20)[groups] + random.normal(size=600) > -0.5).astype(np.float32)
    shares = [float(row[groups == group].mean()) for group in range(20)]
    share, error = fmean(shares), math.sqrt(variance(shares) / 20)
    count, z = share * (1 - share) / error**2 * 20 / 19, t.ppf(0.975, 19)
    assert count < 200
    expected = [
        (share + z * z / 2 / count + sign * z * math.sqrt(share * (1 - share) / count + z * z / 4 / count**2))
        / (1 + z * z / count)
        for sign in (-1, 1)
    ]
    units = Units.from_groups(groups, "patients")
    estimate = estimate_winner(MeanScores.from_rows(row[None], units), 0, units, 42, naive=share, share=True)
    assert (estimate.low, estimate.high) == pytest.approx(expected, abs=1e-5)
    assert "Wilson's interval at 95 %, 600 rows in 20 patients" in estimate.method


def test_the_interval_covers_the_truth_if_groups_count_and_not_if_their_rows_do():
    groups = np.repeat(np.arange(40), 50)
    units, rows = Units.from_groups(groups), Units.from_rows(2_000)
    truth, covered = norm.cdf(1 / math.sqrt(1.36 * 1.25)), {units: 0, rows: 0}
    for seed in range(60):
        random = np.random.default_rng([seed, 1])
        common = random.normal(size=2_000) + 0.6 * random.normal(size=40)[groups]
        own = random.normal(size=(12, 2_000)) + 0.6 * random.normal(size=(12, 40))[:, groups]
        right = (1 + common + 0.5 * own > 0).astype(np.float32)  # twelve equal models
        for counted in covered:
            scores = MeanScores.from_rows(right, counted)
            best = int(scores.values.argmax())
            naive = float(scores.values[best])
            estimate = estimate_winner(scores, best, counted, seed, naive=naive, share=True)
            covered[counted] += estimate.low <= truth <= estimate.high
    assert covered[units] >= 53  # 57 are expected
    assert covered[rows] <= 45


def test_a_single_group_gives_no_estimate():
    units = Units.from_groups(np.zeros(50))
    scores = MeanScores.from_rows(right(3, 50), units)
    assert estimate_winner(scores, 0, units, 42, naive=0.8, share=True) is None


@pytest.mark.parametrize("rows", [np.zeros((3, 1)), np.full((3, 9), 2.5)], ids=["one row", "no spread"])
def test_rows_that_say_nothing_give_no_estimate(rows):
    assert estimated(rows.astype(np.float32), share=False) is None


def test_a_metric_that_is_the_same_on_every_bag_gives_no_estimate():
    scores = MetricScores([[lambda weights: np.full(len(weights), 0.5)]] * 2, Units.from_rows(20))
    assert estimate_by_rows(scores, 0, naive=0.5, share=True) is None
