"""From a space file's `data` to training and validation rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from keras_sweep.data import catalog
from keras_sweep.data.catalog import load_search_data, make_set_spec
from keras_sweep.data.raw_rows import raw_rows
from keras_sweep.data.search_data import SearchData
from keras_sweep.data.source import DATA_NAMES, read_sklearn_set
from keras_sweep.errors import DataError
from keras_sweep.space.data_spec import DataSpec, SeriesOptions, Split
from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Parameter, SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec
from tests.helpers.data_specs import HOUSES, PLANTS, csv, named, spec_of

ROWS = {"digits": (1149, 288, 360), "iris": (96, 24, 30), "wine": (113, 29, 36), "breast_cancer": (364, 91, 114)}


@pytest.mark.parametrize("name", [name for name in DATA_NAMES if "mnist" not in name])
def test_named_sets_are_standardised_and_split(name: str) -> None:
    data = load_search_data(named(name))
    assert (len(data.train), len(data.validation), data.test_rows) == ROWS.get(name, (282, 71, 89))
    assert data.train.x.dtype == np.float32 and np.isfinite(data.train.x).all()
    if name == "digits":
        assert data.train.x.min() >= 0 and data.train.x.max() == 1 and data.image_shape == (8, 8)
    else:
        np.testing.assert_allclose(data.train.x.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(data.train.x.std(axis=0), 1, atol=1e-4)
    assert data.fingerprint == load_search_data(named(name)).fingerprint


def test_a_set_of_scikit_learn_has_its_numbers_and_names() -> None:
    rows, theirs = read_sklearn_set("diabetes").rows, load_diabetes(scaled=False)
    assert rows is not None and rows.x.columns == list(theirs.feature_names)
    assert np.array_equal(rows.x.to_numpy(), theirs.data) and np.array_equal(rows.y, theirs.target)
    assert load_search_data(named("iris")).class_names == ("setosa", "versicolor", "virginica")


def test_another_split_is_another_fingerprint() -> None:
    prints = {load_search_data(named("iris", **split)).fingerprint for split in ({}, {"seed": 1}, {"stratify": True})}
    assert len(prints) == 3
    counts = np.bincount(load_search_data(named("iris", stratify=True)).validation.y)
    assert counts.tolist() == [8, 8, 8]


def test_a_csv_of_numbers_categories_and_gaps() -> None:
    data = load_search_data(spec_of(PLANTS))
    assert data.train.x.shape == (384, 12)
    assert data.class_names == ("campion", "marigold", "poppy") and data.train.y.dtype == np.int32
    raw = raw_rows(spec_of(PLANTS), data)[1]
    assert set(raw) == {"height_cm", "petals", "wild", "colour", "soil"}
    assert len(raw["height_cm"]) == len(data.validation)


def test_a_parquet_file_and_a_relative_path() -> None:
    absolute = load_search_data(spec_of(HOUSES, "mse"))
    assert (absolute.classes, absolute.train.y.dtype) == (None, np.float32)
    path = Path(HOUSES.source)
    relative = replace(HOUSES, source=path.name)
    assert load_search_data(spec_of(relative, "mse", path.parent)).fingerprint == absolute.fingerprint


def test_preprocessing_is_fitted_on_training_rows_alone(tmp_path: Path) -> None:
    """Other validation and test rows must not move a single training feature."""
    rows = np.round(np.random.default_rng(0).normal(size=100), 3)
    search, _ = train_test_split(np.arange(100), test_size=0.2, random_state=42)
    train, _ = train_test_split(search, test_size=0.2, random_state=42)
    loaded: list[SearchData] = []
    for outside in (0.0, 1000.0):
        values = [value if row in set(train.tolist()) else outside for row, value in enumerate(rows)]
        lines = (f"{value},{row % 2}" for row, value in enumerate(values))
        loaded.append(load_search_data(csv(tmp_path, "a,target", lines)))
    assert (loaded[0].train.x == loaded[1].train.x).all()
    assert loaded[0].fingerprint != loaded[1].fingerprint


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_class_that_falls_out_of_training_is_an_error_before_the_search(tmp_path: Path, part: str) -> None:
    """Also where only test rows have it: after the search it would be too late."""
    search, test = train_test_split(np.arange(60), test_size=0.2, random_state=42)
    validation = train_test_split(search, test_size=0.2, random_state=42)[1]
    rare = {"test": test, "validation": validation}[part][:3]
    classes = ("rare" if k in rare else "common" if k % 2 else "usual" for k in range(60))
    spec = csv(tmp_path, "a,target", (f"{k},{name}" for k, name in enumerate(classes)))
    with pytest.raises(DataError, match=rf"the {part} rows of it.csv have classes .*'rare'.*stratify: true"):
        load_search_data(spec)
    stratified = replace(spec, data=replace(spec.data, split=Split(stratify=True)))
    assert load_search_data(stratified).classes == 3


def test_many_variants_of_the_data_are_read_where_they_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "it.csv").write_text("a\n" + "".join(f"{k % 7}\n" for k in range(200)))
    spec = spec_of(DataSpec("series", "it.csv", "a", options=SeriesOptions(1, longest=20)), "mse", tmp_path)

    def with_windows(count: int) -> SweepSpec:
        return replace(spec, space=SearchSpace((Parameter("data.window", Int(1, count)),)))

    assert len(load_search_data(with_windows(17)).variants) == 17
    monkeypatch.setattr(catalog, "MOST_BYTES", 1)
    assert len(load_search_data(with_windows(16)).variants) == 16
    with pytest.raises(DataError, match=r"20 variants of it.csv do not fit into memory: .* of the first 17 take more"):
        load_search_data(with_windows(20))


def test_unknown_names_are_refused_with_a_suggestion() -> None:
    for name, hint in (("iriss", r"Did you mean `iris`\?$"), ("nothing", "Choose from fashion_mnist, mnist")):
        with pytest.raises(DataError, match=rf"there is no data set '{name}'\. {hint}"):
            load_search_data(make_set_spec(name))
