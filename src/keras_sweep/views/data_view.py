"""Show a data set: rows, columns, sample pictures (on a terminal or as PNG), and the baseline model's scores."""

import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from rich.cells import set_cell_size
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from keras_sweep.data.arrays import Array, Arrays, by_name
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.data.table_columns import NumberColumn
from keras_sweep.record.facts import Baseline
from keras_sweep.space.text import escape
from keras_sweep.views.terminal.console import print_notice
from keras_sweep.views.terminal.table import Column, print_table
from keras_sweep.views.terminal.text import bar, score_text, seconds_text

MOST_COLUMNS = 40  # rows of the table of columns on a terminal
LONGEST = (40, 34, 28, 20, 12)  # cells of a text on a terminal, tried in this order
BAR = 20  # cells
HEADS = ("column", "kind", "mean", "deviation", "lowest", "highest", "")  # "": details
NUMBERS = HEADS[2:6]
KEEP = {"lowest": 2, "highest": 2, "": 1}

Pixels = npt.NDArray[np.uint8]  # [H, W] grey or [H, W, 3]
SHADES = " .:-=+*#%@"  # dark to light
TERMINAL_SIDE = 16  # pixels of a sample on a terminal, at most
GAP = 2  # pixels between samples
PNG_SCALE = 3  # pixels a side for each pixel of a sample, in the file of `sweep data --picture`


def print_data(console: Console, data: SearchData) -> None:
    console.print(escape(data.name), style="bold")
    print_table(console, _part_columns(data))
    console.print()
    target = [] if data.train.labels is None else [_target_columns(data)]
    weights = [] if data.train.weights is None else [_make_columns([_statistics("sample weights", data.train.weights)])]
    for table in (*target, *weights):
        print_table(console, table, LONGEST)
        console.print()
    print_table(console, _make_columns(column_texts(data)), LONGEST, MOST_COLUMNS)
    if data.image_shape is not None:
        console.print()
        for line in sample_lines(data, console):
            console.print(line)
    for notice in (*data.notices, *data.leaks):
        print_notice(console, notice, warns=notice in data.leaks)
    console.print(Text(f"fingerprint {data.fingerprint}", style="dim", no_wrap=True, overflow="ellipsis"))


def _target_columns(data: SearchData) -> list[Column]:
    if data.classes is not None:
        return _class_columns(data, data.classes)
    return _make_columns([_statistics(name, values) for name, values in by_name("target", data.train.y).items()])


def _part_columns(data: SearchData) -> list[Column]:
    parts: dict[str, Rows] = {"training": data.train, "validation": data.validation}
    if data.stream is not None:
        del parts["training"]
    if data.folds:
        parts = {f"in {len(data.folds)} folds": data.train}
    lines = [(name, f"{len(rows):,}", _row_text(rows.x), _row_text(rows.y)) for name, rows in parts.items()]
    if data.test_rows:
        lines.append(("test (sealed)", f"{data.test_rows:,}", "", ""))
    names, counts, x, y = zip(*lines, strict=True)
    return [Column("part", names), Column("rows", counts, right=True), Column("one row", x), Column("label", y)]


def _row_text(array: Arrays) -> str:
    """Describe a row of `array` by shape and dtype: `784 float32`. For a dict of arrays: `a 784 float32, b 3 int32`."""
    if isinstance(array, dict | tuple):
        return ", ".join(f"{name.removeprefix('/')} {_row_text(part)}" for name, part in by_name("", array).items())
    shape = " x ".join(str(size) for size in array.shape[1:]) or "1"
    return f"{shape} {'text' if array.dtype.kind == 'O' else array.dtype}"


def _class_columns(data: SearchData, classes: int) -> list[Column]:
    training, validation = (np.bincount(rows.classes, minlength=classes) for rows in (data.train, data.validation))
    # With folds or a stream, training and validation have the same rows.
    most, same_counts = max(int(training.max()), 1), bool(data.folds or data.stream)
    columns = [
        Column("class", data.names_of_classes),
        Column("rows" if same_counts else "training", [f"{count:,}" for count in training], right=True),
        Column("validation", [f"{count:,}" for count in validation], right=True),
        Column("", [bar(count / most, BAR) for count in training], keep=1, style="cyan"),
    ]
    return [column for column in columns if not (same_counts and column.header == "validation")]


def column_texts(data: SearchData) -> list[tuple[str, ...]]:
    """Return (name, kind, mean, deviation, lowest, highest, details) of each table column or input array, as texts."""
    if data.preprocessing is None:
        return [_statistics(name, values) for name, values in by_name("all inputs", data.train.x).items()]
    rows: list[tuple[str, ...]] = []
    for column in data.preprocessing.columns:
        name = column.name or "(no name)"
        if not column.used:
            rows.append((name, "dropped", "", "", "", "", "a single value, or none (in 32 bits)"))
        elif isinstance(column, NumberColumn):
            detail = f"missing values become {column.fill:g}" if column.indicator else ""
            rows.append((name, "numbers", f"{column.mean:.4g}", f"{column.deviation:.4g}", "", "", detail))
        else:
            names = ", ".join(text or "(missing)" for text in column.categories)
            rows.append((name, "categories", "", "", "", "", f"{len(column.categories)}: {names}"))
    return rows


def _statistics(name: str, values: Array) -> tuple[str, ...]:
    if values.dtype.kind == "O":
        return name, "text", "", "", "", "", ""
    mean, deviation = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    return name, "numbers", f"{mean:.4g}", f"{deviation:.4g}", f"{values.min():.4g}", f"{values.max():.4g}", ""


def _make_columns(rows: Sequence[tuple[str, ...]]) -> list[Column]:
    texts = zip(HEADS, zip(*rows, strict=True), strict=True)
    columns = [Column(head, cells, KEEP.get(head, 0), head in NUMBERS) for head, cells in texts]
    return [column for column in columns if any(column.cells)]


def print_baseline(console: Console, baseline: Baseline) -> None:
    folds = ", ".join(score_text(score) for score in baseline.fold_scores)
    console.print(Text.assemble((baseline.model, "bold"), f"  {seconds_text(baseline.seconds)}"))
    console.print(f"  cross-validated {baseline.metric}  {score_text(baseline.mean_score)}  ({folds})")
    for name, value in baseline.validation.items():
        console.print(f"  {name}  {score_text(value)}")


def samples_by_class(data: SearchData, most: int) -> list[list[npt.NDArray[np.intp]]]:
    """Return a list per class: the numbers of its first `most` training rows. Without classes: a single list."""
    if data.classes is None:
        return [[np.asarray(row) for row in range(min(most, len(data.train)))]]
    labels = data.train.classes
    return [list(np.flatnonzero(labels == index)[:most]) for index in range(data.classes)]


def picture_of(data: SearchData, row: int, rows: Rows | None = None) -> Pixels:
    """Return row `row` of `rows` (default: training rows) as a picture, from black (lowest input) to white."""
    assert data.image_shape is not None
    known = data.train.x[:1000]
    low, high = float(known.min()), float(known.max())
    span = high - low if high > low else 1.0
    picture = ((rows or data.train).x[row].reshape(data.image_shape).astype(np.float64) - low) / span * 255
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def picture_grid(data: SearchData, per_class: int = 10) -> Pixels:
    """Draw a line of `per_class` training pictures for each class. Return pixels [H, W] or [H, W, 3]."""
    lines = [[picture_of(data, int(row)) for row in line] for line in samples_by_class(data, per_class)]
    blank = np.zeros_like(next(picture for line in lines for picture in line))
    return _join([_join([*line, *[blank] * (per_class - len(line))], axis=1) for line in lines], axis=0)


def png_bytes(picture: Pixels, scale: int = 1) -> bytes:
    """Encode a picture as PNG (W3C, third edition). Each pixel becomes a square of `scale` x `scale` pixels."""
    large = np.ascontiguousarray(picture.repeat(scale, axis=0).repeat(scale, axis=1))
    height, width = large.shape[:2]
    colour = 2 if large.ndim == 3 else 0
    lines = b"".join(b"\0" + line.tobytes() for line in large)  # byte 0 of a line: no filter
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(lines, 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def sample_lines(data: SearchData, console: Console) -> Iterator[Text]:
    """Draw a training picture of each class. Without classes, draw ten. Yield nothing if `console` is too narrow."""
    groups = samples_by_class(data, 1 if data.classes else 10)
    rows = [(label, int(row)) for label, group in enumerate(groups) for row in group]
    names = data.class_names if data.classes else None
    pictures = [shrink(picture_of(data, row), TERMINAL_SIDE) for _, row in rows]
    width = pictures[0].shape[1]
    if width > console.width:
        return
    has_colours = console.color_system is not None and not console.no_color and "utf" in console.encoding
    across = max(1, min(len(pictures), 5, (console.width + GAP) // (width + GAP)))
    for start in range(0, len(pictures), across):
        if names is not None:
            names_shown = (set_cell_size(escape(names[label]), width) for label, _ in rows[start : start + across])
            yield Text((" " * GAP).join(names_shown).rstrip(), no_wrap=True)
        picture = _join(pictures[start : start + across], axis=1)
        if len(picture) % 2:
            picture = np.concatenate([picture, np.zeros_like(picture[:1])])
        yield from (_draw_half_blocks if has_colours else _draw_shades)(picture)


def _draw_half_blocks(picture: Pixels) -> Iterator[Text]:
    """Yield a line for every two rows of pixels. A character shows two pixels: its upper half and its lower half."""
    colours = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
    for upper, lower in zip(colours[::2], colours[1::2], strict=True):
        line = Text(no_wrap=True)
        for above, below in zip(upper, lower, strict=True):
            line.append("▀", Style(color=Color.from_rgb(*map(int, above)), bgcolor=Color.from_rgb(*map(int, below))))
        yield line


def _draw_shades(picture: Pixels) -> Iterator[Text]:
    """Yield a line for every two rows of pixels. A character shows the mean of two pixels, from " " (dark) to "@"."""
    grey = picture.mean(axis=2) if picture.ndim == 3 else picture.astype(np.float64)
    levels = ((grey[::2] + grey[1::2]) / 2 / 256 * len(SHADES)).astype(int)
    return (Text("".join(SHADES[level] for level in line).rstrip(), no_wrap=True) for line in levels)


def shrink(picture: Pixels, side: int) -> Pixels:
    """Shrink a picture to at most `side` pixels a side. Each new pixel is the mean of a square of pixels."""
    factor = -(-max(picture.shape[:2]) // side)
    height, width = (size // factor * factor for size in picture.shape[:2])
    squares = picture[:height, :width].reshape(height // factor, factor, width // factor, factor, *picture.shape[2:])
    return np.asarray(squares.mean(axis=(1, 3)).astype(np.uint8))


def _join(pictures: list[Pixels], axis: int) -> Pixels:
    """Join pictures side by side (axis 1) or below each other (axis 0), with GAP black pixels between them."""
    shape = list(pictures[0].shape)
    shape[axis] = GAP
    gap = np.zeros(shape, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=axis)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
