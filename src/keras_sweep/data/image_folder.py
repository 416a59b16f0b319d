"""Read pictures from a folder for each class, or from class folders inside `train`, `validation` and `test`. Keras's
`load_img` reads them: `image_dataset_from_directory` needs TensorFlow or grain on every backend."""

import errno
import os
import stat
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.source import RawRows, SourceRows
from keras_sweep.errors import DataError, MissingPackage, TableError
from keras_sweep.space.data_spec import DataSpec, ImageOptions
from keras_sweep.space.text import itemize

PARTS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}


def read_images(data: DataSpec, folder: Path) -> SourceRows:
    """Read the pictures in the folder `data.source` of `folder` as [N, H, W, C] float32 from 0 to 1. Class folders name
    the labels. Raises TableError with every faulty picture, MissingPackage without Pillow, or DataError."""
    root = folder / data.source
    options = data.options if isinstance(data.options, ImageOptions) else ImageOptions()
    try:
        return _read_parts(root, options)
    except ImportError as error:
        raise MissingPackage("Pillow is not installed", hint="pip install 'keras-sweep[images]'") from error
    except OSError as error:
        raise DataError(f"{error.filename} can't be read: {error.strerror}") from error


def _read_parts(root: Path, options: ImageOptions) -> SourceRows:
    from PIL import Image

    parts, faults = {}, list[DataError]()
    for part, place in _find_part_folders(root).items():
        unread = list[OSError]()
        paths_found = sorted(path for _, paths in walk_folder(place, unread) for path in paths)
        files = [path for path in paths_found if path.parent != place or not path.is_file()]
        faults += [_read_error(root, Path(error.filename), error) for error in unread]
        if not files and not faults:
            hint = "Put the pictures of each class into a folder with its name"
            raise DataError(f"{place} has no class folder with pictures", hint=hint)
        with ThreadPoolExecutor() as threads, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large scans are pictures, too
            pictures: list[Any] = list(threads.map(partial(_read_picture, root, options), files))
        faults += [picture for picture in pictures if isinstance(picture, DataError)]
        if not faults:
            labels = np.array([path.relative_to(place).parts[0] for path in files], object)
            parts[part] = RawRows(np.stack(pictures), labels)
    if faults:
        raise TableError(str(root), sorted(faults, key=str))
    shape = (*options.size, 3) if options.color == "rgb" else tuple(options.size)
    rows, train, validation, test = (parts.get(part) for part in ("", "train", "validation", "test"))
    return SourceRows(root.name, rows, train, validation, test, image_shape=shape)


def _find_part_folders(root: Path) -> dict[str, Path]:
    """Return part ("train", ...) -> folder; {"": root} if `root` has class folders instead. Raises DataError."""
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    part_folders = {PARTS[path.name.lower()]: path for path in folders if path.name.lower() in PARTS}
    if "train" not in part_folders or len(part_folders) == 1 < len(folders):  # here `train` is the name of a class
        return {"": root}
    if unexpected := [path.name for path in folders if path not in part_folders.values()]:
        raise DataError(
            f"{root} may only have the folders `train`, `validation` and `test`, but got {itemize(unexpected)}",
            hint="Move the other folders away. Each of the three has a folder for each class",
        )
    return part_folders


def walk_folder(folder: Path, faults: list[OSError]) -> Iterator[tuple[Path, list[Path]]]:
    """Yield (folder, paths of its files) for `folder` and each subfolder. Links to folders are followed. Hidden files
    and folders are skipped. Errors are added to `faults`."""
    for place, folders, files in os.walk(folder, followlinks=True, onerror=faults.append):
        above = {os.path.realpath(parent) for parent in (Path(place), *Path(place).parents)}
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in [Path(place, name) for name in folders]:
            if os.path.realpath(path) in above:
                faults.append(OSError(errno.ELOOP, "it links to a folder that contains it", str(path)))
                folders.remove(path.name)
        yield Path(place), [Path(place, name) for name in files if not name.startswith(".")]


def _read_picture(root: Path, options: ImageOptions, path: Path) -> Any:
    import keras
    from PIL import Image

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return DataError(f"{path.relative_to(root)} is a pipe or device, not a picture", hint="Remove it")
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):  # Keras clips these at 255
                return DataError(f"{path.relative_to(root)} has over 8 bits per pixel", hint="Convert it to 8 bits")
        size = tuple(options.size)
        image = keras.utils.load_img(path, color_mode=options.color, target_size=size, interpolation="bilinear")
        pixels = np.asarray(keras.utils.img_to_array(image, data_format="channels_last", dtype="float32"))
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        return DataError(f"{path.relative_to(root)} has more than {most:,} pixels", hint="Make it smaller")
    except Exception as error:  # Pillow may raise anything for a damaged file
        return _read_error(root, path, error)
    return pixels / np.float32(255)


def _read_error(root: Path, path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or str(error).partition(" <")[0] or type(error).__name__
    return DataError(f"{path.relative_to(root)} can't be read: {reason}")
