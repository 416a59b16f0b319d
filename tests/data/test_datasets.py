"""Datasets that are read into memory."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from types import GeneratorType
from typing import Any

import keras
import numpy as np
import pytest

from keras_sweep.data import array_sources
from keras_sweep.data.array_sources import name_parts, rows_of_datasets
from keras_sweep.errors import DataError
from keras_sweep.process.user_objects import register_function
from keras_sweep.space.data_spec import DataSpec, PythonOptions

X, Y = np.arange(20.0, dtype=np.float32).reshape(10, 2), np.arange(10) % 2


class Batches(keras.utils.PyDataset):
    """A dataset of what a function gives for each number of a batch; without an end where there is no count."""

    def __init__(self, give: Callable[[int], Any], count: int | None = 4) -> None:
        super().__init__()
        self.give, self.count = give, count

    @property
    def num_batches(self) -> int | None:
        return self.count

    def __getitem__(self, place: int) -> Any:
        return self.give(place)


def make_data(function: Callable[[], Any], steps: int) -> Any:
    source = register_function(function, of_rows=True)
    return array_sources.call_python(DataSpec("python", source, options=PythonOptions(steps_per_epoch=steps)), Path())


def of(*arrays: Any) -> Batches:
    """Batches of three rows, the last one of one row."""
    return Batches(lambda at: tuple(array[3 * at : 3 * at + 3] for array in arrays))


def test_batches_are_joined_to_the_rows_that_they_are_of() -> None:
    rows = rows_of_datasets(of(X, Y, Y + 1.0))
    assert rows is not None and list(rows) == ["x", "y", "sample_weight"]
    assert all(np.array_equal(rows[name], array) for name, array in zip(rows, (X, Y, Y + 1), strict=True))
    assert rows.notices == ("the dataset was read into memory: 10 rows, 0.0 MB",)


@pytest.mark.parametrize("labels", [Y, np.eye(10, 3)])
def test_rows_one_by_one_are_seen_by_their_labels(labels: np.ndarray) -> None:
    rows = rows_of_datasets(Batches(lambda at: (X[at], labels[at]), count=10))
    assert rows is not None and np.array_equal(rows["x"], X) and np.array_equal(rows["y"], labels)


def test_rows_without_labels_and_texts_are_read_too() -> None:
    alone = rows_of_datasets(Batches(lambda at: X[3 * at : 3 * at + 3]))
    assert alone is not None and list(alone) == ["x"]
    texts = rows_of_datasets(of(np.array([f"é{row}".encode() for row in range(10)], object), Y))
    assert texts is not None and texts["x"][9] == "é9"


def test_the_parts_of_datasets_are_named_and_three_have_an_order() -> None:
    two = rows_of_datasets({"train": of(X, Y), "validation": of(X[:3], Y[:3])})
    assert two is not None and list(two) == ["x_train", "y_train", "x_validation", "y_validation"]
    three = rows_of_datasets((of(X, Y), (X, Y), of(X, Y)))
    assert three is not None and "x_test" in three and len(three.notices) == 2
    assert rows_of_datasets(((X, Y), (X, Y))) is None


def test_a_pair_with_a_dataset_is_refused_since_it_does_not_say_what_its_second_part_is() -> None:
    for pair in ((of(X, Y), of(X, Y)), (of(X, Y), (X, Y)), ((X, Y), of(X, Y))):
        with pytest.raises(DataError, match="is 2 parts with a dataset") as refused:
            rows_of_datasets(pair)
        assert '`{"train": ..., "validation": ..., "test": ...}`' in str(refused.value.hint)


def test_arrays_have_the_same_names_and_order_as_datasets() -> None:
    assert list(name_parts(((X, Y), (X, Y)))) == ["_train", "_test"]
    assert list(name_parts(((X, Y), (X, Y), (X, Y)))) == ["_train", "_validation", "_test"]
    assert list(name_parts({"train": (X, Y), "validation": (X, Y)})) == ["_train", "_validation"]
    assert list(name_parts((X, Y))) == [""] and name_parts(3) == {}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"train": (X, Y), "validaton": (X, Y)}, "must not have 'validaton' .*Did you mean `validation`"),
        ({"train": (X, Y), "val": (X, Y)}, "Did you mean `validation`"),
        ({"a": X, "b": Y}, "must not have 'a' "),
        ({"test": (X, Y)}, "has no rows 'train', but 'test'"),
        ({"train": (X, Y), "test": {"x": X}}, "'test' of `data` is "),
    ],
)
def test_wrong_names_of_parts_are_refused(parts: Any, said: str) -> None:
    with pytest.raises(DataError) as refused:
        name_parts(parts)
    assert re.search(said, f"{refused.value.message} {refused.value.hint}")


def test_a_training_dataset_that_is_too_large_or_of_so_many_steps_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    never = Batches(lambda _: (X, Y), count=None)
    rows = rows_of_datasets((never, of(X, Y), of(X, Y)), 7)
    assert rows is not None and rows.streamed is never and rows.steps == 7
    assert rows["x_train"] is rows["x_validation"] and rows.notices[0].endswith("as it is, 7 batches per epoch")
    monkeypatch.setattr(array_sources, "MOST_BYTES", 150)  # the first of four batches has three rows of 16 bytes
    large = rows_of_datasets({"train": of(X, Y), "validation": of(X[:3], Y[:3])})
    assert large is not None and large.steps == 4 and len(large["x_train"]) == 3


def batches(count: int = 4) -> Any:
    return ((X[3 * at : 3 * at + 3], Y[3 * at : 3 * at + 3]) for at in range(count))


def test_a_generator_that_ends_is_read_batch_by_batch_or_row_by_row() -> None:
    for generator in (batches(), zip(X, Y, strict=True)):
        rows = rows_of_datasets(generator)
        assert rows is not None and rows.notices == ("the dataset was read into memory: 10 rows, 0.0 MB",)
        np.testing.assert_array_equal(rows["x"], X)
        np.testing.assert_array_equal(rows["y"], Y)
    pair = rows_of_datasets({"train": batches(), "validation": (X, Y)})
    assert pair is not None and pair["x_train"].shape == X.shape and pair["x_validation"] is X


def test_a_generator_that_was_read_before_or_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows_of_datasets(read := batches())
    with pytest.raises(DataError, match="has no rows"):
        rows_of_datasets(read)
    monkeypatch.setattr(array_sources, "MOST_ELEMENTS", 100)
    with pytest.raises(DataError, match=r"never ends.*steps_per_epoch: 100"):
        rows_of_datasets(itertools.repeat((X, Y)))


def test_a_generator_of_steps_begins_again_for_each_trial_and_where_it_ends() -> None:
    data = make_data(lambda: {"train": batches(2), "validation": (X, Y)}, 3)
    for _ in range(2):
        stream = data.stream.begin()
        assert isinstance(stream, GeneratorType)  # which `fit` asks for
        assert [int(next(stream)[0][0, 0]) for _ in range(5)] == [0, 6, 0, 6, 0]
    with pytest.raises(RuntimeError):
        next(array_sources._repeat(lambda: iter(())))


def test_the_same_generator_for_each_trial_is_refused() -> None:
    once = itertools.repeat((X, Y))
    with pytest.raises(DataError, match="gives a generator that can't begin again for the next trial"):
        make_data(lambda: {"train": once, "validation": (X, Y)}, 3)


def test_what_can_not_be_read_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> Any:
        raise OSError("the disk is gone")

    with pytest.raises(DataError, match=r"never ends.*`\.take\(n\)`"):
        rows_of_datasets(Batches(lambda _: (X, Y), count=None))
    with pytest.raises(DataError, match="the disk is gone"):
        rows_of_datasets(Batches(fail))
    with pytest.raises(DataError, match="the training dataset can't be read: the disk is gone"):
        rows_of_datasets({"train": Batches(fail), "test": of(X, Y)})
    with pytest.raises(DataError, match="has no rows"):
        rows_of_datasets(Batches(fail, count=0))
    with pytest.raises(DataError, match="can't be read: all the input array dimensions"):
        rows_of_datasets(Batches(lambda at: (X[:, : 1 + at % 2], Y)))
    monkeypatch.setattr(array_sources, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="never ends, or is too large to read: over 0 GB"):
        rows_of_datasets(of(X, Y))
