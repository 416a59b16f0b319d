"""What every image set promises. Files of one that is not on this machine are not fetched: a toy is read instead."""

import re
from pathlib import Path

import pytest
from tests.helpers.data_specs import spec_of, write_files

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.image_sets import IMAGE_SETS, ArrayFile, ImageSet
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.source import DATA_NAMES
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.sweep_spec import SweepSpec


def arrays(found: ImageSet) -> tuple[ArrayFile, ...]:
    return found.images, found.labels, found.test_images, found.test_labels


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    """An image set that lies in a folder of the user's."""
    monkeypatch.setenv("SWEEP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SWEEP_CACHE_DIR", str(tmp_path / "cache"))
    made = write_files(tmp_path)
    monkeypatch.setitem(IMAGE_SETS, "toy", made)
    return made


def toys(loss: str = "sparse_categorical_crossentropy") -> SweepSpec:
    return spec_of(DataSpec("named", "toy"), loss)


@pytest.mark.parametrize("name", IMAGE_SETS)
class TestEveryImageSet:
    def test_bears_its_name_and_can_be_named(self, name: str) -> None:
        assert IMAGE_SETS[name].name == name and name in DATA_NAMES

    def test_has_a_digest_for_every_array_and_none_twice(self, name: str) -> None:
        made = arrays(IMAGE_SETS[name])
        assert all(re.fullmatch("[0-9a-f]{64}", one.digest) for one in made)
        assert len({(one.file, one.member) for one in made}) == 4

    def test_says_what_its_pictures_are(self, name: str) -> None:
        made = IMAGE_SETS[name]
        assert len(set(made.class_names)) == len(made.class_names) > 1
        assert len(made.shape) in (2, 3) and made.test_rows > 0


def test_a_set_is_split_and_its_test_rows_stay_sealed(toy: ImageSet) -> None:
    data = load_search_data(toys())
    assert (data.train.x.shape, data.validation.x.shape) == ((24, 20), (6, 20))
    assert (data.classes, data.image_shape, data.test_rows) == (3, (4, 5), 30)
    test = open_test(toys(), data)
    assert test.x.shape == (30, 20) and test.y.tolist() == [0, 1, 2] * 10
    assert load_search_data(toys("categorical_crossentropy")).train.y.shape == (24, 3)
