"""Export all events that a `listener` receives. They are frozen dataclasses. Only three are defined here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_sweep.space.text import pluralize
from keras_sweep.sweep.events import *  # noqa: F403
from keras_sweep.trial.events import *  # noqa: F403
from keras_sweep.trial.events import Event as Event


@dataclass(frozen=True, slots=True)
class ModelExported(Event):
    """A model was exported, with its model card beside it."""

    trial: str  # "trial 4"
    card: Path
    about: Mapping[str, Any] | None  # the card's section `format`; None for a .keras file


@dataclass(frozen=True, slots=True)
class TrialsLogged(Event):
    """A tracker has all `trials` finished trials now. This call logged `new` of them, earlier calls the others."""

    new: int
    trials: int

    @property
    def text(self) -> str:
        """The event as a sentence: `logged 3 of 64 trials; the tracker already has the others`."""
        others = "; the tracker already has the others" if self.new < self.trials else ""
        return f"logged {self.new} of {pluralize(self.trials, 'trial')}{others}"


@dataclass(frozen=True, slots=True)
class SweepImported(Event):
    """`trials` trials were imported from the Optuna storage `source` into a new sweep."""

    trials: int
    source: str  # path, or URL without its password
