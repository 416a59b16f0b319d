"""MNIST (LeCun et al. 1998) as Keras keeps it: one file, mnist.npz, in which each array is a member of its own."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keras_sweep.data.cache import load_array, load_facts, sha256, store_array, store_facts, user_cache
from keras_sweep.data.fetch import KERAS_ADDRESS, FetchError, download
from keras_sweep.data.folders import folder_with, known_folders
from keras_sweep.errors import DataError

NAME = "mnist"
FILE = "mnist.npz"
FILE_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"  # as in keras/src/datasets/mnist.py
VERSION = FILE_SHA256
CLASS_NAMES = tuple(str(digit) for digit in range(10))
SHAPE = (28, 28)
TEST_ROWS = 10_000

Pixels = npt.NDArray[np.uint8]


def locate() -> Path:
    """The file, fetched if need be. Raises DataError with the ways out."""
    folder = folder_with([FILE], known_folders(NAME))
    if folder is not None:
        return folder / FILE
    try:
        cache = user_cache(NAME)
        if (cache / FILE).is_file():
            return cache / FILE
        with tempfile.TemporaryDirectory(dir=cache) as work:
            download(f"{KERAS_ADDRESS}{FILE}", Path(work) / FILE, seconds=60)
            (Path(work) / FILE).replace(cache / FILE)
        return cache / FILE
    except (FetchError, OSError) as error:
        raise DataError(
            f"MNIST is not on this machine and could not be fetched ({error})",
            hint=f"Put {FILE} into a folder and set SWEEP_DATA_DIR to it; or run "
            "`python -c 'import keras; keras.datasets.mnist.load_data()'` where there is internet and copy "
            f"~/.keras/datasets/{FILE} here; or use `data: fashion_mnist` or `data: digits`",
        ) from error


def search_arrays() -> tuple[Pixels, Pixels]:
    """Pictures [60000, 28, 28] and labels [60000], never a test row. Raises DataError."""
    try:
        cache = user_cache(NAME)
    except OSError:
        return _arrays("train")
    known = load_facts(cache, "arrays")
    held = [load_array(cache, part, str(known.get(part))) for part in ("images", "labels")]
    if held[0] is not None and held[1] is not None:
        return held[0], held[1]  # type: ignore[return-value]
    images, labels = _arrays("train")
    with contextlib.suppress(OSError):
        store_array(cache, "images", images)
        store_array(cache, "labels", labels)
        store_facts(cache, "arrays", {"images": sha256(images), "labels": sha256(labels)})
    return images, labels


def test_arrays() -> tuple[Pixels, Pixels]:
    """The sealed test pictures [10000, 28, 28] and labels [10000]; for `sealed_test` alone. Raises DataError."""
    return _arrays("test")


def _arrays(part: str) -> tuple[Pixels, Pixels]:
    path = locate()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != FILE_SHA256:
            raise DataError(f"{path} is not Keras's file: its SHA-256 is {digest}, not {FILE_SHA256}", hint="Remove it")
        with np.load(path, allow_pickle=False) as file:  # members are unpacked only where they are named
            return file[f"x_{part}"], file[f"y_{part}"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} can't be read ({error})", hint="Remove it or replace it") from error
