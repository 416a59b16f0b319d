"""Replace operations of a traced program that XLA computes slowly on a CPU, by faster operations.

Max pooling has the same bits. A convolution may have another last digit with another JAX or processor. The operations
are found in JAX's list of operations (jaxpr) after `jax.grad`, so in any layer. The model is not changed.
"""

import itertools
import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun

MAX_WINDOW = 16  # elements. The time grows with the square: with windows of 7 x 7, XLA is as fast
MAX_TAPS = 9  # elements of a kernel. XLA rounds the sum of more elements differently for some shapes


def with_cpu_operations(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of arrays that computes the same numbers, faster on a CPU. Traced by JAX."""

    def call(*arguments: Any) -> Any:
        program, result = jax.make_jaxpr(function, return_shape=True)(*arguments)
        outputs = jaxpr_as_fun(_replace(program))(*jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(result), outputs)

    return call


def _replace(value: Any) -> Any:
    """Return the program `value` with other operations. Return `value` if there are none, or if it is no program."""
    if not isinstance(value, Jaxpr | ClosedJaxpr):
        return value
    if (inner := getattr(value, "jaxpr", value)) is not value:  # before JAX 0.12, a closed program has an open one
        return value if (program := _replace(inner)) is inner else value.replace(jaxpr=program)
    equations = [_replace_equation(equation) for equation in value.eqns]
    return value if all(map(operator.is_, equations, value.eqns)) else value.replace(eqns=equations)


def _replace_equation(equation: Any) -> Any:
    if (function := _find_function(equation)) is not None:
        (call,) = jax.make_jaxpr(jax.jit(function))(*(variable.aval for variable in equation.invars)).eqns
        with set_xla_metadata(inlineable="false"):  # or XLA would fuse and so round its neighbors differently
            (apart,) = jax.make_jaxpr(jax.jit(jnp.negative))(0.0).eqns
        return equation.replace(primitive=call.primitive, params=call.params, ctx=apart.ctx)
    params = jax.tree.map(_replace, equation.params)  # programs inside programs: of `jax.jit`, of loops
    is_same = all(map(operator.is_, jax.tree.leaves(params), jax.tree.leaves(equation.params)))
    return equation if is_same else equation.replace(params=params)


def _find_function(equation: Any) -> Callable[..., Any] | None:
    """Return a function of the inputs of `equation` that gives the same numbers faster on a CPU, or None."""
    name, params = equation.primitive.name, equation.params
    if name == "select_and_scatter_add":
        window, is_maximum = params["window_dimensions"], params["select_prim"].name == "ge"
        overlaps = params["window_strides"] != window or any(map(any, params["padding"]))
        if is_maximum and not overlaps and math.prod(window) <= MAX_WINDOW:
            return partial(scatter_to_maximum, window)
    if name == "conv_general_dilated":
        inputs, kernel = (variable.aval for variable in equation.invars)
        last, size = inputs.ndim - 1, math.prod(kernel.shape[:-1])
        axes = (0, last, *range(1, last)), (last, last - 1, *range(last - 1))  # channels last, as Keras has them
        is_known = tuple(params["dimension_numbers"]) == (*axes, axes[0]) and inputs.dtype == kernel.dtype == "float32"
        counts = inputs.shape[-1], *params["lhs_dilation"], *params["rhs_dilation"], params["batch_group_count"]
        if is_known and set(counts) == {1} and size <= MAX_TAPS:
            return partial(convolve_channel, params["window_strides"], params["padding"])
    return None


def scatter_to_maximum(window: tuple[int, ...], gradient: Any, inputs: Any) -> Any:
    """Give the `gradient` of each window of max pooling to its first maximum in `inputs`. Windows do not overlap."""
    pairs = list(itertools.chain(*zip(counts := gradient.shape, window, strict=True)))  # windows, their elements, ...
    covered = [count * length for count, length in zip(counts, window, strict=True)]  # inputs in a window
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
    spread = jnp.where(is_maximum, gradient.reshape(alone), 0).reshape(covered)
    return jnp.pad(spread, [(0, size - used) for size, used in zip(inputs.shape, covered, strict=True)])


def convolve_channel(strides: tuple[int, ...], padding: tuple[tuple[int, int], ...], inputs: Any, kernel: Any) -> Any:
    """Convolve `inputs` [rows, *sides, 1] with `kernel` [*window, 1, filters] as a sum in XLA's order, from 0."""
    inputs = jnp.pad(inputs, ((0, 0), *padding, (0, 0)))
    total: Any = 0.0
    for place in itertools.product(*map(range, window := kernel.shape[:-2])):
        sizes = zip(place, inputs.shape[1:-1], window, strides, strict=True)
        sides = (slice(start, start + size - length + 1, stride) for start, size, length, stride in sizes)
        product = inputs[(slice(None), *sides)] * kernel[place]
        # Processors add a product unrounded, as XLA does, except for the first. So the sum comes second.
        total = product + total if any(place) else jnp.where(product == 0, 0, product)  # 0 + -0 is 0
    return total
