"""The trials of one generation: which lanes there are, how they are grouped, and the rungs that compare them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace

from keras_sweep.process.user_code import of_user
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import make_optimizer
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lanes.flat import lies_flat
from keras_sweep.training.lanes.group import Group
from keras_sweep.training.lanes.lane import EndStates, LaneEnd, LaneProgress, LaneSpec
from keras_sweep.training.lanes.packing import Job, pack
from keras_sweep.training.lanes.program_cache import ProgramCache
from keras_sweep.training.lanes.signature import (
    LEARNING_RATE,
    OptimizerVariant,
    Signature,
    optimizer_variants,
    signature_of,
    variant_of,
)
from keras_sweep.training.lanes.structure import OwnModel
from keras_sweep.training.runner import Judge
from keras_sweep.trial.events import Listener, PhaseBegan
from keras_sweep.trial.plan import TrainingPlan, training_plan
from keras_sweep.trial.result import Seconds, Suggestion

TELL_SECONDS = 0.2  # how often it is said how many models are built


class LaneGeneration:
    """Lanes, and the groups that still train. Used by the loop's thread alone."""

    def __init__(self, spec: SweepSpec, programs: ProgramCache, kept: EndStates | None, judge: Judge) -> None:
        self.lanes: dict[int, LaneProgress] = {}
        self.groups: list[Group] = []
        self.compared_at: dict[int, list[int]] = {}  # rung -> the trials that were compared there
        self.seconds = Seconds()  # of all groups, some of which train at once
        self._spec = spec
        self._programs = programs
        self._templates = programs.templates
        self._kept = kept
        self._judge = judge
        self._varying = frozenset(parameter.name for parameter in spec.space.parameters)
        self._variants = optimizer_variants(spec)
        programs.plan_generation()

    @property
    def over(self) -> bool:
        """Whether every wanted trial has ended."""
        return not any(lane.training and lane.spec.wanted for lane in self.lanes.values())

    def fill(
        self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener, stopping: Callable[[], bool]
    ) -> list[tuple[Suggestion, BaseException]] | None:
        """Make lanes of the trials and group them; returns those whose model can't be built, None if the user stops it.

        A trial that is not wanted is left out where no wanted one could share its program or be compared with it.
        """
        begins: dict[int, TrainingState] = {}
        unbuilt: list[tuple[Suggestion, BaseException]] = []
        needed = self._needed(trials, wanted)
        emit(PhaseBegan("build", 0, len(needed)))
        told = time.monotonic()
        for done, (suggestion, plan, own) in enumerate(needed):
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                emit(PhaseBegan("build", done, len(needed)))
                if stopping():
                    return None
            try:
                lane = LaneProgress(self._lane_spec(suggestion, plan, own, wanted=suggestion.number in wanted))
            except BaseException as error:  # a user's model may raise anything when it is built
                if not of_user(error):
                    raise
                unbuilt.append((suggestion, error))
                continue
            self.lanes[lane.number] = lane
            if suggestion.continues is not None and self._kept is not None:
                state = self._kept.take_up(lane)
                if state is not None:
                    begins[lane.number] = state
        self.groups = self._grouped(list(self.lanes.values()), begins)
        return unbuilt

    def _needed(
        self, trials: Sequence[Suggestion], wanted: frozenset[int]
    ) -> list[tuple[Suggestion, TrainingPlan, OwnModel | None]]:
        """The wanted trials, those that train or are compared beside them, and whatever may be packed with those.

        Of trials that may share a program all are there or none, since how they are packed moves their last digits.
        """
        plans = [training_plan(self._spec, one.params) for one in trials]
        due = {
            one.number
            for one, plan in zip(trials, plans, strict=True)
            if one.number in wanted or self._judge.rungs(plan.epochs)
        }
        if any(self._templates.own_model(plan) for one, plan in zip(trials, plans, strict=True) if one.number in due):
            owns = self._templates.own_models(plans, joined=self._kept is None)  # a kept state has its trial's depth
        else:  # these share with equal models alone, so the others need not be built
            owns = [None] * len(plans)
        # What trials have in common that may share a program: no narrower signature joins two of them.
        widest = [
            replace(signature_of(plan, structure=own.structure if own else ""), variants=())
            for plan, own in zip(plans, owns, strict=True)
        ]
        used = {signature for one, signature in zip(trials, widest, strict=True) if one.number in due}
        each = zip(trials, plans, owns, widest, strict=True)
        return [(one, plan, own) for one, plan, own, signature in each if signature in used]

    @property
    def programs(self) -> list[tuple[int, int]]:
        """Of each signature that programs are to be compiled for: how many, and how many trials have it."""
        trials = Counter(self._templates.shared(lane.spec.signature) for lane in self.lanes.values())
        programs = Counter(signature for signature, _ in self._programs.planned)
        return [(count, trials[signature]) for signature, count in programs.items()]

    def run_due_rungs(self) -> Iterator[LaneProgress]:
        """Ask the pruner at every rung that all of its trials have reached, lowest first; yields the lanes it stops."""
        rungs = {rung for lane in self.lanes.values() for rung in lane.spec.rungs} - set(self.compared_at)
        for rung in sorted(rungs):
            # Those that may still be on their way to it, or have just trained their last epoch.
            open_lanes = [lane for lane in self.lanes.values() if lane.end in (None, LaneEnd.DONE)]
            coming = [lane for lane in open_lanes if rung in lane.spec.rungs]
            if any(lane.seen < rung for lane in coming):
                return
            waiting = [group for group in self.groups if group.epoch == rung and group.waits_at(self.compared_at)]
            pruned = self.run_rung(rung, [lane.number for lane in coming])
            yield from pruned
            if pruned:
                self._regroup(waiting)
            self.compared_at[rung] = [lane.number for lane in coming]  # only now may the groups go on

    def run_rung(self, rung: int, numbers: Sequence[int]) -> list[LaneProgress]:
        """Compare the trials at a rung; returns those that it stops."""
        name = self._spec.objective.name
        values = {number: self.lanes[number].rows[rung - 1][name] for number in numbers}
        stopped = self._judge.rung(rung, values) if values else frozenset()
        compared = [self.lanes[number] for number in numbers]
        pruned = [lane for lane in compared if lane.number in stopped and rung < lane.spec.epochs]
        for lane in pruned:
            lane.end = LaneEnd.PRUNED
        return pruned

    def _regroup(self, waiting: Sequence[Group]) -> None:
        """Put the survivors of a rung into as few programs as they need."""
        begins: dict[int, TrainingState] = {}
        survivors: list[LaneProgress] = []
        for group in waiting:
            group.finished = True
            for lane in group.lanes:
                if lane.training and (state := group.state(lane)) is not None:
                    begins[lane.number] = state
                    survivors.append(lane)
        staying = [group for group in self.groups if group not in waiting]
        self.groups = staying + self._grouped(sorted(survivors, key=lambda lane: lane.number), begins)

    def _grouped(self, lanes: Sequence[LaneProgress], begins: dict[int, TrainingState]) -> list[Group]:
        """Groups of lanes that train on; each begins at its number of epochs, from the given or initial states."""
        keys = {
            lane.number: (lane.spec.signature, len(lane.rows), lane.spec.batch_size) for lane in lanes if lane.training
        }
        jobs = [Job(number, key, self.lanes[number].spec.epochs - key[1]) for number, key in keys.items()]
        limits: dict[Hashable, int] = {key: self._templates.limit(key[0]) for key in set(keys.values())}
        return [
            self.group(numbers, len(self.lanes[numbers[0]].rows), {n: begins[n] for n in numbers if n in begins})
            for numbers in pack(jobs, limits)
        ]

    def group(
        self,
        numbers: Sequence[int],
        epoch: int,
        begins: Mapping[int, TrainingState],
        places: Sequence[int] = (),
        count: int = 0,
    ) -> Group:
        """A group of these trials, as in `Group`."""
        lanes, placed = ([self.lanes[number] for number in each] for each in (numbers, places))
        group = Group(self._programs, lanes, self._spec.objective, epoch, begins, placed, count)
        for size in group.plan():
            self._programs.plan(group.signature, size)
        return group

    def _lane_spec(self, suggestion: Suggestion, plan: TrainingPlan, own: OwnModel | None, *, wanted: bool) -> LaneSpec:
        variant = variant_of(plan, self._varying)
        signature = self._signature(plan, variant, own)
        if variant.per_lane:
            make_optimizer(plan)  # which checks the numbers
        if (variant.per_lane or own) and not lies_flat(self._templates.template(signature)):
            variant, own = variant_of(plan), None
            signature = self._signature(plan, variant, own)
        template = self._templates.template(signature)
        self._templates.limit(signature)  # traces the model, which may raise: this trial's fault
        index = signature.variants.index(variant)
        return LaneSpec(
            suggestion,
            signature,
            plan.batch_size,
            plan.epochs,
            learning_rate=_number(plan, LEARNING_RATE, float(template.optimizer_kinds[index].learning_rate)),
            variant=index,
            per_lane={name: _number(plan, name) for name in variant.per_lane},
            rungs=self._judge.rungs(plan.epochs),
            own=own,
            wanted=wanted,
        )

    def _signature(self, plan: TrainingPlan, variant: OptimizerVariant, own: OwnModel | None) -> Signature:
        variants = self._variants if variant in self._variants else (variant,)
        signature = self._templates.narrowed(signature_of(plan, variants, own.structure if own else ""), variant)
        return self._templates.masked(signature)


def _number(plan: TrainingPlan, name: str, otherwise: float | None = None) -> float:
    value = plan.optimizer_arguments.get(name, otherwise)
    assert isinstance(value, int | float)
    return float(value)
