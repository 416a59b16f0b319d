"""How long a sweep will take: a timed probe of one generation, for one epoch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keras_sweep.search.engine import Engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.runner import Runner
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Seconds, TrialState


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the probe says; start-up, pruning and the test evaluation are left out."""

    runner: str
    epoch_seconds: float  # wall time of one epoch of one trial, among as many as train at once
    compile_seconds: float  # of all programs
    trial_epochs: float  # expected of all trials
    seconds: float  # expected of the search


def estimate(spec: SweepSpec, engine: Engine, runner: Runner) -> Estimate | None:
    """Train one generation for one epoch, twice; None if all of its trials fail.

    The first time has the compiling in it, the second has not, unless the runner compiles every trial anew.
    """
    asked = engine.ask(max(runner.generation, 1))
    lengths = [training_plan(spec, one.params).epochs for one in asked]
    short = [replace(one, params={**one.params, "epochs": 1}) for one in asked]
    wanted = frozenset(one.number for one in short)
    walls: list[float] = []
    parts: list[Seconds] = []
    for _ in range(2):
        started = time.perf_counter()
        results = list(runner.run(short, wanted, _Unwatched()))
        walls.append(time.perf_counter() - started)
        parts = [one.seconds for one in results if one.state is TrialState.COMPLETE]
    if not parts:
        return None
    again = sum(one.compile for one in parts)  # what is compiled once more the second time
    compile_seconds = max(walls[0] - walls[1], 0.0) + again / len(asked) * spec.search.trials
    epoch_seconds = max(walls[1] - again, 0.0) / len(asked)
    trial_epochs = sum(lengths) / len(lengths) * min(spec.search.trials, spec.space.size)
    return Estimate(
        runner.name, epoch_seconds, compile_seconds, trial_epochs, compile_seconds + epoch_seconds * trial_epochs
    )


class _Unwatched:
    """Nobody looks, and nothing is pruned."""

    def epoch(self, number: int, epoch: int, logs: Mapping[str, float]) -> None:
        pass

    def phase(self, name: str, done: int | None = None, total: int | None = None, per_trial: float = 0.0) -> None:
        pass

    def resumed(self, number: int, rows: Sequence[Mapping[str, float]]) -> None:
        pass

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return ()

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return frozenset()

    def stopping(self) -> bool:
        return False
