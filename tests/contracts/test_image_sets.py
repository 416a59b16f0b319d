"""What every image set promises. Files of one that is not on this machine are not fetched: a toy is read instead."""

import re
from pathlib import Path

import pytest
from tests.helpers.data_specs import spec_of, write_files

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.image_sets import IMAGE_SETS
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.source import DATA_NAMES
from keras_sweep.space.data_spec import DataSpec


@pytest.mark.parametrize("name", IMAGE_SETS)
class TestEveryImageSet:
    def test_has_a_name_four_arrays_with_their_digests_and_names_of_classes(self, name: str) -> None:
        made = IMAGE_SETS[name]
        assert made.name == name and name in DATA_NAMES
        arrays = (made.images, made.labels, made.test_images, made.test_labels)
        assert all(re.fullmatch("[0-9a-f]{64}", one.digest) for one in arrays)
        assert len({(one.file, one.member) for one in arrays}) == 4
        assert len(set(made.class_names)) == len(made.class_names) > 1
        assert len(made.shape) in (2, 3) and made.test_rows > 0


def test_a_set_is_split_and_its_test_rows_stay_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SWEEP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setitem(IMAGE_SETS, "toy", write_files(tmp_path))
    spec, one_hot = (spec_of(DataSpec("named", "toy"), f"{kind}categorical_crossentropy") for kind in ("sparse_", ""))
    data = load_search_data(spec)
    assert (data.train.x.shape, data.validation.x.shape) == ((24, 20), (6, 20))
    assert (data.classes, data.image_shape, data.test_rows) == (3, (4, 5), 30)
    test = open_test(spec, data)
    assert test.x.shape == (30, 20) and test.y.tolist() == [0, 1, 2] * 10
    assert load_search_data(one_hot).train.y.shape == (24, 3)
