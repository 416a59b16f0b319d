"""The IDX format, and Fashion-MNIST: where it is found, how it is fetched, and the numbers of the lesson."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from keras_sweep.data import fetch
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.fetch import FetchError, download, unpack_debian_package
from keras_sweep.data.image_sets import FASHION_MNIST, decode_idx, scaled_pixels
from keras_sweep.errors import DataError
from tests.helpers.data_specs import named


def encode(array: np.ndarray) -> bytes:
    """An array as a gzipped IDX file."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.tobytes(), 1)


@given(arrays(np.uint8, array_shapes(max_dims=4, max_side=6)))
@settings(max_examples=50, deadline=None)
def test_gives_back_what_was_encoded(array: np.ndarray) -> None:
    assert (decode_idx(encode(array), "it") == array).all()


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_other_bytes_are_refused(raw: bytes) -> None:
    for packed in (raw, gzip.compress(b"\1" + raw)):
        with pytest.raises(ValueError, match="it "):
            decode_idx(packed, "it")


def test_cut_files_are_refused() -> None:
    whole = encode(np.arange(200, dtype=np.uint8).reshape(2, 100))
    with pytest.raises(ValueError, match="not a whole gzip file"):
        decode_idx(whole[:-9], "it")
    with pytest.raises(ValueError, match="it has 199 bytes where its header says 200"):
        decode_idx(gzip.compress(gzip.decompress(whole)[:-1]), "it")


IMAGES = np.arange(3 * 8 * 32, dtype=np.uint8).reshape(3, 8, 32)  # each of the 256 bytes


def test_every_pixel_is_scaled_as_by_division_in_float64():
    expected = (IMAGES / 255.0).astype("float32").reshape(3, -1)
    np.testing.assert_array_equal(scaled_pixels(IMAGES), expected)
    np.testing.assert_array_equal(scaled_pixels(IMAGES, np.array([2, 0])), expected[[2, 0]])


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_jax_reads_them_where_they_are(rows):
    import jax

    pixels = scaled_pixels(IMAGES[:rows])
    device = jax.device_put(pixels, jax.devices("cpu")[0])
    assert device.unsafe_buffer_pointer() == pixels.ctypes.data


@pytest.fixture(scope="module")
def data():  # type: ignore[no-untyped-def]
    return load_search_data(named("fashion_mnist"))


def test_is_split_as_in_the_lesson(data) -> None:  # type: ignore[no-untyped-def]
    assert data.train.x.shape == (48000, 784) and data.validation.x.shape == (12000, 784)
    assert data.train.x.dtype == np.float32
    assert data.train.y[:10].tolist() == [7, 3, 5, 8, 6, 9, 3, 3, 9, 9]
    assert (data.classes, data.test_rows, data.image_shape) == (10, 10000, (28, 28))


def test_equals_the_lessons_own_code(data) -> None:  # type: ignore[no-untyped-def]
    from sklearn.model_selection import train_test_split

    images, labels = FASHION_MNIST.search_arrays()
    x = (np.asarray(images) / 255.0).astype("float32").reshape(-1, 784)
    x_train, x_validation, y_train, y_validation = train_test_split(x, labels, test_size=0.2, random_state=42)
    assert (data.train.x == x_train).all() and (data.validation.x == x_validation).all()
    assert (data.train.y == y_train).all() and (data.validation.y == y_validation).all()


def test_one_hot_labels_where_the_loss_takes_them() -> None:
    data = load_search_data(named("fashion_mnist", "categorical_crossentropy"))
    assert data.train.y.shape == (48000, 10)
    assert data.train.y[:5].argmax(axis=1).tolist() == [7, 3, 5, 8, 6]


def test_a_search_opens_no_file_of_test_rows(tmp_path: Path) -> None:
    script = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from keras_sweep.data.catalog import load_search_data, named_set
load_search_data(named_set("fashion_mnist"))
print(*(path for path in opened if "ubyte" in path), sep="\\n")
"""
    fetched = str(FASHION_MNIST.locate())  # else the first start would fetch, which writes all four files
    for start in ("cold", "warm"):
        printed = run_python(script, SWEEP_DATA_DIR=fetched, SWEEP_CACHE_DIR=str(tmp_path / "cache")).stdout
        assert "train-images" in printed, start
        assert "t10k" not in printed


def test_the_command_says_in_one_line_where_the_data_is(tmp_path: Path) -> None:
    for file in FASHION_MNIST.files:
        (tmp_path / file).touch()  # looking for the data opens no file
    done = run_python("from keras_sweep.data.image_sets import main; main()", SWEEP_DATA_DIR=str(tmp_path))
    assert done.stdout == f"Fashion-MNIST: {tmp_path}\n"
    assert not done.stderr


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


def test_another_file_of_that_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_DATA_DIR", str(tmp_path))
    for file in FASHION_MNIST.files:
        (tmp_path / file).write_bytes(encode(np.zeros(2, np.uint8)))
    with pytest.raises(DataError, match=r"train-images.* is not Zalando's file"):
        load_search_data(named("fashion_mnist"))


def test_a_machine_that_can_fetch_nothing_is_told_three_ways_out(tmp_path: Path) -> None:
    script = """
from keras_sweep.data import image_sets
image_sets.known_folders = lambda name: iter(())
raise SystemExit(image_sets.main())
"""
    done = run_python(script, check=False, **nothing_to_fetch_from(tmp_path))
    assert done.returncode == 2
    assert "SWEEP_DATA_DIR" in done.stderr and "apt-get install" in done.stderr and "load_data()" in done.stderr
    assert "Traceback" not in done.stderr


def test_debians_package_is_unpacked_into_the_cache(tmp_path: Path) -> None:
    """With stand-ins for apt-get and dpkg-deb that know the package only after an update of their own lists."""
    source = FASHION_MNIST.locate()
    tools = tmp_path / "tools"
    tools.mkdir()
    script(
        tools / "apt-get",
        f'''
for last; do :; done
case "$last" in
  update) touch lists ;;
  *) [ -e lists ] || {{ echo "E: Unable to locate package $last" >&2; exit 100; }}
     mkdir -p tree/usr/share/datasets && ln -s "{source}" tree/usr/share/datasets/fashion-mnist
     tar -chf "$last.deb" -C tree usr ;;
esac''',
    )
    script(tools / "dpkg-deb", 'tar -xf "$2" -C "$3"')
    program = """
from keras_sweep.data import image_sets
image_sets.known_folders = lambda name: iter(())
raise SystemExit(image_sets.main() or image_sets.main())
"""
    environment = nothing_to_fetch_from(tmp_path)
    environment["PATH"] = f"{tools}:/usr/bin:/bin"
    done = run_python(program, **environment)
    cache = tmp_path / "cache" / "fashion-mnist"
    assert done.stdout == f"Fashion-MNIST: {cache}\n" * 2
    assert sorted(path.name for path in cache.iterdir()) == sorted(FASHION_MNIST.files)


def test_a_package_that_apt_does_not_have_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "apt-get", 'echo "E: Unable to locate package" >&2; exit 100')
    script(tmp_path / "dpkg-deb", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(FetchError, match="Unable to locate"):
        unpack_debian_package("it", tmp_path)


def test_a_download_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SILENCE", 0.3)
    silent = socket.create_server(("127.0.0.1", 0))  # accepts, and never answers
    with silent, pytest.raises(FetchError, match="timed out"):
        download(f"http://127.0.0.1:{silent.getsockname()[1]}/it", tmp_path / "it")


def nothing_to_fetch_from(tmp_path: Path) -> dict[str, str]:
    """An environment without data, without apt, and whose proxy refuses connections."""
    return {
        "HOME": str(tmp_path),
        "KERAS_HOME": str(tmp_path),
        "SWEEP_CACHE_DIR": str(tmp_path / "cache"),
        "PATH": str(tmp_path),
        "https_proxy": "http://127.0.0.1:9",
    }


def script(path: Path, body: str) -> None:
    """An executable shell script."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def run_python(program: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own."""
    given = {key: value for key, value in os.environ.items() if key != "SWEEP_DATA_DIR"} | environment
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True, check=False)
    assert not check or not done.returncode, done.stderr
    return done
