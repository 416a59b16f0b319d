"""Fashion-MNIST (Xiao et al. 2017, arXiv 1708.07747): where its four files are, and its rows.

`python -m keras_sweep.data.fashion_mnist` finds or fetches them and says in one line where they are.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keras_sweep.data.cache import load_array, sha256, store_array, user_cache
from keras_sweep.data.fetch import KERAS_ADDRESS, FetchError, download, unpack_debian_package
from keras_sweep.data.folders import DEBIAN_FOLDER, folder_with, known_folders
from keras_sweep.data.idx import decode_idx
from keras_sweep.errors import DataError

NAME = "fashion_mnist"
DIRECTORY = "fashion-mnist"  # as Keras and Debian call it
DEBIAN_PACKAGE = "dataset-fashion-mnist"
CLASS_NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
SHAPE = (28, 28)  # pixels of one picture
TEST_ROWS = 10_000

# SHA-256 of the bytes after the IDX header of each file as Zalando published it.
IMAGES = {"train-images-idx3-ubyte.gz": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012"}
LABELS = {"train-labels-idx1-ubyte.gz": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"}
TEST_IMAGES = {"t10k-images-idx3-ubyte.gz": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"}
TEST_LABELS = {"t10k-labels-idx1-ubyte.gz": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"}
VERSION = " ".join((*IMAGES.values(), *LABELS.values()))  # what every array given out was checked against
FILES = (*LABELS, *IMAGES, *TEST_LABELS, *TEST_IMAGES)

Pixels = npt.NDArray[np.uint8]


def find() -> Path | None:
    """The folder that has the four files, if one is on this machine. Opens none of them."""
    folder = folder_with(FILES, known_folders(DIRECTORY))
    if folder is not None:
        return folder
    try:
        return folder_with(FILES, iter([user_cache(DIRECTORY)]))
    except OSError:
        return None


def locate() -> Path:
    """The folder that has the four files, fetched if need be. Raises DataError with the ways out."""
    return find() or _fetch()


def search_arrays() -> tuple[Pixels, Pixels]:
    """Pictures [60000, 28, 28] and labels [60000], never a test row. Raises DataError."""
    return _array(IMAGES), _array(LABELS)


def test_arrays() -> tuple[Pixels, Pixels]:
    """The sealed test pictures [10000, 28, 28] and labels [10000]; for `sealed_test` alone. Raises DataError."""
    return _decoded(TEST_IMAGES), _decoded(TEST_LABELS)


def _array(file: Mapping[str, str]) -> Pixels:
    """A file's array from the cache, which is filled at the first read."""
    ((name, digest),) = file.items()
    try:
        folder = user_cache(DIRECTORY)
    except OSError:  # no home, or a read-only one: every start decodes anew
        return _decoded(file)
    cached = load_array(folder, name.removesuffix(".gz"), digest)
    if cached is not None:
        return cached  # type: ignore[return-value]
    array = _decoded(file)
    with contextlib.suppress(OSError):
        store_array(folder, name.removesuffix(".gz"), array)
    return array


def _decoded(file: Mapping[str, str]) -> Pixels:
    ((name, digest),) = file.items()
    path = locate() / name
    try:
        array = decode_idx(path.read_bytes(), str(path))
    except (OSError, ValueError) as error:
        raise DataError(f"the data can't be read ({error})", hint=f"Remove {path} or replace it") from error
    if sha256(array) != digest:
        raise DataError(
            f"{path} is not the published file: its content has SHA-256 {sha256(array)}, not {digest}",
            hint="Remove it or replace it",
        )
    return array


def _fetch() -> Path:
    """Bring the four files into the user's cache: Keras's address, then Debian's package. Raises DataError."""
    reasons = []
    try:
        folder = user_cache(DIRECTORY)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            for way, bring in (("Keras's download", _by_keras_address), ("apt-get", _by_debian_package)):
                try:
                    source = bring(Path(work))
                    for file in FILES:
                        decode_idx((source / file).read_bytes(), file)
                except (FetchError, OSError, ValueError) as error:
                    reasons.append(f"{way}: {error}")
                    continue
                for file in FILES:
                    (source / file).replace(folder / file)
                return folder
    except OSError as error:
        reasons.append(f"the cache: {error}")
    raise DataError(
        "Fashion-MNIST is not on this machine and could not be fetched (" + "; ".join(reasons) + ")",
        hint=f"Three ways out: put {', '.join(FILES)} into a folder and set SWEEP_DATA_DIR to it; "
        f"or `sudo apt-get install {DEBIAN_PACKAGE}`; "
        "or run `python -c 'import keras; keras.datasets.fashion_mnist.load_data()'` where there is internet "
        "and copy ~/.keras/datasets/fashion-mnist here",
    )


def _by_keras_address(work: Path) -> Path:
    for file in FILES:  # the first is small, so that a machine without internet knows soon
        download(f"{KERAS_ADDRESS}{file}", work / file, seconds=20 if file == FILES[0] else 600)
    return work


def _by_debian_package(work: Path) -> Path:
    unpack_debian_package(DEBIAN_PACKAGE, work)
    return work / DEBIAN_FOLDER.relative_to("/") / DIRECTORY


def main() -> int:
    """Say where the data is, fetching it if need be."""
    folder = find()
    if folder is None:
        print("Fashion-MNIST is not here yet: fetching it ...", file=sys.stderr)  # noqa: T201
        try:
            folder = locate()
        except DataError as error:
            print(error, file=sys.stderr)  # noqa: T201
            return error.exit_code
    print(f"Fashion-MNIST: {folder}")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
