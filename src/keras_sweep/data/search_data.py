"""What a search may see: training and validation rows and what is known about them. It reaches no test row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Array, Arrays, by_name, each, leaves, ravel_column
from keras_sweep.space.text import itemize

if TYPE_CHECKING:
    from keras_sweep.data.table_preprocessing import TablePreprocessing
    from keras_sweep.space.data_spec import TargetScale
    from keras_sweep.space.variants import Variant


@dataclass(frozen=True, slots=True)
class Rows:
    """Inputs and labels of one split, as `fit` takes them."""

    x: Arrays  # [N, ...], float32 unless the user's own function says otherwise
    y: Arrays  # class indices or targets, [N] or [N, 1] as given; [N, C] one-hot; or [N, ...] as the loss takes them
    weights: Array | None = None  # [N] float32, what each row counts in losses and metrics; None: all the same

    def __len__(self) -> int:
        return len(leaves(self.x)[0])

    @property
    def labels(self) -> Arrays | None:
        """y as `fit` takes it; None of rows without labels, where y is [N, 0]."""
        return self.y if any(array.size for array in leaves(self.y)) else None

    @property
    def arrays(self) -> tuple[Arrays, ...]:
        """x, y and, where rows weigh unlike, their weights."""
        return (self.x, self.y) if self.weights is None else (self.x, self.y, self.weights)

    @property
    def validation_data(self) -> tuple[Arrays | None, ...]:
        """The same as `fit` takes it."""
        return (self.x, self.labels, *self.arrays[2:])

    def take(self, rows: npt.NDArray[np.integer]) -> Rows:
        """A copy of these rows."""
        return Rows(*(each(lambda array: array[rows], arrays) for arrays in self.arrays))

    @property
    def classes(self) -> npt.NDArray[np.intp]:
        """[N] the class of each row, where each has one."""
        y: Array = self.y
        return (y.argmax(axis=1) if y.ndim > 1 and y.shape[1] > 1 else y.reshape(-1)).astype(np.intp)


@dataclass(frozen=True, slots=True)
class Stream:
    """A dataset that `fit` iterates in place of training rows, since it never ends or does not fit into memory."""

    begin: Callable[[], Any]  # gives it from its start, where a function of the user's makes it
    steps: int  # batches of an epoch


@dataclass(frozen=True, slots=True)
class Fold:
    """A part of the rows that is left out of a training on all the others, and scored by it."""

    train: npt.NDArray[np.int32]  # numbers of the rows that it trains on
    held: npt.NDArray[np.int32]  # and of those that it leaves out
    rows: Rows | None = None  # all rows in the fold's own encoding; None: as they are in `SearchData.train`


@dataclass(frozen=True)
class SearchData:
    """The two splits a search works on."""

    name: str  # "fashion_mnist", or the file's name
    train: Rows
    validation: Rows
    fingerprint: str  # SHA-256 (hex) over the rows of both splits, in order
    classes: int | None  # C; None for regression
    class_names: tuple[str, ...] | None = None
    test_rows: int = 0  # how many rows are sealed away; 0 where the source has none
    test_fingerprint: str | None = None  # SHA-256 (hex) over them; None for a published file, which is checked
    preprocessing: TablePreprocessing | None = None  # of a table or series; None: the model takes the rows as they are
    image_shape: tuple[int, ...] | None = None  # (H, W) or (H, W, 3), where a row of x is a picture
    notices: tuple[str, ...] = ()  # what was done to the data that its owner may not expect
    leaks: tuple[str, ...] = ()  # what makes scores too good
    scale: TargetScale | None = None  # of a target that is transformed; `y` of all rows is in its own units
    stream: Stream | None = None  # what is trained on; `train` then has the validation rows, which show its form
    folds: tuple[Fold, ...] = ()  # with them `train` and `validation` are both all rows, scored out of fold
    variants: Mapping[Variant, SearchData] = field(default_factory=dict)  # where there are several; this has the first

    @property
    def weighs(self) -> bool:
        """Whether rows count unlike: then those of training have weights, and those of other parts may."""
        return self.train.weights is not None

    @property
    def names_of_classes(self) -> tuple[str, ...]:
        """What the classes are called, or their numbers; () where a row has no class, or more than one."""
        return self.class_names or tuple(map(str, range(self.classes))) if self.classes else ()

    @property
    def input_shape(self) -> Any:
        """The shape of one row of x; of several inputs a dict, or a tuple, of theirs. A text is one."""
        return each(lambda array: tuple(array.shape[1:]) or (1,), self.train.x)

    @property
    def has_texts(self) -> bool:
        """Whether rows of x, or of one of several inputs, are texts."""
        return any(array.dtype.kind == "O" for array in leaves(self.train.x))

    def symbol(self) -> Any:
        """A `keras.KerasTensor` of a batch of x, which shows what a model makes of it."""
        import keras

        def symbol(array: Array) -> Any:
            kind = "string" if array.dtype.kind == "O" else str(array.dtype)
            return keras.KerasTensor((None, *(array.shape[1:] or (1,))), dtype=kind)

        return each(symbol, self.train.x)

    @property
    def row_shape(self) -> str:
        """The same for a message, with what of a table is not in it: a model may count on each of its columns."""
        dropped = itemize(self.preprocessing.dropped) if self.preprocessing else ""
        without = f" (without {dropped}: one value in the training rows)" if dropped else ""
        shapes = {name.removeprefix("/"): array.shape[1:] for name, array in by_name("", self.train.x).items()}
        return ", ".join(f"{name} {list(shape)}".strip() for name, shape in shapes.items()) + without

    def for_fit(self, batch_size: int) -> tuple[Rows, dict[str, Any]]:
        """Training rows as `fit` takes them, a dataset for x, and how large a batch, or how long an epoch, is."""
        if self.stream is None:
            return self.train, {"batch_size": batch_size}
        dataset = self.stream.begin()
        ends = getattr(dataset, "num_batches", None) is not None  # of others Keras warns that it can't shuffle batches
        return Rows(dataset, np.empty(0)), {"steps_per_epoch": self.stream.steps, "shuffle": ends}

    def trained_rows(self, batch_size: int) -> int:
        """How many rows an epoch trains on."""
        return len(self.train) if self.stream is None else self.stream.steps * batch_size

    def fold(self, index: int) -> SearchData:
        """What a fold trains and validates on, copied out of all rows."""
        fold = self.folds[index]
        rows = fold.rows or self.train
        return replace(
            self,
            train=rows.take(fold.train),
            validation=rows.take(fold.held),
            fingerprint=f"{self.fingerprint} fold {index}",
            folds=(),
        )


def fingerprint(*parts: Rows, folds: Sequence[Fold] = ()) -> str:
    """SHA-256 (hex) over all arrays of the parts and over folds; labels in a column count as those in [N]."""
    digest = hashlib.sha256()
    for fold in folds:
        digest.update(fold.held.data)
    for rows in {id(rows): rows for rows in parts}.values():
        x, y, *weights = rows.arrays
        for array in (x, each(ravel_column, y), *weights):
            for one in leaves(array):
                digest.update(f"{one.dtype.str}{one.shape}".encode())
                texts = one.dtype.kind == "O"
                digest.update(repr(one.tolist()).encode() if texts else np.ascontiguousarray(one).data)
    return digest.hexdigest()
