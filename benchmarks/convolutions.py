"""Convolutions of several lanes at once, in every form, against one lane at a time, a call a step, as they are trained.

    python benchmarks/convolutions.py [--rounds 5] [--quick]

A step is forward, backward and sgd on 32 rows; that all forms give the same weights is seen to before they are timed.
Forms are timed in turn, on one thread and on two at once that each train lanes of their own. Milliseconds a lane-step:
CPU time where one thread runs, wall time where two do, medians of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from printed import print_machine, print_table

BATCH, CLASSES, RATE = 32, 10, 0.01
DIMENSIONS = ("NHWC", "HWIO", "NHWC")
Weights = list[Any]  # of each lane the kernels [3, 3, C, F] of its convolutions, then [N, 10] of its last layer


@dataclass(frozen=True)
class Shape:
    """Pictures, and the filters of each convolution; each is followed by relu and pooling."""

    name: str
    side: int
    filters: tuple[int, ...]


SHAPES = (
    Shape("8 x 8, one of 8 filters", 8, (8,)),
    Shape("28 x 28, one of 8 filters", 28, (8,)),
    Shape("28 x 28, two of 16 and 32", 28, (16, 32)),
)


def convolution(x: Any, kernel: Any, groups: int = 1) -> Any:
    """[B, H, W, groups C], [3, 3, C, groups F] -> [B, H - 2, W - 2, groups F]."""
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", dimension_numbers=DIMENSIONS, feature_group_count=groups
    )


def product(x: Any, kernel: Any) -> Any:
    """The same as one matrix product of all windows."""
    high, wide = x.shape[1] - 2, x.shape[2] - 2
    windows = jnp.concatenate([x[:, i : i + high, j : j + wide] for i in range(3) for j in range(3)], axis=-1)
    return windows @ kernel.reshape(-1, kernel.shape[-1])


def pooled(x: Any) -> Any:
    """The greatest of each 2 x 2."""
    return lax.reduce_window(jax.nn.relu(x), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def error(outputs: Any, y: Any) -> Any:
    """Mean cross-entropy."""
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], axis=1))


def one_loss(convolve: Callable[[Any, Any], Any], weights: Weights, x: Any, y: Any) -> Any:
    """Of one lane."""
    *kernels, last = weights
    for kernel in kernels:
        x = pooled(convolve(x, kernel))
    return error(x.reshape(len(x), -1) @ last, y)


def mapped_loss(convolve: Callable[[Any, Any], Any], weights: Weights, x: Any, y: Any) -> Any:
    """The sum over lanes, mapped; JAX makes feature groups of mapped convolutions itself."""
    return jax.vmap(partial(one_loss, convolve), in_axes=(0, None, None))(weights, x, y).sum()


def grouped_loss(weights: Weights, x: Any, y: Any) -> Any:
    """The sum over lanes, which are feature groups from the first convolution to the last."""
    *kernels, last = weights
    lanes = len(last)
    for index, kernel in enumerate(kernels):  # [T, 3, 3, C, F] -> [3, 3, C, T F]
        flat = jnp.moveaxis(kernel, 0, 3).reshape(*kernel.shape[1:4], -1)
        x = pooled(convolution(x, flat, groups=lanes if index else 1))  # all lanes have the same pictures
    each = jnp.moveaxis(x.reshape(*x.shape[:3], lanes, -1), 3, 0)
    return jax.vmap(error, in_axes=(0, None))(each.reshape(lanes, len(x), -1) @ last, y).sum()


FORMS: dict[str, tuple[Callable[[Weights, Any, Any], Any], bool]] = {  # loss of all lanes; whether in a scan
    "a call a step": (partial(mapped_loss, convolution), False),
    "in a scan": (partial(mapped_loss, convolution), True),
    "feature groups, a call a step": (grouped_loss, False),
    "feature groups in a scan": (grouped_loss, True),
    "products, a call a step": (partial(mapped_loss, product), False),
    "products in a scan": (partial(mapped_loss, product), True),
}


def step(loss: Callable[[Weights, Any, Any], Any], weights: Weights, x: Any, y: Any) -> Weights:
    """One step of sgd."""
    gradients = jax.grad(loss)(weights, x, y)
    return [weight - RATE * gradient for weight, gradient in zip(weights, gradients, strict=True)]


def single_loss(weights: Weights, x: Any, y: Any) -> Any:
    """One lane that bears no axis of lanes."""
    return one_loss(convolution, [weight[0] for weight in weights], x, y)


def epoch(form: str, weights: Weights, x: Any, y: Any) -> Callable[[], Weights]:
    """Compiled: as many steps as there are batches."""
    loss, scans = FORMS[form]
    if len(weights[0]) == 1 and form == "a call a step":
        loss = single_loss
    if scans:
        run = jax.jit(lambda weights, x, y: lax.scan(lambda w, b: (step(loss, w, *b), None), weights, (x, y))[0])
        made = run.lower(weights, x, y).compile()
        return lambda: jax.block_until_ready(made(weights, x, y))
    one = jax.jit(partial(step, loss)).lower(weights, x[0], y[0]).compile()
    batches = list(zip(x, y, strict=True))

    def by_calls() -> Weights:
        state = weights
        for batch in batches:
            state = one(state, *batch)
        return jax.block_until_ready(state)

    return by_calls


def measured(shape: Shape, steps: int, rounds: int, lane_counts: Sequence[int]) -> list[list[str]]:
    """A row a form and number of lanes."""
    generator = np.random.default_rng(0)
    x = jnp.asarray(generator.random((steps, BATCH, shape.side, shape.side, 1), np.float32))
    y = jnp.asarray(generator.integers(0, CLASSES, (steps, BATCH)))
    runs = {}
    expected = None
    for lanes in lane_counts:
        weights = initial(shape, lanes)
        for form in FORMS:
            runs[form, lanes] = epoch(form, weights, x, y)
            ended = runs[form, lanes]()
            expected = ended if expected is None else expected
            for a, b in zip(ended, expected, strict=True):
                np.testing.assert_allclose(a[0], b[0], atol=1e-4)
    times: dict[Any, list[tuple[float, float]]] = {key: [] for key in runs}
    with ThreadPoolExecutor(2) as threads:
        for _ in range(rounds):
            for key, run in runs.items():
                cpu, wall = time.process_time(), time.perf_counter()
                run()
                cpu, wall = time.process_time() - cpu, time.perf_counter()
                list(threads.map(lambda run: run(), [run, run]))
                times[key].append((cpu, (time.perf_counter() - wall) / 2))
    rows = []
    for (form, lanes), found in times.items():
        medians = [1000 * statistics.median(one) / (steps * lanes) for one in zip(*found, strict=True)]
        rows.append([form, str(lanes), *(f"{ms:.3f}" for ms in medians)])
    return rows


def initial(shape: Shape, lanes: int) -> Weights:
    """The first lane is always the same."""
    generator, weights, side, channels = np.random.default_rng(1), [], shape.side, 1
    for filters in shape.filters:
        weights.append(generator.normal(0, 0.1, (3, 3, channels, filters)))
        side, channels = (side - 2) // 2, filters
    weights.append(generator.normal(0, 0.1, (side * side * channels, CLASSES)))
    return [jnp.asarray([weight * (1 + lane / 10) for lane in range(lanes)], jnp.float32) for weight in weights]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of the smallest pictures")
    options = parser.parse_args()
    shapes, rounds = (SHAPES[:1], 1) if options.quick else (SHAPES, options.rounds)
    print_machine("at the start")
    head = ["form", "lanes", "CPU ms, one thread", "wall ms, two threads"]
    for shape in shapes:
        rows = measured(shape, 200 if shape.side == 8 else 20, rounds, (1, 4))
        print_table(f"A lane-step of {BATCH} rows, convolutions {shape.name}; median of {rounds} rounds", head, rows)
    print_machine("at the end")


if __name__ == "__main__":
    main()
