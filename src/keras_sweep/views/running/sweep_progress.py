"""Collect the progress of a sweep from its events, as counters and the best few trials: cheap for 20,000 trials."""

import bisect
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from keras_sweep.record.facts import ChosenFinalists
from keras_sweep.record.reader import add_finalists
from keras_sweep.space.search_space import Goal, Objective, Params
from keras_sweep.space.text import escape, pluralize
from keras_sweep.sweep import events
from keras_sweep.trial.events import EpochEnded, Event, PhaseBegan, TrialResumed
from keras_sweep.trial.ranking import LEADING, has_value, order_key
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.views.terminal.text import CurveScale

ENOUGH_EPOCHS = 8  # from which the time of an epoch is estimated
BESIDE = 4  # if all epochs trained while programs compiled, four times ENOUGH_EPOCHS are needed
FADING = 4  # how much more a generation counts than the generation before it


@dataclass(slots=True)
class Training:
    params: Params
    epochs: int | None  # requested; None if `epochs` is no parameter
    values: list[float] = field(default_factory=list)  # [E] the objective so far


class Pace:
    """Estimate how long a search will take. The newest generation counts most, as the first compiles for all others."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counted_until = clock()
        self._phase = "train"
        self._seconds = {"train": 0.0, "compile": 0.0}
        self._ended = {"train": 0.0, "compile": 0.0}  # epochs that ended while nothing compiled; programs
        self.epochs = 0  # all epochs that have ended
        self._generations, self._trials = 0, 1  # number of generations; trials of the last generation
        self._done, self._programs = 0, 0.0  # programs of this generation: compiled, and all
        self._programs_per_trial = 0.0  # expected programs per trial of a later generation

    def begin_generation(self, trials: int) -> None:
        for sums in (self._seconds, self._ended):
            sums.update({kind: value / FADING for kind, value in sums.items()})
        self._generations += 1
        self._trials, self._done, self._programs = max(trials, 1), 0, trials * self._programs_per_trial

    def begin_phase(self, event: PhaseBegan) -> None:
        self._count_time()
        self._phase = event.phase
        if event.phase in self._ended and event.done is not None and event.total is not None:
            self._ended["compile"] += event.done - self._done
            self._done, self._programs = event.done, event.total
            # If trials of the first generation share programs, later trials are expected to need no program.
            share = event.total / self._trials
            self._programs_per_trial = share if self._generations > 1 or share > 0.5 else 0.0

    def end_epoch(self) -> None:
        self._count_time()
        self.epochs += 1
        self._ended["train"] += self._phase != "compile"

    def estimate(self, epochs: float, *, later: int, enough: float) -> float | None:
        """Return the seconds for `epochs` more epochs and their compiling; None until about `enough` epochs have ended.

        `later`: the number of trials not suggested yet, for which new programs may have to be compiled.
        """
        self._count_time()
        if self.epochs < enough * (1 if self._ended["train"] else BESIDE):
            return None
        programs = self._programs - self._done + later * self._programs_per_trial
        return epochs * self._mean_seconds("train") + programs * self._mean_seconds("compile")

    def _mean_seconds(self, kind: str) -> float:
        return self._seconds[kind] / self._ended[kind] if self._ended[kind] else 0.0

    def _count_time(self) -> None:
        """Count the time since the last call as compiling in that phase, else as training. In the first generation,
        only time in a phase of compiling or training counts."""
        now = self._clock()
        kind = "compile" if self._phase == "compile" else "train"
        if self._phase == kind or self._generations > 1:
            self._seconds[kind] += now - self._counted_until
        self._counted_until = now


class SweepProgress:
    """Count the trials and epochs of a running sweep, and keep its curves. Call the object with every event."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.started: events.SweepStarted | None = None
        self.objective = Objective("value", Goal.MAXIMIZE)
        self.columns: tuple[str, ...] = ()  # the parameters that are shown for every trial
        self.counts: dict[TrialState, int] = dict.fromkeys(TrialState, 0)
        self.epochs = 0  # trained since the run began
        self.generation: int | None = None
        self.training: dict[int, Training] = {}
        self.finalists: events.FinalistsChosen | None = None  # set when the search has ended
        self.finalists_ended: list[Result] = []
        self.finalists_training: dict[tuple[int, int], int] = {}  # (recipe, seed) -> its epochs so far
        self.leading: list[Result] = []  # the head of the leaderboard, in order: all possible finalists
        self._scale = CurveScale()  # of ended trials
        self._clock = clock
        self.phase: PhaseBegan | None = None
        self._begin = self._phase_begin = clock()
        self._pace = Pace(clock)
        self._trained_epochs = (0, 0)  # epochs of ended trials, and the number of these trials
        self._ended: set[int] = set()

    def __call__(self, event: Event) -> None:
        match event:
            case PhaseBegan():
                self._begin_phase(event)
            case events.SweepStarted():
                self.started = event
                self.objective, self.columns = event.objective, event.parameters
                self._scale = CurveScale(goal=self.objective.goal)
                for result in event.finished:
                    self._add(result)
            case events.GenerationAsked():
                self._begin_generation(event)
            case TrialResumed():
                if trial := self.training.get(event.number):
                    trial.values = list(event.curve.get(self.objective.name, ()))
            case EpochEnded():
                self.epochs += 1
                self._pace.end_epoch()
                if trial := self.training.get(event.number):
                    trial.values.append(float(event.logs.get(self.objective.name, math.nan)))
            case events.TrialEnded():
                self.training.pop(event.result.number, None)
                self._add(event.result)
            case _:
                self._follow_finalists(event)

    def _follow_finalists(self, event: Event) -> None:
        match event:
            case events.FinalistsChosen() if event.recipes:
                self.training = {}
                self.finalists, self.finalists_ended = event, list(event.finished)
                self._pace = Pace(self._clock)
            case events.FinalistEpochEnded():
                self.epochs += 1
                self._pace.end_epoch()
                self.finalists_training[event.recipe, event.seed] = event.epoch
            case events.FinalistEnded():
                self.finalists_training.pop((event.result.recipe, event.result.finalist_seed or 0), None)
                self.finalists_ended.append(event.result)
                assert self.finalists is not None
                choice = ChosenFinalists(self.done, self.finalists.recipes, self.finalists.seeds)
                self.leading = add_finalists(self.leading, self.finalists_ended, choice, self.done)
                self.leading.sort(key=lambda result: order_key(result, self.objective))

    def _begin_phase(self, event: PhaseBegan) -> None:
        # A program takes long, so its time counts from zero. Models are built quickly, so their time adds up.
        compiles = event.phase == "compile"
        if self.phase is None or self.phase.phase != event.phase or (compiles and self.phase.done != event.done):
            self._phase_begin = self._clock()
        self.phase = event
        self._pace.begin_phase(event)

    def _begin_generation(self, event: events.GenerationAsked) -> None:
        self.generation = event.generation
        self._pace.begin_generation(len(event.suggestions))
        # An earlier run trained finalists, and now the search continues.
        if any(result.final for result in self.leading):
            self.leading = [replace(result, final=False) for result in self.leading]
            self.leading.sort(key=lambda result: order_key(result, self.objective))
        self.training |= {
            suggestion.number: Training(suggestion.params, _read_epochs(suggestion.params))
            for suggestion in event.suggestions
            if suggestion.number not in self._ended  # trials of an earlier run
            and not (self.started and suggestion.number >= self.started.total)  # trials beyond the end of the sweep
        }

    @property
    def done(self) -> int:
        """The number of trials that have ended, in this run and in earlier runs."""
        return sum(self.counts.values())

    @property
    def total(self) -> int:
        return max(self.started.total if self.started else 0, self.done)

    @property
    def scale(self) -> CurveScale:
        """The scale of all drawn curves. It covers ended trials, or trials in training until a trial has ended."""
        return self._scale or CurveScale((trial.values for trial in self.training.values()), self.objective.goal)

    @property
    def elapsed(self) -> float:
        return self._clock() - self._begin

    @property
    def phase_seconds(self) -> float:
        return self._clock() - self._phase_begin

    @property
    def trained(self) -> float:
        """The number of ended trials, plus the trained share (0 to 1) of each trial in training."""
        shares = (min(len(trial.values) / trial.epochs, 1.0) for trial in self.training.values() if trial.epochs)
        return self.done + sum(shares)

    @property
    def remaining(self) -> float | None:
        """The estimated seconds until the search or the training of finalists ends; None during the first epochs."""
        if self.finalists is not None:
            epochs = max(self.finalists.epochs - self._pace.epochs, 0)
            return self._pace.estimate(epochs, later=0, enough=ENOUGH_EPOCHS)
        is_known = self.done > 0 or any(trial.epochs for trial in self.training.values())
        if not is_known or not self.epochs or self.elapsed < 1:
            return None
        # Trials without a number of epochs, and later trials, are expected to train as long as the trials before.
        requested = [trial.epochs for trial in self.training.values() if trial.epochs]
        epochs_sum, count = self._trained_epochs if self._trained_epochs[1] else (sum(requested), len(requested))
        mean_epochs = epochs_sum / max(count, 1)
        later = max(self.total - self.done - len(self.training), 0)
        left = sum(max((trial.epochs or mean_epochs) - len(trial.values), 0) for trial in self.training.values())
        return self._pace.estimate(left + later * mean_epochs, later=later, enough=min(mean_epochs / 2, ENOUGH_EPOCHS))

    def _add(self, result: Result) -> None:
        self.counts[result.state] += 1
        self._ended.add(result.number)
        if result.state is not TrialState.FAIL:
            self._scale.add(result.curve.get(self.objective.name, ()))
            epochs, count = self._trained_epochs
            self._trained_epochs = epochs + result.epochs, count + bool(result.epochs)
        place, full = order_key(result, self.objective), len(self.leading) == LEADING
        if has_value(result) and not (full and place > order_key(self.leading[-1], self.objective)):
            bisect.insort(self.leading, result, key=lambda leading: order_key(leading, self.objective))
            del self.leading[LEADING:]


def _read_epochs(params: Params) -> int | None:
    epochs = params.get("epochs")
    return epochs if isinstance(epochs, int) and epochs > 0 else None


WORDS = {
    "data": "importing Keras and reading the data",
    "import": "importing Keras",
    "build": "building models",
    "record": "opening the record",
    "sampler": "asking the sampler",
    "compile": "compiling",
    "train": "training",
    "test": "evaluating the test rows",
    "export": "writing best.keras",
    "retrain": "training the winner again for its weights",
}


def phase_text(event: PhaseBegan | None) -> str:
    """Return what the sweep does now: `compiling 3 of 8 programs`, `building models, 3 of 16`, `training`."""
    if event is None:
        return "starting"
    words = WORDS.get(event.phase, escape(event.phase))
    if event.done is None or not event.total:
        return words
    if event.phase == "compile":
        number = min(event.done + 1, event.total)
        return f"{words} {number:,} of {pluralize(event.total, 'program')}" if event.total > 1 else words
    return f"{words}, {event.done:,} of {event.total:,}" if event.phase == "build" else words
