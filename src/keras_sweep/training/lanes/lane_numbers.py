"""What lanes have of their own, and how it enters a model or an optimizer while a program is traced.

Keras keeps a momentum, a rate of dropout or a factor of a penalty as a Python float, which a program would hold as a
constant. Each is stood in for by an array of the lanes' values. Widths and activations are chosen by numbers as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from keras_sweep.space.distributions import Categorical
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.training.lanes.structure import OwnModel, layers_of, number_places
from keras_sweep.trial.plan import MODEL_PREFIX


class LaneNumbers(NamedTuple):
    """A lane's own numbers; of T lanes each array has one more axis, the last."""

    numbers: Any  # [M, 2] in the order of `number_places`, each with its complement to one
    widths: Any  # [U] of the layers that lie in wider ones
    choices: Any  # [C] which activation they take, of the layers that have a choice

    @classmethod
    def of(cls, own: OwnModel) -> LaneNumbers:
        """Those of a trial's own model. A complement is computed in double precision, as Keras does."""
        values = np.array(own.numbers, np.float64)
        numbers = np.stack([values, 1 - values], axis=-1).astype(np.float32)
        return cls(numbers, np.array(own.widths, np.int32), np.array(own.choices, np.int32))


def stacked(lanes: Sequence[LaneNumbers]) -> LaneNumbers:
    """Those of all lanes."""
    return LaneNumbers(*(np.stack(each, axis=-1) for each in zip(*lanes, strict=True)))


@dataclass(frozen=True)
class Shared:
    """Where lanes' own numbers go in a model of the structure. Layers are known by their places."""

    numbers: int  # M
    inputs: Sequence[int | None]  # [U] of each wider layer: how many numbers it is given; None: those of the one before
    axes: Sequence[tuple[int | None, ...]]  # of each trainable variable: which of `lengths` an axis has, if any
    dropouts: Mapping[int, int]  # that come to a wider layer: which of `lengths` is in use there
    optional: Mapping[int, int]  # of the wider layers that a lane may lack: which they are
    activations: Mapping[int, Sequence[str]]  # of the layers that have a choice: what is offered

    @classmethod
    def of(cls, model: Any, structure: str) -> Shared:
        """That of a model of the structure."""
        layers = json.loads(structure)["layers"]
        count = sum(facts.get("wider", False) for facts in layers)
        axes: dict[int, tuple[int | None, ...]] = {}
        dropouts, optional = {}, {}
        inputs: list[int | None] = []
        current: int | None = None  # the wider layer whose outputs these are
        for place, (layer, facts) in enumerate(zip(layers_of(model), layers, strict=True)):
            kind = type(layer).__name__
            before, own = current, current
            if kind == "Dense":
                current, own = None, None
                if facts.get("wider"):
                    current = len(inputs)
                    own = count + current
                    inputs.append(int(layer.input.shape[-1]) if before is None else None)
                    if facts["optional"]:
                        optional[place] = current
            if kind == "Dropout" and current is not None and 0 < layer.rate < 1:
                dropouts[place] = current
            for variable in layer.trainable_variables:
                axes[id(variable)] = (before, own) if len(variable.shape) == 2 else (own,) * len(variable.shape)
        in_order = [axes[id(variable)] for variable in model.trainable_variables]
        chosen = {place: facts["activations"] for place, facts in enumerate(layers) if "activations" in facts}
        return cls(len(list(number_places(model))), inputs, in_order, dropouts, optional, chosen)

    def any_lane(self, value: float) -> LaneNumbers:
        """Numbers of the right shapes, to trace a program with."""
        numbers = np.full((self.numbers, 2), value, np.float32)
        return LaneNumbers(numbers, np.zeros(len(self.inputs), np.int32), np.zeros(len(self.activations), np.int32))

    def lengths(self, widths: Any) -> list[Any]:
        """Traced: [2U] how many numbers are in use after each wider layer, be it there or not; then its own widths."""
        import jax.numpy as jnp

        after: list[Any] = []
        for width, given in zip(widths, self.inputs, strict=True):
            after.append(jnp.where(width > 0, width, after[-1] if given is None else given))
        return [*after, *widths]


class PerLaneValue:
    """Stands in for a Python float that is not zero: an array of the lanes' values, to go with a variable.

    Its complement to one is given beside it, since Keras computes that in double precision before it rounds.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Any, complements: Any) -> None:
        self._values = values
        self._complements = complements

    def __jax_array__(self) -> Any:
        return self._values

    def __rsub__(self, other: object) -> Any:
        if other != 1:
            return NotImplemented
        return self._complements

    def __eq__(self, other: object) -> bool:
        if other != 0:
            raise TypeError("a value per lane can only be compared with zero")
        return False

    def __gt__(self, other: object) -> bool:
        return not self == other  # values that are valid are above zero


@contextmanager
def per_lane_values(optimizer: Any, values: Mapping[str, PerLaneValue]) -> Iterator[None]:
    """Inside, the optimizer has these values of its arguments."""
    for name, value in values.items():
        setattr(optimizer, name, value)
    try:
        yield
    finally:
        for name in values:
            setattr(optimizer, name, PLACEHOLDER)


_NEVER_COMPARED = frozenset({"LeakyReLU", "LanePenalty"})  # an array is taken there


class ModelNumber(PerLaneValue):
    """Stands in for a Python float of a layer that is above zero; a rate is also below one."""

    __hash__ = None

    def __eq__(self, other: object) -> bool:
        return False if other == 1 else super().__eq__(other)

    def __rmul__(self, other: Any) -> Any:
        return other * self.__jax_array__()

    __mul__ = __rmul__


@contextmanager
def numbers_of_lane(model: Any, shared: Shared, own: LaneNumbers) -> Iterator[None]:
    """Inside, the model, of a structure that lanes share, has the numbers of one lane, traced."""
    import keras

    numbers, widths, choices = own
    places = list(number_places(model))
    lengths = shared.lengths(widths)
    calls: dict[Any, Callable[..., Any]] = {
        **{one: _GaussianDropout(one) for one, _ in places if type(one).__name__ == "GaussianDropout"},
        **{(one := model.layers[place]): _Dropout(one, lengths[which]) for place, which in shared.dropouts.items()},
        **{(one := model.layers[place]): _Optional(one, widths[which]) for place, which in shared.optional.items()},
    }
    choosing = [(model.layers[place], names) for place, names in shared.activations.items()]
    for index, (owner, name) in enumerate(places):
        compared = type(owner).__name__ not in _NEVER_COMPARED
        value = ModelNumber(numbers[index, 0], numbers[index, 1]) if compared else numbers[index, 0]
        object.__setattr__(owner, name, value)  # past Keras's own tracking of attributes
    for layer, call in calls.items():
        object.__setattr__(layer, "call", call)
    for (layer, names), choice in zip(choosing, choices, strict=True):
        object.__setattr__(layer, "activation", ChosenActivation(names, choice))
    try:
        yield
    finally:
        for owner, name in places:
            object.__setattr__(owner, name, PLACEHOLDER)
        for layer in calls:
            object.__delattr__(layer, "call")
        for layer, _ in choosing:
            object.__setattr__(layer, "activation", keras.activations.linear)


class _Optional:
    """A dense layer as wide as what it is given, which hands that on in a lane that lacks it."""

    def __init__(self, layer: Any, width: Any) -> None:
        self._layer = layer
        self._width = width

    def __call__(self, inputs: Any, **named: Any) -> Any:
        import jax.numpy as jnp

        return jnp.where(self._width > 0, type(self._layer).call(self._layer, inputs, **named), inputs)


class _GaussianDropout:
    """Keras's, which takes the square root of a Python float."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        import jax.numpy as jnp
        import keras

        if not training:
            return inputs
        rate = self._layer.rate
        deviation = jnp.sqrt(rate * (1 / (1.0 - rate)))
        return inputs * keras.random.normal(inputs.shape, 1.0, deviation, seed=self._layer.seed_generator)


class _Dropout:
    """Keras's dropout of a layer that lies in a wider one: it drops what it would drop of the narrow one."""

    def __init__(self, layer: Any, width: Any) -> None:
        self._layer = layer
        self._width = width

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        import jax.numpy as jnp
        from jax import lax
        from jax.extend.random import threefry2x32_p

        if not training:
            return inputs
        key = self._layer.seed_generator.next()
        rows, columns = (lax.broadcasted_iota(jnp.uint32, inputs.shape, axis) for axis in (0, 1))
        place = rows * self._width.astype(jnp.uint32) + columns  # in the narrow layer; what lies beyond it is zero
        bits = jnp.bitwise_xor(*threefry2x32_p.bind(key[0], key[1], jnp.zeros_like(place), place))
        one = jnp.uint32(0x3F800000)  # 1.0: the numbers of `jax.random.uniform` are 1.xxx less one
        uniform = lax.bitcast_convert_type((bits >> 9) | one, jnp.float32) - 1.0
        kept = 1.0 - self._layer.rate
        return jnp.where(uniform < kept, inputs / kept, 0.0)


ELEMENTWISE = frozenset(
    {"linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "celu"}
    | {"tanh", "sigmoid", "hard_sigmoid", "softplus", "softsign"}
)  # of keras.activations: each output is of one input alone, and at zero it and its derivative are finite


def offered_activations(spec: SweepSpec) -> tuple[str, ...]:
    """Those that trials of this space choose among, by Keras's names; () where there is no choice.

    A function of the space alone: so every generation shares programs, whatever it happens to hold.
    """
    import keras

    named = set()
    for parameter in spec.space.parameters:
        if not parameter.name.startswith(MODEL_PREFIX) or not isinstance(parameter.distribution, Categorical):
            continue
        for choice in parameter.distribution.choices:
            try:
                name = keras.activations.get(choice).__name__ if isinstance(choice, str) else ""
            except (AttributeError, ValueError):  # it names something else
                continue
            named |= {name} & ELEMENTWISE
    return tuple(sorted(named)) if len(named) > 1 else ()


class ChosenActivation:
    """Of several activations the one of a lane, traced."""

    def __init__(self, names: Sequence[str], choice: Any) -> None:
        self._names = names
        self._choice = choice

    def __call__(self, inputs: Any) -> Any:
        import jax.numpy as jnp
        import keras

        outputs = jnp.zeros_like(inputs)
        for place, name in enumerate(self._names):
            mine = self._choice == place
            # the others see zeros: what overflows there would be no number in the gradient, though it is not taken
            outputs = jnp.where(mine, keras.activations.get(name)(jnp.where(mine, inputs, 0.0)), outputs)
        return outputs
