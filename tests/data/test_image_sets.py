"""The IDX format, and Fashion-MNIST: where it is found, how it is fetched, and the numbers of the lesson."""

import gzip
import socket
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from keras_sweep.data import image_sets
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.image_sets import FASHION_MNIST, scale_pixels
from keras_sweep.errors import DataError
from tests.helpers.command import python
from tests.helpers.data_specs import named


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(gzip.compress)))
@example(gzip.compress(b"\0\0\x08\x01\0\0\0\x02ab"))  # two labels
@settings(max_examples=100, deadline=None)
def test_a_file_of_any_other_bytes_is_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FASHION_MNIST.labels.file).write_bytes(content)
        with pytest.raises(DataError, match="Remove it or replace it"):
            FASHION_MNIST.labels.read(Path(folder))


IMAGES = np.arange(3 * 8 * 32, dtype=np.uint8).reshape(3, 8, 32)  # each of the 256 bytes


def test_every_pixel_is_scaled_as_by_division_in_float64():
    np.testing.assert_array_equal(scale_pixels(IMAGES), (IMAGES / 255.0).astype("float32").reshape(3, -1))


def test_jax_reads_them_where_they_are():
    import jax

    pixels = scale_pixels(np.resize(IMAGES, (1_024, 32, 32)))  # small arrays are copied
    device = jax.device_put(pixels, jax.devices("cpu")[0])
    assert device.unsafe_buffer_pointer() == pixels.ctypes.data


@pytest.mark.soak
def test_is_split_and_scaled_by_the_lessons_own_code() -> None:
    data = load_search_data(named("fashion_mnist"))
    images, labels = FASHION_MNIST.search_arrays()
    x = (np.asarray(images) / 255.0).astype("float32").reshape(-1, 784)
    x_train, x_validation, y_train, y_validation = train_test_split(x, labels, test_size=0.2, random_state=42)
    assert data.train.x.shape == (48000, 784) and data.train.x.dtype == np.float32
    assert data.train.y[:10].tolist() == [7, 3, 5, 8, 6, 9, 3, 3, 9, 9]
    assert (data.train.x == x_train).all() and (data.validation.x == x_validation).all()
    assert (data.train.y == y_train).all() and (data.validation.y == y_validation).all()
    assert (data.classes, data.test_rows, data.image_shape) == (10, 10000, (28, 28))


def test_a_search_opens_no_file_of_test_rows(tmp_path: Path) -> None:
    script = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from keras_sweep.data.catalog import load_search_data, make_set_spec
load_search_data(make_set_spec("fashion_mnist"))
print(*(path for path in opened if "ubyte" in path), sep="\\n")
"""
    fetched = str(FASHION_MNIST.locate())  # else the start would fetch, which writes all four files
    printed = python(script, cwd=tmp_path, SWEEP_DATA_DIR=fetched, SWEEP_CACHE_DIR=str(tmp_path / "cache")).out
    assert "train-images" in printed and "t10k" not in printed


def test_the_users_folder_comes_first_then_kerass_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras, users = tmp_path / "keras" / "datasets" / "fashion-mnist", tmp_path / "users" / "fashion-mnist"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("SWEEP_DATA_DIR", str(tmp_path / "users"))
    for folder in (keras, users):
        folder.mkdir(parents=True)
        for file in FASHION_MNIST.files:
            (folder / file).touch()
    assert FASHION_MNIST.find() == users
    (users / FASHION_MNIST.files[0]).unlink()
    assert FASHION_MNIST.find() == keras


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without data, without apt, and whose proxy refuses connections."""
    monkeypatch.setattr(image_sets, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("SWEEP_DATA_DIR", raising=False)
    monkeypatch.setenv("SWEEP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")


@pytest.mark.usefixtures("nowhere")
def test_a_machine_that_can_fetch_nothing_is_told_three_ways_out() -> None:
    with pytest.raises(DataError) as ended:
        FASHION_MNIST.locate()
    said = str(ended.value)
    assert "SWEEP_DATA_DIR" in said and "apt-get install" in said and "load_data()" in said


def test_debians_package_is_unpacked_into_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """With stand-ins for apt-get and dpkg-deb that know the package only after an update of their own lists."""
    source = FASHION_MNIST.locate()
    script(
        tmp_path / "apt-get",
        f'''
for last; do :; done
case "$last" in
  update) touch lists ;;
  *) [ -e lists ] || {{ echo "E: Unable to locate package $last" >&2; exit 100; }}
     mkdir -p "tree{tmp_path}/debian" && ln -s "{source}" "tree{tmp_path}/debian/fashion-mnist"
     tar -chf "$last.deb" -C tree . ;;
esac''',
    )
    script(tmp_path / "dpkg-deb", 'tar -xf "$2" -C "$3"')
    request.getfixturevalue("nowhere")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    cache = tmp_path / "cache" / "fashion-mnist"
    assert FASHION_MNIST.locate() == FASHION_MNIST.locate() == cache
    assert sorted(path.name for path in cache.iterdir()) == sorted(FASHION_MNIST.files)


@pytest.mark.usefixtures("nowhere")
def test_a_download_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_sets, "SILENCE", 0.3)
    silent = socket.create_server(("127.0.0.1", 0))  # accepts, and never answers
    made = replace(FASHION_MNIST, address=f"http://127.0.0.1:{silent.getsockname()[1]}/", debian_package=None)
    with silent, pytest.raises(DataError, match="timed out"):
        made.locate()


def script(path: Path, body: str) -> None:
    """An executable shell script."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
