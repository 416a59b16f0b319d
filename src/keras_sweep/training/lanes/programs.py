"""What trains the trials of one space: templates, structures and programs, each made once, and what they are like."""

import math
import threading
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, cached_property, lru_cache
from typing import Any, TypeAlias

from keras_sweep.data.arrays import Array, Arrays
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError
from keras_sweep.models.build import build_model
from keras_sweep.models.inspect_model import first_model
from keras_sweep.models.own_compile import plain_parts
from keras_sweep.space.distributions import Float
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import MODEL_PREFIX, SweepSpec
from keras_sweep.training.build_trial import brings_optimizer
from keras_sweep.training.checkpoint import TrainingState, split_state
from keras_sweep.training.compiling import Effort, effort
from keras_sweep.training.folds import model_of, rows_together
from keras_sweep.training.lane import Lane
from keras_sweep.training.lanes import signature as signatures
from keras_sweep.training.lanes.flat import can_use_flat_layout
from keras_sweep.training.lanes.lane_numbers import list_activations
from keras_sweep.training.lanes.packing import CPU, Device, round_lane_count
from keras_sweep.training.lanes.program import DeviceData, FoldedProgram, Program
from keras_sweep.training.lanes.signature import (
    Arguments,
    OptimizerVariant,
    Signature,
    freeze_arguments,
    thaw_arguments,
)
from keras_sweep.training.lanes.structure import OwnModel, has_independent_rows, join_models
from keras_sweep.training.lanes.template import Template, build_own_model
from keras_sweep.training.lanes.validation import can_use_any_batch_size, has_row_mean_scores
from keras_sweep.trial.events import PhaseBegan
from keras_sweep.trial.plan import DEFAULT_BATCH_SIZE, DEFAULT_EPOCHS, TrainingPlan, training_plan
from keras_sweep.trial.result import Weights

CACHE_SIZE = 64  # of each kind kept; a sweep over model arguments has a signature for nearly every trial
# On a CPU models of more weights train one lane a program: beside others a lane is hardly faster (784-16-10 by a fifth,
# 784-32-10 by a tenth, 784-128-10 slower, at any batch size), and alone it needs no programs for 4, 2 and 1 of them.
# So do models that loop, whose programs take longest to compile.
MOST_WEIGHTS_BESIDE = 10_000
# Numbers that a trial's further rows or layers may compute: a fifth of a second, less than a program takes to compile.
EXTRA = 2e7
# Numbers that the epochs compute which a worker trains at a time: about a second, so that little can be lost, and the
# last worker of a generation leaves the others idle no longer than that.
SEGMENT = 2.5e8

Key: TypeAlias = tuple[Signature, int]  # what a program is compiled for, and how many lanes it has
ProgramEntry: TypeAlias = tuple[
    threading.Lock, dict[Hashable, Program]
]  # a program for each shape of data, once it is made


class Programs:
    """Makes what trains one spec on its data, each thing once while it is among those used last.

    What it says of a signature is a function of that, the spec and the data alone, whatever the order of the questions.
    """

    def __init__(self, spec: SweepSpec, data: SearchData, device: Device = CPU) -> None:
        self.needed_keys: set[Key] = set()  # that the generation needs and that were not there before
        self.compiling_keys: set[Key] = set()  # that are being compiled now
        self.compiled_keys: set[Key] = set()  # that were compiled for the generation
        self.compiled = 0  # programs, in all generations
        self._spec = spec
        self._most_epochs = spec.space.least_and_most("epochs", DEFAULT_EPOCHS)[1]
        self._data = data
        self._device = device
        self._model_parameters = [one for one in spec.space.parameters if one.name.startswith(MODEL_PREFIX)]
        self._build_lock = threading.Lock()  # building a model seeds and uses generators of the process
        self._templates = lru_cache(CACHE_SIZE)(
            lambda signature, fold: Template(spec, signature, self._fold_data(fold))
        )
        self._own_models = lru_cache(CACHE_SIZE)(self._make_own_model)
        self._own_optimizers = lru_cache(CACHE_SIZE)(
            lambda given: plain_parts(spec, build_model(spec, thaw_arguments(given), self._fold_data(0)))
        )
        self._programs_lock = threading.Lock()
        self._programs: Callable[[Key], ProgramEntry] = lru_cache(CACHE_SIZE)(lambda _key: (threading.Lock(), {}))
        self.choose_effort = cache(self._choose_effort)  # small, so all are kept
        self.can_use_any_batch_size = cache(
            lambda one: can_use_any_batch_size(spec, self.get_template(one), self._fold_data(0).train)
        )

    @property
    def phase(self) -> PhaseBegan:
        """What the threads do now."""
        return PhaseBegan("compile" if self.compiling_keys else "train", len(self.compiled_keys), len(self.needed_keys))

    @cached_property
    def has_own_optimizer(self) -> bool:
        """Whether models come compiled, with optimizers that the space does not overrule."""
        if self._spec.model.kind != "dense":
            with suppress(ModelError):  # which its trials tell
                return brings_optimizer(self._spec, first_model(self._spec, self._fold_data(0))[0])
        return False

    def make_plan(self, params: Params) -> TrainingPlan:
        """A trial's plan, with the optimizer that its model brings.

        Raises ModelError where lanes can't have that one, or the model can't be built.
        """
        plan = training_plan(self._spec, params)
        if not self.has_own_optimizer:
            return plan
        with self._build_lock:
            found = self._own_optimizers(freeze_arguments(plan.model_arguments))
        if isinstance(found, str):
            raise ModelError(f"lanes can't have {found}, as this model has it", hint="Add `--runner fit`")
        optimizer, given = found
        return replace(plan, optimizer=optimizer, optimizer_arguments={**given, **plan.optimizer_arguments})

    def announce_program(self, signature: Signature, lanes: int) -> None:
        """The generation comes to the signature's program for so many lanes."""
        key = (self.to_shared_signature(signature), lanes)
        with self._programs_lock:
            _, programs = self._programs(key)
        if not programs:
            self.needed_keys.add(key)

    def get_program(self, signature: Signature, lanes: int) -> Program | FoldedProgram:
        """The signature's program for so many lanes, compiled; with folds once for those of as many rows."""
        key = (self.to_shared_signature(signature), lanes)
        parts = [(self.get_template(signature, fold), data) for fold, data in enumerate(self._device_data)]
        with self._programs_lock:
            being_made, programs = self._programs(key)
        with being_made:  # by the first thread that asks for it
            if not programs:
                alone, worth = self.can_use_any_batch_size(signature), self.choose_effort(signature)
                self.compiling_keys.add(key)
                try:
                    made: dict[Hashable, Program] = {}
                    for template, data in parts:
                        if data.shapes not in made:
                            made[data.shapes] = Program(template, lanes, data, independent_rows=alone, effort=worth)
                finally:
                    self.compiling_keys.remove(key)
                programs.update(made)
                self.compiled += len(made)
                self.needed_keys.add(key)
                self.compiled_keys.add(key)
        of_parts = [programs[data.shapes].with_data(template, data) for template, data in parts]
        return FoldedProgram(of_parts, self._data) if self._data.folds else of_parts[0]

    @cached_property
    def _device_data(self) -> list[DeviceData]:
        """The rows, with folds those of each, put on the device when they are first needed."""
        return DeviceData.from_search_data(self._data)

    def get_template(self, signature: Signature, fold: int = 0) -> Template:
        """The signature's template, with folds that of one of them. Raises ModelError where it can't be made."""
        with self._build_lock:
            return self._templates(signature, fold)

    def weights(self, lane: Lane, state: TrainingState) -> Weights:
        """What `fit` leaves to a lane in this state; with folds one fold's after the other's."""
        parts = self._split_by_fold(lane, state)
        return tuple(array for template, part in parts for array in template.weights(part, lane.own))

    def model(self, lane: Lane, state: TrainingState) -> tuple[Any, Arrays]:
        """The Keras model of a lane in this state, with folds that of the first, and rows for it."""
        weights = self.weights(lane, state)
        with self._build_lock:
            return model_of(self._spec, self._data, lane.suggestion.params, weights)

    def predict(self, lane: Lane, state: TrainingState) -> Array:
        """[N, ...] its outputs on the validation rows; with folds each of the fold that left it out."""
        folds, train = self._data.folds, self._data.train
        held = [(fold.rows or train).take(fold.held).x for fold in folds] or [self._data.validation.x]
        parts = zip(self._split_by_fold(lane, state), held, strict=True)
        outputs = [template.predict(part, x, lane.own) for (template, part), x in parts]
        return rows_together(outputs, self._data) if folds else outputs[0]

    def _split_by_fold(self, lane: Lane, state: TrainingState) -> list[tuple[Template, TrainingState]]:
        """Of each fold the template, and its part of the state."""
        states = split_state(state, max(len(self._data.folds), 1))
        return [(self.get_template(lane.signature, fold), part) for fold, part in enumerate(states)]

    def _fold_data(self, fold: int) -> SearchData:
        return self._data.fold(fold) if self._data.folds else self._data

    def to_shared_signature(self, signature: Signature) -> Signature:
        """What a program is compiled for: of the dense model the same, whatever the seed.

        A model of the user's may have drawn constants of its own by the seed.
        """
        seedless = self._spec.model.kind == "dense" or signature.structure
        return replace(signature, seed=0) if seedless else signature

    def get_own_models(self, plans: Sequence[TrainingPlan], *, joined: bool) -> list[OwnModel | None]:
        """Of each plan, as `make_own_model`; where they are joined, shallow models lie in the deepest of these."""
        owns = [self.get_own_model(plan) for plan in plans]
        if not joined:
            return owns
        steps = {id(own): self._count_steps(plan.batch_size) for plan, own in zip(plans, owns, strict=True)}

        def pays(own: OwnModel, deeper: OwnModel) -> bool:
            more = steps[id(own)] * (deeper.weights - own.weights)
            return more <= EXTRA and effort(steps[id(own)] * deeper.weights) is not Effort.FULL

        return join_models(owns, pays)

    def get_own_model(self, plan: TrainingPlan) -> OwnModel | None:
        """A trial's model in the structure that it shares with others; None where it can share none, or not be built.

        Only in a space that varies the model: else one template serves all.
        """
        if not self._model_parameters or self._data.folds:  # each fold may have columns of its own
            return None
        with self._build_lock:
            return self._own_models(freeze_arguments(plan.model_arguments), plan.batch_size, plan.seed)

    def _make_own_model(self, given: Arguments, batch_size: int, seed: int) -> OwnModel | None:
        widens = any(not isinstance(one.distribution, Float) for one in self._model_parameters)
        steps = self._count_steps(batch_size)
        widen = (lambda weights: effort(steps * weights) is not Effort.FULL) if widens else None
        how = {"widen": widen, "activations": list_activations(self._spec)}
        return build_own_model(self._spec, thaw_arguments(given), seed, self._fold_data(0), **how)

    def _count_steps(self, batch_size: int) -> int:
        """Of the longest trial."""
        return math.ceil(len(self._fold_data(0).train) / batch_size) * self._most_epochs

    def narrow_variants(self, signature: Signature, variant: OptimizerVariant) -> Signature:
        """The signature with only those variants that can share a program with this one."""
        if len(signature.variants) == 1:
            return signature
        optimizers = zip(signature.variants, self.get_template(signature).optimizer_kinds, strict=True)
        sharing = tuple(one for one, optimizer in optimizers if signatures.is_elementwise(optimizer))
        narrow = replace(signature, variants=sharing)
        shares = variant in sharing and can_use_flat_layout(self.get_template(narrow))
        return narrow if shares else replace(signature, variants=(variant,))

    def mask_batches(self, signature: Signature) -> Signature:
        """The signature of the program that trials of other batch sizes share, where there is one.

        In its steps rows past the trial's batch size get weight 0. So whole batches and the short last one share a
        step, too.
        """
        if not signature.structure or not has_row_mean_scores(self._spec):
            return signature
        if not has_independent_rows(signature.structure, training=True) or self.choose_effort(signature) is Effort.FULL:
            return signature
        rows, size = len(self._fold_data(0).train), signature.batch_size
        least, most = self._spec.space.least_and_most("batch_size", DEFAULT_BATCH_SIZE)
        layer_outputs = self.get_template(signature).layer_outputs

        def rows_a_step(batch_size: int) -> int:
            step, batch_size = min(most, rows), min(batch_size, rows)
            while step > batch_size and self._count_steps(batch_size) * (step - batch_size) * layer_outputs > EXTRA:
                step = step // 4
            return max(step, batch_size)

        step = rows_a_step(size)
        # A step is longer than the trial's batch, or that of another trial there is shorter.
        shared = step != size or (least != size and rows_a_step(least) == step)
        return replace(signature, batch_size=step, masked=True) if shared or rows % size else signature

    def find_lane_limit(self, signature: Signature) -> int:
        """How many lanes a program of the signature has at most: 1 where more would be no faster, or too large."""
        template = self.get_template(signature)
        if template.has_convolution:
            return 1
        large = sum(value.size for value in template.trainable) > MOST_WEIGHTS_BESIDE
        if self._device.is_cpu and (template.has_loop or large):
            return 1
        # About what a lane takes while it trains: weights, gradients, slots of each optimizer, outputs of layers.
        weights = sum(value.nbytes for value in (*template.trainable, *template.other))
        outputs = 4 * signature.batch_size * template.layer_outputs
        lane_bytes = weights * (2 + 3 * len(signature.variants)) + 3 * outputs
        return int(min(max(self._device.bytes // lane_bytes, 1), self._device.lanes))

    def is_faster_in_pairs(self, signature: Signature) -> bool:
        """Whether two programs of half as many lanes are faster than one of all: where they train for long on a CPU.

        XLA gives each kernel of a program to all cores, and those that wait for a kernel spin: alone on two cores a
        program of four lanes takes 1.3 times as long as on one, and twice the CPU time.
        """
        return self._device.is_cpu and self.choose_effort(signature) is Effort.FULL

    def _choose_effort(self, signature: Signature) -> Effort:
        """What compiling a program of this signature is worth.

        A model that loops is compiled as `fit` does it: with less effort XLA saves a third of the time or nothing, and
        an LSTM's steps take three to seven times as long.
        """
        template = self.get_template(signature)
        if template.has_loop:
            return Effort.FULL
        worth = effort(self._count_steps(signature.batch_size) * self._count_step_numbers(signature))
        return Effort.MEDIUM if template.has_convolution and worth is Effort.LOW else worth

    def _count_step_numbers(self, signature: Signature) -> int:
        template = self.get_template(signature)
        return int(template.model.count_params() + signature.batch_size * template.layer_outputs)

    def segment_epochs(self, signature: Signature) -> int:
        """How many epochs a worker trains at a time, at most: about a second, or one epoch, by a rough count."""
        steps = math.ceil(len(self._fold_data(0).train) / signature.batch_size) * max(len(self._data.folds), 1)
        return max(int(SEGMENT // (steps * self._count_step_numbers(signature) * self.find_lane_limit(signature))), 1)

    def count_places(self, signature: Signature, group: int, placed: int) -> int:
        """How many lanes the program has in which `placed` of a group's lanes train.

        Where lanes have little to do they share one program to the end: an empty place costs less than a compile.
        """
        if (group == 1 and not signature.structure) or self.choose_effort(signature) is Effort.FULL:
            return round_lane_count(placed)
        return round_lane_count(self.find_lane_limit(signature))
