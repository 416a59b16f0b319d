"""Put the numbers that differ between lanes into a model or an optimizer while JAX traces a program.

Keras keeps a momentum, a dropout rate or a penalty factor as a Python float. A program would compile this float as a
constant. So an array of the lanes' values replaces each float. Numbers also select widths and activations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_sweep.space.distributions import Categorical
from keras_sweep.space.sweep_spec import MODEL_PREFIX, SweepSpec
from keras_sweep.training.lanes.signature import PLACEHOLDER
from keras_sweep.training.lanes.structure import ACTIVATIONS, OwnModel, find_numbers, list_layers


class LaneNumbers(NamedTuple):
    """Dropout rates, widths and so on of a lane's model. Arrays for several lanes have an extra last axis [lanes]."""

    numbers: Any  # [M, 2] in the order of `find_numbers`: value, 1 - value
    widths: Any  # [U] of the widened layers, 0 if the layer is absent
    choices: Any  # [C] index of the activation of each layer that has a choice

    @classmethod
    def from_model(cls, own_model: OwnModel) -> LaneNumbers:
        """Collect the numbers of a model. Compute 1 - value in double precision, as Keras does."""
        values = np.array([number for layer in own_model.layers for number in layer.numbers.values()], np.float64)
        widths = [layer.width for layer in own_model.layers if layer.width is not None]
        choices = [layer.choice for layer in own_model.layers if layer.choice is not None]
        numbers = np.stack([values, 1 - values], axis=-1).astype(np.float32)
        return cls(numbers, np.array(widths, np.int32), np.array(choices, np.int32))


class Numbers(NamedTuple):
    """The numbers in which the T lanes of a program differ, as NumPy arrays, or as JAX arrays during tracing."""

    learning_rates: Any  # [T]
    variants: Any  # [T] index of the optimizer in the signature
    per_lane: Any  # [F, 2, T] optimizer arguments: value, 1 - value
    model: LaneNumbers | None = None  # if lanes share a structure
    batch_size: Any = None  # of all lanes, if steps are masked
    rates: Any = None  # [N, T] learning rates of each step, if lanes have schedules; further rows are unused


@dataclass(frozen=True)
class SharedStructure:
    """Maps per-lane numbers (dropout rates, widths, ...) to layers of a model that lanes share, by layer index."""

    numbers: int  # M
    # [U] The number of inputs of each widened layer. None if they are the outputs of the previous widened layer.
    inputs: Sequence[int | None]
    # For each trainable variable and axis, the index in `find_lengths`, if the axis is widened.
    axes: Sequence[tuple[int | None, ...]]
    dropouts: Mapping[int, int]  # dropout layer -> index in `find_lengths` of its input
    optional: Mapping[int, int]  # layer that a lane may lack -> index among the widened layers
    activations: Mapping[int, Sequence[str]]  # layer -> choices

    @classmethod
    def from_model(cls, model: Any, structure: str) -> SharedStructure:
        layers = json.loads(structure)["layers"]
        count = sum(facts.get("wider", False) for facts in layers)
        axes: dict[int, tuple[int | None, ...]] = {}
        dropouts, optional = {}, {}
        inputs: list[int | None] = []
        current: int | None = None  # the last widened layer whose width still holds
        for index, (layer, facts) in enumerate(zip(list_layers(model), layers, strict=True)):
            before, after = current, current
            if facts["class"] == "Dense":
                current, after = None, None
                if facts.get("wider"):
                    current = len(inputs)
                    after = count + current
                    inputs.append(int(layer.input.shape[-1]) if before is None else None)
                    if facts["optional"]:
                        optional[index] = current
            if facts["class"] == "Dropout" and current is not None and 0 < layer.rate < 1:
                dropouts[index] = current
            for variable in layer.trainable_variables:
                axes[id(variable)] = (before, after) if len(variable.shape) == 2 else (after,) * len(variable.shape)
        in_order = [axes[id(variable)] for variable in model.trainable_variables]
        choices = {index: facts["activations"] for index, facts in enumerate(layers) if "activations" in facts}
        return cls(len(find_numbers(model)), inputs, in_order, dropouts, optional, choices)

    def make_numbers(self, lanes: int) -> LaneNumbers:
        """Return placeholders in the shapes that the numbers of `lanes` lanes have, for tracing a program."""
        widths, choices = (np.zeros((len(layers), lanes), np.int32) for layers in (self.inputs, self.activations))
        return LaneNumbers(np.full((self.numbers, 2, lanes), PLACEHOLDER, np.float32), widths, choices)

    def find_lengths(self, widths: Any) -> list[Any]:
        """Return [number of output columns without padding of each widened layer, *widths] for a lane. Traced by JAX.

        A widened layer is padded to a larger width. A layer of width 0 returns its inputs, with their columns.
        """
        output_lengths: list[Any] = []
        for width, inputs in zip(widths, self.inputs, strict=True):
            output_lengths.append(jnp.where(width > 0, width, output_lengths[-1] if inputs is None else inputs))
        return [*output_lengths, *widths]


class PerLaneValue:
    """Replaces a positive float of Keras, like a dropout rate, by an array: a lane's value, or all lanes' values."""

    # Keras rounds 1 - value from double precision, so the complements are arguments.
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Any, complements: Any) -> None:
        self._values = values
        self._complements = complements

    def __jax_array__(self) -> Any:
        return self._values

    def __rsub__(self, other: object) -> Any:
        return self._complements if other == 1 else NotImplemented

    def __mul__(self, other: Any) -> Any:
        return other * self._values

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        # Keras compares a dropout rate with 1, but no argument of an optimizer.
        if other not in (0, 1):
            raise TypeError("a value per lane can only be compared with 0 and 1")
        return False

    def __gt__(self, other: object) -> bool:
        return True if other == 0 else NotImplemented


@contextmanager
def set_attributes(values: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    """Set each (object, attribute name, value) without Keras's tracking. Undo this when the context ends."""
    with ExitStack() as before:
        for owner, name, value in values:
            if name in vars(owner):
                before.callback(object.__setattr__, owner, name, vars(owner)[name])
            else:
                before.callback(object.__delattr__, owner, name)
            object.__setattr__(owner, name, value)
        yield


@contextmanager
def use_lane_numbers(model: Any, shared: SharedStructure | None, lane_numbers: LaneNumbers | None) -> Iterator[None]:
    """Let the model use a lane's numbers inside the context. If `shared` or `lane_numbers` is None, do nothing."""
    if shared is None or lane_numbers is None:
        yield
        return
    numbers, widths, choices = lane_numbers
    layers, lengths = model.layers, shared.find_lengths(widths)
    values: list[tuple[Any, str, Any]] = []
    for index, (owner, name) in enumerate(find_numbers(model)):
        takes_arrays = type(owner).__name__ in ("LeakyReLU", "LanePenalty")  # other layers compare the number with 0
        number = numbers[index, 0]
        values.append((owner, name, number if takes_arrays else PerLaneValue(number, numbers[index, 1])))
        if type(owner).__name__ == "GaussianDropout":
            values.append((owner, "call", partial(_call_gaussian_dropout, owner)))
    for index, position in shared.dropouts.items():
        values.append((layers[index], "call", partial(_call_dropout, layers[index], lengths[position])))
    for index, position in shared.optional.items():
        values.append((layers[index], "call", partial(_call_optional_dense, layers[index], widths[position])))
    for (index, names), choice in zip(shared.activations.items(), choices, strict=True):
        values.append((layers[index], "activation", partial(choose_activation, names, choice)))
    with set_attributes(values):
        yield


def _call_optional_dense(layer: Any, width: Any, inputs: Any, **named: Any) -> Any:
    """Return `layer.call(inputs, **named)`, or `inputs` in lanes that lack the dense layer (`width` 0)."""
    return jnp.where(width > 0, type(layer).call(layer, inputs, **named), inputs)


def _call_gaussian_dropout(layer: Any, inputs: Any, training: bool = False) -> Any:
    """Compute Keras's `GaussianDropout` with a traced rate. Keras's own `call` works only with a Python float."""
    if not training:
        return inputs
    deviation = jnp.sqrt(layer.rate * (1 / (1.0 - layer.rate)))
    return inputs * keras.random.normal(inputs.shape, 1.0, deviation, seed=layer.seed_generator)


def _call_dropout(layer: Any, width: Any, inputs: Any, training: bool = False) -> Any:
    """Apply dropout to `inputs`, padded after `width` columns. Drop the same elements as without padding."""
    from jax.extend.random import threefry2x32_p

    if not training:
        return inputs
    key = layer.seed_generator.next()
    # JAX draws an element's random number from its position in the array. Here that is its position in the narrow
    # layer, beyond which all outputs are zero.
    rows, columns = (jax.lax.broadcasted_iota(jnp.uint32, inputs.shape, axis) for axis in (0, 1))
    position = rows * width.astype(jnp.uint32) + columns
    bits = jnp.bitwise_xor(*threefry2x32_p.bind(key[0], key[1], jnp.zeros_like(position), position))
    # As in `jax.random.uniform`: 23 bits become the fraction of 1.xxx, minus 1.
    uniform = jax.lax.bitcast_convert_type((bits >> 9) | jnp.uint32(0x3F800000), jnp.float32) - 1.0
    keep_rate = 1.0 - layer.rate
    return jnp.where(uniform < keep_rate, inputs / keep_rate, 0.0)


def list_activations(spec: SweepSpec) -> tuple[str, ...]:
    """List the names of Keras activations that the space's model parameters offer. Return () if fewer than two."""
    chosen = set()
    for parameter in spec.space.parameters:
        distribution = parameter.distribution
        if parameter.name.startswith(MODEL_PREFIX) and isinstance(distribution, Categorical):
            for choice in distribution.choices:
                with suppress(AttributeError, ValueError):  # not an activation
                    chosen.add(keras.activations.get(str(choice)).__name__)
    offered = sorted(chosen.intersection(ACTIVATIONS))
    return tuple(offered) if len(offered) > 1 else ()


def choose_activation(names: Sequence[str], choice: Any, inputs: Any) -> Any:
    """Apply the activation `names[choice]` to the inputs. JAX traces `choice`, so all activations are computed."""
    outputs = jnp.zeros_like(inputs)
    for index, name in enumerate(names):
        is_chosen = choice == index
        # Other activations get zeros. An overflow there would make the gradient NaN, although it is not used.
        outputs = jnp.where(is_chosen, keras.activations.get(name)(jnp.where(is_chosen, inputs, 0.0)), outputs)
    return outputs
