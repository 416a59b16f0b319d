"""Find, download and read published picture sets, whose test rows are in separate arrays. Each set is an `ImageSet`.
Each array is checked against its published digest."""

import contextlib
import hashlib
import io
import os
import struct
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import numpy.typing as npt

from keras_sweep.data.arrays import empty_aligned
from keras_sweep.errors import DataError
from keras_sweep.files.atomic import user_cache

Pixels = npt.NDArray[np.uint8]
KERAS_ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"  # as in keras/src/datasets
DEBIAN_FOLDER = Path("/usr/share/datasets")
SILENCE = 10  # seconds without an answer, after which a download fails
APT_SECONDS = 300  # time limit for a command of apt
GZIP = 16 + zlib.MAX_WBITS  # zlib's code of the gzip format


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """Locate an array of a published set: in a gzipped IDX file, or as a member of an .npz file."""

    file: str
    digest: str  # SHA-256 (hex) of the array's bytes (IDX), or of the whole file (.npz)
    member: str | None = None  # the array in an .npz file; None for an IDX file

    def read(self, folder: Path) -> Pixels:
        """Read the array from its file in `folder`. Raises DataError unless this is the published file."""
        path = folder / self.file
        try:
            content: Any = path.read_bytes()
            if self.member is None:  # IDX: a magic number, the shape, then bytes (yann.lecun.com/exdb/mnist)
                size = int.from_bytes(content[-4:], "little")  # gzip ends with the size: zlib unpacks in a single step
                unpacked = zlib.decompress(content, wbits=GZIP, bufsize=size)
                shape = struct.unpack_from(f">{unpacked[3]}I", unpacked, 4)
                array = np.frombuffer(unpacked, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
                content = array.data
        except Exception as error:  # zlib and NumPy may raise anything for a damaged file
            raise DataError(f"{path} can't be read: {error}", hint="Remove it or replace it") from error
        if (digest := hashlib.sha256(content).hexdigest()) != self.digest:
            message = f"{path} is not the published file: its content has SHA-256 {digest}, not {self.digest}"
            raise DataError(message, hint="Remove it or replace it")
        return array if self.member is None else np.load(io.BytesIO(content), allow_pickle=False)[self.member]


@dataclass(frozen=True)
class ImageSet:
    """Describe a published set of pictures with class labels and separate test rows."""

    name: str  # as in a space file
    title: str
    folder: str  # relative to Keras's folder of data sets, and to Debian's
    images: ArrayFile  # [N, H, W] or [N, H, W, 3] bytes
    labels: ArrayFile  # [N] bytes: 0 .. C - 1
    test_images: ArrayFile
    test_labels: ArrayFile
    class_names: tuple[str, ...]
    shape: tuple[int, ...]  # of a picture
    test_rows: int
    address: str = KERAS_ADDRESS  # the URL before a file's name
    debian_package: str | None = None

    @property
    def _arrays(self) -> tuple[ArrayFile, ...]:
        return self.labels, self.images, self.test_labels, self.test_images

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of all files of the set, the small files of labels first."""
        return tuple(dict.fromkeys(array.file for array in self._arrays))

    def find(self) -> Path | None:
        """Return the folder that has all files of the set, or None if no folder on this machine has them. No file is
        opened. These are searched in order: $SWEEP_DATA_DIR, its subfolder `self.folder`, Keras's cache ($KERAS_HOME or
        ~/.keras), Debian's folder, the user's cache."""
        chosen = os.environ.get("SWEEP_DATA_DIR")
        folders = [Path(chosen).expanduser(), Path(chosen).expanduser() / self.folder] if chosen else []
        with contextlib.suppress(RuntimeError):  # the user may have no home
            keras_cache = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "datasets"
            folders += [keras_cache / self.folder, keras_cache]
        folders.append(DEBIAN_FOLDER / self.folder)
        with contextlib.suppress(OSError):  # the user may have no cache
            folders.append(user_cache(self.folder))
        return next((path for path in folders if all((path / file).is_file() for file in self.files)), None)

    def locate(self) -> Path:
        """Return the folder that has all files of the set, after a download if necessary. Raises DataError."""
        return self.find() or self._fetch()

    def search_arrays(self) -> tuple[Pixels, Pixels]:
        """Return pictures [N, ...] and labels [N] for the search, without test rows. Raises DataError."""
        folder = self.locate()
        return self.images.read(folder), self.labels.read(folder)

    def test_arrays(self) -> tuple[Pixels, Pixels]:
        """Return the test pictures and labels. Only the module `sealed_test` calls this. Raises DataError."""
        folder = self.locate()
        return self.test_images.read(folder), self.test_labels.read(folder)

    def _fetch(self) -> Path:
        reasons = []
        for way in ("download", "apt-get") if self.debian_package is not None else ("download",):
            try:
                folder = user_cache(self.folder)
                with tempfile.TemporaryDirectory(dir=folder) as work:
                    source = Path(work)
                    if way == "apt-get":
                        unpack_debian_package(str(self.debian_package), source)
                        source = source / DEBIAN_FOLDER.relative_to("/") / self.folder
                    else:
                        for file in self.files:
                            with urlopen(self.address + file, timeout=SILENCE) as answer:
                                (source / file).write_bytes(answer.read())
                    for array in self._arrays:
                        array.read(source)
                    for file in self.files:
                        (source / file).replace(folder / file)
                return folder
            except (DataError, OSError, HTTPException, ValueError) as error:
                reasons.append(f"{way}: {getattr(error, 'reason', error)}")  # urllib wraps the reason
        install = f" Or run `sudo apt-get install {self.debian_package}`." if self.debian_package is not None else ""
        place = self.files[0] if len(self.files) == 1 else self.folder
        raise DataError(
            f"{self.title} is not on this machine and can't be downloaded ({'; '.join(reasons)})",
            hint=f"Put {', '.join(self.files)} into a folder and set SWEEP_DATA_DIR to it.{install} Or run "
            f"`KERAS_BACKEND=jax python -c 'import keras; keras.datasets.{self.name}.load_data()'` where "
            f"you have internet, and copy ~/.keras/datasets/{place} here",
        )


def unpack_debian_package(package: str, folder: Path) -> None:
    """Download a Debian package with apt-get, without root, and unpack its files under `folder`. Raises OSError."""
    apt = ["apt-get", "-q", "-o", f"Acquire::http::Timeout={SILENCE}", "-o", "Acquire::Retries=1"]
    with tempfile.TemporaryDirectory(prefix="keras-sweep-") as name:
        work = Path(name)
        try:
            _run_command([*apt, "download", package], work)
        except OSError:  # the package lists are missing or old: download new lists
            for part in ("lists/partial", "cache/archives/partial"):
                (work / part).mkdir(parents=True)
            apt += ["-o", f"Dir::State::lists={work / 'lists'}", "-o", f"Dir::Cache={work / 'cache'}"]
            _run_command([*apt, "update"], work)
            _run_command([*apt, "download", package], work)
        for archive in work.glob("*.deb"):
            _run_command(["dpkg-deb", "-x", str(archive), str(folder)], work)


def _run_command(command: list[str], work: Path) -> None:
    try:
        subprocess.run(command, cwd=work, capture_output=True, encoding="utf-8", timeout=APT_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        raise OSError((error.stderr or error.stdout or str(error)).strip().splitlines()[-1]) from error
    except subprocess.TimeoutExpired as error:
        raise OSError(str(error)) from error


def scale_pixels(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scale pictures to rows of pixels from 0 to 1: [N, H, W] bytes -> [N, H * W] float32. The result is exactly
    `(images / 255.0).astype("float32").reshape(N, -1)`: for each value of a byte, division in float32 and in float64
    rounds to the same number. Division in float32 needs a single pass and no float64 copy."""
    flat = images.reshape(len(images), -1)
    pixels = empty_aligned(flat.shape, np.dtype(np.float32))
    np.divide(flat, np.float32(255), out=pixels)
    return pixels


CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

# Xiao et al. 2017, arXiv 1708.07747: four files as Zalando published them.
FASHION_MNIST = ImageSet(
    name="fashion_mnist",
    title="Fashion-MNIST",
    folder="fashion-mnist",
    images=ArrayFile("train-images-idx3-ubyte.gz", "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012"),
    labels=ArrayFile("train-labels-idx1-ubyte.gz", "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"),
    test_images=ArrayFile(
        "t10k-images-idx3-ubyte.gz", "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a"
    ),
    test_labels=ArrayFile(
        "t10k-labels-idx1-ubyte.gz", "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"
    ),
    class_names=CLASSES,
    shape=(28, 28),
    test_rows=10_000,
    debian_package="dataset-fashion-mnist",
)

# LeCun et al. 1998, as Keras keeps it: a file whose digest is in keras/src/datasets/mnist.py.
_MNIST_ARRAY = partial(ArrayFile, "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")

MNIST = ImageSet(
    name="mnist",
    title="MNIST",
    folder="mnist",
    images=_MNIST_ARRAY("x_train"),
    labels=_MNIST_ARRAY("y_train"),
    test_images=_MNIST_ARRAY("x_test"),
    test_labels=_MNIST_ARRAY("y_test"),
    class_names=tuple(str(digit) for digit in range(10)),
    shape=(28, 28),
    test_rows=10_000,
)

IMAGE_SETS = {image_set.name: image_set for image_set in (FASHION_MNIST, MNIST)}
