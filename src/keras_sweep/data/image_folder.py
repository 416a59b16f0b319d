"""Pictures in a folder a class, and those in folders of training, validation and test rows, if there are such.

They are read by Keras's `load_img`: `image_dataset_from_directory` needs TensorFlow or grain on every backend.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.source import RawRows, Source
from keras_sweep.errors import DataError, MissingPackage, TableError
from keras_sweep.space.data_spec import DataSpec, ImageOptions
from keras_sweep.space.text import counted, listed

PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")  # as of Keras's loader of folders


def read_images(data: DataSpec, folder: Path) -> Source:
    """The pictures of a folder, [N, H, W, C] float32 from 0 to 1, each labelled by the folder of its class.

    Raises TableError with every file that can't be read, DataError, and MissingPackage without Pillow.
    """
    root, options = folder / data.source, data.options
    assert options is None or isinstance(options, ImageOptions)
    options = options or ImageOptions()
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", hint="Paths are relative to the space file")
    files: dict[str, list[tuple[str, Path]]] = {}
    left: list[Path] = [*_files(root)]
    for part, place in _parts(root).items():
        classes = sorted(each for each in place.iterdir() if each.is_dir())
        files[part] = [(each.name, path) for each in classes for path in _files(each) if _is_picture(path)]
        if not files[part]:
            raise DataError(
                f"{place} has no pictures in folders of classes",
                hint=f"Put the pictures of each class ({', '.join(SUFFIXES)}) into a folder with its name",
            )
        left = [path for path in left if path not in {path for _, path in files[part]}]
    shape = (*options.size, 3 if options.color == "rgb" else 1)
    x = _pixels([path for each in files.values() for _, path in each], root, options.color, shape)
    rows, start = {}, 0
    for part, each in files.items():
        labels = np.array([name for name, _ in each], object)
        rows[part] = RawRows(x[start : start + len(each)], labels)
        start += len(each)
    notices = []
    if left:
        names = listed([str(path.relative_to(root)) for path in left])
        notices.append(f"{counted(len(left), 'file')} of {root.name}, no pictures of a class, are left out: {names}")
    image_shape = shape if options.color == "rgb" else shape[:2]
    parts: dict[str, Any] = {part or "rows": each for part, each in rows.items()}
    return Source(root.name, **parts, image_shape=image_shape, notices=tuple(notices))


def _parts(root: Path) -> dict[str, Path]:
    """The folder of each part of the rows; the folder itself, as "", where nothing is split. Raises DataError."""
    inside = sorted(each for each in root.iterdir() if each.is_dir())
    found = {PARTS[each.name.lower()]: each for each in inside if each.name.lower() in PARTS}
    if "train" not in found or len(found) == 1 < len(inside):  # then it is the name of a class
        return {"": root}
    if strange := [each.name for each in inside if each not in found.values()]:
        raise DataError(
            f"{root} has {listed(strange)} beside folders of training, validation and test rows",
            hint="Leave `train`, `validation` and `test` there alone, each with a folder a class",
        )
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _pixels(paths: Sequence[Path], root: Path, color: str, shape: tuple[int, ...]) -> np.ndarray:
    import keras

    x = np.empty((len(paths), *shape), np.float32)

    def read(place: int) -> DataError | None:
        try:
            image = keras.utils.load_img(
                paths[place], color_mode=color, target_size=shape[:2], interpolation="bilinear"
            )
            x[place] = keras.utils.img_to_array(image, data_format="channels_last", dtype="float32")
        except ImportError as error:
            raise MissingPackage("pictures are read by Pillow", hint="pip install 'keras-sweep[images]'") from error
        except Exception as error:  # Pillow raises nearly anything for a damaged file
            reason = str(error).partition(" <")[0] or type(error).__name__  # without an address in memory
            return DataError(f"{paths[place].relative_to(root)} can't be read: {reason}")
        if x[place].max() > 255:
            return DataError(f"{paths[place].relative_to(root)} has more than 8 bits a pixel")
        return None

    with ThreadPoolExecutor() as threads:
        faults = [fault for fault in threads.map(read, range(len(paths))) if fault is not None]
    if faults:
        raise TableError(str(root), faults)
    x /= 255
    return x
