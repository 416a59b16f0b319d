"""The split is scikit-learn's, row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from keras_sweep.data.source import RawRows, Source
from keras_sweep.data.split import held_out, held_out_by_class, split
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import Split


@given(n=st.integers(2, 3000), share=st.floats(0.001, 0.999), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_holds_out_the_rows_that_train_test_split_does(n: int, share: float, seed: int) -> None:
    try:
        kept, held = train_test_split(np.arange(n), test_size=share, random_state=seed)
    except ValueError:
        with pytest.raises(DataError):
            held_out(n, share, seed)
        return
    ours = held_out(n, share, seed)
    assert (ours[0] == kept).all() and (ours[1] == held).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_lessons_split_of_60000_rows(seed: int) -> None:
    kept, held = train_test_split(np.arange(60000), test_size=0.2, random_state=seed)
    ours = held_out(60000, 0.2, seed)
    assert (ours[0] == kept).all() and (ours[1] == held).all()
    assert (len(ours[0]), len(ours[1])) == (48000, 12000)


def test_by_class_keeps_the_shares() -> None:
    labels = np.array(["a"] * 50 + ["b"] * 10, dtype=object)
    kept, held = held_out_by_class(labels, 0.2, 1)
    assert sorted([*kept, *held]) == list(range(60))
    assert (labels[held] == "b").sum() == 2


def test_too_few_rows_of_a_class_says_what_to_do() -> None:
    with pytest.raises(DataError, match=r"stratify: true`: class .* has one row\. Bring more rows"):
        held_out_by_class(np.array([0, 0, 0, 1]), 0.5, 0)


def test_test_rows_are_held_out_before_validation_rows() -> None:
    rows = RawRows(np.arange(100.0)[:, None], np.arange(100) % 2)
    parts = split(Source("s", rows), Split(validation=0.25, test=0.2, seed=7), classes=True)
    assert parts.test is not None
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [60, 20, 20]
    search, test = train_test_split(np.arange(100), test_size=0.2, random_state=7)
    train, validation = train_test_split(search, test_size=0.25, random_state=7)
    assert parts.test.x[:, 0].tolist() == test.tolist()
    assert parts.train.x[:, 0].tolist() == train.tolist()
    assert parts.validation.x[:, 0].tolist() == validation.tolist()


def test_no_share_of_test_rows_seals_none() -> None:
    rows = RawRows(np.arange(10.0)[:, None], np.arange(10) % 2)
    assert split(Source("s", rows), Split(test=0.0), classes=True).test is None


def test_parts_of_the_source_stay() -> None:
    train, test = (RawRows(np.full((10, 1), float(k)), np.arange(10) % 2) for k in (1, 2))
    parts = split(Source("s", train=train, test=test), Split(), classes=True)
    assert parts.test is test
    assert len(parts.train) == 8 and len(parts.validation) == 2


def test_stratify_needs_classes() -> None:
    rows = RawRows(np.zeros((10, 1)), np.arange(10.0))
    with pytest.raises(DataError, match="needs classes"):
        split(Source("s", rows), Split(stratify=True), classes=False)
