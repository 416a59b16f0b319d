"""Create and cache the templates (built models), structures and compiled programs that train the trials of a space."""

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
from keras_sweep.models.own_compile import plain_parts
from keras_sweep.process.compiling import Effort, effort
from keras_sweep.space.distributions import Float
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import MODEL_PREFIX, SweepSpec
from keras_sweep.training.build_trial import brings_optimizer, build_trained_model
from keras_sweep.training.checkpoint import TrainingState, split_state
from keras_sweep.training.folds import join_fold_rows
from keras_sweep.training.lane import Lane
from keras_sweep.training.lanes import signature as signatures
from keras_sweep.training.lanes.flat import can_use_flat_layout
from keras_sweep.training.lanes.lane_numbers import list_activations
from keras_sweep.training.lanes.packing import CPU, Device, round_lane_count
from keras_sweep.training.lanes.program import DeviceData, FoldedProgram, Program
from keras_sweep.training.lanes.signature import Arguments, OptimizerVariant, Signature, from_key, to_key
from keras_sweep.training.lanes.structure import OwnModel, has_independent_rows, join_models
from keras_sweep.training.lanes.template import Template, build_own_model
from keras_sweep.training.lanes.validation import can_use_any_batch_size, has_row_mean_scores
from keras_sweep.trial.events import PhaseBegan
from keras_sweep.trial.plan import DEFAULT_BATCH_SIZE, DEFAULT_EPOCHS, TrainingPlan, training_plan
from keras_sweep.trial.result import Weights

CACHE_SIZE = 64  # entries per cache; a sweep over model arguments has a signature for nearly every trial
# On a CPU, larger models train with a lane per program. Sharing hardly makes a lane faster (784-16-10 by a fifth,
# 784-32-10 by a tenth, 784-128-10 is slower, at any batch size), and needs three programs: for 4, 2 and 1 lanes.
# Models with loops train with a lane per program, too, because these programs take longest to compile.
MAX_SHARED_WEIGHTS = 10_000
# Models whose layers output more numbers per row, like a transformer, train with a lane per program, too.
# Their weights multiply many positions of a row, so a lane's products are large, and sharing makes no lane faster.
MAX_SHARED_OUTPUTS = 5_000
# A trial's padding rows and layers may compute this many numbers: 0.2 s, less than a program takes to compile.
MAX_EXTRA = 2e7
# A worker computes about this many numbers per segment, in about a second. So little work can be lost, and at the end
# of a generation no worker waits longer for the last segment.
SEGMENT = 2.5e8

Key: TypeAlias = tuple[Signature, int]  # shared signature, number of lanes
ProgramEntry: TypeAlias = tuple[threading.Lock, dict[Hashable, Program]]  # data shapes: program


class Programs:
    """Creates and caches a sweep's compiled programs. Results for a signature do not depend on earlier calls."""

    def __init__(self, spec: SweepSpec, data: SearchData, device: Device = CPU) -> None:
        self.needed_keys: set[Key] = set()  # new programs that the generation needs
        self.compiling_keys: set[Key] = set()  # in compilation now
        self.compiled_keys: set[Key] = set()  # compiled for the generation
        self.compiled = 0  # number of programs, in all generations
        self._spec = spec
        self._most_epochs = spec.space.get_bounds("epochs", DEFAULT_EPOCHS)[1]
        self._data = data
        self._device = device
        self._model_parameters = [param for param in spec.space.parameters if param.name.startswith(MODEL_PREFIX)]
        self._build_lock = threading.Lock()  # building uses global random generators
        self._templates = lru_cache(CACHE_SIZE)(lambda signature, fold: Template(spec, signature, data.fold(fold)))
        self._own_models = lru_cache(CACHE_SIZE)(self._make_own_model)
        self._own_optimizers = lru_cache(CACHE_SIZE)(
            lambda arguments: plain_parts(spec, build_model(spec, from_key(arguments), data.fold(0)))
        )
        self._programs_lock = threading.Lock()
        self._programs: Callable[[Key], ProgramEntry] = lru_cache(CACHE_SIZE)(lambda _key: (threading.Lock(), {}))
        self._memory_limits: dict[Signature, int] = {}  # of signatures whose programs needed more memory than there is
        self.choose_effort = cache(self._choose_effort)  # small, so the cache is unlimited
        self.can_use_any_batch_size = cache(
            lambda signature: can_use_any_batch_size(spec, self.get_template(signature), data.fold(0).train)
        )

    @property
    def phase(self) -> PhaseBegan:
        return PhaseBegan("compile" if self.compiling_keys else "train", len(self.compiled_keys), len(self.needed_keys))

    @cached_property
    def has_own_optimizer(self) -> bool:
        """Whether the user's models are compiled with an optimizer, and the space names none."""
        with suppress(ModelError):  # each trial reports the error
            return brings_optimizer(self._spec, self._data.fold(0))
        return False

    def make_plan(self, params: Params) -> TrainingPlan:
        """Return a trial's plan, with its model's optimizer if any. Raise ModelError if lanes can't train with it."""
        plan = training_plan(self._spec, params)
        if not self.has_own_optimizer:
            return plan
        with self._build_lock:
            optimizer_parts = self._own_optimizers(to_key(plan.model_arguments))
        if isinstance(optimizer_parts, str):
            raise ModelError(f"the compiled runner does not support {optimizer_parts}", hint="Add `--runner fit`")
        optimizer, arguments = optimizer_parts
        return replace(plan, optimizer=optimizer, optimizer_arguments={**arguments, **plan.optimizer_arguments})

    def announce_program(self, signature: Signature, lane_count: int) -> None:
        key = (self.to_shared_signature(signature), lane_count)
        with self._programs_lock:
            _, programs = self._programs(key)
        if not programs:
            self.needed_keys.add(key)

    def get_program(self, signature: Signature, lanes: int) -> Program | FoldedProgram:
        """Return the signature's compiled program for `lanes` lanes. Folds of the same shapes share a compilation."""
        key = (self.to_shared_signature(signature), lanes)
        parts = [(self.get_template(signature, fold), data) for fold, data in enumerate(self._device_data)]
        with self._programs_lock:
            compile_lock, programs = self._programs(key)
        with compile_lock:  # the first thread compiles
            if not programs:
                how: Any = {"row_wise": self.can_use_any_batch_size(signature), "effort": self.choose_effort(signature)}
                self.compiling_keys.add(key)
                try:
                    compiled: dict[Hashable, Program] = {}
                    for template, data in parts:
                        if (template.key, data.shapes) not in compiled:
                            compiled[template.key, data.shapes] = Program(template, lanes, data, **how)
                finally:
                    self.compiling_keys.remove(key)
                programs.update(compiled)
                self.compiled += len(compiled)
                self.needed_keys.add(key)
                self.compiled_keys.add(key)
        fold_programs = [programs[template.key, data.shapes].with_data(template, data) for template, data in parts]
        return FoldedProgram(fold_programs, self._data) if self._data.folds else fold_programs[0]

    @cached_property
    def _device_data(self) -> list[DeviceData]:
        return DeviceData.from_search_data(self._data)

    def get_template(self, signature: Signature, fold: int = 0) -> Template:
        """Return the signature's template (built model) for a fold. Raise ModelError if the model can't be built."""
        with self._build_lock:
            return self._templates(signature, fold)

    def weights(self, lane: Lane, state: TrainingState) -> Weights:
        """Return the lane's weights, as `model.get_weights()` does. With folds, all folds' weights in order."""
        parts = self._split_by_fold(lane, state)
        return tuple(array for template, part in parts for array in template.weights(part, lane.own))

    def model(self, lane: Lane, state: TrainingState) -> tuple[Any, Arrays]:
        """Return the lane's trained Keras model and validation inputs. With folds, the model of the first fold."""
        template, part = self._split_by_fold(lane, state)[0]
        weights, rows = template.weights(part, lane.own), self._data.fold(0)
        with self._build_lock:
            return build_trained_model(self._spec, lane.suggestion.params, weights, rows), rows.validation.x

    def get_architecture(self, lane: Lane, state: TrainingState) -> Any:
        """Return a Keras model with the layers of the lane's model. Its weights and numbers may be another lane's."""
        del state
        return self.get_template(lane.signature, 0).model

    def has_masks(self, lane: Lane, state: TrainingState) -> bool:
        """Return whether an output of the lane's model has a mask."""
        del state
        return self.get_template(lane.signature, 0).has_masks

    def predict(self, lane: Lane, state: TrainingState) -> Array:
        """Return a lane's outputs [rows, ...] on validation rows. With folds, each model predicts its held-out rows."""
        inputs = [self._data.take_held(fold).x for fold in self._data.folds] or [self._data.validation.x]
        parts = zip(self._split_by_fold(lane, state), inputs, strict=True)
        return join_fold_rows([template.predict(part, x, lane.own) for (template, part), x in parts], self._data)

    def _split_by_fold(self, lane: Lane, state: TrainingState) -> list[tuple[Template, TrainingState]]:
        states = split_state(state, max(len(self._data.folds), 1))
        return [(self.get_template(lane.signature, fold), part) for fold, part in enumerate(states)]

    def to_shared_signature(self, signature: Signature) -> Signature:
        """Return the signature with seed 0, so that trials with different seeds share a program.

        If a custom model may compute with the seed, return `signature` unchanged.
        """
        ignores_seed = self._spec.model.kind == "dense" or signature.structure
        return replace(signature, seed=0) if ignores_seed else signature

    def get_own_models(self, plans: Sequence[TrainingPlan], *, joined: bool) -> list[OwnModel | None]:
        """Return `get_own_model` of each plan. `joined`: whether a shallow model may use a deeper model's structure."""
        models = [self.get_own_model(plan) for plan in plans]
        if not joined:
            return models
        steps = {id(model): self._count_steps(plan.batch_size) for plan, model in zip(plans, models, strict=True)}

        def is_cheap(model: OwnModel, deeper: OwnModel) -> bool:
            extra = steps[id(model)] * (deeper.weights - model.weights)
            return extra <= MAX_EXTRA and effort(steps[id(model)] * deeper.weights) is not Effort.FULL

        return join_models(models, is_cheap)

    def get_own_model(self, plan: TrainingPlan) -> OwnModel | None:
        """Describe a trial's model, so that different models share a program; None if only equal models can share."""
        # Without model parameters, all trials have the same model. Folds may have different columns.
        if not self._model_parameters or self._data.folds:
            return None
        with self._build_lock:
            return self._own_models(to_key(plan.model_arguments), plan.batch_size, plan.seed)

    def _make_own_model(self, arguments: Arguments, batch_size: int, seed: int) -> OwnModel | None:
        widens = any(not isinstance(parameter.distribution, Float) for parameter in self._model_parameters)
        steps = self._count_steps(batch_size)
        widen = (lambda weights: effort(steps * weights) is not Effort.FULL) if widens else None
        options = {"widen": widen, "activations": list_activations(self._spec)}
        return build_own_model(self._spec, from_key(arguments), seed, self._data.fold(0), **options)

    def _count_steps(self, batch_size: int) -> int:
        """Return the most training steps that a trial of the space can take with this batch size."""
        return math.ceil(len(self._data.fold(0).train) / batch_size) * self._most_epochs

    def narrow(self, signature: Signature, variant: OptimizerVariant) -> Signature:
        """Return the signature with only the optimizers (variants) that can share a program with `variant`."""
        if len(signature.variants) == 1:
            return signature
        optimizers = zip(signature.variants, self.get_template(signature).optimizer_kinds, strict=True)
        elementwise = tuple(kind for kind, optimizer in optimizers if signatures.is_elementwise(optimizer))
        narrowed = replace(signature, variants=elementwise)
        can_share = variant in elementwise and can_use_flat_layout(self.get_template(narrowed))
        return narrowed if can_share else replace(signature, variants=(variant,))

    def mask(self, signature: Signature) -> Signature:
        """Return a signature that trials with unequal batch sizes can share, or `signature` if that costs too much."""
        if not signature.structure or not has_row_mean_scores(self._spec, signature):
            return signature
        # Rows beyond a trial's batch size get weight 0. So full batches and the short last batch share a step, too.
        if not has_independent_rows(signature.structure, training=True) or self.choose_effort(signature) is Effort.FULL:
            return signature
        rows, size = len(self._data.fold(0).train), signature.batch_size
        least, most = self._spec.space.get_bounds("batch_size", DEFAULT_BATCH_SIZE)
        layer_outputs = self.get_template(signature).layer_outputs

        def rows_a_step(batch_size: int) -> int:
            step, batch_size = min(most, rows), min(batch_size, rows)
            while step > batch_size and self._count_steps(batch_size) * (step - batch_size) * layer_outputs > MAX_EXTRA:
                step = step // 4
            return max(step, batch_size)

        step = rows_a_step(size)
        # The step is longer than this trial's batch, or another trial in the program has shorter batches.
        shared = step != size or (least != size and rows_a_step(least) == step)
        return replace(signature, batch_size=step, masked=True) if shared or rows % size else signature

    def find_lane_limit(self, signature: Signature) -> int:
        """Return how many lanes a program may have at most: 1 if more are no faster, or do not fit in memory."""
        template = self.get_template(signature)
        if template.has_convolution:
            return 1
        large = sum(value.size for value in template.trainable) > MAX_SHARED_WEIGHTS
        large |= template.layer_outputs > MAX_SHARED_OUTPUTS
        if self._device.is_cpu and (template.has_loop or large):
            return 1
        # A lane's approximate memory: weights, gradients, optimizer variables, layer outputs.
        weights = sum(value.nbytes for value in (*template.trainable, *template.other))
        outputs = 4 * signature.batch_size * template.layer_outputs
        lane_bytes = weights * (2 + 3 * len(signature.variants)) + 3 * outputs
        limit = int(min(max(self._device.bytes // lane_bytes, 1), self._device.lanes))
        return min(limit, self._memory_limits.get(signature, limit))

    def limit_lanes(self, signature: Signature, count: int) -> int:
        """Let later programs have at most `count` lanes, since more did not fit in memory. Return `count`."""
        if count:
            self._memory_limits[signature] = count
        return count

    def is_faster_in_pairs(self, signature: Signature) -> bool:
        """Return whether two programs of half the lanes, side by side, are faster: on a CPU, if training is long."""
        # XLA gives each kernel of a program to all cores, and waiting threads spin. Alone on two cores, a program of
        # four lanes takes 1.3 times as long as on one core, and twice the CPU time.
        return self._device.is_cpu and self.choose_effort(signature) is Effort.FULL

    def _choose_effort(self, signature: Signature) -> Effort:
        template = self.get_template(signature)
        compile_effort = effort(self._count_steps(signature.batch_size) * self._count_numbers(signature))
        # With low effort, steps of a convolution or an LSTM take three to seven times as long.
        needs_more = (template.has_convolution or template.has_loop) and compile_effort is Effort.LOW
        return Effort.MEDIUM if needs_more else compile_effort

    def _count_numbers(self, signature: Signature) -> int:
        template = self.get_template(signature)
        return int(template.model.count_params() + signature.batch_size * template.layer_outputs)

    def segment_epochs(self, signature: Signature) -> int:
        """Return how many epochs a worker trains before it reports: about a second of work, but at least an epoch."""
        steps = math.ceil(len(self._data.fold(0).train) / signature.batch_size) * max(len(self._data.folds), 1)
        return max(int(SEGMENT // (steps * self._count_numbers(signature) * self.find_lane_limit(signature))), 1)

    def count_places(self, signature: Signature, group_size: int, active: int, limit: int) -> int:
        """Return the program's lane count, empty lanes included, if `active` of a group's `group_size` lanes train.
        `limit`: how many lanes a program of this signature may have."""
        if (group_size == 1 and not signature.structure) or self.choose_effort(signature) is Effort.FULL:
            return round_lane_count(active)
        # Small lanes share a program to the end, because an empty lane costs less than a compilation.
        return round_lane_count(limit)
