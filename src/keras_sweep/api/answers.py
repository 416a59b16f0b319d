"""What `compare`, `verify` and `replay` give: a few words where it is printed, a table in a notebook."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Self

from keras_sweep.sweep.replay import Replay
from keras_sweep.sweep.side_by_side import SideBySide
from keras_sweep.sweep.verify import Verified
from keras_sweep.views.compare import compare_columns
from keras_sweep.views.compare import verdict_lines as compare_lines
from keras_sweep.views.notebook import answer_html
from keras_sweep.views.replay_view import replay_columns, replay_lines, verify_columns, verify_verdict

MOST_ROWS = 20  # of a table in a notebook


class _Answer:
    """Made of what was found."""

    __slots__ = ()

    @classmethod
    def of(cls, found: Any) -> Self:
        return cls(**{field.name: getattr(found, field.name) for field in fields(found)})


class ComparedSweeps(_Answer, SideBySide):
    """Sweeps side by side."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"ComparedSweeps({'; '.join(compare_lines(self))})"

    def _repr_html_(self) -> str:
        return answer_html(self.objective.name, compare_columns(self), compare_lines(self))


class ReplayedTrial(_Answer, Replay):
    """A trial that was trained again."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"ReplayedTrial({self._what}: {'; '.join(replay_lines(self))})"

    def _repr_html_(self) -> str:
        return answer_html(self._what, replay_columns(self, MOST_ROWS)[0], replay_lines(self))

    @property
    def _what(self) -> str:
        return f"{self.recorded.name} of {self.sweep}"


class VerifiedModel(_Answer, Verified):
    """A model whose scores were looked at again."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"VerifiedModel({self.model}: {verify_verdict(self)})"

    def _repr_html_(self) -> str:
        return answer_html(str(self.model), verify_columns(self), [verify_verdict(self)])
