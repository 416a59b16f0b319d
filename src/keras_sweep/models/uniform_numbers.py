"""The numbers of `jax.random.uniform`, whose generator NumPy runs: XLA takes a tenth of a second to compile it.

The bits are made by whole numbers alone, so NumPy's are JAX's. What makes floats of them is left to XLA, which may
round a product and a sum once where NumPy rounds twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from keras_sweep.process.xla_options import QUICK, on_cpu

# Salmon et al. 2011 (Random123), Threefry-2x32: rotations of its rounds, and what keeps a key of zeros from staying so.
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_GROUPS = 5  # of four rounds each


def uniform_numbers(key: Any, *, count: int, minval: float, maxval: float) -> Any:
    """As `jax.random.uniform` gives them by its partitionable generator, in float32.

    Args:
        key: [2] of uint32.
        count: how many, fewer than 2 ** 32. A program is compiled for each.
        minval: the least number.
        maxval: above all of them.
    """
    return _spread()(random_bits(np.asarray(key), count), np.float32(minval), np.float32(maxval))


def random_bits(key: Any, count: int) -> Any:
    """[count] of uint32."""
    first, second = (int(part) for part in key)
    keys = [np.uint32(part) for part in (first, second, first ^ second ^ _PARITY)]
    high = np.full(count, keys[0], np.uint32)  # the n-th number is of the pair (0, n)
    low = np.arange(count, dtype=np.uint32) + keys[1]
    for group in range(_GROUPS):
        for rotation in _ROTATIONS[group % 2]:
            high += low
            low = (low << np.uint32(rotation)) | (low >> np.uint32(32 - rotation))
            low ^= high
        high += keys[(group + 1) % 3]
        low += np.uint32((int(keys[(group + 2) % 3]) + group + 1) % 2**32)
    return high ^ low


@cache
def _spread() -> Callable[[Any, Any, Any], Any]:
    import jax
    import jax.numpy as jnp
    from jax import lax

    def spread(bits: Any, low: Any, high: Any) -> Any:
        one = jnp.uint32(0x3F800000)  # 1.0: the numbers are 1.xxx less one
        uniform = lax.bitcast_convert_type((bits >> 9) | one, jnp.float32) - 1.0
        return jnp.maximum(low, uniform * (high - low) + low)

    compiled: Callable[[Any, Any, Any], Any] = jax.jit(spread, compiler_options=on_cpu(QUICK))
    return compiled
