"""What a running sweep has come to, kept from its events: counters and the best few, so 20,000 trials cost no more."""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keras_sweep.space.objective import Goal, Objective
from keras_sweep.space.search_space import Params
from keras_sweep.trial.events import EpochEnded, Event, GenerationAsked, SweepStarted, TrialEnded
from keras_sweep.trial.ranking import can_win, has_value, order_key
from keras_sweep.trial.result import Result, TrialState


@dataclass(slots=True)
class Training:
    """A trial that trains now."""

    params: Params
    epochs: int | None  # asked for; None where that is no parameter
    values: list[float] = field(default_factory=list)  # [E] the objective so far

    @property
    def share(self) -> float:
        """How much of it is done, in [0, 1]."""
        return min(len(self.values) / self.epochs, 1.0) if self.epochs else 0.0


class Tally:
    """Call it with every event. `best` holds the first `keep` results of the leaderboard, in order."""

    def __init__(self, *, keep: int = 10, clock: Callable[[], float] = time.monotonic) -> None:
        self.started: SweepStarted | None = None
        self.objective = Objective("value", Goal.MAXIMIZE)
        self.counts: dict[TrialState, int] = dict.fromkeys(TrialState, 0)
        self.before = 0  # trials that were in the record when it began
        self.epochs = 0  # trained since it began
        self.generation: int | None = None
        self.training: dict[int, Training] = {}
        self.best: list[Result] = []
        self.varying: dict[str, None] = {}  # parameters in which trials have differed, in order
        self._keep = keep
        self._clock = clock
        self._begin = clock()
        self._first: Params | None = None
        self._ended: set[int] = set()

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        if isinstance(event, SweepStarted):
            self.started = event
            self.objective = event.objective
            for result in event.finished:
                self._add(result)
            self.before = self.done
        elif isinstance(event, GenerationAsked):
            self.generation = event.generation
            self.training = {
                suggestion.number: Training(suggestion.params, _asked(suggestion.params))
                for suggestion in event.suggestions
                if suggestion.number not in self._ended  # a generation goes on where it was stopped
            }
            for suggestion in event.suggestions:
                self._compare(suggestion.params)
        elif isinstance(event, EpochEnded):
            self.epochs += 1
            if event.number in self.training:
                values = self.training[event.number].values
                values.append(float(event.logs.get(self.objective.name, math.nan)))
        elif isinstance(event, TrialEnded):
            self.training.pop(event.result.number, None)
            self._add(event.result)

    @property
    def done(self) -> int:
        """Trials that have ended, those of earlier runs included."""
        return sum(self.counts.values())

    @property
    def total(self) -> int:
        """Trials that there are to be."""
        return max(self.started.total if self.started else 0, self.done)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._begin

    @property
    def progress(self) -> float:
        """Trials done since it began, those in training counted by their epochs."""
        return self.done - self.before + sum(trial.share for trial in self.training.values())

    @property
    def remaining(self) -> float | None:
        """Seconds that it will take still, if trials go on taking as long as so far; None while that is a guess."""
        if self.progress < 1 or self.elapsed < 1:
            return None
        return max(self.total - self.before - self.progress, 0.0) * self.elapsed / self.progress

    def is_best(self, result: Result) -> bool:
        """Whether the result leads."""
        leading = next((other for other in self.best if can_win(other, self.objective)), None)
        return leading is not None and leading.number == result.number

    def _add(self, result: Result) -> None:
        self.counts[result.state] += 1
        self._ended.add(result.number)
        self._compare(result.params)
        if not has_value(result):
            return
        bisect.insort(self.best, result, key=lambda other: order_key(other, self.objective))
        del self.best[self._keep :]

    def _compare(self, params: Params) -> None:
        if self._first is None:
            self._first = params
        for name in (*self._first, *params):
            if name not in self.varying and _differ(self._first, params, name):
                self.varying[name] = None


def _differ(a: Params, b: Mapping[str, object], name: str) -> bool:
    return name not in a or name not in b or a[name] != b[name]


def _asked(params: Params) -> int | None:
    epochs = params.get("epochs")
    return epochs if isinstance(epochs, int) and epochs > 0 else None
