"""How long a sweep will take: a timed probe of one generation, for one epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from keras_sweep.search.engine import Engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.runner import NoWatch, Runner
from keras_sweep.trial.events import Listener, PhaseBegan
from keras_sweep.trial.finalists import SHARE, affordable
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import TrialState

PROBE_SECONDS = 20.0  # then the probe ends with the programs that are compiled by now


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the probe says; start-up, pruning and the test evaluation are left out."""

    runner: str
    epoch_seconds: float  # wall time of one epoch of one trial, among as many as train at once
    trial_epochs: float  # expected of all trials
    programs: float  # expected to be compiled
    compile_seconds: float  # of all of them, building models included
    finalists: tuple[int, int] = (0, 0)  # recipes that are likely to be trained again, and with how many new seeds each
    finalist_epochs: float = 0.0  # expected of all of those
    refit_epochs: float = 0.0  # expected of the winner, trained once more on all rows
    average_epochs: float | None = None  # expected of it by `fit`, for the mean of its last epochs; 0 for that of seeds

    @property
    def seconds(self) -> float:
        """Expected of the search."""
        return self.compile_seconds + self.epoch_seconds * self.trial_epochs


def estimate(
    spec: SweepSpec,
    engine: Engine,
    runner: Runner,
    emit: Listener = lambda _: None,
    *,
    probe_seconds: float = PROBE_SECONDS,
) -> Estimate | None:
    """Train one generation for one epoch, or as much of it as there is time for; None if all of its trials fail."""
    asked = engine.ask(max(runner.generation, 1))
    trials = min(spec.search.trials, spec.space.size)
    wanted = frozenset(one.number for one in asked if one.number < trials)
    lengths = [training_plan(spec, one.params).epochs for one in asked]
    watch = _Probe(emit, probe_seconds)
    first, per_trial = runner.programs(asked, wanted, watch)
    short = [replace(one, params={**one.params, "epochs": 1}) for one in asked]
    results = list(runner.run(short, wanted, watch))
    if not watch.epochs or not any(one.state is TrialState.COMPLETE for one in results):
        return None
    spent = runner.spent
    later = per_trial * max(trials - len(wanted), 0)
    training = sum(spent.get(part, 0.0) for part in ("train", "validate", "score"))
    compiling = spent.get("compile", 0.0) / max(runner.compiled, 1) * (first + later)
    building = spent.get("build", 0.0) * (1 + later / len(asked))
    length = sum(lengths) / len(lengths)
    finalists = _finalists(spec, length, int(trials))
    return Estimate(
        runner.name,
        epoch_seconds=training / watch.epochs,
        trial_epochs=length * trials,
        programs=first + later,
        compile_seconds=building + compiling,
        finalists=finalists,
        finalist_epochs=math.prod(finalists) * length,
        refit_epochs=length if spec.refits else 0.0,
        average_epochs=length if spec.finish.average else None,
    )


def _finalists(spec: SweepSpec, length: float, trials: int) -> tuple[int, int]:
    """How many recipes and seeds there will be, were all trials of the same length."""
    wanted = spec.finalists
    if wanted is None:
        return 0, 0
    most = math.inf if spec.finalists_asked else SHARE * length * trials
    return affordable([length] * min(wanted.top, trials), wanted.seeds, most)


class _Probe(NoWatch):
    """Counts epochs, and asks to stop when the time is up and something is known."""

    def __init__(self, emit: Listener, seconds: float) -> None:
        self.epochs = 0
        self._emit = emit
        self._end = time.monotonic() + seconds

    def epoch(self, number: int, epoch: int, logs: Mapping[str, float]) -> None:
        del number, epoch, logs  # only their number counts
        self.epochs += 1

    def phase(self, name: str, done: int | None = None, total: int | None = None, per_trial: float = 0.0) -> None:
        self._emit(PhaseBegan(name, done, total, per_trial))

    def stopping(self) -> bool:
        return self.epochs > 0 and time.monotonic() > self._end
