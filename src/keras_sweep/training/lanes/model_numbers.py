"""A lane's own numbers and widths in a model that lanes share, while a program is traced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from keras_sweep.training.lanes.activations import ChosenActivation
from keras_sweep.training.lanes.per_lane_value import PerLaneValue
from keras_sweep.training.lanes.shared import LaneNumbers, Shared
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.training.lanes.structure import number_places

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
