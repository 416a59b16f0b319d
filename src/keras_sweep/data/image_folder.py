"""Pictures in a folder a class, and those in folders of training, validation and test rows, if there are such.

They are read by Keras's `load_img`: `image_dataset_from_directory` needs TensorFlow or grain on every backend.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.source import RawRows, Source
from keras_sweep.errors import DataError, MissingPackage, TableError
from keras_sweep.space.data_spec import DataSpec, ImageOptions
from keras_sweep.space.text import listed

PARTS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}


def read_images(data: DataSpec, folder: Path) -> Source:
    """The pictures of a folder, [N, H, W, C] float32 from 0 to 1, each labelled by the folder of its class.

    Raises TableError with every file that can't be read, DataError, and MissingPackage without Pillow.
    """
    root = folder / data.source
    options = data.options if isinstance(data.options, ImageOptions) else ImageOptions()
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", hint="Paths are relative to the space file")
    parts, faults = {}, []
    for part, place in _parts(root).items():
        files = sorted(path for path in place.glob("*/**/*") if path.is_file() and not _is_hidden(path, place))
        if not files:
            hint = "Put the pictures of each class into a folder with its name"
            raise DataError(f"{place} has no pictures in folders of classes", hint=hint)
        with ThreadPoolExecutor() as threads:
            pictures: list[Any] = list(threads.map(partial(_picture, root, options), files))
        faults += [one for one in pictures if isinstance(one, DataError)]
        if not faults:
            labels = np.array([path.relative_to(place).parts[0] for path in files], object)
            parts[part] = RawRows(np.stack(pictures), labels)
    if faults:
        raise TableError(str(root), faults)
    shape = (*options.size, 3) if options.color == "rgb" else tuple(options.size)
    rows, train, validation, test = (parts.get(part) for part in ("", "train", "validation", "test"))
    return Source(root.name, rows, train, validation, test, image_shape=shape)


def _parts(root: Path) -> dict[str, Path]:
    """The folder of each part of the rows; the folder itself, as "", where nothing is split. Raises DataError."""
    inside = sorted(each for each in root.iterdir() if each.is_dir() and not _is_hidden(each, root))
    found = {PARTS[each.name.lower()]: each for each in inside if each.name.lower() in PARTS}
    if "train" not in found or len(found) == 1 < len(inside):  # then it is the name of a class
        return {"": root}
    if strange := [each.name for each in inside if each not in found.values()]:
        raise DataError(
            f"{root} has {listed(strange)} beside folders of training, validation and test rows",
            hint="Leave `train`, `validation` and `test` there alone, each with a folder a class",
        )
    return found


def _is_hidden(path: Path, place: Path) -> bool:
    """As `.ipynb_checkpoints`, in which Jupyter keeps copies, and all that is in it."""
    return any(part.startswith(".") for part in path.relative_to(place).parts)


def _picture(root: Path, options: ImageOptions, path: Path) -> Any:
    """The pixels of a picture, [H, W, C] float32, or the DataError that says why it has none."""
    import keras

    try:
        from PIL import Image

        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):  # which Keras clips at 255
                return DataError(f"{path.relative_to(root)} has more than 8 bits a pixel")
        size = tuple(options.size)
        image = keras.utils.load_img(path, color_mode=options.color, target_size=size, interpolation="bilinear")
        pixels = np.asarray(keras.utils.img_to_array(image, data_format="channels_last", dtype="float32"))
    except ImportError as error:
        raise MissingPackage("pictures are read by Pillow", hint="pip install 'keras-sweep[images]'") from error
    except Exception as error:  # Pillow raises nearly anything for a damaged file
        reason = str(error).partition(" <")[0] or type(error).__name__  # without an address in memory
        return DataError(f"{path.relative_to(root)} can't be read: {reason}")
    return pixels / np.float32(255)
