"""Trains one recorded trial again by plain `fit`, and says whether its numbers are those of the record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import counted
from keras_sweep.sweep.recorded import backend_of, opened
from keras_sweep.sweep.retrain import training_again
from keras_sweep.sweep.same_numbers import Gap, Match, gap, least_match
from keras_sweep.training.choose import RUNNERS
from keras_sweep.training.runner import Runner
from keras_sweep.trial.events import Listener, Noticed, PhaseBegan
from keras_sweep.trial.ranking import imported
from keras_sweep.trial.result import Result

STDERR = 1e-3  # relative: it is shown with two digits


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
        return tuple(least_match(gaps[epoch].match for gaps in self.gaps.values()) for epoch in range(length))

    @property
    def match(self) -> Match:
        """The worst of all epochs; parted where anything else differs."""
        return Match.PARTED if self.differences else least_match(self.epochs)

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
    rows: tuple[int, int]  # training and validation

    @property
    def matches(self) -> bool:
        """Whether the record's numbers come out.

        They do to rounding; or, where a rounding grows in training until `fit` parts from the record, to the bit by
        the runner that the trial was recorded with.
        """
        if self.plain.match is not Match.PARTED:
            return True
        return self.own is not None and self.own.match is Match.EQUAL


def replay(
    folder: SweepFolder,
    number: int | None,
    emit: Listener,
    *,
    runner: str | None = None,
    spec: SweepSpec | None = None,
    trust: bool = False,
    backend: str | None = None,
) -> Replay:
    """Train a trial, or the winner, again on its backend and compare it with the record, epoch by epoch.

    Args:
        folder: of the sweep.
        number: the trial's; None is the winner.
        emit: hears what goes on.
        runner: "fit" (the default) or "compiled", which packs the trial as it was packed when it was recorded.
        spec: stands for the recorded one where the user has just given it.
        trust: import the code that the record names.
        backend: another one than the trial's.

    Raises:
        UsageError: there is no such trial or runner, another program trained it, or the record names code and is not
            trusted.
        ChangedSweep: the data or the code of the model have changed.
        RecordError: no trial has completed.
    """
    emit(PhaseBegan("data"))
    with opened(folder, number, emit, spec=spec, trust=trust, backend=backend, check=check_replayable) as trial:
        train_again = training_again(trial.study, trial.spec, trial.trial)
    spec, data, recorded = trial.spec, trial.data, trial.trial

    def compared(with_runner: Runner) -> CurveMatch:
        again = train_again(with_runner, emit=emit)
        return _compared(recorded, again, with_runner.name, data, spec.objective)

    plain = compared(RUNNERS.find(runner or "fit")(spec, data))
    own = None
    if (at := plain.parted_at) is not None:
        kind = recorded.runner.partition("/")[0]
        if kind in RUNNERS and recorded.runner != plain.runner and backend in (None, backend_of(recorded)):
            emit(Noticed(f"{plain.runner} parts from the record at epoch {at}: trained again by {recorded.runner}"))
            own = compared(RUNNERS.find(kind)(spec, data))
    return Replay(folder.name, spec.objective, recorded, plain, own, (len(data.train), len(data.validation)))


def check_replayable(_: SweepSpec, recorded: Result) -> None:
    """Raises UsageError where another program trained the trial."""
    if imported(recorded):
        raise UsageError(
            f"{recorded.name} was trained by another program: its numbers can't be had here",
            hint="Replay a trial that was trained here",
        )


def _compared(recorded: Result, again: Result, runner: str, data: SearchData, objective: Objective) -> CurveMatch:
    gaps = curve_gaps(recorded, again, data)
    return CurveMatch(again, runner, gaps, tuple(_differences(recorded, again, objective)))


def curve_gaps(one: Result, other: Result, data: SearchData) -> dict[str, tuple[Gap, ...]]:
    """Metric -> [E] the gaps of the metrics and epochs that both have."""
    shared = [name for name in one.curve if name in other.curve]
    rows = {name: len(data.validation if name.startswith("val_") else data.train) for name in shared}
    return {
        name: tuple(gap(name, a, b, rows[name]) for a, b in zip(one.curve[name], other.curve[name], strict=False))
        for name in shared
    }


def _differences(recorded: Result, again: Result, objective: Objective) -> list[str]:
    """What is not as the record says, beside the curves; the record's own contradictions first."""
    said = []
    if recorded.epoch is not None and recorded.value != recorded.metrics.get(objective.name):
        there = recorded.metrics.get(objective.name)
        said.append(f"the record contradicts itself: value {recorded.value}, but {there} at epoch {recorded.epoch}")
    if (recorded.state, recorded.reason) != (again.state, again.reason):
        said.append(f"the record says {_end(recorded)}, but the trial ends {_end(again)}")
    elif recorded.epochs != again.epochs:
        said.append(f"{counted(recorded.epochs, 'epoch')} recorded, but the trial has {again.epochs}")
    elif recorded.epoch != again.epoch:
        said.append(f"epoch {recorded.epoch} is recorded as the scored one, but it is epoch {again.epoch}")
    elif recorded.value == again.value and not _close(recorded.stderr, again.stderr):
        said.append(f"the standard error {recorded.stderr} is recorded, but it is {again.stderr}")
    if set(recorded.curve) != set(again.curve):
        said.append(f"the metrics {', '.join(recorded.curve)} are recorded, but {', '.join(again.curve)} were logged")
    return said


def _close(one: float | None, other: float | None) -> bool:
    return one is None or other is None or math.isclose(one, other, rel_tol=STDERR)


def _end(result: Result) -> str:
    return f"{result.state} ({result.reason})" if result.reason else str(result.state)
