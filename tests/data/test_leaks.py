"""What makes scores too good is seen in the rows, and said in a line with what mends it; else nothing is said."""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from keras_sweep.data import leaks
from keras_sweep.data.catalog import load_search_data, make_set_spec
from keras_sweep.data.search_data import SearchData
from keras_sweep.data.source import SKLEARN_SETS
from keras_sweep.errors import TableError
from keras_sweep.process.user_objects import register_arrays
from tests.helpers.space_texts import small, spec_of

ROWS = 600
Columns = dict[str, Any]


def columns(**others: Any) -> Columns:
    """Three columns of numbers, of which the class is guessed at best, and others."""
    random = np.random.default_rng(7)
    numbers = {name: random.normal(size=ROWS).round(4) for name in "abc"}
    noise = random.normal(size=ROWS)
    return {**numbers, **others, "y": np.where(numbers["a"] + numbers["b"] + noise > 0, "ill", "well")}


def looked_at(folder: Path, table: Columns | pl.DataFrame, target: str = "y", **sections: str) -> SearchData:
    """A table as a sweep gets it."""
    pl.DataFrame(table).write_csv(folder / "rows.csv")
    data = f"{{csv: rows.csv, target: {target}{sections.pop('more', '')}}}"
    return load_search_data(spec_of(small(data=data, **sections), folder))


def twice(table: Columns, rows: int = 18) -> pl.DataFrame:
    """The table with some of its rows twice, in another order."""
    frame = pl.DataFrame(table)
    return pl.concat([frame, frame.head(rows)]).sample(fraction=1, shuffle=True, seed=3)


PATIENTS = [f"P{row // 10:03d}" for row in range(ROWS)]
DATES = [date(2024, 1, 1) + timedelta(days=row) for row in range(ROWS)]


def test_what_has_no_leak_is_passed_over_in_silence(tmp_path: Path) -> None:
    usual = columns(age=np.arange(ROWS) % 60, town=[f"town{'abcdefghij'[row % 10]}" for row in range(ROWS)])
    assert looked_at(tmp_path, usual).leaks == ()
    for name in SKLEARN_SETS:
        assert load_search_data(make_set_spec(name)).leaks == ()


def test_rows_that_stand_on_both_sides_are_counted(tmp_path: Path) -> None:
    data = looked_at(tmp_path, twice(columns()))
    train = {row.tobytes() for row in data.train.x}
    alike = sum(row.tobytes() in train for row in data.validation.x)
    (notice,) = data.leaks
    assert re.fullmatch(
        rf"{alike} of 99 validation rows and \d of 124 test rows equal a training row in all features, .*", notice
    )


def test_with_folds_a_row_may_have_one_alike_in_another_fold(tmp_path: Path) -> None:
    data = looked_at(tmp_path, twice(columns()), split="{folds: 3}")
    folds: dict[bytes, set[int]] = {}
    for place, fold in enumerate(data.folds):
        for row in data.train.x[fold.held]:
            folds.setdefault(row.tobytes(), set()).add(place)
    alike = sum(len(there) for there in folds.values() if len(there) > 1)
    assert f"{alike} of 494 rows and " in data.leaks[0]


def test_a_few_rows_alike_move_no_score(tmp_path: Path) -> None:
    assert looked_at(tmp_path, twice(columns(), 2)).leaks == ()


def test_rows_of_arrays_are_counted_too(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(100, 4, 4)).astype("float32")
    arrays = {"x_train": x, "y_train": np.arange(100) % 2, "x_test": x[:20], "y_test": 1 - np.arange(20) % 2}
    spec = spec_of(small(data=f"{{python: {register_arrays(arrays)!r}}}"), tmp_path)
    (notice,) = load_search_data(spec).leaks
    assert notice.startswith("0 of 20 validation rows and ")
    assert "of 20 test rows (" in notice and "with another label" in notice


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "int16", "text"])
def test_rows_are_equal_only_if_each_byte_is(kind: str) -> None:
    random = np.random.default_rng(1)
    signs = random.choice([-1, 1], (500, 5))  # rows that differ in signs alone
    train = np.abs(signs * 2) if kind == "uint8" else signs.astype("int16" if kind == "text" else kind)
    train[:, 0] = np.arange(500) // 4
    held = np.concatenate([train[:20], train[:20] + 1, train[:20, [0, 2, 1, 4, 3]]])
    if kind == "text":
        train, held = (np.array([str(row.tolist()) for row in rows], object) for rows in (train, held))
        known = set(train)
        equal = [text in known for text in held]
    else:
        train, held = train.astype(kind), held.astype(kind)
        known = {row.tobytes() for row in train}
        equal = [row.tobytes() in known for row in held]
    assert leaks._are_in(leaks._hash(held), leaks._hash(train)).tolist() == equal
    assert any(equal) and not all(equal)


@pytest.mark.parametrize("kind", ["float32", "float64", "int8", "table"])
def test_no_two_rows_of_signs_pass_as_equal(kind: str) -> None:
    signs = np.stack(np.meshgrid(*[[-1, 1]] * 12), axis=-1).reshape(-1, 12)
    rows = pl.DataFrame(signs) if kind == "table" else signs.astype(kind)
    assert len(np.unique(leaks._hash(rows))) == len(signs) == 4096


@pytest.mark.parametrize(
    ("name", "values", "more"),
    [
        ("who", PATIENTS, ""),  # by its codes
        ("patient_id", np.arange(ROWS) // 10, ""),
        ("patientId", np.arange(ROWS) // 4, ", drop: [patientId]"),  # that it is no feature mends nothing
    ],
)
def test_a_column_of_groups_is_named_with_how_many_are_cut(tmp_path: Path, name: str, values: Any, more: str) -> None:
    table = columns(**{name: values})
    (notice,) = looked_at(tmp_path, table, more=more).leaks
    assert notice.startswith(f"column '{name}' seems to name groups, ") and f"`split: {{groups: {name}}}`" in notice
    assert int(notice.split("the split cuts ")[1].split()[0]) > 40
    assert "and the split cuts" in looked_at(tmp_path, table, more=more, split="{folds: 3}").leaks[0]
    assert looked_at(tmp_path, table, more="", split=f"{{groups: {name}, folds: 3}}").leaks == ()


def test_texts_that_are_too_many_for_categories_may_name_groups(tmp_path: Path) -> None:
    table = columns(who=[f"case {row // 4} of 2024" for row in range(ROWS)])
    with pytest.raises(TableError, match=r"'who' .* 1\d\d different texts .* names groups, set `split: \{groups: "):
        looked_at(tmp_path, table)
    assert looked_at(tmp_path, table, split="{groups: who}").leaks == ()


def test_rows_in_the_order_of_their_dates_are_seen(tmp_path: Path) -> None:
    table = columns(day=DATES)
    for given in (table, pl.DataFrame(table).reverse()):
        (notice,) = looked_at(tmp_path, given).leaks
        assert "in the order of 'day'" in notice and "`split: {time: day}`" in notice
    assert looked_at(tmp_path, table, split="{time: day}").leaks == ()
    assert looked_at(tmp_path, pl.DataFrame(table).sample(fraction=1, shuffle=True, seed=1)).leaks == ()


def test_a_column_that_gives_the_label_is_named(tmp_path: Path) -> None:
    table = columns()
    table["copied"] = np.where(table["y"] == "ill", "yes", "no")
    table["nearly"] = np.where(table["y"] == "ill", 5.0, -5.0) + np.random.default_rng(1).normal(size=ROWS)
    (notice,) = looked_at(tmp_path, table).leaks
    assert notice.startswith("column 'copied', 'nearly' alone predicts nearly every label")
    assert "`drop: [copied, nearly]`" in notice
    assert looked_at(tmp_path, table, more=", drop: [copied, nearly]").leaks == ()


def test_a_column_that_gives_a_target_of_numbers_is_named(tmp_path: Path) -> None:
    table = columns()
    table["y"] = table["a"] * 3 + table["b"]
    sections = {"loss": "mean_squared_error", "metrics": "[]", "metric": "{name: val_loss, goal: minimize}"}
    sections["model"] = "dense"
    assert looked_at(tmp_path, table, **sections).leaks == ()
    table["other_unit"] = np.exp(-table["y"])
    (notice,) = looked_at(tmp_path, table, **sections).leaks
    assert "'other_unit' alone" in notice


def test_a_column_of_an_array_is_named_by_its_number(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 3, ROWS)
    x = np.stack([random.normal(size=ROWS), np.array([4.0, 1.0, 9.0])[y]], axis=1)
    (notice,) = load_search_data(spec_of(small(data=f"{{python: {register_arrays((x, y))!r}}}"), tmp_path)).leaks
    assert notice.startswith("column 1 alone predicts") and "drop" not in notice


def test_each_leak_is_named_and_none_that_the_split_mends(tmp_path: Path) -> None:
    table = twice(columns(patient=PATIENTS, day=DATES)).sort("day")
    for split in ("{groups: patient}", "{time: day}"):
        assert looked_at(tmp_path, table, split=split).leaks == ()
    said = " ".join(looked_at(tmp_path, table).leaks)
    for leak in ("equal a training row in all features", "`split: {groups: patient}`", "`split: {time: day}`"):
        assert leak in said
