"""What the winner gets wrong on the validation rows: counts, the worst of them, what no good trial gets right."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.text import escaped
from keras_sweep.sweep.comparison import Missed
from keras_sweep.sweep.winner import ValidationOutputs
from keras_sweep.views.report.axes import Axis, along
from keras_sweep.views.report.drawings import cross_axes, figure, label, px
from keras_sweep.views.sample_images import picture_of, png_bytes
from keras_sweep.views.terminal.text import count_text, number_text, shorten

if TYPE_CHECKING:
    import polars as pl

MOST_PICTURES = 24
MOST_ROWS = 20
LARGEST_SIDE = 64  # pixels of a picture; a larger one is thinned
BLACK = 64  # of 255: the median of the first and last line of a picture on a black ground is below
MOST_CLASSES = 40  # of a drawing
SIDE, LARGEST_CELL, LEAST_FOR_TEXT = 300, 34, 17  # pixels
MATRIX_LEFT, MATRIX_TOP = 100, 10
LEAST_WIDTH = 400
LEAST_SHOWN = 0.03  # share of a class's rows, from which on it is written
MOST_DOTS = 2000  # dots of predicted against true
NAME = 16  # characters of a class
MOST_COLUMNS = 10
LONGEST = 40


@dataclass(frozen=True, slots=True)
class MistakenRow:
    """One row."""

    row: int  # among the validation rows, from 0
    true: str
    said: str
    certainty: str  # "99 %"; "" for numbers
    picture: str  # a data: address; "" without one
    inked: bool  # it is grey on black: inverted, it fits a light page
    cells: tuple[str, ...]  # of the columns


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Some of them."""

    total: int  # rows that are wrong; of numbers all rows
    rows: tuple[MistakenRow, ...]
    columns: tuple[str, ...]
    left_out: int  # columns
    classes: bool


def mistakes(found: ValidationOutputs) -> Mistakes | None:
    """The worst of them; None where nothing is wrong, or a row has several labels."""
    if not found.classes:
        return _misses(found)
    wrong = np.flatnonzero(found.labels != found.chosen)
    if not len(wrong):
        return None
    pictures = found.data.image_shape is not None
    worst = wrong[np.argsort(-found.certainty[wrong], kind="stable")][: MOST_PICTURES if pictures else MOST_ROWS]
    columns, left_out = shown_columns(found.data, found.table)
    rows = []
    for row in map(int, worst):
        picture, inked = _picture(found, row) if pictures else ("", False)
        true, said = (escaped(found.classes[places[row]]) for places in (found.labels, found.chosen))
        cells = row_cells(found.data, found.table, row, columns)
        rows.append(MistakenRow(row, true, said, f"{found.certainty[row]:.0%}", picture, inked, cells))
    return Mistakes(len(wrong), tuple(rows), columns, left_out, classes=True)


def _misses(found: ValidationOutputs) -> Mistakes | None:
    """Rows of numbers, the largest errors first."""
    y = found.data.validation.y
    if y.size != len(y) or found.outputs.shape[1] != 1:
        return None
    true, said = y.reshape(-1).astype(float), found.outputs[:, 0].astype(float)
    columns, left_out = shown_columns(found.data, found.table)
    rows = []
    for row in map(int, np.argsort(-np.abs(said - true), kind="stable")[:MOST_ROWS]):
        texts = number_text(true[row].item()), number_text(said[row].item())
        rows.append(MistakenRow(row, *texts, "", "", False, row_cells(found.data, found.table, row, columns)))
    return Mistakes(len(true), tuple(rows), columns, left_out, classes=False)


def _picture(found: ValidationOutputs, row: int) -> tuple[str, bool]:
    """(its data: address, whether it is grey on black)."""
    picture = picture_of(found.data, row, found.data.validation)
    step = -(-max(picture.shape[:2]) // LARGEST_SIDE)
    png = png_bytes(np.ascontiguousarray(picture[::step, ::step]))
    inked = picture.ndim == 2 and float(np.median(picture[:: len(picture) - 1])) < BLACK
    return "data:image/png;base64," + base64.b64encode(png).decode(), inked


def missed_sentence(missed: Missed) -> str:
    """`441 of 12,000 validation rows are wrong in each of the 17 trials that tie with the best`."""
    count, trials = len(missed.rows), len(missed.trials)
    rows = f"{count:,} of {missed.total:,} validation rows" if count else "no validation row"
    if trials == 1:
        return f"{rows} {'is' if count <= 1 else 'are'} wrong in the only trial"
    whose = f"the {trials} trials that tie with the best" if missed.tied else f"the best {trials} trials"
    return f"{rows} {'is' if count <= 1 else 'are'} wrong in each of {whose}"


def said_against_true(found: ValidationOutputs) -> Markup | None:
    """The drawing that suits the data; None where a row has several labels."""
    if found.classes:
        return confusion_matrix(found) if len(found.classes) <= MOST_CLASSES else None
    y = found.data.validation.y
    if y.size != len(y) or found.outputs.shape[1] != 1:
        return None
    return predicted_against_true(y.reshape(-1).astype(float), found.outputs[:, 0].astype(float))


def counts_of(found: ValidationOutputs) -> npt.NDArray[np.intp]:
    """[C, C] rows of each class (first) that the model names as each class (second)."""
    counts = np.zeros((len(found.classes), len(found.classes)), np.intp)
    np.add.at(counts, (found.labels, found.chosen), 1)
    return counts


def confusion_matrix(found: ValidationOutputs) -> Markup:
    """A square for each pair of classes; the diagonal is right."""
    counts, names = counts_of(found), found.classes
    cell = min(LARGEST_CELL, SIDE / len(names))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    foot = MATRIX_TOP + cell * len(names)
    parts = []
    for true, name in enumerate(names):
        parts.append(label(MATRIX_LEFT - 6, MATRIX_TOP + (true + 0.5) * cell + 4, name, anchor="end", longest=NAME))
        x, y = px(MATRIX_LEFT + (true + 0.6) * cell), px(foot + 12)
        shown = escape(shorten(escaped(name), NAME))
        parts.append(f'<text class="t" transform="translate({x} {y}) rotate(45)">{shown}</text>')
        for chosen in np.flatnonzero(counts[true]):
            parts.append(_cell(int(true), int(chosen), counts, float(shares[true, chosen]), names, cell))
    parts.append(label(MATRIX_LEFT - 6, foot + 16, "true ↑ · said →", anchor="end", kind="l"))
    right = int(np.trace(counts))
    words = f"{right:,} of {counts.sum():,} validation rows are right. {_worst(counts, names)}"
    return figure(
        "confusion",
        "Confusion matrix",
        words,
        "".join(parts),
        (
            max(int(MATRIX_LEFT + cell * len(names) + 60), LEAST_WIDTH),
            int(foot + 20 + 4.5 * max(min(len(name), NAME) for name in names)),
        ),
        note=f"Lines are true classes, columns what the winner says, numbers per cent of the line. {words}",
    )


def predicted_against_true(true: npt.NDArray[np.floating], said: npt.NDArray[np.floating]) -> Markup:
    """A dot a row; on the line both are equal."""
    step = -(-len(true) // MOST_DOTS)
    low, high = float(min(true.min(), said.min())), float(max(true.max(), said.max()))
    x, y = Axis("true", low, high, {}), Axis("predicted", low, high, {})
    across, up = along(x, 60, 350), along(y, 300, 26)
    parts = [cross_axes(x, y, across, up), f'<path class="best" d="M60 300L350 {px(up(high))}"/>']
    parts += [
        f'<circle class="pt k0" cx="{px(across(float(a)))}" cy="{px(up(float(b)))}" r="2.6"/>'
        for a, b in zip(true[::step], said[::step], strict=True)
    ]
    error = said - true
    total = float(((true - true.mean()) ** 2).sum())
    explained = 1 - float((error**2).sum()) / total if total else 0.0
    thinned = f" Every {step}th is drawn." if step > 1 else ""
    words = (
        f"{count_text(len(true), 'validation row')}: half of the predictions are within "
        f"{np.median(np.abs(error)):.4g} of the truth; they explain {explained:.1%} of its variance.{thinned}"
    )
    return figure("confusion", "Predicted against true", words, "".join(parts), (360, 336))


def _cell(
    true: int, chosen: int, counts: npt.NDArray[np.intp], share: float, names: tuple[str, ...], cell: float
) -> str:
    x, y = MATRIX_LEFT + chosen * cell, MATRIX_TOP + true * cell
    kind = "right" if true == chosen else "wrong"
    opacity = 0.08 + 0.92 * share**0.5  # roots, so that rare mistakes are seen
    said = f"{escaped(names[true])} named {escaped(names[chosen])}: {counts[true, chosen]:,} of {counts[true].sum():,}"
    side = px(cell - 1)
    part = (
        f'<rect class="{kind}" x="{px(x)}" y="{px(y)}" width="{side}" height="{side}" fill-opacity="{opacity:.2f}">'
        f"<title>{escape(said)}</title></rect>"
    )
    if share >= LEAST_SHOWN and cell >= LEAST_FOR_TEXT:
        strong = " strong" if opacity > 0.6 else ""
        text = f"{100 * share:.0f}"
        part += label((x + x + cell - 1) / 2, y + cell / 2 + 4, text, kind=f"t in{strong}")
    return part


def _worst(counts: npt.NDArray[np.intp], names: tuple[str, ...]) -> str:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return "None is wrong."
    true, chosen = (int(place) for place in np.unravel_index(wrong.argmax(), wrong.shape))
    return (
        f"The most frequent mistake: {escaped(names[true])} named {escaped(names[chosen])}, {wrong[true, chosen]:,} of "
        f"{counts[true].sum():,}."
    )


def shown_columns(data: SearchData, table: pl.DataFrame | None) -> tuple[tuple[str, ...], int]:
    """(names of the columns that are shown, how many are not); none of pictures."""
    if data.image_shape is not None:
        return (), 0
    names = tuple(table.columns) if table is not None else tuple(f"x{i}" for i in range(data.validation.x[0].size))
    return names[:MOST_COLUMNS], max(len(names) - MOST_COLUMNS, 0)


def row_cells(data: SearchData, table: pl.DataFrame | None, row: int, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The texts of these columns, safe to show."""
    if table is not None:
        values = [table[name][row] for name in columns]
    else:
        values = data.validation.x[row].reshape(-1)[: len(columns)].tolist()
    return tuple(_cell_text(value) for value in values)


def _cell_text(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number_text(value, 4)
    return "" if value is None else shorten(escaped(str(value)), LONGEST)
