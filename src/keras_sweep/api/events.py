"""Every event that a `listener` may hear, as frozen records. The events of this room's functions are defined here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_sweep.space.text import pluralize
from keras_sweep.sweep.events import *  # noqa: F403
from keras_sweep.trial.events import *  # noqa: F403
from keras_sweep.trial.events import Event


@dataclass(frozen=True, slots=True)
class ModelExported(Event):
    """A model was written, with its card beside it."""

    trial: str  # "trial 4"
    card: Path
    about: Mapping[str, Any] | None  # what the card says of another format than Keras's own


@dataclass(frozen=True, slots=True)
class TrialsLogged(Event):
    """So many trials were logged to a tracker, which has all of the sweep now."""

    new: int
    trials: int

    @property
    def text(self) -> str:
        """`logged 3 of 64 trials; the others were there`."""
        others = "; the others were there" if self.new < self.trials else ""
        return f"logged {self.new} of {pluralize(self.trials, 'trial')}{others}"


@dataclass(frozen=True, slots=True)
class SweepImported(Event):
    """Trials were imported into a new sweep."""

    trials: int
    source: str  # path, or URL without its password
