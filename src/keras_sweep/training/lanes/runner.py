"""Train trials as lanes of a few compiled programs (the `compiled` runner), with the same scores as `fit`.

Which trials share a program changes the last digits of their scores. So grouping depends only on the trials.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import compress
from typing import Any

import keras

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError
from keras_sweep.space.sweep_spec import GENERATION, SweepSpec
from keras_sweep.system.processes import list_cores
from keras_sweep.training.build_trial import make_optimizer
from keras_sweep.training.checkpoint import LatestCheckpoint, TrainingState
from keras_sweep.training.generation import TrainingGeneration
from keras_sweep.training.group import Group, Tell
from keras_sweep.training.group_runner import GroupRunner, Train
from keras_sweep.training.lane import Controls, EndStates, Lane, LaneEnd
from keras_sweep.training.lanes import signature as signatures
from keras_sweep.training.lanes.flat import can_use_flat_layout
from keras_sweep.training.lanes.group import LaneGroup
from keras_sweep.training.lanes.packing import Device, Job, find_device, pack, split_in_half
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.lanes.signature import OptimizerVariant, Signature, make_signature, make_variant
from keras_sweep.training.lanes.structure import OwnModel
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import Listener
from keras_sweep.trial.plan import TrainingPlan, training_plan
from keras_sweep.trial.result import Suggestion


class LaneGeneration(TrainingGeneration):
    groups: list[LaneGroup]

    def __init__(self, spec: SweepSpec, programs: Programs, ends: EndStates | None, watch: Watch) -> None:
        super().__init__(spec, programs, ends, watch)
        # Arguments in which optimizers may differ.
        own_arguments = signatures.PER_LANE if programs.has_own_optimizer else ()
        self._varying = frozenset((*own_arguments, *(parameter.name for parameter in spec.space.parameters)))
        self._variants = signatures.list_optimizer_variants(spec)
        programs.needed_keys, programs.compiled_keys = set(), set()

    def _select(self, trials: Sequence[Suggestion], wanted: frozenset[int]) -> list[tuple[Suggestion, OwnModel | None]]:
        """Select trials numbered in `wanted` or compared at rungs, and all trials that may share a program with them.

        Return (trial, its model) pairs. The model is None if only equal models share programs. The selection never
        separates trials that may share a program, because grouping changes the last digits of scores.
        """
        plans = [training_plan(self._spec, trial.params) for trial in trials]
        for index, trial in enumerate(trials):
            with suppress(ModelError):  # reported when the lane is created
                plans[index] = self._programs.make_plan(trial.params)
        compared = [bool(self._watch.pruner.rungs(plan.epochs)) for plan in plans]
        is_due = [trial.number in wanted or has_rung for trial, has_rung in zip(trials, compared, strict=True)]
        if any(self._programs.get_own_model(plan) for plan in compress(plans, is_due)):
            own_models = self._programs.get_own_models(plans, joined=self._ends is None)  # kept states keep their depth
        else:  # only equal models share programs, so none is built here
            own_models = [None] * len(plans)
        # Only trials with equal keys may share a program. Later, signatures only become narrower.
        keys = [
            replace(make_signature(plan, structure=own.structure if own else ""), variants=())
            for plan, own in zip(plans, own_models, strict=True)
        ]
        used_keys = set(compress(keys, is_due))
        return [(trial, own) for trial, own, key in zip(trials, own_models, keys, strict=True) if key in used_keys]

    def _regroup(self, waiting: Sequence[Group]) -> None:
        survivors = []
        for group in waiting:
            group.finished = True
            for lane in group.lanes:
                if lane.training:
                    lane.last = group.state(lane)
                    survivors.append(lane)
        other_groups = [group for group in self.groups if group not in waiting]
        survivors.sort(key=lambda lane: lane.number)
        self.groups = other_groups + self._group_lanes(survivors, parted=True)  # `survivors` has all lanes with a rung

    def _group_lanes(self, lanes: Sequence[Lane], *, parted: bool = False) -> list[LaneGroup]:
        """Group lanes that share a program. `parted`: whether a lone group may be split, as no lane joins later."""
        keys = {lane.number: (lane.signature, len(lane.rows), lane.plan.batch_size) for lane in lanes if lane.training}
        jobs = [Job(number, key, self.lanes[number].plan.epochs - key[1]) for number, key in keys.items()]
        limits: dict[Hashable, int] = {key: self._programs.find_lane_limit(key[0]) for key in set(keys.values())}
        packed = pack(jobs, limits)
        if parted and len(packed) == 1 and self._programs.is_faster_in_pairs(keys[packed[0][0]][0]):
            packed = split_in_half(packed[0])
        return [self._make_group(numbers, keys[numbers[0]][1]) for numbers in packed]

    def _halve(self, group: Group) -> int:
        assert isinstance(group, LaneGroup)
        programs: Programs = self._programs
        return programs.limit_lanes(group.signature, group.count_places() // 2)

    def _make_group(
        self,
        numbers: Sequence[int],
        epoch: int,
        begins: Mapping[int, TrainingState | None] | None = None,
        places: Sequence[int] = (),
        count: int = 0,
    ) -> LaneGroup:
        lanes, placed_lanes = ([self.lanes[number] for number in subset] for subset in (numbers, places))
        begins = begins or {lane.number: lane.last for lane in lanes}
        group = LaneGroup(self._programs, lanes, self._spec.objective, epoch, begins, placed_lanes, count)
        for size in group.list_program_sizes():
            self._programs.announce_program(group.signature, size)
        return group

    def _make_lane(self, suggestion: Suggestion, own_model: OwnModel | None, *, wanted: bool) -> Lane:
        plan = self._programs.make_plan(suggestion.params)
        variant = make_variant(plan, self._varying)
        signature = self._signature(plan, variant, own_model)
        if variant.per_lane:
            make_optimizer(plan)  # checks the numbers
        if (variant.per_lane or own_model) and not can_use_flat_layout(self._programs.get_template(signature)):
            variant, own_model = make_variant(plan), None
            signature = self._signature(plan, variant, own_model)
        template = self._programs.get_template(signature)
        self._programs.find_lane_limit(signature)  # traces the model, and raises if this trial's model can't be traced
        index = signature.variants.index(variant)
        arguments: Mapping[str, Any] = plan.optimizer_arguments  # `float` raises if the rate is no number
        rate = float(arguments.get(signatures.LEARNING_RATE, template.optimizer_kinds[index].learning_rate))
        return Lane(
            suggestion,
            signature,
            plan,
            learning_rate=rate,
            variant=index,
            per_lane={name: float(arguments[name]) for name in variant.per_lane},
            rungs=self._watch.pruner.rungs(plan.epochs),
            own=own_model,
            controls=Controls.from_training(plan.training, rate),
            wanted=wanted,
        )

    def _signature(self, plan: TrainingPlan, variant: OptimizerVariant, own: OwnModel | None) -> Signature:
        programs: Programs = self._programs
        variants = self._variants if variant in self._variants else (variant,)
        return programs.mask(programs.narrow(make_signature(plan, variants, own.structure if own else ""), variant))

    def write(self, file: LatestCheckpoint) -> None:
        """Write the checkpoint to `file`. If a lane failed with an error, write nothing."""
        if not any(lane.end is LaneEnd.FAILED for lane in self.lanes.values()):
            super().write(file)


class CompiledRunner(GroupRunner):
    """Trains a generation's trials as lanes of compiled programs. On a CPU, each core trains programs in a thread."""

    name = "compiled/jax"
    generation = GENERATION
    joins = True
    device: Device
    _generation = LaneGeneration

    def __init__(
        self,
        spec: SweepSpec,
        data: SearchData,
        *,
        keep_states: bool = False,  # of ended trials, so that later trials can continue them
        threads: int | None = None,  # parallel programs, by default a program per core; results do not depend on it
        device: Device | None = None,  # by default the device of this process or its workers; changes last digits
        notice: Callable[[str], None] = lambda _: None,
        **options: Any,  # of `GroupRunner`
    ) -> None:
        super().__init__(spec, data, notice=notice, **options)
        if self._shared is not None:
            device, *other_devices = self._shared.look(find_device)
            if any(other_device != device for other_device in other_devices):
                notice(f"workers have different devices, so last digits may differ; all train as {device.text}")
        self.device = device or find_device()
        self._threads = threads or (len(list_cores()) if self.device.is_cpu else 1)
        self._programs = Programs(spec, data, self.device)
        self._ends = EndStates(options.get("checkpoints")) if keep_states else None
        if self._checkpoint is not None:
            self._checkpoint.lane_limit = self.device.lanes

    @property
    def at_once(self) -> int:
        return self._begun  # a program per core

    def programs(self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener) -> list[tuple[int, int]]:
        generation = LaneGeneration(self._spec, self._programs, self._ends, Watch(emit=emit))
        with self._wall.part("build"):
            generation.fill(trials, wanted)
        to_shared = self._programs.to_shared_signature
        trials_by_signature = Counter(to_shared(lane.signature) for lane in generation.lanes.values())
        programs = Counter(signature for signature, _ in self._programs.needed_keys)
        return [(count, trials_by_signature[signature]) for signature, count in programs.items()]

    def _train_here(self, stack: ExitStack, _stopping: Callable[[], bool], _tell: Tell) -> tuple[Train, int]:
        policy = keras.config.dtype_policy()  # each thread has its own policy
        pool = ThreadPoolExecutor(self._threads, "lanes", keras.config.set_dtype_policy, (policy,))
        stack.enter_context(pool)
        return lambda group: pool.submit(group.train, group.epoch + 1), self._threads
