"""Split the rows of a data source with scikit-learn, then encode the rows as arrays for `fit`. Scales, categories and
classes are fitted on training rows alone. With folds, no model scores a row that it has trained on."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from keras_sweep.data.arrays import BLURRED, Array, Arrays, copy_if_view, each, find_blurred_columns, leaves, to_32_bits
from keras_sweep.data.image_sets import ImageSet, scale_pixels
from keras_sweep.data.labels import LabelForm, fit_labels, has_classes, loss_needs, near_copies
from keras_sweep.data.search_data import Fold, Rows
from keras_sweep.data.source import Parts, RawRows, SourceRows, read_source
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import SeriesOptions, Split
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import itemize, pluralize
from keras_sweep.trial.units import Units

if TYPE_CHECKING:
    from keras_sweep.data.table_preprocessing import TablePreprocessing


AnyLabels: TypeAlias = Any  # `Labels`; a dict or tuple of `Labels` for several outputs


def split_folds(rows: RawRows, how: Split, form: LabelForm) -> tuple[Fold, ...]:
    """Cut rows into shuffled folds by the space file's `split` (`how`). Groups stay whole. If the labels are classes,
    each fold has its share of each class. `form` is the label form that the loss needs. Raises DataError."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    labels, groups = _class_per_row(rows.y, form), rows.places.get(how.by or "")
    kinds: Any = (KFold, StratifiedKFold) if groups is None else (GroupKFold, StratifiedGroupKFold)
    kind = kinds[isinstance(rows.y, np.ndarray) and has_classes(rows.y, form)]
    try:
        if groups is not None and (count := len(np.unique(groups))) < how.folds:
            raise ValueError(f"{how.by!r} has {pluralize(count, 'group')}")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # a fold may lack a rare class
            pairs = list(kind(how.folds, shuffle=True, random_state=how.seed).split(labels, labels.astype(str), groups))
    except ValueError as error:
        hint = "Use fewer folds, as in `split: {folds: 2}`, or add rows"
        raise DataError(f"{len(labels):,} rows can't be cut into {how.folds} folds: {error}", hint=hint) from error
    return tuple(Fold(train.astype(np.int32), held.astype(np.int32)) for train, held in pairs)


def split_rows(source: SourceRows, how: Split, form: LabelForm) -> Parts:
    """Hold out test rows, then validation rows or folds, by the space file's `split` (`how`). Test or validation rows
    that the source itself names are kept. `form` is the label form that the loss needs. Raises DataError."""
    train, validation, test = source.train, source.validation, source.test
    rows: Any = source.rows if train is None else train
    if how.by is not None and how.by not in rows.places:
        hint = "For arrays, add an array of this name beside `x` and `y`, with a value for each row"
        raise DataError(f"{source.name} has no column or array {how.by!r}, which `split` names", hint=hint)
    # Numbers of rows are split in place of the rows, so that each row is copied once.
    searched, held = replace(rows, x=np.arange(len(rows))), None

    def copy(part: RawRows) -> RawRows:
        return rows if len(part) == len(rows) else replace(part, x=each(lambda array: array[part.x], rows.x))

    if train is None and test is None and how.test:
        searched, held = _hold_out(searched, how.test, how, form)
    if validation is not None and (how.folds or how.by):
        what = "can't be cut into folds" if how.folds else f"can't be split by {how.by!r}"
        hint = "Leave `folds`, `groups` and `time` out of `split`, or give training and validation rows together"
        raise DataError(f"{source.name} brings its own validation rows, so it {what}", hint=hint)
    test = test if held is None else copy(held)
    folds = split_folds(searched, how, form) if how.folds else ()
    if validation is None and not folds:
        searched, held = _hold_out(searched, how.validation, how, form)
        validation = copy(held)
    train = copy(searched)
    source = source if train is rows else replace(source, rows=None)  # all rows together would take twice the memory
    return Parts(source, train, train if validation is None else validation, test, folds)


def describe_parts(parts: Parts, how: Split) -> str:
    """Say which rows train, validate and test, and whether the source names them."""
    source, kind = parts.source, "the latest" if how.time or parts.source.series is not None else "drawn"
    train = "a dataset" if source.stream else f"{len(parts.train):,}"
    validation = f"{len(parts.validation):,} for validation ({'given' if source.validation is not None else kind})"
    if parts.folds:
        validation = f"validation in {how.folds} folds of them"
    given = source.test is not None
    test = "none for test" if parts.test is None else f"{len(parts.test):,} for test ({'given' if given else kind})"
    return f"rows: {train} for training, {validation}, {test}"


def _hold_out(rows: RawRows, share: float, how: Split, form: LabelForm) -> tuple[RawRows, RawRows]:
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    if how.stratify and not (isinstance(rows.y, np.ndarray) and has_classes(rows.y, form)):
        problem = "the labels are numbers" if isinstance(rows.y, np.ndarray) else "there are several outputs"
        raise DataError(f"`stratify: true` needs classes, but {problem}", hint="Leave `stratify` out")
    strata = _class_per_row(rows.y, form) if how.stratify else None
    keys = rows.places.get(how.by or "")
    units = len(rows) if keys is None else len(np.unique(keys))
    try:
        if units - math.ceil(units * share) < 1 and how.time is None:
            raise ValueError("a part would be empty")
        if keys is None:
            rest, held = train_test_split(np.arange(len(rows)), test_size=share, random_state=how.seed, stratify=strata)
        elif how.groups:
            rest, held = next(GroupShuffleSplit(1, test_size=share, random_state=how.seed).split(keys, groups=keys))
        else:
            rest, held = _split_by_time(keys, share)
    except ValueError as error:
        needed = "a row of each class" if how.stratify else "a row"
        by = "" if keys is None else f", {units:,} different {how.by!r},"
        raise DataError(
            f"{pluralize(len(rows), 'row')}{by} can't be split with a share of {share} held out: {error}",
            hint=f"Both parts need {needed}: change `split`, or add rows",
        ) from error
    return rows.take(rest), rows.take(held)


def _split_by_time(times: Array, share: float) -> tuple[Array, Array]:
    """Return (row numbers of the earlier rows, of the latest `share` of rows), in time order. Rows of equal times stay
    together. Raises ValueError if all times are equal."""
    order = times.argsort(kind="stable")
    first = max(times[order[-math.ceil(share * len(times))]], times.min() + 1)
    cut = int(np.searchsorted(times[order], first))
    if cut == len(order):
        raise ValueError("all rows have the same time")
    return order[:cut], order[cut:]


def _class_per_row(y: Arrays, form: LabelForm) -> Array:
    """Return each row's class, [N], or its first number if `y` has no classes. Of several outputs, the first counts."""
    y = leaves(y)[0]
    flat = y.reshape(len(y), -1)
    if flat.shape[1] > 1 and has_classes(y, form):
        return np.asarray(flat.argmax(axis=1))
    return flat[:, 0] if y.size else np.zeros(len(y))


def read_parts(spec: SweepSpec, source: SourceRows | None = None) -> Parts:
    """Read the rows that `spec.data` names, if `source` does not have them, and split them. Raises DataError."""
    return split_rows(source or read_source(spec.data, spec.folder), spec.data.split, loss_needs(spec.loss).form)


@dataclass(frozen=True)
class Encoding:
    """Encode split rows as arrays for `fit`, by rules fitted on training rows."""

    spec: SweepSpec
    parts: Parts
    labels: AnyLabels
    preprocessing: TablePreprocessing | None  # for a table or series
    notices: tuple[str, ...]

    def rows(self, part: str) -> Rows:
        """Encode the rows of `part`: "train", "validation" or "test". Views are copied. Raises DataError."""
        raw: RawRows = getattr(self.parts, part)
        what = f"{'training' if part == 'train' else part} rows of {self.parts.source.name}"
        if (pictures := self.parts.source.pictures) is not None:
            assert isinstance(raw.x, np.ndarray)
            return encode_pictures(self.spec, pictures, raw.x, raw.y)
        if self.preprocessing is None:
            x = each(to_32_bits, raw.x)
        else:
            x = np.ascontiguousarray(self.preprocessing.transform(raw.x))
            if not np.isfinite(x).all():
                raise DataError(f"a number of the {what} is too large for float32", hint="Use a larger unit")
        if raw.weights is not None and not raw.weights.any():
            raise DataError(f"all weights of the {what} are 0", hint="Give some rows a weight above zero")
        y = each(lambda labels, array: labels.encode(array, what), self.labels, raw.y)
        return Rows(x, y, None if raw.weights is None else copy_if_view(raw.weights), self._find_units(raw))

    def _find_units(self, raw: RawRows) -> Units | None:
        """Return what is drawn independently in the rows `raw`: groups, or blocks of time. None: each row."""
        how, options = self.spec.data.split, self.spec.data.options
        if self.parts.source.series is not None:
            horizon = options.horizon if isinstance(options, SeriesOptions) else 1
            return Units.from_times(np.arange(len(raw)), least=horizon)
        ranks = raw.places.get(how.by or "")
        if ranks is None:
            return None
        return Units.from_groups(ranks) if how.groups else Units.from_times(ranks)

    def encode_search(self) -> tuple[Rows, Rows]:
        """Return encoded (training, validation) rows. With folds, both have all but test rows. Raises DataError."""
        train = self.rows("train")
        return train, train if self.parts.folds else self.rows("validation")

    def encode_part(self, part: str, rows: Rows) -> Rows:
        """Return `rows`, the encoded rows of `part` (like "train"), as the model takes them. If the model's inputs have
        names of columns, x becomes raw columns: input name -> [N, 1]. Raises DataError if a column is not numbers."""
        if not self.spec.data.inputs:
            return rows
        from keras_sweep.data.table_columns import number_matrix

        raw = getattr(self.parts, part).x
        return replace(rows, x={name: number_matrix(raw, [name]) for name in self.spec.data.inputs})

    def folds(self, rows: Rows) -> tuple[Fold, ...]:
        """Return the folds of `rows`, all encoded rows. For a table, each fold has a copy of `rows`, encoded by rules
        that were fitted on the fold's training rows."""
        if self.preprocessing is None or self.spec.data.inputs:
            return self.parts.folds
        raw, encoded = self.parts.train, []
        for fold in self.parts.folds:
            preprocessing, _ = _fit_table(self.spec, raw.take(fold.train).x, self.parts.source)
            x = np.ascontiguousarray(preprocessing.transform(raw.x))
            encoded.append(Fold(fold.train, fold.held, replace(rows, x=x)))
        return tuple(encoded)


def fit_encoding(spec: SweepSpec, parts: Parts, known: TablePreprocessing | None = None) -> Encoding:
    """Fit the encoding of features and labels on training rows alone. `known`: the preprocessing that these rows had
    before, if they are a table. It is used again if the columns have the same names. Raises DataError."""
    source, x, y = parts.source, parts.train.x, parts.train.y
    labels, notices = _fit_labels(spec, y, source), []
    for encoder, array in zip(leaves(labels), leaves(y), strict=True):
        if encoder.form is LabelForm.NUMBER and find_blurred_columns(array.reshape(len(array), -1)):
            notices.append(f"the labels of {source.name} {BLURRED}")
        if array.dtype.kind == "O" and (copies := near_copies(array.reshape(-1).tolist())):
            notices.append(f"the labels of {source.name} have {copies}")
    if source.series is not None:
        from keras_sweep.data.series import fit_series

        return Encoding(spec, parts, labels, fit_series(x, source.series), tuple(notices))
    if not isinstance(x, np.ndarray | dict | tuple):
        if known is not None and [column.name for column in known.columns] == x.columns:
            return Encoding(spec, parts, labels, known, tuple(notices))
        preprocessing, column_notices = _fit_table(spec, x, source)
        return Encoding(spec, parts, labels, preprocessing, (*notices, *column_notices))
    if isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype.kind == "f" and (fine := find_blurred_columns(x)):
        notices.append(f"x of {source.name}, column {itemize(fine)} (counted from 0): its values {BLURRED}")
    return Encoding(spec, parts, labels, None, tuple(notices))


def _fit_labels(spec: SweepSpec, y: Arrays, source: SourceRows) -> AnyLabels:
    if not spec.outputs or isinstance(y, tuple):
        names = source.class_names if isinstance(y, np.ndarray) else None
        form = LabelForm.ANY if spec.outputs else loss_needs(spec.loss).form
        return each(lambda array: fit_labels(array, form, spec.loss, names).for_metrics(spec.metrics), y)
    present = itemize(list(y)) if isinstance(y, dict) else "an array"
    if not isinstance(y, dict) or set(y) != set(spec.outputs):
        raise DataError(
            f"`loss` names the outputs {itemize(list(spec.outputs))}, but the labels of {source.name} are {present}",
            hint="Give `y` as a dict of arrays with these names",
        )
    forms = {name: LabelForm.ANY if part.own else loss_needs(part.loss).form for name, part in spec.outputs.items()}
    encodings = {name: fit_labels(array, forms[name], spec.outputs[name].loss) for name, array in y.items()}
    return {name: labels.for_metrics(spec.outputs[name].metrics) for name, labels in encodings.items()}


def _fit_table(spec: SweepSpec, train: Any, source: SourceRows) -> tuple[TablePreprocessing, tuple[str, ...]]:
    from keras_sweep.data.table_columns import fit_columns
    from keras_sweep.data.table_preprocessing import TablePreprocessing

    picks = bool(spec.data.split.by or {"columns", "drop", "categories"}.intersection(spec.data.words))
    columns, notices = fit_columns(train, source.name, keep=spec.model.kind != "dense")
    return TablePreprocessing(columns, picks, ways=source.ways), notices


def encode_pictures(spec: SweepSpec, pictures: ImageSet, images: Array, labels: Array) -> Rows:
    """Return rows of the published set `pictures`: `images` scaled to 0 to 1, and `labels` encoded for the loss. Class
    indices stay bytes, as in Keras's own loader."""
    form, names = loss_needs(spec.loss).form, pictures.class_names
    if form is not LabelForm.INDEX:
        labels = fit_labels(np.arange(len(names)), form, spec.loss, names).encode(labels, "pictures")
    return Rows(scale_pixels(images), labels)
