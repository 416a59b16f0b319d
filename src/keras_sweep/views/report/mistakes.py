"""Validation rows that the winner gets wrong: those of which it is surest, or that it misses by most.

And how many rows no good trial gets right.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np

from keras_sweep.sweep.hard_rows import Missed
from keras_sweep.sweep.validation_outputs import ValidationOutputs
from keras_sweep.views.row_cells import row_cells, shown_columns
from keras_sweep.views.sample_images import picture_of, png_bytes
from keras_sweep.views.terminal.text import number_text, safe

MOST_PICTURES = 24
MOST_ROWS = 20
LARGEST_SIDE = 64  # pixels of a picture; a larger one is thinned
BLACK = 64  # of 255: the median of the first and last line of a picture on a black ground is below


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
        true, said = (safe(found.classes[places[row]]) for places in (found.labels, found.chosen))
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
