"""The lanes of one generation that compiled programs train: how they are grouped, and when rungs compare them."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import compress
from typing import Any

from keras_sweep.errors import ModelError
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import make_optimizer
from keras_sweep.training.checkpoint import LatestCheckpoint, TrainingState
from keras_sweep.training.generation import TrainingGeneration
from keras_sweep.training.group import Group
from keras_sweep.training.lane import Controls, EndStates, Lane, LaneEnd
from keras_sweep.training.lanes.flat import lies_flat
from keras_sweep.training.lanes.group import LaneGroup
from keras_sweep.training.lanes.packing import Job, halves, pack
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.signature import (
    LEARNING_RATE,
    PER_LANE,
    OptimizerVariant,
    Signature,
    optimizer_variants,
    signature_of,
    variant_of,
)
from keras_sweep.training.lanes.structure import OwnModel
from keras_sweep.training.runner import Watch
from keras_sweep.trial.plan import TrainingPlan, training_plan
from keras_sweep.trial.result import Suggestion


class LaneGeneration(TrainingGeneration):
    """Lanes of compiled programs."""

    groups: list[LaneGroup]

    def __init__(self, spec: SweepSpec, programs: Programs, kept: EndStates | None, watch: Watch) -> None:
        super().__init__(spec, programs, kept, watch)
        own = PER_LANE if programs.brings_optimizer else ()  # in which the optimizers of trials' models may differ
        self._varying = frozenset((*own, *(parameter.name for parameter in spec.space.parameters)))
        self._variants = optimizer_variants(spec)
        programs.planned, programs.made = set(), set()

    def _needed(self, trials: Sequence[Suggestion], wanted: frozenset[int]) -> list[tuple[Suggestion, OwnModel | None]]:
        """The wanted trials, those that train or are compared beside them, and whatever may be packed with those.

        Of trials that may share a program all are there or none, since how they are packed moves their last digits.
        """
        plans = [training_plan(self._spec, one.params) for one in trials]
        for place, one in enumerate(trials):
            with suppress(ModelError):  # which is told where its lane is made
                plans[place] = self._programs.plan_of(one.params)
        compared = [bool(self._watch.judge.rungs(plan.epochs)) for plan in plans]
        due = [one.number in wanted or each for one, each in zip(trials, compared, strict=True)]
        if any(self._programs.own_model(plan) for plan in compress(plans, due)):
            owns = self._programs.own_models(plans, joined=self._kept is None)  # a kept state has its trial's depth
        else:  # these share with equal models alone, so the others need not be built
            owns = [None] * len(plans)
        # What trials have in common that may share a program: no narrower signature joins two of them.
        widest = [
            replace(signature_of(plan, structure=own.structure if own else ""), variants=())
            for plan, own in zip(plans, owns, strict=True)
        ]
        used = set(compress(widest, due))
        return [(one, own) for one, own, signature in zip(trials, owns, widest, strict=True) if signature in used]

    @property
    def programs(self) -> list[tuple[int, int]]:
        """Of each signature that programs are to be compiled for: how many, and how many trials have it."""
        trials = Counter(self._programs.shared(lane.signature) for lane in self.lanes.values())
        programs = Counter(signature for signature, _ in self._programs.planned)
        return [(count, trials[signature]) for signature, count in programs.items()]

    def _regroup(self, waiting: Sequence[Group]) -> None:
        """Put the survivors of a rung into few programs."""
        survivors = []
        for group in waiting:
            group.finished = True
            for lane in group.lanes:
                if lane.training:
                    lane.last = group.state(lane)
                    survivors.append(lane)
        staying = [group for group in self.groups if group not in waiting]
        survivors.sort(key=lambda lane: lane.number)
        self.groups = staying + self._grouped(survivors, parted=True)  # all that have a rung are there

    def _grouped(self, lanes: Sequence[Lane], *, parted: bool = False) -> list[LaneGroup]:
        """As there.

        A lone group may be parted in two only where all that could train beside it are there whatever is wanted.
        """
        keys = {lane.number: (lane.signature, len(lane.rows), lane.plan.batch_size) for lane in lanes if lane.training}
        jobs = [Job(number, key, self.lanes[number].plan.epochs - key[1]) for number, key in keys.items()]
        limits: dict[Hashable, int] = {key: self._programs.limit(key[0]) for key in set(keys.values())}
        packed = pack(jobs, limits)
        if parted and len(packed) == 1 and self._programs.pays_in_pairs(keys[packed[0][0]][0]):
            packed = halves(packed[0])
        return [self._group(numbers, keys[numbers[0]][1]) for numbers in packed]

    def _group(
        self,
        numbers: Sequence[int],
        epoch: int,
        begins: Mapping[int, TrainingState | None] | None = None,
        places: Sequence[int] = (),
        count: int = 0,
    ) -> LaneGroup:
        lanes, placed = ([self.lanes[number] for number in each] for each in (numbers, places))
        begins = begins or {lane.number: lane.last for lane in lanes}
        group = LaneGroup(self._programs, lanes, self._spec.objective, epoch, begins, placed, count)
        for size in group.plan():
            self._programs.plan(group.signature, size)
        return group

    def _lane(self, suggestion: Suggestion, own: OwnModel | None, *, wanted: bool) -> Lane:
        plan = self._programs.plan_of(suggestion.params)
        variant = variant_of(plan, self._varying)
        signature = self._signature(plan, variant, own)
        if variant.per_lane:
            make_optimizer(plan)  # which checks the numbers
        if (variant.per_lane or own) and not lies_flat(self._programs.template(signature)):
            variant, own = variant_of(plan), None
            signature = self._signature(plan, variant, own)
        template = self._programs.template(signature)
        self._programs.limit(signature)  # traces the model, which may raise: this trial's fault
        index = signature.variants.index(variant)
        given: Mapping[str, Any] = plan.optimizer_arguments  # a rate that is no number raises: its fault, too
        rate = float(given.get(LEARNING_RATE, template.optimizer_kinds[index].learning_rate))
        return Lane(
            suggestion,
            signature,
            plan,
            learning_rate=rate,
            variant=index,
            per_lane={name: float(given[name]) for name in variant.per_lane},
            rungs=self._watch.judge.rungs(plan.epochs),
            own=own,
            controls=Controls.of(plan.training, rate),
            wanted=wanted,
        )

    def _signature(self, plan: TrainingPlan, variant: OptimizerVariant, own: OwnModel | None) -> Signature:
        programs: Programs = self._programs
        variants = self._variants if variant in self._variants else (variant,)
        signature = programs.narrowed(signature_of(plan, variants, own.structure if own else ""), variant)
        return programs.masked(signature)

    def write(self, file: LatestCheckpoint, trials: Sequence[Suggestion]) -> None:
        """As there. Nothing is written once a program has raised."""
        if not any(lane.end is LaneEnd.FAILED for lane in self.lanes.values()):
            super().write(file, trials)
