"""Show what the winner gets wrong: counts, the worst validation rows, and rows that no good trial gets right."""

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
from keras_sweep.views.data_view import picture_of, png_bytes, shrink
from keras_sweep.views.leaderboard.rows import is_number
from keras_sweep.views.report.drawings import draw_axes, figure, label, line_path, px
from keras_sweep.views.report.facts import Axis
from keras_sweep.views.terminal.text import number_text, shorten

MOST_PICTURES = 24
MOST_ROWS = 20
LARGEST_SIDE = 64  # pixels of a picture; larger pictures are shrunk
MOST_CLASSES = 40  # of a drawing
SIDE, LARGEST_CELL, LEAST_FOR_TEXT = 300, 34, 17  # pixels
MATRIX_LEFT, MATRIX_TOP = 100, 10
LEAST_WIDTH = 400
LEAST_SHOWN = 0.03  # share of the rows of a class; smaller shares have no number
MOST_DOTS = 2000  # of predicted against true
NAME = 16  # characters of a class name
MOST_COLUMNS = 10
LONGEST = 40


def find_mistakes(outputs: ValidationOutputs) -> dict[str, Any] | None:
    """Return the worst predictions for the page's template; None if no row is wrong, or if rows have several labels.

    Keys: `rows` (a dict for each worst row), `total` (number of wrong rows; of all rows if labels are numbers),
    `columns` (names of shown inputs), `left_out` (number of other inputs), `classes` (whether labels are classes).
    """
    pictures = outputs.data.image_shape is not None
    if outputs.classes:
        wrong = np.flatnonzero(outputs.data.validation.classes != outputs.chosen)
        worst = wrong[np.argsort(-outputs.certainty[wrong], kind="stable")][: MOST_PICTURES if pictures else MOST_ROWS]
    elif (numbers := _numbers(outputs)) is not None:
        true, predicted = numbers
        wrong = np.arange(len(true))
        worst = np.argsort(-np.abs(predicted - true), kind="stable")[:MOST_ROWS]
    else:
        return None
    columns = _input_columns(outputs)
    shown = list(columns)[:MOST_COLUMNS]
    rows = []
    for row in map(int, worst):
        if outputs.classes:
            label, chosen = (outputs.classes[ids[row]] for ids in (outputs.data.validation.classes, outputs.chosen))
            texts = {"true": label, "said": chosen, "certainty": f"{outputs.certainty[row]:.0%}"}
        else:
            texts = {"true": number_text(true[row].item()), "said": number_text(predicted[row].item())}
        picture = _picture_url(outputs, row) if pictures and outputs.classes else ""
        cells = [_cell_text(columns[name][row]) for name in shown]
        rows.append({"row": row, **texts, "picture": picture, "cells": cells})
    known = {"total": len(wrong), "rows": rows, "columns": shown, "left_out": len(columns) - len(shown)}
    return {**known, "classes": bool(outputs.classes)} if rows else None


def _numbers(outputs: ValidationOutputs) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]] | None:
    """Return (true numbers [rows], predicted numbers [rows]), or None if a row has several labels."""
    y = outputs.data.validation.y
    if y.size != len(y) or outputs.outputs.shape[1] != 1:
        return None
    return y.reshape(-1).astype(float), outputs.outputs[:, 0].astype(float)


def _input_columns(outputs: ValidationOutputs) -> Mapping[str, Any]:
    """Return {column: its value for each validation row}. An array has a column for each number, pictures have none."""
    if outputs.data.image_shape is not None:
        return {}
    if outputs.table is not None:
        return outputs.table.to_dict(as_series=True)
    inputs = by_name("x", outputs.data.validation.x)
    arrays = {name.removeprefix("x/"): x.reshape(len(x), -1).T for name, x in inputs.items()}
    return {f"{name}{index}": column for name, columns in arrays.items() for index, column in enumerate(columns)}


def _cell_text(value: object) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    if is_number(value):
        return number_text(value, 4)
    return "" if value is None else shorten(escape(str(value)), LONGEST)


def _picture_url(outputs: ValidationOutputs, row: int) -> str:
    png = png_bytes(shrink(picture_of(outputs.data, row, outputs.data.validation), LARGEST_SIDE))
    return "data:image/png;base64," + base64.b64encode(png).decode()


def describe_missed(missed: Missed) -> str:
    """Return `441 of 12,000 validation rows are wrong in each of the 17 trials that tie with the best`."""
    count, trials = len(missed.rows), len(missed.trials)
    rows = f"{count:,} of {missed.total:,} validation rows" if count else "no validation row"
    if trials == 1:
        return f"{rows} {'is' if count <= 1 else 'are'} wrong in the only trial"
    whose = f"the {trials} trials that tie with the best" if missed.tied else f"the best {trials} trials"
    return f"{rows} {'is' if count <= 1 else 'are'} wrong in each of {whose}"


def draw_predictions(outputs: ValidationOutputs) -> Markup | None:
    """Draw a confusion matrix, or predicted over true numbers. None: too many classes, or several labels per row."""
    if outputs.classes:
        return draw_confusion(outputs) if len(outputs.classes) <= MOST_CLASSES else None
    numbers = _numbers(outputs)
    return None if numbers is None else draw_regression(*numbers)


def draw_confusion(outputs: ValidationOutputs) -> Markup:
    names = [shorten(escape(name), NAME) for name in outputs.classes]
    counts = np.zeros((len(names), len(names)), np.intp)  # [C, C] rows of each true class, by predicted class
    np.add.at(counts, (outputs.data.validation.classes, outputs.chosen), 1)
    cell = min(LARGEST_CELL, SIDE / len(names))
    width, foot = MATRIX_LEFT + cell * len(names), MATRIX_TOP + cell * len(names)
    parts = []
    for true, name in enumerate(names):
        parts.append(label(MATRIX_LEFT - 6, MATRIX_TOP + (true + 0.5) * cell + 4, name, anchor="end", longest=NAME))
        x, y = px(MATRIX_LEFT + (true + 0.6) * cell), px(foot + 12)
        parts.append(f'<text class="t" transform="translate({x} {y}) rotate(45)">{escape_html(name)}</text>')
        for chosen in np.flatnonzero(counts[true]):
            share_text = f"{counts[true, chosen]:,} of {counts[true].sum():,}"
            text = f"{escape(outputs.classes[true])} predicted as {escape(outputs.classes[chosen])}: {share_text}"
            share = float(counts[true, chosen] / counts[true].sum())
            place = MATRIX_LEFT + int(chosen) * cell, MATRIX_TOP + true * cell
            parts.append(_confusion_cell("right" if true == chosen else "wrong", place, cell, share, text))
    parts.append(label(MATRIX_LEFT - 6, foot + 16, "true ↑ pred. →", anchor="end", kind="l"))
    right = f"{np.trace(counts):,} of {counts.sum():,} validation rows are right. {_worst(counts, outputs.classes)}"
    words = f"A line is a true class, a column a predicted class, a number the percentage of its line. {right}"
    size = (max(width + 60, LEAST_WIDTH), foot + 20 + 4.5 * max(map(len, names)))
    return figure("confusion", "Confusion matrix", words, parts, size=size)


def _confusion_cell(kind: str, place: tuple[float, float], side: float, share: float, text: str) -> str:
    (x, y), width = place, px(side - 1)
    opacity = 0.08 + 0.92 * share**0.5  # a root, so that rare mistakes are visible
    part = (
        f'<rect class="{kind}" x="{px(x)}" y="{px(y)}" width="{width}" height="{width}" fill-opacity="{opacity:.2f}">'
        f"<title>{escape_html(text)}</title></rect>"
    )
    if share >= LEAST_SHOWN and side >= LEAST_FOR_TEXT:
        strong = " strong" if opacity > 0.6 else ""
        part += label(x + (side - 1) / 2, y + side / 2 + 4, f"{100 * share:.0f}", kind=f"t in{strong}")
    return part


def _worst(counts: npt.NDArray[np.intp], names: Sequence[str]) -> str:
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.any():
        return "No row is wrong."
    true, chosen = (int(place) for place in np.unravel_index(wrong.argmax(), wrong.shape))
    share_text = f"{wrong[true, chosen]:,} of {counts[true].sum():,}"
    return f"The most frequent mistake: {escape(names[true])} predicted as {escape(names[chosen])}, {share_text}."


def draw_regression(true: npt.NDArray[np.floating], predicted: npt.NDArray[np.floating]) -> Markup:
    step = -(-len(true) // MOST_DOTS)
    low, high = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    across, up, parts = draw_axes(Axis("true", low, high, {}), Axis("predicted", low, high, {}))
    parts.append(f'<path class="best" d="{line_path((across(both), up(both)) for both in (low, high))}"/>')
    parts += [
        f'<circle class="pt k0" cx="{px(across(float(a)))}" cy="{px(up(float(b)))}" r="2.6"/>'
        for a, b in zip(true[::step], predicted[::step], strict=True)
    ]
    error = predicted - true
    total = float(((true - true.mean()) ** 2).sum())
    explained = 1 - float((error**2).sum()) / total if total else 0.0
    thinned = f" The drawing has 1 row in {step}." if step > 1 else ""
    half = f"half of the predictions are within {np.median(np.abs(error)):.4g} of the true value"
    words = f"{pluralize(len(true), 'validation row')}: {half}. They explain {explained:.1%} of the variance.{thinned}"
    return figure("confusion", "Predicted against true", words, parts)
