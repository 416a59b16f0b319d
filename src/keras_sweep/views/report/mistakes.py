"""What the winner gets wrong on the validation rows: counts, the worst of them, what no good trial gets right."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from markupsafe import escape as escape_html

from keras_sweep.data.arrays import by_name
from keras_sweep.space.text import escape, pluralize
from keras_sweep.sweep.validation_outputs import Missed, ValidationOutputs
from keras_sweep.views.data_view import picture_of, png_bytes
from keras_sweep.views.leaderboard.rows import is_number
from keras_sweep.views.report.drawings import draw_axes, figure, label, path, px
from keras_sweep.views.report.facts import Axis
from keras_sweep.views.terminal.text import number_text, shorten

MOST_PICTURES = 24
MOST_ROWS = 20
LARGEST_SIDE = 64  # pixels of a picture; a larger one is thinned
MOST_CLASSES = 40  # of a drawing
SIDE, LARGEST_CELL, LEAST_FOR_TEXT = 300, 34, 17  # pixels
MATRIX_LEFT, MATRIX_TOP = 100, 10
LEAST_WIDTH = 400
LEAST_SHOWN = 0.03  # share of a class's rows, from which on it is written
MOST_DOTS = 2000  # dots of predicted against true
NAME = 16  # characters of a class
MOST_COLUMNS = 10
LONGEST = 40


def mistakes(found: ValidationOutputs) -> dict[str, Any] | None:
    """What the page says of the worst rows; None where nothing is wrong, or a row has several labels.

    `total` counts the rows that are wrong (of numbers all rows), `split_folds` the columns that are not shown.
    """
    pictures = found.data.image_shape is not None
    if found.classes:
        wrong = np.flatnonzero(found.data.validation.classes != found.chosen)
        worst = wrong[np.argsort(-found.certainty[wrong], kind="stable")][: MOST_PICTURES if pictures else MOST_ROWS]
    elif (numbers := _numbers(found)) is not None:
        true, said = numbers
        wrong = np.arange(len(true))
        worst = np.argsort(-np.abs(said - true), kind="stable")[:MOST_ROWS]
    else:
        return None
    columns = _columns(found)
    shown = list(columns)[:MOST_COLUMNS]
    rows = []
    for row in map(int, worst):
        if found.classes:
            label, chosen = (found.classes[places[row]] for places in (found.data.validation.classes, found.chosen))
            texts = {"true": label, "said": chosen, "certainty": f"{found.certainty[row]:.0%}"}
        else:
            texts = {"true": number_text(true[row].item()), "said": number_text(said[row].item())}
        picture = _picture(found, row) if pictures and found.classes else ""
        cells = [_cell_text(columns[name][row]) for name in shown]
        rows.append({"row": row, **texts, "picture": picture, "cells": cells})
    known = {"total": len(wrong), "rows": rows, "columns": shown, "left_out": len(columns) - len(shown)}
    return {**known, "classes": bool(found.classes)} if rows else None


def _numbers(found: ValidationOutputs) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]] | None:
    """(true, predicted) where a row has one number; else None."""
    y = found.data.validation.y
    if y.size != len(y) or found.outputs.shape[1] != 1:
        return None
    return y.reshape(-1).astype(float), found.outputs[:, 0].astype(float)


def _columns(found: ValidationOutputs) -> Mapping[str, Any]:
    """The columns of the rows as they were read; of arrays a column a number; none of pictures."""
    if found.data.image_shape is not None:
        return {}
    if found.table is not None:
        return found.table.to_dict(as_series=True)
    inputs = by_name("x", found.data.validation.x)
    arrays = {name.removeprefix("x/"): x.reshape(len(x), -1).T for name, x in inputs.items()}
    return {f"{name}{index}": column for name, columns in arrays.items() for index, column in enumerate(columns)}


def _cell_text(value: object) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    if is_number(value):
        return number_text(value, 4)
    return "" if value is None else shorten(escape(str(value)), LONGEST)


def _picture(found: ValidationOutputs, row: int) -> str:
    """The data: address of its picture."""
    picture = picture_of(found.data, row, found.data.validation)
    step = -(-max(picture.shape[:2]) // LARGEST_SIDE)
    png = png_bytes(np.ascontiguousarray(picture[::step, ::step]))
    return "data:image/png;base64," + base64.b64encode(png).decode()


def describe_missed(missed: Missed) -> str:
    """`441 of 12,000 validation rows are wrong in each of the 17 trials that tie with the best`."""
    count, trials = len(missed.rows), len(missed.trials)
    rows = f"{count:,} of {missed.total:,} validation rows" if count else "no validation row"
    if trials == 1:
        return f"{rows} {'is' if count <= 1 else 'are'} wrong in the only trial"
    whose = f"the {trials} trials that tie with the best" if missed.tied else f"the best {trials} trials"
    return f"{rows} {'is' if count <= 1 else 'are'} wrong in each of {whose}"


def draw_predictions(found: ValidationOutputs) -> Markup | None:
    """The drawing that suits the data; None where a row has several labels."""
    if found.classes:
        return confusion_matrix(found) if len(found.classes) <= MOST_CLASSES else None
    numbers = _numbers(found)
    return None if numbers is None else predicted_against_true(*numbers)


def confusion_matrix(found: ValidationOutputs) -> Markup:
    """A square for each pair of classes; the diagonal is right."""
    names = [shorten(escape(name), NAME) for name in found.classes]
    counts = np.zeros((len(names), len(names)), np.intp)  # [C, C] of each class (first) those named as each (second)
    np.add.at(counts, (found.data.validation.classes, found.chosen), 1)
    cell = min(LARGEST_CELL, SIDE / len(names))
    width, foot = MATRIX_LEFT + cell * len(names), MATRIX_TOP + cell * len(names)
    parts = []
    for true, name in enumerate(names):
        parts.append(label(MATRIX_LEFT - 6, MATRIX_TOP + (true + 0.5) * cell + 4, name, anchor="end", longest=NAME))
        x, y = px(MATRIX_LEFT + (true + 0.6) * cell), px(foot + 12)
        parts.append(f'<text class="t" transform="translate({x} {y}) rotate(45)">{escape_html(name)}</text>')
        for chosen in np.flatnonzero(counts[true]):
            of = f"{counts[true, chosen]:,} of {counts[true].sum():,}"
            said = f"{escape(found.classes[true])} named {escape(found.classes[chosen])}: {of}"
            share = float(counts[true, chosen] / counts[true].sum())
            at = MATRIX_LEFT + int(chosen) * cell, MATRIX_TOP + true * cell
            parts.append(_cell("right" if true == chosen else "wrong", at, cell, share, said))
    parts.append(label(MATRIX_LEFT - 6, foot + 16, "true ↑ · said →", anchor="end", kind="l"))
    right = f"{np.trace(counts):,} of {counts.sum():,} validation rows are right. {_worst(counts, found.classes)}"
    words = f"Lines are true classes, columns what the winner says, numbers per cent of the line. {right}"
    size = (max(width + 60, LEAST_WIDTH), foot + 20 + 4.5 * max(map(len, names)))
    return figure("confusion", "Confusion matrix", words, parts, size=size)


def _cell(kind: str, at: tuple[float, float], side: float, share: float, said: str) -> str:
    (x, y), width = at, px(side - 1)
    opacity = 0.08 + 0.92 * share**0.5  # roots, so that rare mistakes are seen
    part = (
        f'<rect class="{kind}" x="{px(x)}" y="{px(y)}" width="{width}" height="{width}" fill-opacity="{opacity:.2f}">'
        f"<title>{escape_html(said)}</title></rect>"
    )
    if share >= LEAST_SHOWN and side >= LEAST_FOR_TEXT:
        strong = " strong" if opacity > 0.6 else ""
        part += label(x + (side - 1) / 2, y + side / 2 + 4, f"{100 * share:.0f}", kind=f"t in{strong}")
    return part


def _worst(counts: npt.NDArray[np.intp], names: Sequence[str]) -> str:
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.any():
        return "None is wrong."
    true, chosen = (int(place) for place in np.unravel_index(wrong.argmax(), wrong.shape))
    of = f"{wrong[true, chosen]:,} of {counts[true].sum():,}"
    return f"The most frequent mistake: {escape(names[true])} named {escape(names[chosen])}, {of}."


def predicted_against_true(true: npt.NDArray[np.floating], said: npt.NDArray[np.floating]) -> Markup:
    """A dot a row; on the line both are equal."""
    step = -(-len(true) // MOST_DOTS)
    low, high = float(min(true.min(), said.min())), float(max(true.max(), said.max()))
    across, up, parts = draw_axes(Axis("true", low, high, {}), Axis("predicted", low, high, {}))
    parts.append(f'<path class="best" d="{path((across(both), up(both)) for both in (low, high))}"/>')
    parts += [
        f'<circle class="pt k0" cx="{px(across(float(a)))}" cy="{px(up(float(b)))}" r="2.6"/>'
        for a, b in zip(true[::step], said[::step], strict=True)
    ]
    error = said - true
    total = float(((true - true.mean()) ** 2).sum())
    explained = 1 - float((error**2).sum()) / total if total else 0.0
    thinned = f" Every {step}th is drawn." if step > 1 else ""
    words = (
        f"{pluralize(len(true), 'validation row')}: half of the predictions are within "
        f"{np.median(np.abs(error)):.4g} of the truth; they explain {explained:.1%} of its variance.{thinned}"
    )
    return figure("confusion", "Predicted against true", words, parts)
