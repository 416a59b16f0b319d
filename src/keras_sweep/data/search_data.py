"""Hold what a search may see: training and validation rows and facts about them, but no test row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import Array, Arrays, by_name, each, leaves, ravel_column
from keras_sweep.space.text import itemize
from keras_sweep.trial.units import Units

if TYPE_CHECKING:
    from keras_sweep.data.table_preprocessing import TablePreprocessing
    from keras_sweep.space.data_spec import TargetScale
    from keras_sweep.space.variants import Variant


@dataclass(frozen=True, slots=True)
class Rows:
    """Hold inputs, labels and weights of some rows, as `fit` takes them."""

    x: Arrays  # [N, ...], float32 unless the user's function returns another type
    y: Arrays  # [N] or [N, 1] class indices or targets; [N, C] shares of classes; [N, ...] other labels
    weights: Array | None = None  # [N] float32, for losses and metrics; None: all rows count alike
    units: Units | None = None  # what is drawn independently, as groups of rows; None: each row

    def __len__(self) -> int:
        return len(leaves(self.x)[0])

    @property
    def labels(self) -> Arrays | None:
        """Return y, the labels for `fit`, or None if the rows have no labels (y is [N, 0])."""
        return self.y if any(array.size for array in leaves(self.y)) else None

    @property
    def arrays(self) -> tuple[Arrays, ...]:
        return (self.x, self.y) if self.weights is None else (self.x, self.y, self.weights)

    @property
    def validation_data(self) -> tuple[Arrays | None, ...]:
        """Return (x, labels), or (x, labels, weights), as the `validation_data` of `fit`."""
        return (self.x, self.labels, *self.arrays[2:])

    def take(self, rows: npt.NDArray[np.integer]) -> Rows:
        """Copy the rows with these numbers. The copy shares no memory with the other rows."""
        units = None if self.units is None else self.units.take(rows)
        return replace(Rows(*(each(lambda array: array[rows], arrays) for arrays in self.arrays)), units=units)

    @property
    def classes(self) -> npt.NDArray[np.intp]:
        """Return the class of each row, [N]. Every row must have a single class."""
        y: Array = self.y
        return (y.argmax(axis=1) if y.ndim > 1 and y.shape[1] > 1 else y.reshape(-1)).astype(np.intp)


@dataclass(frozen=True, slots=True)
class Stream:
    """Hold a training dataset that `fit` iterates, since the dataset never ends or does not fit into memory."""

    begin: Callable[[], Any]  # returns the dataset, from its start if a user's function creates it
    steps: int  # batches in an epoch


@dataclass(frozen=True, slots=True)
class Fold:
    """Hold the row numbers of a fold: a model trains on the rows `train`, and scores the rows `held`."""

    train: npt.NDArray[np.int32]  # numbers of the rows to train on
    held: npt.NDArray[np.int32]  # numbers of the rows to score
    rows: Rows | None = None  # all rows, encoded for this fold; None: `SearchData.train`
    kind: str = "fold"  # "seed": all models train on the same rows, and score the same `rows`


@dataclass(frozen=True)
class SearchData:
    """Hold the training and validation rows of a search, and facts about them."""

    name: str  # "fashion_mnist", or the file's name
    train: Rows
    validation: Rows
    fingerprint: str  # SHA-256 (hex) over the rows of both splits, in order
    classes: int | None  # the number of classes C; None for regression
    class_names: tuple[str, ...] | None = None
    test_rows: int = 0  # the number of test rows, which the search does not see
    test_fingerprint: str | None = None  # SHA-256 (hex) of the test rows; None for published files, which have digests
    preprocessing: TablePreprocessing | None = None  # for a table or series; None: the model takes the rows as they are
    image_shape: tuple[int, ...] | None = None  # (H, W) or (H, W, 3), if a row of x is a picture
    parts: str = ""  # which rows train, validate and test, for the first lines of a run
    notices: tuple[str, ...] = ()  # changes to the data that the user may not expect
    leaks: tuple[str, ...] = ()  # reasons why scores may be too good
    scale: TargetScale | None = None  # for a transformed target; `y` of all rows keeps its own units
    stream: Stream | None = None  # the training dataset, if `fit` iterates it; `train` then has the validation rows
    folds: tuple[Fold, ...] = ()  # with folds, `train` and `validation` are both all rows
    seed: int = 0  # what a model adds to its trial's seed
    variants: Mapping[Variant, SearchData] = field(default_factory=dict)  # all, if there are several; this is the first

    @property
    def weighs(self) -> bool:
        """Return whether all training rows have sample weights. Validation and test rows may lack weights even then."""
        return self.train.weights is not None

    @property
    def names_of_classes(self) -> tuple[str, ...]:
        """Return the names of the classes, or their numbers as text. Return () if a row has no class, or several."""
        return self.class_names or tuple(map(str, range(self.classes))) if self.classes else ()

    @property
    def input_shape(self) -> Any:
        """Return the shape of a row of x, or a dict or tuple of shapes for several inputs. A text has shape (1,)."""
        return each(lambda array: tuple(array.shape[1:]) or (1,), self.train.x)

    @property
    def has_texts(self) -> bool:
        return any(array.dtype.kind == "O" for array in leaves(self.train.x))

    def symbol(self) -> Any:
        """Return a `keras.KerasTensor` for a batch of x (a dict or tuple for several inputs), to call a model on."""
        import keras

        def symbol(array: Array) -> Any:
            kind = "string" if array.dtype.kind == "O" else str(array.dtype)
            return keras.KerasTensor((None, *(array.shape[1:] or (1,))), dtype=kind)

        return each(symbol, self.train.x)

    @property
    def row_shape(self) -> str:
        """Describe the shape of a row of x for a message. Name a table's dropped columns, which a model may expect."""
        dropped = itemize(self.preprocessing.dropped) if self.preprocessing else ""
        without = f" (without {dropped}: a single value in training rows)" if dropped else ""
        shapes = {name.removeprefix("/"): array.shape[1:] for name, array in by_name("", self.train.x).items()}
        return ", ".join(f"{name} {list(shape)}".strip() for name, shape in shapes.items()) + without

    def for_fit(self, batch_size: int) -> tuple[Rows, dict[str, Any]]:
        """Return (training rows, keyword arguments for `fit`). If `fit` iterates a dataset, `Rows.x` is the dataset."""
        if self.stream is None:
            return self.train, {"batch_size": batch_size}
        dataset = self.stream.begin()
        # For other datasets Keras warns that it can't shuffle batches.
        can_shuffle = getattr(dataset, "num_batches", None) is not None
        return Rows(dataset, np.empty(0)), {"steps_per_epoch": self.stream.steps, "shuffle": can_shuffle}

    def fold(self, index: int) -> SearchData:
        """Return a copy of the data with the rows of fold `index`, from 0. Without folds, return the data itself."""
        if not self.folds:
            return self
        fold = self.folds[index]
        is_seed, name = fold.kind == "seed", f"{self.fingerprint} {fold.kind} {index}"
        train, held = self.train if is_seed else (fold.rows or self.train).take(fold.train), self.take_held(fold)
        return replace(self, train=train, validation=held, fingerprint=name, folds=(), seed=index * is_seed)

    def take_held(self, fold: Fold) -> Rows:
        """Return the rows that the model of `fold` scores."""
        return fold.rows if fold.rows and fold.kind == "seed" else (fold.rows or self.train).take(fold.held)

    def with_seeds(self, seeds: int) -> SearchData:
        """Return data whose folds are the seeds of a trial. Labels and weights of the validation rows are repeated."""
        if seeds == 1:
            return self
        rows, train = self.validation, np.arange(len(self.train), dtype=np.int32)
        held = np.arange(len(rows) * seeds, dtype=np.int32).reshape(seeds, -1)
        repeated = (each(lambda array: np.concatenate([array] * seeds), arrays) for arrays in rows.arrays[1:])
        units = (rows.units or Units.from_rows(len(rows))).repeat(seeds)
        folds = tuple(Fold(train, numbers, rows, "seed") for numbers in held)
        note = f"every trial trains with {seeds} seeds: its values are means, and its model has the first seed"
        validation = replace(Rows(rows.x, *repeated), units=units)
        return replace(self, validation=validation, folds=folds, notices=(*self.notices, note))


def fingerprint(*parts: Rows, folds: Sequence[Fold] = ()) -> str:
    """Compute the SHA-256 (hex) of all arrays in `parts`, and of `folds`. Labels [N, 1] and [N] give the same value."""
    digest = hashlib.sha256()
    for fold in folds:
        digest.update(fold.held.data)
    for rows in {id(rows): rows for rows in parts}.values():
        x, y, *weights = rows.arrays
        for array in (x, each(ravel_column, y), *weights):
            for leaf in leaves(array):
                digest.update(f"{leaf.dtype.str}{leaf.shape}".encode())
                is_text = leaf.dtype.kind == "O"
                digest.update(repr(leaf.tolist()).encode() if is_text else np.ascontiguousarray(leaf).data)
    return digest.hexdigest()
