"""The split is scikit-learn's, row by row."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from keras_sweep.data.labels import LabelForm
from keras_sweep.data.source import RawRows, Source
from keras_sweep.data.split import split
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import Split


def test_test_rows_are_held_out_before_validation_rows() -> None:
    rows = RawRows(np.arange(100.0)[:, None], np.arange(100) % 2)
    parts = split(Source("s", rows), Split(validation=0.25, test=0.2, seed=7), LabelForm.INDEX)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [60, 20, 20]
    search, test = train_test_split(np.arange(100), test_size=0.2, random_state=7)
    train, validation = train_test_split(search, test_size=0.25, random_state=7)
    assert parts.test.x[:, 0].tolist() == test.tolist()
    assert parts.train.x[:, 0].tolist() == train.tolist()
    assert parts.validation.x[:, 0].tolist() == validation.tolist()


def test_parts_of_the_source_stay() -> None:
    train, test = (RawRows(np.full((10, 1), float(k)), np.arange(10) % 2) for k in (1, 2))
    parts = split(Source("s", train=train, test=test), Split(), LabelForm.INDEX)
    assert parts.test is test
    assert len(parts.train) == 8 and len(parts.validation) == 2


@pytest.mark.parametrize(
    ("labels", "how", "message"),
    [
        ([0, 0, 0, 1], Split(stratify=True), r"4 rows can't be split .* only 1 member.*Both parts need a row of each"),
        ([0, 1], Split(test=0.9), r"2 rows can't be split with a share of 0\.9 held out.*Both parts need a row"),
        ([0.0, 1.0], Split(stratify=True), "needs classes"),
    ],
)
def test_rows_that_can_not_be_split_say_what_to_do(labels: list[float], how: Split, message: str) -> None:
    rows = RawRows(np.zeros((len(labels), 1)), np.array(labels))
    with pytest.raises(DataError, match=message):
        split(Source("s", rows), how, LabelForm.INDEX if isinstance(labels[0], int) else LabelForm.NUMBER)
