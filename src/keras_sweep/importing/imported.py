"""What was read of a search that another program ran."""

from __future__ import annotations

from dataclasses import dataclass

from keras_sweep.space.search_space import Objective, SearchSpace
from keras_sweep.trial.result import Result


@dataclass(frozen=True, slots=True)
class Imported:
    """Finished trials, renumbered from 0 in the order in which they began, all of generation 0, without weights."""

    source: str  # path or URL as it may be shown: a password is masked
    name: str  # the study's, or the project folder's
    engine: str  # "import/keras-tuner", as each result has it
    objective: Objective
    space: SearchSpace  # as the source says it, or as its trials show it
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()  # what was left out, and why
