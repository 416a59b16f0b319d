"""Initial weights of any shape without compiling a program for each shape."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

LEAST, MOST = 1 << 12, 1 << 20  # numbers at once; what is larger is drawn by JAX as it is

_here = threading.local()  # `inside`: how often this thread is inside; another may be tracing a program meanwhile
_lock = threading.Lock()
_originals: list[tuple[Any, str, Callable[..., Any]]] = []  # of JAX, while any thread is inside
_users = [0]  # how often threads are inside


@contextmanager
def drawn_in_few_shapes() -> Iterator[None]:
    """Inside, this thread draws uniform and normal numbers as a longer vector, of which the first ones are given shape.

    They are the same numbers, since the n-th depends on the key and on n alone; but JAX compiles for a dozen lengths,
    where a model of each new width costs a quarter of a second for each of its kernels. Zeros and ones come from NumPy.
    On another backend than JAX nothing changes.
    """
    import keras

    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    if not jax.config.jax_threefry_partitionable:  # else the n-th number depends on how many there are
        yield
        return
    with _lock:
        _users[0] += 1
        if not _originals:
            _replace()
    _here.inside = getattr(_here, "inside", 0) + 1
    try:
        yield
    finally:
        _here.inside -= 1
        with _lock:
            _users[0] -= 1
            if not _users[0]:
                _restore()


def _replace() -> None:
    import jax
    import jax.numpy as jnp

    places = [(jax.random, name) for name in ("uniform", "normal", "truncated_normal")]
    for module, name in [*places, (jnp, "zeros"), (jnp, "ones")]:
        original = getattr(module, name)
        inside = _drawn(original) if module is jax.random else _filled(original, getattr(np, name))
        _originals.append((module, name, original))
        setattr(module, name, _in_this_thread(inside, original))


def _restore() -> None:
    while _originals:
        module, name, original = _originals.pop()
        setattr(module, name, original)


def _in_this_thread(inside: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        function = inside if getattr(_here, "inside", 0) else original
        return function(*arguments, **named)

    return call


def _drawn(original: Callable[..., Any]) -> Callable[..., Any]:
    import jax

    def draw(key: Any, *arguments: Any, **named: Any) -> Any:
        shape: Any = named.get("shape")  # as Keras gives it
        count = math.prod(shape) if _is_concrete(shape) else 0
        if 0 < count <= MOST:
            length = max(LEAST, 1 << (count - 1).bit_length())
            numbers = original(key, *arguments, **{**named, "shape": (length,)})
            if not isinstance(numbers, jax.core.Tracer):
                return jax.device_put(np.asarray(numbers)[:count].reshape(shape))
        return original(key, *arguments, **named)

    return draw


def _filled(original: Callable[..., Any], fill: Callable[..., Any]) -> Callable[..., Any]:
    import jax

    def filled(shape: Any, dtype: Any = None, **named: Any) -> Any:
        if named or not _is_concrete(shape):
            return original(shape, dtype, **named)
        return jax.device_put(fill(shape, dtype or np.float32))

    return filled


def _is_concrete(shape: Any) -> bool:
    """Whether it is a tuple of numbers: while Keras infers shapes, the rows of a batch are a symbol."""
    return isinstance(shape, tuple | list) and all(isinstance(length, int) for length in shape)
