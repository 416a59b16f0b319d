"""What a running program gives in place of a name: its own arrays and functions, each under a digest of what it is.

A name like `__program__:build_3f2a90c1d4e5` says nothing to another program, so no record can reach anything by it.
"""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from keras_sweep.errors import UsageError

PREFIX = "__program__:"
_given: dict[str, object] = {}


def is_given(source: str) -> bool:
    """Whether the source names something of a running program."""
    return source.startswith(PREFIX)


def was_given(source: str) -> bool:
    """Whether this program has given it."""
    return source in _given


def name_of(source: str) -> str:
    """How messages call a source: without the digest of what a program gave."""
    if not is_given(source):
        return source
    name = source.removeprefix(PREFIX).rpartition("_")[0]
    return "the arrays given" if name == "arrays" else name


def given(source: str, error: type[UsageError] = UsageError) -> object:
    """What was given under this name. Raises `error` where this program has not given it."""
    try:
        return _given[source]
    except KeyError:
        raise error(
            f"{source.removeprefix(PREFIX)} stands in a Python program, not in a file",
            hint="Call `keras_sweep.run` with the same Spec in that program",
        ) from None


def give_function(function: Any) -> str:
    """Give a function, a class or an instance; its name bears the digest of its source."""
    named = function if hasattr(function, "__name__") else type(function)
    source = f"{PREFIX}{named.__name__.strip('<>')}_{_digest_of_source(named)}"
    _given[source] = function
    return source


def give_arrays(arrays: Any) -> str:
    """Give arrays, or pairs or a dict of them, as the result of a function without arguments."""
    digest = hashlib.sha256()
    _take_in(arrays, digest.update)
    source = f"{PREFIX}arrays_{digest.hexdigest()[:12]}"
    _given[source] = lambda: arrays
    return source


def _digest_of_source(code: Any) -> str:
    try:
        text = textwrap.dedent(inspect.getsource(code)).encode()
    except (OSError, TypeError):  # typed into a plain interpreter: there is no source, but there is code
        body = getattr(code, "__code__", None)
        if body is None:
            raise UsageError(
                f"the source of {code.__name__} can't be read, so a changed one could not be told",
                hint="Define it in a file or a notebook",
            ) from None
        text = body.co_code + repr((body.co_consts, body.co_names)).encode()
    return hashlib.sha256(text).hexdigest()[:12]


def _take_in(value: Any, update: Callable[[bytes], object]) -> None:
    import numpy as np

    if isinstance(value, Mapping):
        for name, inner in value.items():
            update(str(name).encode())
            _take_in(inner, update)
    elif _holds_arrays(value):
        for inner in value:
            _take_in(inner, update)
    elif type(value).__name__ == "DataFrame":
        for name in value.columns:
            update(str(name).encode())
            _take_in(value[name].to_numpy(), update)
    else:
        try:
            array = np.asarray(value)
        except ValueError:  # lists of different lengths, which the reader of the data refuses by name
            array = np.asarray(value, object)
        update(f"{array.dtype.str}{array.shape}".encode())
        update(repr(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).tobytes())


def _holds_arrays(value: Any) -> bool:
    """Whether it is a list or tuple of arrays, or of pairs of them, and not one array written as a list."""
    return isinstance(value, list | tuple) and any(hasattr(part, "shape") or _holds_arrays(part) for part in value[:4])
