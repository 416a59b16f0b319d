"""Pictures in folders of classes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.image_folder import read_images
from keras_sweep.errors import DataError, TableError
from keras_sweep.space.data_spec import DataSpec, ImageOptions, Split
from tests.helpers.data_specs import spec_of, write_pictures


def read(folder: Path, **options: object):
    return read_images(DataSpec("images", "photos", options=ImageOptions(**options)), folder)


@contextmanager
def as_a_user() -> Iterator[None]:
    """As a user whom the modes of files bind: root reads everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_pictures_come_in_one_size_from_0_to_1_with_their_folders_as_classes(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 6)
    assert read(tmp_path, size=[4, 4], color="grayscale").rows.x.shape == (6, 4, 4, 1)
    source = read(tmp_path, size=[8, 10])
    assert source.rows.x.shape == (6, 8, 10, 3) and source.rows.x.dtype == np.float32
    assert 0 <= source.rows.x.min() < source.rows.x.max() <= 1
    assert source.rows.y.tolist() == ["cat"] * 3 + ["dog"] * 3 and source.image_shape == (8, 10, 3)
    own = keras.utils.load_img(tmp_path / "photos" / "cat" / "0.png", target_size=(8, 10), interpolation="bilinear")
    assert np.array_equal(source.rows.x[0], keras.utils.img_to_array(own) / np.float32(255))


def test_folders_of_parts_are_those_parts(tmp_path: Path) -> None:
    for part, rows in (("train", 8), ("val", 4), ("test", 2)):
        write_pictures(tmp_path / "photos" / part, rows)
    source = read(tmp_path, size=[4, 4])
    assert source.rows is None
    assert [len(part) for part in (source.train, source.validation, source.test)] == [8, 4, 2]


def test_a_class_may_be_called_as_a_part_is(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 4, classes=("plane", "train"))
    assert sorted(set(read(tmp_path).rows.y)) == ["plane", "train"]


def test_rows_are_split_where_there_are_no_folders_of_parts(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 20)
    of = DataSpec("images", "photos", split=Split(stratify=True), options=ImageOptions([4, 4]))
    data = load_search_data(spec_of(of, folder=tmp_path))
    assert (len(data.train), len(data.validation), data.test_rows) == (12, 4, 4)
    assert data.class_names == ("cat", "dog") and data.image_shape == (4, 4, 3)


def test_all_files_that_can_not_be_read_are_named_at_once(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 4)
    whole = (tmp_path / "photos" / "cat" / "0.png").read_bytes()
    (tmp_path / "photos" / "cat" / "1.png").write_bytes(whole[:90])
    (tmp_path / "photos" / "dog" / "2.png").write_text("no picture")
    with pytest.raises(TableError) as caught:
        read(tmp_path)
    first, second = str(caught.value).splitlines()
    assert "cat/1.png can't be read" in first and "dog/2.png can't be read: cannot identify image file" in second


def test_hidden_files_and_those_of_no_class_are_passed_over(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 4)
    (tmp_path / "photos" / "notes.txt").write_text("of mine")
    (tmp_path / "photos" / "cat" / ".DS_Store").write_text("")
    for folder in (tmp_path / "photos", tmp_path / "photos" / "cat"):  # as Jupyter leaves them
        (folder / ".ipynb_checkpoints").mkdir()
        shutil.copy(tmp_path / "photos" / "cat" / "0.png", folder / ".ipynb_checkpoints" / "0-checkpoint.png")
    assert read(tmp_path).rows.y.tolist() == ["cat", "cat", "dog", "dog"]


def test_pictures_of_more_than_8_bits_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 4)
    Image.fromarray(np.full((6, 6), 200, np.uint16)).save(tmp_path / "photos" / "dog" / "0.png")
    with pytest.raises(TableError, match=r"dog/0\.png has over 8 bits per pixel"):
        read(tmp_path)


def test_what_is_no_folder_of_pictures_says_what_one_is(tmp_path: Path) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match="photos has no class folder with pictures"):
        read(tmp_path)
    for part in ("train", "test", "more"):
        write_pictures(tmp_path / "photos" / part, 2)
    with pytest.raises(DataError, match=r"folders `train`, .* but got 'cat', 'more'"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("place", "mode", "message"),
    [
        ("photos/cat", 0o000, "photos: cat"),
        ("photos/cat", 0o444, r"cat/0\.png can't be read: Permission denied\n.*cat/1\.png"),
        ("photos", 0o000, "photos"),
    ],
)
def test_a_folder_that_can_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, mode: int, message: str
) -> None:
    write_pictures(tmp_path / "photos", 4)
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path, *tmp_path.glob("**/*")):
        path.chmod(0o755)
    (tmp_path / place).chmod(mode)
    try:
        with as_a_user(), pytest.raises(DataError, match=f"{message} can't be read: Permission denied"):
            read(Path())
    finally:
        (tmp_path / place).chmod(0o755)


def test_pictures_in_linked_folders_are_those_of_the_class(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 4)
    write_pictures(tmp_path / "more", 4, classes=("cat", "eel"))
    (tmp_path / "photos" / "cat" / "linked").symlink_to(tmp_path / "more" / "cat")
    (tmp_path / "photos" / "eel").symlink_to(tmp_path / "more" / "eel")
    assert read(tmp_path).rows.y.tolist() == ["cat"] * 4 + ["dog"] * 2 + ["eel"] * 2


def test_what_is_neither_picture_nor_folder_is_named_and_never_waited_for(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 4)
    os.mkfifo(tmp_path / "photos" / "cat" / "pipe")
    (tmp_path / "photos" / "dog" / "up").symlink_to("..")
    (tmp_path / "photos" / "dog" / "self").symlink_to("self")
    (tmp_path / "photos" / "fox").symlink_to("unmounted")
    with pytest.raises(TableError) as caught:
        read(tmp_path)
    assert [str(fault) for fault in caught.value.faults] == [
        "cat/pipe is a pipe or device, not a picture. Remove it",
        "dog/self can't be read: Too many levels of symbolic links",
        "dog/up can't be read: it links to a folder that contains it",
        "fox can't be read: No such file or directory",
    ]


def test_a_picture_of_more_pixels_than_pillow_warns_of_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "photos", 4)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # a picture has 144
    assert len(read(tmp_path).rows) == 4
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 70)
    with pytest.raises(TableError, match=r"cat/0\.png has more than 140 pixels\. Make it smaller"):
        read(tmp_path)
