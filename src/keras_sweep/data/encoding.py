"""From raw rows to what `fit` takes: labels and columns encoded by rules that are fitted on training rows alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import is_too_fine, of_32_bits, own, too_fine_columns
from keras_sweep.data.labels import LabelForm, Labels, fit_labels, loss_needs
from keras_sweep.data.names import read_source
from keras_sweep.data.search_data import Array, Rows
from keras_sweep.data.source import Parts, RawRows, Source
from keras_sweep.data.split import split
from keras_sweep.data.table_preprocessing import TablePreprocessing
from keras_sweep.errors import DataError
from keras_sweep.space.sweep_spec import SweepSpec

BLURRED = "differ by so little, beside their size, that 32 bits blur them: subtract their mean, or use another unit"


@dataclass(frozen=True)
class Encoding:
    """How the rows of a source are encoded."""

    name: str  # of the source, for messages
    labels: Labels
    preprocessing: TablePreprocessing | None  # of a table
    notices: tuple[str, ...]

    def rows(self, raw: RawRows, part: str, *, brought: bool = False) -> Rows:
        """Rows as `fit` takes them, in memory that they share with no other rows.

        Args:
            raw: rows of the source.
            part: "training", "validation" or "test", for messages.
            brought: whether the source itself says that these rows are the part; else a split held them out.

        Raises:
            DataError: a label or a number does not fit.
        """
        x = raw.x if self.preprocessing is None else self.preprocessing.transform(raw.x)
        assert isinstance(x, np.ndarray)
        if self.preprocessing is not None and not np.isfinite(x).all():
            raise DataError(
                f"a number of the {part} rows of {self.name} is too large for 32 bits",
                hint="Mend it, or use a larger unit",
            )
        return Rows(own(of_32_bits(x)), self.labels.encode(raw.y, f"{part} rows of {self.name}", brought=brought))


def read_parts(spec: SweepSpec) -> tuple[Source, Parts]:
    """A source that is read whole, and its rows as they are split. Raises DataError."""
    source = read_source(spec.data, spec.folder)
    return source, split(source, spec.data.split, classes=loss_needs(spec.loss).form is not LabelForm.NUMBER)


def fit_encoding(spec: SweepSpec, source: Source, parts: Parts) -> Encoding:
    """The encoding, from training rows alone. Raises DataError."""
    train = parts.train
    labels = fit_labels(train.y, loss_needs(spec.loss).form, spec.loss, source.class_names)
    notices = []
    if labels.form is LabelForm.NUMBER and any(is_too_fine(column) for column in np.atleast_2d(train.y.T)):
        notices.append(f"the labels of {source.name} {BLURRED}")
    if not isinstance(train.x, np.ndarray):
        preprocessing, of_columns = TablePreprocessing.fit(train.x, source.name)
        return Encoding(source.name, labels, preprocessing, (*notices, *of_columns))
    if fine := too_fine_columns(train.x):
        listed = ", ".join(map(str, fine[:5])) + (", ..." if len(fine) > 5 else "")
        notices.append(f"x of {source.name}, column {listed} (counted from 0): its values {BLURRED}")
    return Encoding(source.name, labels, None, tuple(notices))


def encoded(encoding: Encoding, source: Source, parts: Parts) -> tuple[Rows, Rows]:
    """The training and the validation rows, which are the same with folds. Raises DataError."""
    train = encoding.rows(parts.train, "training")
    if parts.validation is parts.train:
        return train, train
    return train, encoding.rows(parts.validation, "validation", brought=source.validation is not None)


def picture_labels(spec: SweepSpec, labels: npt.NDArray[np.uint8], names: tuple[str, ...]) -> Array:
    """Class numbers 0 .. C - 1 as the loss takes them; as bytes, like Keras's own loader, where it takes indices."""
    form = loss_needs(spec.loss).form
    if form is LabelForm.INDEX:
        return labels
    return fit_labels(np.arange(len(names)), form, spec.loss, names).encode(labels, "pictures")
