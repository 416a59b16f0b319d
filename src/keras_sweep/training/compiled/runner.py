"""The compiled runner: trials are lanes of a few programs, with the numbers that `fit` gives one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import SweepError
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.compiled.crew import Crew
from keras_sweep.training.compiled.group import Group, Lane
from keras_sweep.training.compiled.packing import LANE_LIMIT, Job, pack
from keras_sweep.training.compiled.programs import Programs
from keras_sweep.training.compiled.signature import LANE_NUMBER, Signature, signature_of, update_of
from keras_sweep.training.compiled.updates import offered_updates
from keras_sweep.training.outcome import failed, scored
from keras_sweep.training.plan import TrainingPlan, training_plan
from keras_sweep.training.runner import Watch
from keras_sweep.trial import Result, Seconds, Suggestion

LOOK_SECONDS = 0.2  # how often the user's wish to stop is looked for while nothing is reported


@dataclass
class Totals:
    """Where the wall time of `CompiledRunner.run` went, in seconds; all calls together."""

    compile: float = 0.0
    train: float = 0.0
    validate: float = 0.0


@dataclass
class _Generation:
    """The trials of one call of `run`."""

    groups: list[Group] = field(default_factory=list)
    failed: list[Result] = field(default_factory=list)
    rungs_done: set[int] = field(default_factory=set)


class CompiledRunner:
    """Trains a generation as lanes of compiled programs, on one thread a core."""

    name = "compiled/jax"
    generation = 16

    def __init__(
        self, spec: SweepSpec, data: SearchData, *, threads: int | None = None, lane_limit: int = LANE_LIMIT
    ) -> None:
        """
        Args:
            spec: the sweep.
            data: its training and validation rows.
            threads: how many programs run at once; by default one a core. No number depends on it.
            lane_limit: the most lanes of a program. The last digits of results depend on it.
        """
        self.totals = Totals()
        self._spec = spec
        self._data = data
        self._threads = threads or len(os.sched_getaffinity(0))
        self._lane_limit = lane_limit
        self._programs = Programs(spec, data)
        self._updates = offered_updates(spec)

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Iterator[Result]:
        """Yield the wanted trials' results, each as soon as it is there."""
        generation = self._packed(trials, wanted, watch)
        yield from (result for result in generation.failed if result.number in wanted)
        with Crew(self._threads, lambda group: not group.waits_at(generation.rungs_done)) as crew:
            for group in generation.groups:
                if group.training:
                    crew.add(group)
            while crew.working:
                if watch.stopping():
                    return
                if (report := crew.report(LOOK_SECONDS)) is None:
                    continue
                if report.error is not None:
                    yield from self._raised(report.group, report.error)
                if report.epoch is not None:
                    for lane, row in report.epoch.rows:
                        if lane.wanted:
                            watch.epoch(lane.number, report.epoch.number, row)
                    yield from (self._result(report.group, lane) for lane in report.epoch.ended if lane.wanted)
                yield from self._rungs(generation, watch)
                crew.tidy()

    def _packed(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> _Generation:
        generation = _Generation()
        lanes: dict[int, Lane] = {}
        jobs: list[Job] = []
        for suggestion in trials:
            try:
                plan = training_plan(self._spec, suggestion.params)
                signature, lane = self._lane(suggestion, plan)
            except Exception as error:  # a user's model may raise anything when it is built
                reason = f"{type(error).__name__}: {error}"
                generation.failed.append(failed(suggestion, reason, runner=self.name, error=error))
                continue
            lane.rungs = watch.rungs(plan.epochs)
            lane.wanted = suggestion.number in wanted
            lanes[lane.number] = lane
            jobs.append(Job(lane.number, signature, plan.epochs))
        keys: dict[int, Any] = {job.number: job.key for job in jobs}
        generation.groups = [
            Group(
                self._programs,
                keys[numbers[0]],
                [lanes[number] for number in numbers],
                self._spec.objective,
                take_best=self._spec.take_best,
            )
            for numbers in pack(jobs, self._lane_limit)
        ]
        return generation

    def _lane(self, suggestion: Suggestion, plan: TrainingPlan) -> tuple[Signature, Lane]:
        update = update_of(plan)
        updates = self._updates if update in self._updates else (update,)
        signature = signature_of(plan, updates)
        template = self._programs.template(signature)
        choice = updates.index(update)
        rate = plan.optimizer_arguments.get(LANE_NUMBER)
        if rate is None:
            rate = template.default_rate(choice)
        return signature, Lane(suggestion, plan.epochs, float(rate), choice)  # type: ignore[arg-type]

    def _rungs(self, generation: _Generation, watch: Watch) -> Iterator[Result]:
        """Call each rung that all trials which come to it have reached, in ascending order; results of the pruned."""
        lanes = [(group, lane) for group in generation.groups for lane in group.lanes]
        rungs = {rung for _, lane in lanes for rung in lane.rungs} - generation.rungs_done
        for rung in sorted(rungs):
            coming = [(group, lane) for group, lane in lanes if lane.comes_to(rung)]
            if any(len(lane.rows) < rung for _, lane in coming):
                return
            values = {lane.number: lane.rows[rung - 1][self._spec.objective.name] for _, lane in coming}
            stopped = watch.rung(rung, values) if values else frozenset()
            for group, lane in coming:
                if lane.number in stopped and rung < lane.epochs:
                    lane.pruned_at = rung
                    if lane.wanted:
                        yield self._result(group, lane)
            generation.rungs_done.add(rung)  # only now may their groups go on

    def _raised(self, group: Group, error: Exception) -> Iterator[Result]:
        """Results of the lanes that a failing program takes down."""
        reason = str(error) if isinstance(error, SweepError) else f"{type(error).__name__}: {error}"
        for lane in group.lanes:
            if lane.training:
                lane.failed = True
                if lane.wanted:
                    yield failed(
                        lane.suggestion, reason, runner=self.name, curve=lane.curve, seconds=_seconds(lane), error=error
                    )

    def _result(self, group: Group, lane: Lane) -> Result:
        if lane.diverged_at is not None:
            return failed(lane.suggestion, "diverged", runner=self.name, curve=lane.curve, seconds=_seconds(lane))
        template = self._programs.template(group.signature)
        state = lane.best if self._spec.take_best else lane.last
        assert state is not None
        return scored(
            self._spec,
            lane.suggestion,
            curve=lane.curve,
            weights=template.weights(state),
            seconds=_seconds(lane),
            runner=self.name,
            y=self._data.validation.y,
            predict=lambda: template.predict(state, self._data.validation.x),
            pruned_at=lane.pruned_at,
        )


def _seconds(lane: Lane) -> Seconds:
    return Seconds(lane.suggestion.sampler_seconds, lane.compile_seconds, lane.train_seconds, lane.validate_seconds)
