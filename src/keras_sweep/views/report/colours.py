"""Which colour a trial has in every drawing: that of its choice of one parameter. The colours stand in report.css."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keras_sweep.views.report.axes import Axis

COLOURS = 7  # told apart by every eye (Okabe and Ito 2008); a parameter with more choices gives no colours
PREFERRED = "optimizer"


@dataclass(frozen=True)
class Colours:
    """The class of a trial's elements."""

    axis: Axis | None  # the parameter that gives the colours
    winner: int | None = None  # which stands out in every drawing

    def __call__(self, number: int) -> str:
        place = None if self.axis is None else self.axis.values.get(number)
        return ("k0" if place is None else f"k{int(place) + 1}") + self.mark(number)

    def mark(self, number: int) -> str:
        """The class of the winner's elements, after any other; nothing for other trials."""
        return " won" if number == self.winner else ""

    @property
    def legend(self) -> list[tuple[str, str]]:
        """(class, choice) of each colour."""
        if self.axis is None or self.axis.choices is None:
            return []
        return [(f"k{index}", choice) for index, choice in enumerate(self.axis.choices, start=1)]


def colours_of(axes: Sequence[Axis], winner: int | None = None) -> Colours:
    """Colours by the optimizer where it varies, or by the first parameter of few choices."""
    fit = [axis for axis in axes if axis.choices is not None and len(axis.choices) <= COLOURS]
    return Colours(next((axis for axis in fit if axis.name == PREFERRED), fit[0] if fit else None), winner)
