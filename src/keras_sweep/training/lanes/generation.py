"""The lanes of one generation: how they are grouped, the rungs that compare them, and where they stand on disk."""

import time
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import compress
from typing import Any

from keras_sweep.errors import ModelError
from keras_sweep.process.user_code import of_user
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.build_trial import make_optimizer
from keras_sweep.training.checkpoint import LatestCheckpoint, TrainingState
from keras_sweep.training.controls import Controls
from keras_sweep.training.lanes.flat import lies_flat
from keras_sweep.training.lanes.group import Group
from keras_sweep.training.lanes.lane import EndStates, Lane, LaneEnd
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
from keras_sweep.trial.events import PhaseBegan, TrialResumed
from keras_sweep.trial.plan import TrainingPlan, training_plan
from keras_sweep.trial.result import Seconds, Suggestion


class LaneGeneration:
    """Lanes, and the groups that still train. Used by the loop's thread alone."""

    def __init__(self, spec: SweepSpec, programs: Programs, kept: EndStates | None, watch: Watch) -> None:
        self.lanes: dict[int, Lane] = {}
        self.groups: list[Group] = []
        self.compared_at: dict[int, list[int]] = {}  # rung -> the trials that were compared there
        self.seconds = Seconds()  # of all groups, some of which train at once
        self._spec = spec
        self._programs = programs
        self._kept = kept
        self._watch = watch
        own = PER_LANE if programs.brings_optimizer else ()  # in which the optimizers of trials' models may differ
        self._varying = frozenset((*own, *(parameter.name for parameter in spec.space.parameters)))
        self._variants = optimizer_variants(spec)
        programs.planned, programs.made = set(), set()

    def fill(
        self, trials: Sequence[Suggestion], wanted: frozenset[int]
    ) -> list[tuple[Suggestion, BaseException]] | None:
        """Make lanes of the trials and group them; returns those whose model can't be built, None if the user stops it.

        A trial that is not wanted is left out where no wanted one could share its program or be compared with it.
        """
        unbuilt: list[tuple[Suggestion, BaseException]] = []
        needed = self._needed(trials, wanted)
        self._watch.emit(PhaseBegan("build", 0, len(needed)))
        told = time.monotonic()
        for done, (suggestion, own) in enumerate(needed):
            if time.monotonic() - told > 0.2:
                told = time.monotonic()
                self._watch.emit(PhaseBegan("build", done, len(needed)))
                if self._watch.stopping():
                    return None
            try:
                lane = self._lane(suggestion, own, wanted=suggestion.number in wanted)
            except BaseException as error:  # a user's model may raise anything when it is built
                if not of_user(error):
                    raise
                unbuilt.append((suggestion, error))
                continue
            self.lanes[lane.number] = lane
            if self._kept is not None:
                self._kept.take_up(lane)
        self.groups = self._grouped(list(self.lanes.values()))
        return unbuilt

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

    def run_due_rungs(self) -> Iterator[Lane]:
        """Ask the pruner at every rung that all of its trials have reached, lowest first; yields what it stops."""
        rungs = {rung for lane in self.lanes.values() for rung in lane.rungs} - set(self.compared_at)
        for rung in sorted(rungs):
            # Those that may still be on their way to it, or have come to it.
            coming = [lane for lane in self.lanes.values() if rung in lane.rungs and lane.may_reach(rung)]
            if any(lane.seen < rung for lane in coming):
                return
            waiting = [group for group in self.groups if group.epoch == rung and group.waits_at(self.compared_at)]
            pruned = self._run_rung(rung, [lane.number for lane in coming])
            yield from (lane for lane in pruned if lane.wanted)
            if pruned:
                self._regroup(waiting)
            self.compared_at[rung] = [lane.number for lane in coming]  # only now may the groups go on

    def _run_rung(self, rung: int, numbers: Sequence[int]) -> list[Lane]:
        """Compare the trials at a rung; returns those that it stops."""
        name = self._spec.objective.name
        values = {number: self.lanes[number].rows[rung - 1][name] for number in numbers}
        stopped = self._watch.judge.rung(rung, values) if values else frozenset()
        compared = [self.lanes[number] for number in numbers]
        pruned = [lane for lane in compared if lane.number in stopped and rung < lane.plan.epochs and lane.training]
        for lane in pruned:
            lane.end = LaneEnd.PRUNED
        return pruned

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

    def _grouped(self, lanes: Sequence[Lane], *, parted: bool = False) -> list[Group]:
        """Groups of lanes that train on; each begins where it stands, or from its initial state.

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
    ) -> Group:
        """A group of these trials, as in `Group`; without `begins` they begin where they stand."""
        lanes, placed = ([self.lanes[number] for number in each] for each in (numbers, places))
        begins = begins or {lane.number: lane.last for lane in lanes}
        group = Group(self._programs, lanes, self._spec.objective, epoch, begins, placed, count)
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
        variants = self._variants if variant in self._variants else (variant,)
        signature = self._programs.narrowed(signature_of(plan, variants, own.structure if own else ""), variant)
        return self._programs.masked(signature)

    def write(self, file: LatestCheckpoint, trials: Sequence[Suggestion]) -> None:
        """Write where every lane stands. No group may be training. Nothing is written once a program has raised.

        That is also where those lanes stand that nobody wants now: a larger total asks for them the next time.
        """
        all_lanes = self.lanes.values()
        if any(lane.end is LaneEnd.FAILED for lane in all_lanes) or not any(lane.rows for lane in all_lanes):
            return
        states: list[TrainingState | None] = []
        lanes, groups = {}, []
        for lane in all_lanes:
            lanes[lane.number] = {"end": None if lane.end is None else lane.end.name, "seconds": asdict(lane.seconds)}
            states += [lane.last, lane.best]
        for group in self.groups:
            if group.goes_on:
                places, count = group.places()
                numbers = [lane.number for lane in group.lanes]
                groups.append({"lanes": numbers, "epoch": group.epoch, "places": places, "count": count})
                states += [group.state(self.lanes[number]) for number in places or numbers]
        rows = {lane.number: lane.rows for lane in all_lanes}
        rungs = sorted(self.compared_at.items())
        file.write(trials, {"rows": rows, "lanes": lanes, "groups": groups, "rungs": rungs}, states)

    def restore(self, file: LatestCheckpoint, trials: Sequence[Suggestion]) -> None:
        """Put a fresh generation where the file says that it stood, if it is of these trials.

        Another total may need fewer lanes, or more, which begin at their start; those that may share a program are
        there together.
        """
        if (kept := file.read(trials)) is None:
            return
        facts, states = kept[0], iter(kept[1])
        for number, about in facts["lanes"].items():
            last, best = next(states), next(states)
            if (lane := self.lanes.get(int(number))) is not None:
                lane.go_on_from(facts["rows"][number], last, best)
                lane.end = LaneEnd[about["end"]] if about["end"] is not None else None
                lane.seconds = replace(Seconds(**about["seconds"]), sampler=lane.seconds.sampler)
        # The rungs that were called are called again, in their order, since the engine has forgotten them.
        for rung, numbers in facts["rungs"]:
            self._run_rung(rung, numbers)
            self.compared_at[rung] = numbers
        # Those of the groups that have lanes here go on, beside the groups of lanes that the file does not know.
        groups = [group for group in self.groups if str(group.lanes[0].number) not in facts["lanes"]]
        for about in facts["groups"]:
            numbers, places = about["lanes"], about["places"]
            begins = {number: next(states) for number in places or numbers}
            if numbers[0] in self.lanes:
                groups.append(self._group(numbers, about["epoch"], begins, places, about["count"]))
        self.groups = groups
        for lane in self.lanes.values():
            if lane.rows and lane.wanted:
                self._watch.emit(TrialResumed(lane.number, lane.curve))
