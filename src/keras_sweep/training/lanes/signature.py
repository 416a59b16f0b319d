"""Which trials may share a program: those that differ only in numbers which the optimizer holds as variables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from keras_sweep.space.distributions import Value
from keras_sweep.training.lanes.per_lane_values import may_vary_per_lane
from keras_sweep.trial.plan import TrainingPlan

LANE_NUMBER = "learning_rate"  # the number that every Keras optimizer holds as a variable

Arguments: TypeAlias = tuple[tuple[str, str, Value], ...]  # (name, type, value), so that 1, 1.0 and True differ


@dataclass(frozen=True, slots=True)
class OptimizerVariant:
    """An optimizer with the arguments that are compiled into a program, and those of which each lane has its own."""

    optimizer: str
    constants: Arguments = ()
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """Everything a program is compiled for, beside the number of lanes. Data, loss and metrics are the runner's."""

    model: Arguments
    variants: tuple[OptimizerVariant, ...]  # each lane uses one of them
    batch_size: int
    seed: int  # initial weights and data order: lanes share every batch

    @property
    def own(self) -> tuple[str, ...]:
        """The arguments of which lanes have their own number, F in all."""
        return tuple(sorted({name for variant in self.variants for name in variant.own}))


def arguments(values: Mapping[str, Value]) -> Arguments:
    """A mapping as a hashable key."""
    return tuple((name, type(value).__name__, value) for name, value in sorted(values.items()))


def variant_of(plan: TrainingPlan, varying: Collection[str] = ()) -> OptimizerVariant:
    """The plan's optimizer without its learning rate. Of `varying` arguments lanes have their own where they can."""
    given = {name: value for name, value in plan.optimizer_arguments.items() if name != LANE_NUMBER}
    own = sorted(
        name for name, value in given.items() if name in varying and may_vary_per_lane(plan.optimizer, name, value)
    )
    constants = {name: value for name, value in given.items() if name not in own}
    return OptimizerVariant(plan.optimizer, arguments(constants), tuple(own))


def signature_of(plan: TrainingPlan, variants: tuple[OptimizerVariant, ...] | None = None) -> Signature:
    """The plan's signature; `updates` are those that its program offers to lanes (by default the plan's alone)."""
    return Signature(
        arguments(plan.model_arguments), variants or (variant_of(plan),), batch_size=plan.batch_size, seed=plan.seed
    )
