"""What tests of training share."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.data.labels import LabelForm
from keras_sweep.data.search_data import SearchData
from keras_sweep.data.source import RawRows
from keras_sweep.data.split import split_folds
from keras_sweep.space.data_spec import Split
from keras_sweep.training import build_trial
from keras_sweep.training.workers import task
from tests.helpers.factory import digits
from tests.helpers.lane_trials import with_labels


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadPoolExecutor]:
    """Two threads that may be workers."""
    monkeypatch.setattr(build_trial, "others_draw", False)
    monkeypatch.setattr(task, "_open", {})
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="session")
def in_folds() -> Callable[..., SearchData]:
    """The first rows of digits in folds; 192 rows in two and 288 in three are whole batches."""

    def make(count: int = 2, rows: int = 192) -> SearchData:
        data = digits(rows, 0)
        folds = split_folds(RawRows(data.train.x, data.train.y), Split(folds=count), LabelForm.INDEX)
        return replace(data, validation=data.train, folds=tuple(folds))

    return make


@pytest.fixture(scope="session")
def data() -> SearchData:
    """Nine batches of digits to train on, three to validate on."""
    return digits()


@pytest.fixture(scope="session")
def uneven() -> SearchData:
    """Short batches at the end, and many rows of one class."""
    return with_labels(digits(300, 100), lambda y: np.where(y > 6, 0, y))
