from __future__ import annotations

import math

import pytest

from keras_sweep.sweep.replay import Gap, Match, gap, least_match, widest

ROWS = 12_000


@pytest.mark.parametrize(
    ("metric", "ours", "theirs", "match"),
    [
        ("val_loss", 0.44444, 0.44444, Match.EQUAL),
        ("val_loss", 0.444440, 0.444443, Match.ROUNDING),
        ("val_loss", 0.44444, 0.44454, Match.PARTED),
        ("val_accuracy", 10_150 / ROWS, 10_151 / ROWS, Match.ROUNDING),
        ("val_accuracy", 10_150 / ROWS, 10_152 / ROWS, Match.PARTED),
        ("val_accuracy", 10_150 / ROWS, 10_150 / ROWS + 1e-5, Match.PARTED),  # 0.12 rows: no rounding does that
        ("val_top_k_categorical_accuracy", 0.9, 0.9 + 1 / ROWS, Match.ROUNDING),
        ("loss", math.nan, math.nan, Match.EQUAL),
        ("loss", math.inf, math.inf, Match.EQUAL),
        ("loss", 1.0, math.nan, Match.PARTED),
        ("val_loss", 0.0, 1e-8, Match.ROUNDING),
        ("val_loss", 1e-3, 0.0, Match.PARTED),
    ],
)
def test_two_numbers_are_equal_or_equal_to_rounding_or_parted(metric, ours, theirs, match):
    assert gap(metric, ours, theirs, ROWS).match is match


def test_a_share_of_rows_that_float32_rounded_is_still_one_row():
    import numpy as np

    ours, theirs = (float(np.float32(right / ROWS)) for right in (10_151, 10_152))
    assert gap("val_accuracy", ours, theirs, ROWS).match is Match.ROUNDING


def test_gaps_are_told_in_rows_where_the_metric_is_a_share_of_them():
    assert gap("val_accuracy", 0.5, 0.51, 100).rows == pytest.approx(1)
    assert gap("val_loss", 0.5, 0.51, 100).rows is None


def test_the_worst_counts():
    assert least_match([Match.ROUNDING, Match.EQUAL]) is Match.ROUNDING
    assert least_match([]) is Match.EQUAL
    near, far = Gap(Match.ROUNDING, 1e-7), Gap(Match.PARTED, 1e-4)
    assert widest([near, far, near]) == far
