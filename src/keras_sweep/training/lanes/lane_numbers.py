"""What lanes have of their own, and how it enters a model or an optimizer while a program is traced.

Keras keeps a momentum, a rate of dropout or a factor of a penalty as a Python float, which a program would hold as a
constant. Each is stood in for by an array of the lanes' values. Widths and activations are chosen by numbers as well.
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
    """A lane's own numbers; of T lanes each array has one more axis, the last."""

    numbers: Any  # [M, 2] in the order of `find_numbers`, each with its complement to one
    widths: Any  # [U] of the layers that lie in wider ones
    choices: Any  # [C] which activation they take, of the layers that have a choice

    @classmethod
    def from_model(cls, own: OwnModel) -> LaneNumbers:
        """Those of a trial's own model. A complement is computed in double precision, as Keras does."""
        values = np.array([number for layer in own.layers for number in layer.numbers.values()], np.float64)
        widths = [layer.width for layer in own.layers if layer.width is not None]
        choices = [layer.choice for layer in own.layers if layer.choice is not None]
        numbers = np.stack([values, 1 - values], axis=-1).astype(np.float32)
        return cls(numbers, np.array(widths, np.int32), np.array(choices, np.int32))


class Numbers(NamedTuple):
    """What differs among the lanes of a program beside their variables; NumPy's arrays, or JAX's while it is traced."""

    learning_rates: Any  # [T]
    variants: Any  # [T] which of the signature's optimizers a lane uses
    per_lane: Any  # [F, 2, T] lanes' own values of optimizer arguments, and one less each
    model: LaneNumbers | None = None  # of lanes that share a structure
    batch_size: Any = None  # of all lanes, where steps are masked
    rates: Any = None  # [N, T] the learning rates of each step, where lanes have schedules; the rest is not used


@dataclass(frozen=True)
class SharedStructure:
    """Where lanes' own numbers go in a model of the structure. Layers are known by their places."""

    numbers: int  # M
    inputs: Sequence[int | None]  # [U] of each wider layer: how many numbers it is given; None: those of the one before
    axes: Sequence[tuple[int | None, ...]]  # of each trainable variable: which of `lengths` an axis has, if any
    dropouts: Mapping[int, int]  # that come to a wider layer: which of `lengths` is in use there
    optional: Mapping[int, int]  # of the wider layers that a lane may lack: which they are
    activations: Mapping[int, Sequence[str]]  # of the layers that have a choice: what is offered

    @classmethod
    def from_model(cls, model: Any, structure: str) -> SharedStructure:
        """That of a model of the structure."""
        layers = json.loads(structure)["layers"]
        count = sum(facts.get("wider", False) for facts in layers)
        axes: dict[int, tuple[int | None, ...]] = {}
        dropouts, optional = {}, {}
        inputs: list[int | None] = []
        current: int | None = None  # the wider layer whose outputs these are
        for place, (layer, facts) in enumerate(zip(list_layers(model), layers, strict=True)):
            before, own = current, current
            if facts["class"] == "Dense":
                current, own = None, None
                if facts.get("wider"):
                    current = len(inputs)
                    own = count + current
                    inputs.append(int(layer.input.shape[-1]) if before is None else None)
                    if facts["optional"]:
                        optional[place] = current
            if facts["class"] == "Dropout" and current is not None and 0 < layer.rate < 1:
                dropouts[place] = current
            for variable in layer.trainable_variables:
                axes[id(variable)] = (before, own) if len(variable.shape) == 2 else (own,) * len(variable.shape)
        in_order = [axes[id(variable)] for variable in model.trainable_variables]
        chosen = {place: facts["activations"] for place, facts in enumerate(layers) if "activations" in facts}
        return cls(len(find_numbers(model)), inputs, in_order, dropouts, optional, chosen)

    def placeholder_numbers(self, lanes: int) -> LaneNumbers:
        """Numbers of lanes in the right shapes."""
        widths, choices = (np.zeros((len(each), lanes), np.int32) for each in (self.inputs, self.activations))
        return LaneNumbers(np.full((self.numbers, 2, lanes), PLACEHOLDER, np.float32), widths, choices)

    def find_lengths(self, widths: Any) -> list[Any]:
        """Traced: [2U] how many numbers are in use after each wider layer, be it there or not; then its own widths."""
        after: list[Any] = []
        for width, given in zip(widths, self.inputs, strict=True):
            after.append(jnp.where(width > 0, width, after[-1] if given is None else given))
        return [*after, *widths]


class PerLaneValue:
    """Stands in for a Python float above zero: an array of the lanes' values, to go with a variable, or one lane's.

    Its complement to one is given beside it, since Keras computes that in double precision before it rounds. Keras asks
    a rate whether it is one; nothing asks an argument of an optimizer that.
    """

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
        if other not in (0, 1):
            raise TypeError("a value per lane can only be compared with zero and one")
        return False

    def __gt__(self, other: object) -> bool:
        return True if other == 0 else NotImplemented


@contextmanager
def set_attributes(values: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    """Inside, each of these objects has this attribute; set past Keras's own tracking of attributes."""
    with ExitStack() as before:
        for owner, name, value in values:
            if name in vars(owner):
                before.callback(object.__setattr__, owner, name, vars(owner)[name])
            else:
                before.callback(object.__delattr__, owner, name)
            object.__setattr__(owner, name, value)
        yield


@contextmanager
def use_lane_numbers(model: Any, shared: SharedStructure | None, own: LaneNumbers | None) -> Iterator[None]:
    """Inside, the model has the numbers of one lane, traced; it is as it is where lanes share no structure."""
    if shared is None or own is None:
        yield
        return
    numbers, widths, choices = own
    layers, lengths = model.layers, shared.find_lengths(widths)
    values: list[tuple[Any, str, Any]] = []
    for index, (owner, name) in enumerate(find_numbers(model)):
        takes_arrays = type(owner).__name__ in ("LeakyReLU", "LanePenalty")  # the others compare it with zero
        number = numbers[index, 0]
        values.append((owner, name, number if takes_arrays else PerLaneValue(number, numbers[index, 1])))
        if type(owner).__name__ == "GaussianDropout":
            values.append((owner, "call", partial(_call_gaussian_dropout, owner)))
    for place, which in shared.dropouts.items():
        values.append((layers[place], "call", partial(_call_dropout, layers[place], lengths[which])))
    for place, which in shared.optional.items():
        values.append((layers[place], "call", partial(_call_optional_dense, layers[place], widths[which])))
    for (place, names), choice in zip(shared.activations.items(), choices, strict=True):
        values.append((layers[place], "activation", partial(choose_activation, names, choice)))
    with set_attributes(values):
        yield


def _call_optional_dense(layer: Any, width: Any, inputs: Any, **named: Any) -> Any:
    """A dense layer as wide as what it is given, which passes that through in a lane that lacks it."""
    return jnp.where(width > 0, type(layer).call(layer, inputs, **named), inputs)


def _call_gaussian_dropout(layer: Any, inputs: Any, training: bool = False) -> Any:
    """Keras's, which takes the square root of a Python float."""
    if not training:
        return inputs
    deviation = jnp.sqrt(layer.rate * (1 / (1.0 - layer.rate)))
    return inputs * keras.random.normal(inputs.shape, 1.0, deviation, seed=layer.seed_generator)


def _call_dropout(layer: Any, width: Any, inputs: Any, training: bool = False) -> Any:
    """Keras's dropout of a layer that lies in a wider one: it drops what it would drop of the narrow one."""
    from jax.extend.random import threefry2x32_p

    if not training:
        return inputs
    key = layer.seed_generator.next()
    # JAX draws the number of an element by its place in the array: here by that in the narrow layer, beyond which all
    # is zero.
    rows, columns = (jax.lax.broadcasted_iota(jnp.uint32, inputs.shape, axis) for axis in (0, 1))
    place = rows * width.astype(jnp.uint32) + columns
    bits = jnp.bitwise_xor(*threefry2x32_p.bind(key[0], key[1], jnp.zeros_like(place), place))
    # The numbers of `jax.random.uniform` have 23 of the bits behind the point: 1.xxx less one.
    uniform = jax.lax.bitcast_convert_type((bits >> 9) | jnp.uint32(0x3F800000), jnp.float32) - 1.0
    kept = 1.0 - layer.rate
    return jnp.where(uniform < kept, inputs / kept, 0.0)


def list_activations(spec: SweepSpec) -> tuple[str, ...]:
    """Those that trials of this space choose among, by Keras's names; () where there is no choice.

    A function of the space alone: so every generation shares programs, whatever it happens to hold.
    """
    named = set()
    for parameter in spec.space.parameters:
        ranges = parameter.distribution
        if parameter.name.startswith(MODEL_PREFIX) and isinstance(ranges, Categorical):
            for choice in ranges.choices:
                with suppress(AttributeError, ValueError):  # it names something else
                    named.add(keras.activations.get(str(choice)).__name__)
    offered = sorted(named.intersection(ACTIVATIONS))
    return tuple(offered) if len(offered) > 1 else ()


def choose_activation(names: Sequence[str], choice: Any, inputs: Any) -> Any:
    """Traced: of several activations the one of a lane."""
    outputs = jnp.zeros_like(inputs)
    for place, name in enumerate(names):
        mine = choice == place
        # The others see zeros: what overflows there would be no number in the gradient, though it is not taken.
        outputs = jnp.where(mine, keras.activations.get(name)(jnp.where(mine, inputs, 0.0)), outputs)
    return outputs
