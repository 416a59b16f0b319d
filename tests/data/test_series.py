"""Windows of a series."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.series import read_series
from keras_sweep.errors import DataError, TableError
from keras_sweep.space.data_spec import DataSpec, SeriesOptions, Split
from tests.helpers.data_specs import spec_of

HOURS = [f"2024-01-0{1 + hour // 24} {hour % 24:02d}:00:00" for hour in range(40)]


def write(folder: Path, header: str = "time,a,b", lines: Iterable[str] | None = None) -> None:
    given = lines or [f"{time},{row},{row % 7}" for row, time in enumerate(HOURS)]
    (folder / "it.csv").write_text("\n".join([header, *given]) + "\n")


def series(window: int = 3, horizon: int = 2, target: str = "a", **split: object) -> DataSpec:
    return DataSpec("series", "it.csv", target, Split(**split), options=SeriesOptions(window, horizon))


def test_a_window_predicts_the_target_some_rows_after_it(tmp_path: Path) -> None:
    write(tmp_path)
    source = read_series(series(), tmp_path)
    assert source.series == ("a", "b") and "other columns are left out" in source.notices[0]
    assert source.train.x[4].tolist() == [[4, 4], [5, 5], [6, 6]] and source.train.y[4] == 8


def test_parts_follow_each_other_in_time_and_no_window_has_rows_of_two(tmp_path: Path) -> None:
    write(tmp_path)
    source, seen = read_series(series(test=0.25, validation=0.3), tmp_path), []
    for part in (source.train, source.validation, source.test):
        seen.append({*part.x[:, :, 0].reshape(-1).tolist(), *part.y.tolist()})
    assert [(min(rows), max(rows)) for rows in seen] == [(0, 20), (21, 29), (30, 39)]


def test_windows_that_are_compared_predict_the_same_rows(tmp_path: Path) -> None:
    write(tmp_path)
    of_two = [replace(series(), options=SeriesOptions(window, longest=4)) for window in (2, 4)]
    short, long = (read_series(data, tmp_path) for data in of_two)
    assert short.validation.y.tolist() == long.validation.y.tolist() and short.test.y.tolist() == long.test.y.tolist()
    assert len(short.train.y) == len(long.train.y) + 2  # those that the longer one can't predict


def test_columns_are_standardised_by_training_windows_alone(tmp_path: Path) -> None:
    write(tmp_path)
    spec = spec_of(series(), "mean_squared_error", tmp_path)
    data, raw = load_search_data(spec), read_series(series(), tmp_path)
    assert data.train.x.mean(axis=(0, 1)) == pytest.approx([0, 0], abs=1e-6)
    mean, deviation = raw.train.x.mean(axis=(0, 1)), raw.train.x.std(axis=(0, 1))
    assert open_test(spec, data).x == pytest.approx((raw.test.x - mean) / deviation, abs=1e-5)
    assert data.train.y.tolist() == raw.train.y.tolist()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["2024-01-02 00:00:00,1,2", "2024-01-01 00:00:00,3,4"], "column 'time' goes back in row 2"),
        ([f"{HOURS[row]},1,2" for row in range(9)], "has 5 rows for its train part|has 2 rows"),
    ],
)
def test_rows_out_of_order_and_too_few_are_refused(tmp_path: Path, lines: list[str], words: str) -> None:
    write(tmp_path, lines=lines)
    with pytest.raises(DataError, match=words):
        read_series(series(), tmp_path)


def test_all_faults_of_columns_are_told_at_once(tmp_path: Path) -> None:
    lines = [f"{time},{'NA' if row == 3 else row},{'' if row > 30 else 1},x" for row, time in enumerate(HOURS)]
    write(tmp_path, "time,a,b,c", lines)
    with pytest.raises(TableError) as caught:
        read_series(series(target="c"), tmp_path)
    words = (
        "'b' has no value in 9 rows, first in row 32",
        "'c' must be numbers",
        "'NA' in row 4. Write a number instead",
    )
    lines = str(caught.value).splitlines()
    assert len(lines) == 3 and all(word in line for word, line in zip(words, lines, strict=True))


def test_a_jump_in_time_is_told(tmp_path: Path) -> None:
    write(tmp_path, lines=[f"{time},{row * row},1" for row, time in enumerate(HOURS) if not 8 <= row < 31])
    (_, notice) = read_series(series(window=1, horizon=1, test=0.0), tmp_path).notices
    place = "column 'time' of it.csv jumps in 1 place, first from 2024-01-01 07:00:00 to 2024-01-02 07"
    assert notice.startswith(place)


def test_a_number_that_skips_is_told_where_it_counts_the_rows(tmp_path: Path) -> None:
    write(tmp_path, "step,x,a,b", [f"{row + (row > 20)},{row * row},{row % 7},1" for row in range(40)])
    (_, notice) = read_series(series(), tmp_path).notices
    assert notice.startswith("column 'step' of it.csv jumps in 1 place, first from 20 to 22 in row 22")


def test_several_series_in_a_file_are_refused_but_not_an_hour_that_a_clock_repeats(tmp_path: Path) -> None:
    write(tmp_path, "time,shop,a", [f"{time},{shop},{row}" for row, time in enumerate(HOURS) for shop in "ab"])
    with pytest.raises(DataError, match=r"has 40 rows with a repeated time.* Put each series into its own file"):
        read_series(series(), tmp_path)
    write(tmp_path, lines=[f"{time},{row},1" for row, time in enumerate(sorted([*HOURS, HOURS[7]]))])
    assert len(read_series(series(), tmp_path).notices) == 1


def test_numbers_and_dates_are_read_as_those_of_tables(tmp_path: Path) -> None:
    write(tmp_path, "day;a", [f"{1 + row // 28:02d}/{1 + row % 28:02d}/2024;{row},5" for row in range(40)])
    options = SeriesOptions(2, separator=";")
    source = read_series(replace(series(), options=options), tmp_path)
    assert source.series == ("a",) and source.train.x[0].ravel().tolist() == [0.5, 1.5]
    assert "jumps" in source.notices[1]  # from 28 January to 1 February
    write(tmp_path, "day,a", [f"{1 + row:02d}/01/2024,{row}" for row in range(12)])
    with pytest.raises(TableError, match="may be 2024-01-02 or 2024-02-01"):
        read_series(series(1, 1), tmp_path)
    monthly = replace(series(), options=SeriesOptions(1, dates="month-first"))
    assert len(read_series(monthly, tmp_path).notices) == 1  # months are of 28 to 31 days


def test_a_series_is_split_in_no_other_way(tmp_path: Path) -> None:
    write(tmp_path)
    for split in ({"folds": 3}, {"time": "time"}, {"groups": "b"}):
        with pytest.raises(DataError, match=r"it\.csv is always split in time"):
            read_series(series(**split), tmp_path)


def test_windows_are_as_keras_cuts_them(tmp_path: Path) -> None:
    import keras

    write(tmp_path)
    train = read_series(series(test=0.0, validation=0.2), tmp_path).train
    values = np.array([[row, row % 7] for row in range(32)], np.float32)
    own = keras.utils.timeseries_dataset_from_array(values, values[4:, 0], sequence_length=3, batch_size=None)
    x, y = map(np.array, zip(*own.as_numpy_iterator(), strict=True))
    assert np.array_equal(train.x, x) and np.array_equal(train.y, y)


def test_a_unit_of_a_series_is_a_block_of_times_at_least_as_long_as_the_horizon(tmp_path: Path) -> None:
    write(tmp_path)
    for horizon, least in ((1, 1), (9, 9)):
        data = load_search_data(spec_of(series(horizon=horizon, validation=0.6, test=0.0), "mse", tmp_path))
        units, rows = data.validation.units, len(data.validation)
        assert units is not None and (np.diff(units.codes) >= 0).all()
        assert units.count == max(rows // max(math.ceil(1.3 * math.sqrt(rows)), least), 1)
        assert np.bincount(units.codes).min() >= least
