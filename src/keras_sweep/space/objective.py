"""What ranks trials. Apart from the rest of the spec, so that who only reads results imports nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

_SHARES = ("accuracy", "acc", "auc", "precision", "recall")  # metrics, or how their names end


class Goal(StrEnum):
    """The direction of the objective."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"


@dataclass(frozen=True, slots=True)
class Objective:
    """The recorded metric that ranks trials."""

    name: str  # as Keras logs it: "val_accuracy", "val_loss"
    goal: Goal
    take_best: bool = field(default=False, repr=False)  # a trial's best epoch counts, not its last

    @property
    def is_share(self) -> bool:
        """Whether its values lie in [0, 1]: their differences are told in points, which are hundredths."""
        return self.name.endswith(_SHARES)

    def key(self, value: float) -> float:
        """A sort key: smaller is better."""
        return -value if self.goal is Goal.MAXIMIZE else value

    def better(self, a: float, b: float) -> bool:
        """Whether a is strictly better than b."""
        return self.key(a) < self.key(b)
