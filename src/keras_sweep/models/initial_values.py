"""Variables of any shape without compiling a program for each shape."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, TypeAlias

import numpy as np

from keras_sweep.process.xla_options import QUICK, on_cpu

LEAST, MOST = 1 << 12, 1 << 20  # numbers at once; what is larger is drawn by JAX as it is
PLAIN = frozenset({"float32", "int32", "uint32"})  # types that JAX keeps as they are

Function: TypeAlias = Callable[..., Any]

_here = threading.local()  # `inside`: how often this thread is inside; another may be tracing a program meanwhile
_lock = threading.Lock()
_originals: list[tuple[Any, str, Function]] = []  # of JAX, while any thread is inside
_users = [0]  # how often threads are inside


@contextmanager
def drawn_in_few_shapes() -> Iterator[None]:
    """Inside, this thread draws uniform and normal numbers as a longer vector, of which the first ones are given shape.

    They are the same numbers, since the n-th depends on the key and on n alone; but JAX compiles for a dozen lengths,
    where a model of each new width costs a quarter of a second for each of its kernels. What is zeros, ones or a plain
    number comes from NumPy, for JAX compiles a program for each shape of them, too.
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

    _replace_one(jax.random, "uniform", _drawn)
    _replace_one(jax.random, "normal", _drawn)
    _replace_one(jax.random, "truncated_normal", _drawn)
    _replace_one(jnp, "zeros", partial(_filled, fill=np.zeros))
    _replace_one(jnp, "ones", partial(_filled, fill=np.ones))
    _replace_one(jnp, "asarray", _converted)


def _replace_one(module: Any, name: str, make: Callable[[Function], Function]) -> None:
    original = getattr(module, name)
    _originals.append((module, name, original))
    setattr(module, name, _in_this_thread(make(original), original))


def _restore() -> None:
    while _originals:
        module, name, original = _originals.pop()
        setattr(module, name, original)


def _in_this_thread(inside: Function, original: Function) -> Function:
    def call(*arguments: Any, **named: Any) -> Any:
        function = inside if getattr(_here, "inside", 0) else original
        return function(*arguments, **named)

    return call


def _drawn(original: Function) -> Function:
    import jax

    def draw(key: Any, *arguments: Any, **named: Any) -> Any:
        shape: Any = named.get("shape")  # as Keras gives it
        count = math.prod(shape) if _is_concrete(shape) else 0
        others = {name: value for name, value in named.items() if name not in ("shape", "dtype")}
        traced = any(isinstance(value, jax.core.Tracer) for value in (jax.device_put(key), *others.values()))
        if 0 < count <= MOST and not arguments and not traced:
            length = max(LEAST, 1 << (count - 1).bit_length())
            numbers = _program(original, length, named.get("dtype"))(key, **others)
            return jax.device_put(np.asarray(numbers)[:count].reshape(shape))
        return original(key, *arguments, **named)

    return draw


@cache
def _program(draw: Function, length: int, dtype: Any) -> Any:
    """Draws so many numbers: `draw`, compiled in half the time to the same numbers."""
    import jax

    static = {"shape": (length,)} if dtype is None else {"shape": (length,), "dtype": dtype}
    return jax.jit(partial(draw, **static), compiler_options=on_cpu(QUICK))


def _filled(original: Function, fill: Function) -> Function:
    import jax

    def filled(shape: Any, dtype: Any = None, **named: Any) -> Any:
        if named or not _is_concrete(shape):
            return original(shape, dtype, **named)
        return jax.device_put(fill(shape, dtype or np.float32))

    return filled


def _converted(original: Function) -> Function:
    import jax

    def converted(value: Any, dtype: Any = None, **named: Any) -> Any:
        if named or str(dtype) not in PLAIN or not _is_plain(value):
            return original(value, dtype, **named)
        return jax.device_put(np.asarray(value, dtype))

    return converted


def _is_plain(value: Any) -> bool:
    """Whether it is a number of Python's, or a list of such."""
    return type(value) in (int, float) or (type(value) is list and all(type(each) in (int, float) for each in value))


def _is_concrete(shape: Any) -> bool:
    """Whether it is a tuple of numbers: while Keras infers shapes, the rows of a batch are a symbol."""
    return isinstance(shape, tuple | list) and all(isinstance(length, int) for length in shape)
