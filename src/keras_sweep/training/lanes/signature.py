"""Decide which trials may share a compiled program: trials that differ only in numbers, like the learning rate."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import keras

from keras_sweep.space.distributions import Categorical, Distribution, Float, Value
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import LOSS_PREFIX, MODEL_PREFIX, TRAINING_PREFIX, SweepSpec
from keras_sweep.trial.plan import FIT_PARAMETERS, TrainingPlan, training_plan

LEARNING_RATE = "learning_rate"  # every Keras optimizer keeps the rate as a variable
# Used to build an optimizer before the lanes' values are known. Any valid number except zero works.
PLACEHOLDER = 0.5
# Every lane pays for all variants: sgd, rmsprop and adam together cost 14 % more than adam alone.
MOST_VARIANTS = 4

# The classes of keras.optimizers that update each element independently.
OPTIMIZERS = frozenset({"SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Adadelta", "Adagrad", "Nadam", "Ftrl", "Lion"})
_DECAY = frozenset({"weight_decay"})
_ADAM = _DECAY | {"beta_1", "beta_2", "epsilon"}
# The arguments of elementwise optimizers that only enter sums and products.
_PER_LANE: Mapping[str, frozenset[str]] = {
    "sgd": _DECAY | {"momentum"},
    "rmsprop": _DECAY | {"rho", "momentum", "epsilon"},
    "adam": _ADAM,
    "adamw": _ADAM,
    "adamax": _ADAM,
    "adadelta": _DECAY | {"rho", "epsilon"},
    "adagrad": _DECAY | {"epsilon"},
    "lion": _DECAY | {"beta_1", "beta_2"},
}
PER_LANE = frozenset().union(*_PER_LANE.values())
_NOT_CONSTANTS = frozenset(FIT_PARAMETERS) - {"optimizer"} | {LEARNING_RATE}

ClassWeights: TypeAlias = tuple[tuple[int | str, float], ...] | str | None
Arguments: TypeAlias = tuple[tuple[str, str, Value], ...]  # (name, type, value): 1, 1.0 and True differ


@dataclass(frozen=True, slots=True)
class OptimizerVariant:
    """An optimizer's name, the arguments compiled into a program, and the names of arguments that differ per lane."""

    optimizer: str
    constants: Arguments = ()
    per_lane: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """What all lanes of a program have in common, apart from what the sweep fixes, like data and metrics."""

    model: Arguments
    variants: tuple[OptimizerVariant, ...]  # each lane uses a variant
    batch_size: int
    seed: int  # of initial weights and row order: lanes share every batch
    structure: str = ""  # if different models share the program: `OwnModel.structure`, and `model` is empty
    loss: Arguments = ()  # arguments of the loss
    class_weight: ClassWeights = None
    scheduled: bool = False  # whether each step has its own learning rates
    masked: bool = False  # whether trials have smaller batches than `batch_size`, padded with rows of weight 0

    @property
    def per_lane(self) -> tuple[str, ...]:
        """The sorted names of all optimizer arguments that differ per lane. Shapes in comments call their number F."""
        return tuple(sorted({name for variant in self.variants for name in variant.per_lane}))


def to_key(values: Mapping[str, Value]) -> Arguments:
    """Convert a mapping to a hashable key: (name, type, value) of each item, sorted by name."""
    return tuple((name, type(value).__name__, value) for name, value in sorted(values.items()))


def from_key(arguments: Arguments) -> dict[str, Value]:
    return {name: value for name, _, value in arguments}


def is_elementwise(optimizer: Any) -> bool:
    """Return whether this is a plain Keras optimizer that updates each weight independently of all other weights."""
    name = type(optimizer).__name__
    if name not in OPTIMIZERS or type(optimizer) is not getattr(keras.optimizers, name, None):
        return False
    if not isinstance(optimizer.learning_rate, keras.Variable):  # a schedule
        return False
    clips_by_norm = optimizer.clipnorm or optimizer.global_clipnorm
    scales_loss = optimizer.loss_scale_factor is not None  # with a factor for all lanes
    return not (clips_by_norm or scales_loss or optimizer.use_ema or optimizer.gradient_accumulation_steps)


def can_vary_per_lane(optimizer: str, name: str, value: Value) -> bool:
    return _is_nonzero_number(value) and name in _PER_LANE.get(optimizer.lower(), ())


def make_variant(plan: TrainingPlan, varying: Collection[str] = ()) -> OptimizerVariant:
    """Describe the plan's optimizer without learning rate. `varying`: names of arguments that may differ per lane."""
    arguments = {name: value for name, value in plan.optimizer_arguments.items() if name != LEARNING_RATE}
    per_lane = sorted(
        name for name, value in arguments.items() if name in varying and can_vary_per_lane(plan.optimizer, name, value)
    )
    constants = {name: value for name, value in arguments.items() if name not in per_lane}
    return OptimizerVariant(plan.optimizer, to_key(constants), tuple(per_lane))


def make_signature(
    plan: TrainingPlan, variants: tuple[OptimizerVariant, ...] | None = None, structure: str = ""
) -> Signature:
    """Return the signature of a plan's program. `variants`: the program's optimizers. None: only the plan's optimizer.

    `structure`: `OwnModel.structure` of the plan's model, or "" if only equal models share the program.
    """
    model = () if structure else to_key(plan.model_arguments)
    class_weight = plan.training.class_weight
    weights = tuple(class_weight.items()) if isinstance(class_weight, Mapping) else class_weight
    loss, offers = to_key(plan.loss_arguments), variants or (make_variant(plan),)
    return Signature(model, offers, plan.batch_size, plan.seed, structure, loss, weights, plan.schedule is not None)


def list_optimizer_variants(spec: SweepSpec) -> tuple[OptimizerVariant, ...]:
    """List the space's optimizers, to compile all into each program. Return () if that is impossible or too slow."""
    parameters = [
        param
        for param in spec.space.parameters
        if param.name not in _NOT_CONSTANTS and not param.name.startswith((MODEL_PREFIX, TRAINING_PREFIX, LOSS_PREFIX))
    ]
    names = {parameter.name for parameter in parameters}
    conditions = {condition.parameter for parameter in parameters for condition in parameter.when}
    # Only the space decides, so all generations share programs.
    if not conditions <= names | set(spec.space.constants):
        return ()
    varying = names & PER_LANE - conditions
    merged = (
        replace(parameter, distribution=_merge(parameter.distribution)) if parameter.name in varying else parameter
        for parameter in parameters
    )
    space = SearchSpace(tuple(merged), spec.space.constants)
    if space.size > MOST_VARIANTS:
        return ()
    variants = tuple(dict.fromkeys(make_variant(training_plan(spec, point), varying) for point in space.points()))
    has_placeholder = any(
        name in varying and value == PLACEHOLDER for variant in variants for name, _, value in variant.constants
    )
    return () if has_placeholder else variants


def _is_nonzero_number(value: Value) -> bool:
    """Return whether the value is a number other than 0. With momentum 0, Keras would have no momentum variable."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0


def _merge(distribution: Distribution) -> Distribution:
    """Return the distribution as choices. `PLACEHOLDER` replaces all numbers but 0, since they may differ per lane."""
    if isinstance(distribution, Categorical):
        constants = tuple(choice for choice in distribution.choices if not _is_nonzero_number(choice))
        return Categorical(constants if len(constants) == len(distribution.choices) else (*constants, PLACEHOLDER))
    zero = 0.0 if isinstance(distribution, Float) else 0
    can_be_zero = distribution.size < math.inf and distribution.contains(zero)
    return Categorical((zero, PLACEHOLDER) if can_be_zero else (PLACEHOLDER,))
