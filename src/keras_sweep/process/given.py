"""What a running program gives in place of a name: its own arrays and functions, each under a digest of what it is.

A name like `__program__:build_3f2a90c1d4e5` says nothing to another program, so no record can reach anything by it.
"""

import functools
import inspect
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from keras_sweep.errors import UsageError
from keras_sweep.process.digest import digest_of, digests_of_parts
from keras_sweep.process.source_code import TEXTS

PREFIX = "__program__:"
ARRAYS = "the arrays given"  # how messages call arrays
# Under its name what was given, and the digests of the parts of a function then.
_given: dict[str, tuple[object, dict[str, str]]] = {}


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
    return ARRAYS if name == "arrays" else name


def given(source: str, error: type[UsageError] = UsageError) -> object:
    """What was given under this name. Raises `error` where this program has not given it."""
    if source not in _given:
        message = f"{source.removeprefix(PREFIX)} stands in a Python program, not in a file"
        raise error(message, hint="Call `keras_sweep.run` with the same Spec in that program")
    return _given[source][0]


def give_function(function: Any, *, of_rows: bool = False) -> str:
    """Give a function, a class or an instance; its name bears the digest of all that it is made of.

    A function `of_rows` may use what has no digest: the rows that it returns have one. Raises UsageError.
    """
    named = function
    while isinstance(named, functools.partial):
        named = named.func
    name = getattr(named, "__name__", type(named).__name__).strip("<>")
    try:
        parts = digests_of_parts(function, name)
    except UsageError:
        if not of_rows:
            raise
        parts = {"its code": digest_of(getattr(function, "__code__", name), name)}
    source = f"{PREFIX}{name}_{digest_of(parts, name)[:12]}"
    _given[source] = function, parts
    return source


def give_arrays(arrays: Any) -> str:
    """Give arrays, or pairs or a dict of them, as the result of a function without arguments."""
    try:
        digest = digest_of(arrays, ARRAYS)
    except UsageError:  # they are no arrays, of which the reader says more
        digest = digest_of(type(arrays).__name__, ARRAYS)
    source = f"{PREFIX}arrays_{digest[:12]}"
    _given[source] = (lambda: arrays), {}
    return source


def loss_of_keras(loss: Any) -> str | None:
    """Keras's name of a loss, by the function that it is or calls; None for one that is not Keras's."""
    function = getattr(loss, "fn", loss)
    name = getattr(function, "__name__", "")
    return name if getattr(getattr(sys.modules.get("keras"), "losses", None), name, None) is function else None


def unusual_arguments(made: Any) -> dict[str, Any]:
    """Those of an object of Keras's that are not as by default, but for its name; {} for a name or a function."""
    with suppress(AttributeError, TypeError, NotImplementedError):  # it is none, or does not tell
        config, usual = made.get_config(), inspect.signature(type(made)).parameters
        names = [name for name in config if name in usual and name not in ("name", "dtype")]
        return {name: config[name] for name in names if config[name] != usual[name].default}
    return {}


def parts_given(source: str, *, now: bool = False) -> dict[str, str]:
    """What a given function was made of then, or is `now`, with digests; {} where none is given. Raises UsageError."""
    parts = _given[source][1] if source in _given else {}
    return digests_of_parts(given(source), name_of(source)) if parts and now else parts


def given_of(sources: Iterable[str]) -> Any:
    """What this program gave under these names, and the texts of its code, for `give_again` in another process."""
    return {source: _given[source] for source in sources if source in _given}, TEXTS


def give_again(things: Any) -> None:
    _given.update(things[0])
    TEXTS.update(things[1])
