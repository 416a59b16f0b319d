"""Trains a recorded trial, or finalist, again: to the digit among those that it was trained with, or by plain `fit`.

`weights_of` needs this where weights are gone; `replay` compares what comes out with the record, epoch by epoch.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from keras_sweep.data.arrays import Array
from keras_sweep.errors import Interrupted, RecordError, UsageError
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.saved import load_weights_of, weights_file_of
from keras_sweep.search.engines import make_engine
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.variants import variant_of
from keras_sweep.sweep.finalists import suggest_finalists
from keras_sweep.sweep.loop import Generations
from keras_sweep.sweep.open_sweep import OpenSweep, backend_of
from keras_sweep.training.choose import RUNNERS
from keras_sweep.training.runner import Runner, StopsAt, Watch
from keras_sweep.training.workers.pool import workers_of
from keras_sweep.trial.events import EpochEnded, Event, Listener, Noticed, PhaseBegan
from keras_sweep.trial.result import Result, Suggestion, TrialState, Weights

RELATIVE = 1e-5  # sums of float32 in another order
ABSOLUTE = 1e-7  # of a number near zero
ROWS = 1.01  # a row may fall on the other side of a threshold
WHOLE = 0.01  # how near a difference of shares must be to whole rows; float32 rounds a share of 100,000 rows so far
STDERR = 1e-4  # relative, of two standard errors that agree


class Match(StrEnum):
    """How near two numbers, or two curves, are."""

    EQUAL = "equal"
    ROUNDING = "equal to rounding"
    PARTED = "parted"


@dataclass(frozen=True, slots=True)
class Gap:
    """How far apart the same metric of two trainings is."""

    match: Match
    relative: float  # |a - b| / |b|; infinite where one of them is no finite number and the other is something else


def gap(metric: str, ours: float, theirs: float, rows: int, weights: Array | None = None) -> Gap:
    """The gap between two values of a metric over so many rows, which may weigh unlike.

    Shares of rows are equal to rounding where they differ by one row, and by nothing that is no whole row; or by no
    more than the heaviest weighs. Other metrics are where they differ by `RELATIVE`.
    """
    if ours == theirs or (math.isnan(ours) and math.isnan(theirs)):
        return Gap(Match.EQUAL, 0.0)
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return Gap(Match.PARTED, math.inf)
    near = math.isclose(ours, theirs, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    if metric.endswith("accuracy") or metric.removeprefix("val_") == "acc":
        by = abs(ours - theirs) * (rows if weights is None else float(weights.sum(dtype=float) / weights.max()))
        near = by <= ROWS and (weights is not None or abs(by - round(by)) <= WHOLE * max(1.0, rows / 1e5))
    relative = abs(ours - theirs) / abs(theirs) if theirs else math.inf
    return Gap(Match.ROUNDING if near else Match.PARTED, relative)


def widest(gaps: Iterable[Gap]) -> Gap:
    """The gap that is furthest from equal; an equal one for none."""
    return max(gaps, key=lambda one: (list(Match).index(one.match), one.relative), default=Gap(Match.EQUAL, 0.0))


@dataclass(frozen=True, slots=True)
class CurveMatch:
    """A trial trained again beside its record."""

    again: Result
    runner: str  # that trained it again: "fit/jax"
    gaps: Mapping[str, tuple[Gap, ...]]  # metric -> [E], for the epochs that both have
    differences: tuple[str, ...]  # what differs beside the curves, a sentence each

    @property
    def epochs(self) -> tuple[Match, ...]:
        """[E] the worst match of all metrics, epoch by epoch."""
        length = min((len(gaps) for gaps in self.gaps.values()), default=0)
        return tuple(widest(gaps[epoch] for gaps in self.gaps.values()).match for epoch in range(length))

    @property
    def match(self) -> Match:
        """The worst of all epochs; parted where anything else differs."""
        return Match.PARTED if self.differences else max(self.epochs, key=list(Match).index, default=Match.EQUAL)

    @property
    def parted_at(self) -> int | None:
        """The first epoch that is not the record's, counted from 1."""
        return next((epoch for epoch, match in enumerate(self.epochs, start=1) if match is Match.PARTED), None)


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of replaying a trial."""

    sweep: str
    objective: Objective
    recorded: Result
    plain: CurveMatch  # by the runner that was asked for, plain `fit` by default
    own: CurveMatch | None  # by the runner of the record, where another parted

    @property
    def matches(self) -> bool:
        """Whether the record's numbers come out.

        They do to rounding; or, where roundings grow until `fit` parts from the record, to the bit by its own runner.
        """
        if self.plain.match is not Match.PARTED:
            return True
        return self.own is not None and self.own.match is Match.EQUAL


def replay(
    sweep: OpenSweep,
    number: int | None,
    *,
    runner: str | None = None,
    workers: str | int | Executor | None = None,
) -> Replay:
    """Train a trial, or the winner, again on its backend and compare it with the record, epoch by epoch.

    By `fit`, or by `runner`: "compiled" packs the trial as it was packed when it was recorded. `workers` train in
    place of this process, as `workers_of` has them.
    Raises as `OpenSweep.training` and `OpenSweep.load`; UsageError: there is no such runner, or no such workers;
    SweepError: they fail.
    """
    make, how = workers_of(workers), dict[str, Any]()
    sweep.emit(PhaseBegan("data"))
    recorded = sweep.training(number)
    spec, data = sweep.load(recorded)

    def compare(with_runner: Runner) -> CurveMatch:
        again, gaps = train_again(sweep, recorded, with_runner), {}
        for name in (one for one in recorded.curve if one in again.curve):
            rows = data.validation if name.startswith("val_") else data.train
            pairs = zip(recorded.curve[name], again.curve[name], strict=False)
            gaps[name] = tuple(gap(name, then, now, len(rows), rows.weights) for then, now in pairs)
        return CurveMatch(again, with_runner.name, gaps, tuple(_differences(recorded, again, spec.objective)))

    with ExitStack() as stack:
        if make is not None:
            how["workers"] = stack.enter_context(closing(make()))
            how["notice"] = lambda text: sweep.emit(Noticed(text))
        plain, own = compare(RUNNERS.find(runner or "fit")(spec, data, **how)), None
        kind, _, backend = recorded.runner.partition("/")
        other = kind in RUNNERS and recorded.runner != plain.runner and sweep.backend in (None, backend)
        if other and (at := plain.parted_at) is not None:
            text = f"{plain.runner} parts from the record at epoch {at}: trained again by {recorded.runner}"
            sweep.emit(Noticed(text))
            own = compare(RUNNERS.find(kind)(spec, data, **how))
    return Replay(sweep.folder.name, spec.objective, recorded, plain, own)


def _differences(recorded: Result, again: Result, objective: Objective) -> list[str]:
    """What is not as the record says, beside the curves; the record's own contradictions first."""
    said = []
    there = recorded.metrics.get(objective.name)
    if recorded.epoch is not None and recorded.value != there:
        said.append(f"the record contradicts itself: value {recorded.value}, but {there} at epoch {recorded.epoch}")
    pairs: dict[str, tuple[object, ...]] = {
        "the end": tuple(f"{one.state} ({one.reason})" if one.reason else str(one.state) for one in (recorded, again)),
        "the number of epochs": (recorded.epochs, again.epochs),
        "the scored epoch": (recorded.epoch, again.epoch),
        "the number of parameters": tuple(one.measured.get("parameters") for one in (recorded, again)),
        "the metrics": (", ".join(sorted(recorded.curve)), ", ".join(sorted(again.curve))),
    }
    one, other = recorded.stderr, again.stderr
    if one is not None and other is not None and recorded.value == again.value:
        pairs["the standard error"] = (one, one if math.isclose(one, other, rel_tol=STDERR) else other)
    for what, (then, now) in pairs.items():
        if then != now:
            said.append(f"{what}: the record says {then}, but it is {now}")
    return said


def weights_of(sweep: OpenSweep, trial: Result) -> Weights:
    """The weights that earned the value of a trial, or finalist; trained again where they are not on disk as written.

    What is on disk serves every backend: its numbers may differ in their last digits on another one, which is said.

    Raises Interrupted: the user asked to stop; UsageError: they would have to be trained again on another backend than
    this one; RecordError: it has none (it failed), or other numbers come out, as after a change of packages.
    """
    sweep.load(trial)
    import keras  # only now its backend is chosen

    here, there = keras.backend.backend(), backend_of(trial.runner)
    why = "its weights are not kept, as those of the best are" if not sweep.is_running else "its weights are gone"
    if weights_file_of(sweep.folder, trial).exists():
        try:
            weights = load_weights_of(sweep.folder, trial)
        except RecordError as error:
            why = error.message
        else:
            if there != here:
                text = f"{trial.name} was trained on {there}: on {here} its numbers may differ in the last digits"
                sweep.emit(Noticed(text))
            return weights
    if trial.state is TrialState.FAIL:
        raise RecordError(f"{trial.name} failed ({trial.reason}), so there are no weights", hint="Choose another")
    if not sweep.is_running and there != here:
        raise UsageError(
            f"{trial.name} must be trained again on {there}, since {why}, but the backend is {here}",
            hint=f"Give `--backend {there}`",
        )
    sweep.emit(Noticed(f"{trial.name} is trained again, since {why}"))
    again = train_again(sweep, trial, sweep.runner_for(trial))
    if again.value == trial.value and again.weights is not None:
        return again.weights
    gives = again.reason if again.value is None else again.value
    raise RecordError(
        f"{trial.name} trained again gives {gives}, but {trial.value} is recorded",
        hint="Use the packages and the backend that the sweep was run with (`sweep show` names them)",
    )


def train_again(sweep: OpenSweep, trial: Result, runner: Runner) -> Result:
    """How a recorded trial, or finalist, turns out once more by this runner; what goes on is told as phases.

    It is stopped where the record says that it was stopped, and trials that it, or another of its generation, continues
    are trained before it. What the sweep keeps of those that still train is left as it is.

    Raises Interrupted: the user asked to stop; RecordError: it is not recorded with which others a finalist trained.
    """
    study, (spec, _), runner = sweep.study, sweep.load(trial), runner.without_checkpoints()
    variant = variant_of(trial.params)  # of the data: its mates with others trained in other programs
    results, index, wanted = study.results(), trial.suggestion.generation, frozenset({trial.number})
    tell = tell_as_phases(sweep.emit, f"training {trial.name} again")
    of = {number: list(group) for number, group in groupby(results, key=lambda one: one.suggestion.generation)}

    def searched(number: int, wanted: frozenset[int]) -> Iterator[Result]:
        """Results of wanted trials of the search, once the runner has the ends of all that their mates continue."""
        before = [one for one in results if one.suggestion.generation < number]
        asked = _asked(spec, runner.generation, before, of[number])
        asked = [one for one in asked if variant_of(one.params) == variant]
        missing = runner.missing(asked)
        for earlier in sorted({one.suggestion.generation for one in results if one.number in missing}):
            for _ in searched(earlier, missing.intersection(one.number for one in of[earlier])):
                pass
        ends = {one.number: one.epochs for one in of[number] if one.state is TrialState.PRUNED}
        yield from runner.run(asked, wanted, Watch(StopsAt(ends), tell, lambda: sweep.stop.signalled))

    if trial.suggestion.recipe is None:
        trained = searched(index, wanted)
    else:
        search, choices = {one.number: one for one in results}, study.facts.finalists
        if trial.finalist_seed is None or trial.recipe not in search or index >= len(choices):
            raise RecordError(f"the record does not say with which others {trial.name} was trained")
        finalists = suggest_finalists(choices[index], index, [trial.finalist_seed], search, study.finalists().results())
        finalists = [one for one in finalists if variant_of(one.params) == variant]
        trained = runner.run(finalists, wanted, Watch(emit=tell, stopping=lambda: sweep.stop.signalled))
    for result in trained:
        return result
    raise Interrupted(f"{trial.name} was not trained again to its end", hint="The same command does it")


def _asked(spec: SweepSpec, size: int, before: list[Result], known: list[Result]) -> list[Suggestion]:
    """The whole generation whose first trials are known: the sweep may have ended inside it."""
    asked = [one.suggestion for one in known]
    if make_engine(spec).generation_size(asked[0].generation, size) <= len(asked):
        return asked
    again = Generations(lambda: make_engine(spec), size, [*before, *known], WallTime()).incomplete
    return asked if again is None else again.suggestions


def tell_as_phases(emit: Listener, words: str) -> Listener:
    """A listener that passes on phases, and each epoch of a trial as one: no trial of the search ends here."""

    def tell(event: Event) -> None:
        if isinstance(event, EpochEnded):
            emit(PhaseBegan(f"{words}, epoch {event.epoch} is done"))
        elif isinstance(event, PhaseBegan):
            emit(event)

    return tell
