"""Replace the gradient of max pooling in a traced program. XLA's own is a third of a CNN's training step on a CPU.

The program is JAX's text of all operations (jaxpr), after `jax.grad`. So pooling in a layer of Keras, in a layer of the
user's and in a model inside a model are all found, and the model itself is not changed. Weights have equal bits.
"""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun

MAX_WINDOW = 16  # elements. The time of the gradient grows with the square: windows of 7 x 7 are as slow as XLA's


def with_fast_pooling(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of arrays that computes the same numbers, with a faster gradient of max pooling if possible."""

    def call(*arguments: Any) -> Any:
        program, result = jax.make_jaxpr(function, return_shape=True)(*arguments)
        outputs = jaxpr_as_fun(_replace(program))(*jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(result), outputs)

    return call


def _replace(value: Any) -> Any:
    """Return a program with other equations, or `value` itself if it is no program or has no such equation."""
    if isinstance(value, ClosedJaxpr):
        program = _replace(value.jaxpr)
        return value if program is value.jaxpr else value.replace(jaxpr=program)
    if not isinstance(value, Jaxpr):
        return value
    equations = [_replace_equation(equation) for equation in value.eqns]
    is_same = all(new is old for new, old in zip(equations, value.eqns, strict=True))
    return value if is_same else value.replace(eqns=equations)


def _replace_equation(equation: Any) -> Any:
    params = equation.params
    if equation.primitive.name != "select_and_scatter_add":
        inner = jax.tree.map(_replace, params)  # programs inside programs: of `jax.jit`, of loops
        is_same = all(a is b for a, b in zip(jax.tree.leaves(inner), jax.tree.leaves(params), strict=True))
        return equation if is_same else equation.replace(params=inner)
    window = params["window_dimensions"]
    overlaps = params["window_strides"] != window or any(map(any, params["padding"]))
    if overlaps or params["select_prim"].name != "ge" or math.prod(window) > MAX_WINDOW:
        return equation
    gradient = jax.jit(partial(scatter_to_maximum, window))
    (call,) = jax.make_jaxpr(gradient)(*(variable.aval for variable in equation.invars)).eqns
    return equation.replace(primitive=call.primitive, params=call.params)


def scatter_to_maximum(window: tuple[int, ...], gradient: Any, inputs: Any) -> Any:
    """Return the gradient of `inputs` of max pooling from the `gradient` of its outputs.

    Windows have the shape `window` and do not overlap. As in XLA, the first maximum of a window gets the gradient.
    """
    counts, zero = gradient.shape, jnp.zeros((), gradient.dtype)
    covered = [count * length for count, length in zip(counts, window, strict=True)]  # inputs in a window
    # An axis of windows, then an axis inside each window.
    pairs = [side for pair in zip(counts, window, strict=True) for side in pair]
    windows = jax.lax.slice(inputs, [0] * inputs.ndim, covered).reshape(pairs)
    positions = list(itertools.product(*map(range, window)))
    first, *others = (windows[tuple(x for place in position for x in (slice(None), place))] for position in positions)
    maximum, index = first, jnp.zeros(counts, jnp.int32)
    for position, values in enumerate(others, 1):
        keeps = maximum >= values  # XLA's comparison, which is false for NaN
        maximum, index = jnp.where(keeps, maximum, values), jnp.where(keeps, index, position)
    alone = [side for count in counts for side in (count, 1)]
    places = jnp.arange(len(positions)).reshape([side for length in window for side in (1, length)])
    is_maximum = (index.reshape(alone) == places) & (gradient.reshape(alone) != 0)  # XLA adds to 0, so -0 becomes 0
    spread = jnp.where(is_maximum, gradient.reshape(alone), zero).reshape(covered)
    return jax.lax.pad(spread, zero, [(0, size - used, 0) for size, used in zip(inputs.shape, covered, strict=True)])
