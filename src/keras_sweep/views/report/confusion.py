"""What the winner says of the validation rows against what they are: classes, or numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from markupsafe import Markup, escape

from keras_sweep.sweep.validation_outputs import ValidationOutputs
from keras_sweep.views.report.axes import Axis
from keras_sweep.views.report.scale import along
from keras_sweep.views.report.svg import cross_axes, figure, label, px
from keras_sweep.views.terminal.text import count_text, safe, shorten

MOST_CLASSES = 40  # of a drawing
SIDE, LARGEST_CELL, LEAST_FOR_TEXT = 300, 34, 17  # pixels
LEFT, TOP = 100, 10
LEAST_WIDTH = 400
LEAST_SHOWN = 0.03  # share of a class's rows, from which on it is written
MOST_ROWS = 2000  # dots of predicted against true
NAME = 16  # characters of a class


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
    foot = TOP + cell * len(names)
    parts = []
    for true, name in enumerate(names):
        parts.append(label(LEFT - 6, TOP + (true + 0.5) * cell + 4, name, anchor="end", longest=NAME))
        x, y = px(LEFT + (true + 0.6) * cell), px(foot + 12)
        shown = escape(shorten(safe(name), NAME))
        parts.append(f'<text class="t" transform="translate({x} {y}) rotate(45)">{shown}</text>')
        for chosen in np.flatnonzero(counts[true]):
            parts.append(_cell(int(true), int(chosen), counts, float(shares[true, chosen]), names, cell))
    parts.append(label(LEFT - 6, foot + 16, "true ↑ · said →", anchor="end", kind="l"))
    right = int(np.trace(counts))
    words = f"{right:,} of {counts.sum():,} validation rows are right. {_worst(counts, names)}"
    return figure(
        "confusion",
        "Confusion matrix",
        words,
        "".join(parts),
        (
            max(int(LEFT + cell * len(names) + 60), LEAST_WIDTH),
            int(foot + 20 + 4.5 * max(min(len(name), NAME) for name in names)),
        ),
        note=f"Lines are true classes, columns what the winner says, numbers per cent of the line. {words}",
    )


def predicted_against_true(true: npt.NDArray[np.floating], said: npt.NDArray[np.floating]) -> Markup:
    """A dot a row; on the line both are equal."""
    step = -(-len(true) // MOST_ROWS)
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
    x, y = LEFT + chosen * cell, TOP + true * cell
    kind = "right" if true == chosen else "wrong"
    opacity = 0.08 + 0.92 * share**0.5  # roots, so that rare mistakes are seen
    said = f"{safe(names[true])} named {safe(names[chosen])}: {counts[true, chosen]:,} of {counts[true].sum():,}"
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
        f"The most frequent mistake: {safe(names[true])} named {safe(names[chosen])}, {wrong[true, chosen]:,} of "
        f"{counts[true].sum():,}."
    )
