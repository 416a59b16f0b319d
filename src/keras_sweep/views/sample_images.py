"""Samples of picture data: one picture of several, as characters on a terminal or as a PNG file."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from rich.cells import set_cell_size
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.space.text import escaped

Pixels = npt.NDArray[np.uint8]  # [H, W] grey or [H, W, 3]
SHADES = " .:-=+*#%@"  # dark to light
TERMINAL_SIDE = 16  # pixels of a sample on a terminal, at most
GAP = 2  # pixels between samples
PNG_SCALE = 3  # each pixel of a sample is so many wide and high in the file of `sweep data --picture`


def samples_by_class(data: SearchData, each: int) -> list[list[npt.NDArray[np.intp]]]:
    """For each class, in order, the first `each` training rows that are of it; without classes, one group."""
    if data.classes is None:
        return [[np.asarray(row) for row in range(min(each, len(data.train)))]]
    labels = data.train.classes
    return [list(np.flatnonzero(labels == index)[:each]) for index in range(data.classes)]


def picture_of(data: SearchData, row: int, rows: Rows | None = None) -> Pixels:
    """A row, of training unless others are given, as a picture: black is the data's lowest value, white its highest."""
    assert data.image_shape is not None
    known = data.train.x[:1000]
    low, high = float(known.min()), float(known.max())
    span = high - low if high > low else 1.0
    picture = ((rows or data.train).x[row].reshape(data.image_shape).astype(np.float64) - low) / span * 255
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def picture_grid(data: SearchData, each: int = 10) -> Pixels:
    """One line of `each` training pictures a class, side by side; [H, W] or [H, W, 3]."""
    lines = [[picture_of(data, int(row)) for row in line] for line in samples_by_class(data, each)]
    blank = np.zeros_like(next(picture for line in lines for picture in line))
    return _joined([_joined([*line, *[blank] * (each - len(line))], axis=1) for line in lines], axis=0)


def png_bytes(picture: Pixels, scale: int = 1) -> bytes:
    """8-bit grey or colour pixels as a PNG (W3C, Portable Network Graphics, third edition, sections 5, 7, 11).

    Two chunks and a checksum each: less than what a library of pictures would add to the installation.
    """
    large = np.ascontiguousarray(picture.repeat(scale, axis=0).repeat(scale, axis=1))
    height, width = large.shape[:2]
    colour = 2 if large.ndim == 3 else 0
    lines = b"".join(b"\0" + line.tobytes() for line in large)  # each line begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines, 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def sample_lines(data: SearchData, console: Console) -> Iterator[Text]:
    """A sample of each class under its name, as many side by side as fit; nothing in no room."""
    groups = samples_by_class(data, 1 if data.classes else 10)
    rows = [(label, int(row)) for label, group in enumerate(groups) for row in group]
    names = data.class_names if data.classes else None
    pictures = [_small(picture_of(data, row)) for _, row in rows]
    width = pictures[0].shape[1]
    if width > console.width:
        return
    coloured = console.color_system is not None and not console.no_color and "utf" in console.encoding
    across = max(1, min(len(pictures), 5, (console.width + GAP) // (width + GAP)))
    for start in range(0, len(pictures), across):
        if names is not None:
            own = (set_cell_size(escaped(names[label]), width) for label, _ in rows[start : start + across])
            yield Text((" " * GAP).join(own).rstrip(), no_wrap=True)
        picture = _joined(pictures[start : start + across], axis=1)
        if len(picture) % 2:
            picture = np.concatenate([picture, np.zeros_like(picture[:1])])
        yield from (_half_blocks if coloured else _shades)(picture)


def _half_blocks(picture: Pixels) -> Iterator[Text]:
    """Two pixels a character: the upper is the colour of a half block, the lower its background."""
    colours = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    for upper, lower in zip(colours[::2], colours[1::2], strict=True):
        line = Text(no_wrap=True)
        for above, below in zip(upper, lower, strict=True):
            line.append("▀", Style(color=Color.from_rgb(*map(int, above)), bgcolor=Color.from_rgb(*map(int, below))))
        yield line


def _shades(picture: Pixels) -> Iterator[Text]:
    """One character for two pixels, one above the other: the lighter, the more ink."""
    grey = picture.mean(axis=2) if picture.ndim == 3 else picture.astype(np.float64)
    levels = ((grey[::2] + grey[1::2]) / 2 / 256 * len(SHADES)).astype(int)
    return (Text("".join(SHADES[level] for level in line).rstrip(), no_wrap=True) for line in levels)


def _small(picture: Pixels) -> Pixels:
    """At most TERMINAL_SIDE pixels a side, each the mean of a square."""
    factor = -(-max(picture.shape[:2]) // TERMINAL_SIDE)
    height, width = (size // factor * factor for size in picture.shape[:2])
    squares = picture[:height, :width].reshape(height // factor, factor, width // factor, factor, *picture.shape[2:])
    return np.asarray(squares.mean(axis=(1, 3)).astype(np.uint8))


def _joined(pictures: list[Pixels], axis: int) -> Pixels:
    """Pictures side by side (axis 1) or one under the other (axis 0), GAP black pixels between."""
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = np.zeros(shape, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)][:-1]
    return np.concatenate(parts, axis=axis)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
