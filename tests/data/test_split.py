"""The split is scikit-learn's, row by row."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from keras_sweep.data.array_sources import call_python, read_npz
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.labels import LabelForm, loss_needs
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.data.source import Parts, RawRows, SourceRows, read_source
from keras_sweep.data.split import Encoding, describe_parts, fit_encoding, split_rows
from keras_sweep.data.table_files import rank_values
from keras_sweep.errors import DataError
from keras_sweep.process.user_objects import register_arrays
from keras_sweep.space.data_spec import DataSpec, Split
from keras_sweep.space.sweep_spec import Output, SweepSpec
from tests.helpers.data_specs import spec_of


def test_test_rows_are_held_out_before_validation_rows() -> None:
    rows = RawRows(np.arange(100.0)[:, None], np.arange(100) % 2)
    parts = split_rows(SourceRows("s", rows), Split(validation=0.25, test=0.2, seed=7), LabelForm.INDEX)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [60, 20, 20]
    search, test = train_test_split(np.arange(100), test_size=0.2, random_state=7)
    train, validation = train_test_split(search, test_size=0.25, random_state=7)
    assert parts.test.x[:, 0].tolist() == test.tolist()
    assert parts.train.x[:, 0].tolist() == train.tolist()
    assert parts.validation.x[:, 0].tolist() == validation.tolist()


def test_no_share_of_test_rows_seals_none() -> None:
    rows = RawRows(np.arange(10.0)[:, None], np.arange(10) % 2)
    assert split_rows(SourceRows("s", rows), Split(test=0.0), LabelForm.INDEX).test is None


def test_parts_of_the_source_stay() -> None:
    train, test = (RawRows(np.full((10, 1), float(k)), np.arange(10) % 2) for k in (1, 2))
    parts = split_rows(SourceRows("s", train=train, test=test), Split(), LabelForm.INDEX)
    assert parts.test is test
    assert len(parts.train) == 8 and len(parts.validation) == 2


@pytest.mark.parametrize(
    ("labels", "how", "message"),
    [
        ([0, 0, 0, 1], Split(stratify=True), r"4 rows can't be split .* only 1 member.*Both parts need a row of each"),
        (
            [0, 1],
            Split(test=0.9),
            r"2 rows can't be split with a share of 0\.9 held out: a part would be empty\. B",
        ),
        ([0], Split(), r"1 row can't be split with a share of 0\.2 held out: a part would be empty"),
        ([0.0, 1.0], Split(stratify=True), "needs classes"),
    ],
)
def test_rows_that_can_not_be_split_say_what_to_do(labels: list[float], how: Split, message: str) -> None:
    rows = RawRows(np.zeros((len(labels), 1)), np.array(labels))
    with pytest.raises(DataError, match=message):
        split_rows(SourceRows("s", rows), how, LabelForm.INDEX if isinstance(labels[0], int) else LabelForm.NUMBER)


def encoded(rows: RawRows, loss: str, how: Split, **source: object) -> Encoding:
    spec = spec_of(DataSpec("csv", "it.csv", "y", how), loss)
    return fit_encoding(spec, split_rows(SourceRows("it.csv", rows, **source), how, loss_needs(loss).form))  # type: ignore[arg-type]


def test_labels_and_columns_are_encoded_by_training_rows_alone() -> None:
    table = pl.DataFrame({"a": [*range(40)], "b": ["x", "y"] * 20})
    encoding = encoded(RawRows(table, np.array(["p", "q"] * 20, object)), "binary_crossentropy", Split())
    train, validation = encoding.encode_search()
    assert train.x.shape == (25, 3) and validation.x.shape == (7, 3) and encoding.rows("test").x.shape == (8, 3)
    assert train.x[:, 0].mean() == pytest.approx(0, abs=1e-6) and train.x[:, 0].std() == pytest.approx(1, rel=1e-5)
    raw = encoding.parts.train
    assert train.y.tolist() == [label == "q" for label in raw.y]
    mean, deviation = raw.x["a"].mean(), raw.x["a"].std(ddof=0)
    assert validation.x[:, 0] == pytest.approx((encoding.parts.validation.x["a"].to_numpy() - mean) / deviation, 1e-5)


def test_columns_of_a_fold_are_fitted_on_its_training_rows_alone() -> None:
    rows = RawRows(pl.DataFrame({"a": [*range(12)]}), np.arange(12.0))
    encoding = encoded(rows, "mean_squared_error", Split(folds=3, test=0))
    train, validation = encoding.encode_search()
    assert train is validation
    folds = encoding.folds(train)
    assert sorted(np.concatenate([fold.held for fold in folds])) == list(range(12))
    for fold in folds:
        assert fold.rows.x.shape == (12, 1) and fold.rows.x[fold.train].mean() == pytest.approx(0, abs=1e-6)


def test_rows_that_can_not_be_encoded_are_named() -> None:
    weights = np.zeros(40, np.float32)
    rows = RawRows(pl.DataFrame({"a": [*range(40)]}), np.arange(40.0), weights)
    with pytest.raises(DataError, match=r"all weights of the training rows of it\.csv are 0"):
        encoded(rows, "mean_squared_error", Split()).rows("train")
    late = RawRows(pl.DataFrame({"a": [*range(40)]}), np.array(["p", "q"] * 19 + ["r", "r"], object),
                   places={"by": np.arange(40)})  # fmt: skip
    encoding = encoded(late, "sparse_categorical_crossentropy", Split(time="by"))
    with pytest.raises(DataError, match=r"the test rows of it\.csv have classes that no training row has: 'r'"):
        encoding.rows("test")


def test_labels_that_differ_in_case_alone_and_those_that_32_bits_blur_are_named() -> None:
    table, texts = pl.DataFrame({"a": [*range(40)]}), np.array(["yes", "Yes", " yes", "no"] * 10, object)
    encoding = encoded(RawRows(table, texts), "sparse_categorical_crossentropy", Split())
    assert encoding.notices[0].startswith("the labels of it.csv have ' yes', 'Yes', 'yes', which differ only in case")
    encoding = encoded(RawRows(table, 1.7e9 + np.arange(40) / 10), "mean_squared_error", Split())
    assert [notice.split(" close")[0] for notice in encoding.notices] == ["the labels of it.csv are too"]


def test_labels_of_several_outputs_have_the_names_of_the_losses() -> None:
    rows = RawRows(np.zeros((20, 2)), {"a": np.zeros(20), "c": np.zeros(20)})
    spec = replace(spec_of(DataSpec("npz", "it.npz")), outputs={"a": Output("mse"), "b": Output("mse")})
    parts = split_rows(SourceRows("it.npz", rows), Split(), LabelForm.NUMBER)
    with pytest.raises(DataError, match=r"`loss` names the outputs 'a', 'b', but the labels of it\.npz are 'a', 'c'"):
        fit_encoding(spec, parts)


def split_by(values: list[object] | np.ndarray, how: Split) -> Parts:
    """The parts of rows that are numbered, with classes in turn, and that have these groups or times."""
    numbers = np.arange(len(values))
    rows = RawRows(numbers[:, None], numbers % 2, places={"by": rank_values(values, len(values), how, "`by`")})
    return split_rows(SourceRows("s", rows), how, LabelForm.INDEX)


def values_of(rows: RawRows, values: list[object] | np.ndarray) -> set[object]:
    return {values[row] for row in rows.x[:, 0]}


groups_of_rows = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), min_size=12, max_size=60)


@given(groups_of_rows, st.sampled_from([0.1, 0.2, 0.4]), st.integers(0, 5))
def test_no_group_stands_on_both_sides(values: list[object], share: float, seed: int) -> None:
    how = Split(share, share, seed, groups="by")
    try:
        parts = split_by(values, how)
    except DataError as error:
        assert len(set(values)) < 4, error  # two groups are too few for three parts
        return
    sides = [values_of(part, values) for part in (parts.train, parts.validation, parts.test) if part is not None]
    assert sum(map(len, sides)) == len(set(values))
    assert all(sides)


@given(groups_of_rows, st.sampled_from([2, 3]), st.booleans())
def test_no_group_stands_on_both_sides_of_a_fold(values: list[object], folds: int, of_numbers: bool) -> None:
    how, numbers = Split(folds=folds, test=0, groups="by"), np.arange(len(values))
    rows = RawRows(numbers[:, None], numbers % 2 * 1.0, places={"by": rank_values(values, len(values), how, "`by`")})
    form = LabelForm.NUMBER if of_numbers else LabelForm.INDEX
    if len(set(values)) < folds:
        with pytest.raises(DataError, match=f"'by' has {len(set(values))} group"):
            split_rows(SourceRows("s", rows), how, form)
        return
    parts = split_rows(SourceRows("s", rows), how, form)
    assert sorted(np.concatenate([fold.held for fold in parts.folds])) == list(range(len(values)))
    for fold in parts.folds:
        assert not {values[row] for row in fold.held} & {values[row] for row in fold.train}


@given(st.lists(st.integers(-3, 30) | st.floats(-3, 30), min_size=3, max_size=60), st.sampled_from([0.1, 0.3, 0.6]))
def test_no_validation_time_is_before_a_training_time(values: list[object], share: float) -> None:
    try:
        parts = split_by(values, Split(share, share, time="by"))
    except DataError as error:
        assert "all rows have the same time" in str(error)
        return
    train, validation, test = (values_of(part, values) for part in (parts.train, parts.validation, parts.test))
    assert max(train) < min(validation) <= max(validation) < min(test)
    assert len(parts.test) >= share * len(values) or len(train | validation) == 2


@pytest.mark.parametrize(
    "values",
    [
        np.arange("2026-01", "2026-06", dtype="datetime64[D]")[:100],
        [f"2026-{month:02d}-01" for month in range(1, 11) for _ in range(10)],
        np.linspace(-1, 1, 100),
        pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 4, 9), eager=True),
    ],
)
def test_times_are_numbers_dates_or_texts_of_dates(values: np.ndarray) -> None:
    shuffled = np.random.default_rng(0).permutation(100)
    mixed = [values[int(row)] for row in shuffled] if isinstance(values, list) else values[shuffled]
    parts = split_by(mixed, Split(time="by"))
    train, validation, test = (shuffled[part.x[:, 0]] for part in (parts.train, parts.validation, parts.test))
    assert train.max() < validation.min() < 65 and validation.max() == 79
    assert sorted(test) == list(range(80, 100))


@pytest.mark.parametrize(
    ("values", "how", "message"),
    [
        (["a", None, "b"], Split(groups="by"), "must have a group in each row, but got nothing in row 2"),
        (
            ["2026", "03/04/26"],
            Split(time="by"),
            "must have a time in each row, but got '03/04/26' in row 2.*like 2026-03-31",
        ),
        ([[1, 2], [3, 4]], Split(groups="by"), "must be a value for each of 2 rows, but got a list of 2"),
        ([object(), object()], Split(groups="by"), "must be a value for each of 2 rows"),
        (["a"] * 9, Split(groups="by"), "9 rows, 1 different 'by', can't be split"),
        ([7] * 9, Split(time="by"), "all rows have the same time"),
    ],
)
def test_groups_and_times_that_split_nothing(values: list[object], how: Split, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_by(values, how)


def test_the_column_of_a_split_is_no_feature(tmp_path: Path) -> None:
    table = pl.DataFrame({"patient": [f"p{row // 10}" for row in range(60)], "a": range(60), "y": [0, 1] * 30})
    table.write_csv(tmp_path / "rows.csv")
    table.write_parquet(tmp_path / "rows.parquet")
    how, x, y = Split(groups="patient"), table.select("a").to_numpy().astype("float32"), table["y"].to_numpy()
    patients = table["patient"].to_numpy()
    np.savez(tmp_path / "rows.npz", x=x, label=y, patient=patients.astype(str))
    named = {"x": x, "y": y, "patient": patients}
    frame = pd.DataFrame({"patient": patients, "a": range(60)})
    sources = [
        read_source(DataSpec("csv", "rows.csv", "y", how), tmp_path),
        read_source(DataSpec("parquet", "rows.parquet", "y", how), tmp_path),
        read_npz(DataSpec("npz", "rows.npz", "label", how), tmp_path),
        call_python(DataSpec("python", register_arrays(named), split=how), tmp_path),
        call_python(DataSpec("python", register_arrays((frame, y)), split=how), tmp_path),
    ]
    for source in sources:
        assert source.rows is not None and source.rows.x.shape == (60, 1)
        assert source.rows.places["patient"].tolist() == [1 + row // 10 for row in range(60)]
        assert len(split_rows(source, how, LabelForm.INDEX).test) == 20  # a fifth of six groups is two of them
    train = {**{f"{name}_train": array for name, array in named.items()}, "x_test": x, "y_test": y}
    parts = split_rows(
        call_python(DataSpec("python", register_arrays(train), split=how), tmp_path), how, LabelForm.INDEX
    )
    assert len(parts.validation) == 20 and len(parts.test) == 60


def test_a_source_must_have_what_it_is_split_by(tmp_path: Path) -> None:
    x = np.arange(20.0)[:, None]
    how, whole = Split(groups="patient"), {"x_train": x, "x_validation": x, "patient_train": x[:, 0]}
    for arrays, message in (
        ({"x": x}, "has no column or array"),
        (whole, "brings its own validation rows, so it can't be split by"),
    ):
        with pytest.raises(DataError, match=f"{message}.*'patient'"):
            split_rows(
                call_python(DataSpec("python", register_arrays(arrays), split=how), tmp_path), how, LabelForm.ANY
            )


def loaded(how: Split, **columns: np.ndarray) -> tuple[SweepSpec, SearchData]:
    """60 rows that are numbered, with these columns."""
    rows = {"x": np.arange(60.0)[:, None], "y": np.arange(60) % 2, **columns}
    spec = spec_of(DataSpec("python", register_arrays(rows), split=how))
    return spec, load_search_data(spec)


def numbers_of(rows: Rows) -> np.ndarray:
    return np.asarray(rows.x)[:, 0].astype(int)


def test_rows_drawn_at_random_are_units_of_their_own() -> None:
    _, data = loaded(Split())
    assert data.train.units is None and data.validation.units is None


def test_the_rows_of_a_group_are_a_unit_in_each_part() -> None:
    patients = np.arange(60) // 5
    spec, data = loaded(Split(groups="patient"), patient=patients)
    for rows in (data.train, data.validation, open_test(spec, data)):
        assert rows.units is not None and rows.units.name == "groups"
        groups = patients[numbers_of(rows)]
        assert rows.units.count == len(set(groups)) and len(rows.units) == len(rows)
        pairs = set(zip(groups.tolist(), rows.units.codes.tolist(), strict=True))
        assert len(pairs) == rows.units.count  # a unit for each group


def test_with_folds_a_group_is_the_same_unit_in_all_folds() -> None:
    patients = np.arange(60) // 5
    _, data = loaded(Split(folds=3, groups="patient"), patient=patients)
    units, groups = data.validation.units, patients[numbers_of(data.validation)]
    assert units is not None and units.count == len(set(groups))
    assert len(set(zip(groups.tolist(), units.codes.tolist(), strict=True))) == units.count


def test_with_a_split_by_time_neighbouring_times_are_a_unit() -> None:
    days = np.random.default_rng(0).permutation(30).repeat(2)
    _, data = loaded(Split(validation=0.4, test=0.2, time="day"), day=days)
    units, times = data.validation.units, days[numbers_of(data.validation)]
    assert units is not None
    distinct = len(set(times.tolist()))
    length = math.ceil(1.3 * math.sqrt(distinct))
    assert units.count == distinct // length and units.name == f"blocks of {distinct // units.count} times"
    codes = units.codes[np.argsort(times, kind="stable")]
    assert (np.diff(codes) >= 0).all()
    assert all(len(set(units.codes[times == day].tolist())) == 1 for day in set(times.tolist()))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {"train": 50, "test": 10},
            "40 for training, 10 for validation (drawn), 10 for test (given)",
        ),
        ({"train": 50, "validation": 9}, "50 for training, 9 for validation (given), none for test"),
    ],
)
def test_rows_in_parts_say_which_rows_are_which(parts: dict[str, int], said: str, tmp_path: Path) -> None:
    rows = {name: (np.zeros((count, 2)), np.arange(count) % 2) for name, count in parts.items()}
    source = call_python(DataSpec("python", register_arrays(rows)), tmp_path)
    assert describe_parts(split_rows(source, Split(), LabelForm.INDEX), Split()) == f"rows: {said}"


def test_rows_that_are_split_say_how() -> None:
    source = SourceRows("s", RawRows(np.zeros((50, 2)), np.arange(50) % 2))
    parts = split_rows(source, Split(), LabelForm.INDEX)
    assert describe_parts(parts, Split()) == "rows: 32 for training, 8 for validation (drawn), 10 for test (drawn)"
    folds = Split(folds=4, test=0.2)
    assert describe_parts(split_rows(source, folds, LabelForm.INDEX), folds) == (
        "rows: 40 for training, validation in 4 folds of them, 10 for test (drawn)"
    )
