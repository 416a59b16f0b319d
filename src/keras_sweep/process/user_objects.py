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
from keras_sweep.process.digest import compute_digest, compute_part_digests
from keras_sweep.process.source_code import TEXTS

PREFIX = "__program__:"
ARRAYS = "the arrays given"  # how messages call arrays
# Under its name what was given, and the digests of the parts of a function then.
_given: dict[str, tuple[object, dict[str, str]]] = {}


def is_object_name(source: str) -> bool:
    """Whether the source names something of a running program."""
    return source.startswith(PREFIX)


def is_registered(source: str) -> bool:
    """Whether this program has given it."""
    return source in _given


def display_name(source: str) -> str:
    """How messages call a source: without the digest of what a program gave."""
    if not is_object_name(source):
        return source
    name = source.removeprefix(PREFIX).rpartition("_")[0]
    return ARRAYS if name == "arrays" else name


def get_object(source: str, error: type[UsageError] = UsageError) -> object:
    """What was given under this name. Raises `error` where this program has not given it."""
    if source not in _given:
        message = f"{source.removeprefix(PREFIX)} stands in a Python program, not in a file"
        raise error(message, hint="Call `keras_sweep.run` with the same Spec in that program")
    return _given[source][0]


def register_function(function: Any, *, of_rows: bool = False) -> str:
    """Give a function, a class or an instance; its name bears the digest of all that it is made of.

    A function `of_rows` may use what has no digest: the rows that it returns have one. Raises UsageError.
    """
    named = function
    while isinstance(named, functools.partial):
        named = named.func
    name = getattr(named, "__name__", type(named).__name__).strip("<>")
    try:
        parts = compute_part_digests(function, name)
    except UsageError:
        if not of_rows:
            raise
        parts = {"its code": compute_digest(getattr(function, "__code__", name), name)}
    source = f"{PREFIX}{name}_{compute_digest(parts, name)[:12]}"
    _given[source] = function, parts
    return source


def register_arrays(arrays: Any) -> str:
    """Give arrays, or pairs or a dict of them, as the result of a function without arguments."""
    try:
        digest = compute_digest(arrays, ARRAYS)
    except UsageError:  # they are no arrays, of which the reader says more
        digest = compute_digest(type(arrays).__name__, ARRAYS)
    source = f"{PREFIX}arrays_{digest[:12]}"
    _given[source] = (lambda: arrays), {}
    return source


def get_keras_loss_name(loss: Any) -> str | None:
    """Keras's name of a loss, by the function that it is or calls; None for one that is not Keras's."""
    function = getattr(loss, "fn", loss)
    name = getattr(function, "__name__", "")
    return name if getattr(getattr(sys.modules.get("keras"), "losses", None), name, None) is function else None


def get_changed_arguments(made: Any) -> dict[str, Any]:
    """Those of an object of Keras's that are not as by default, but for its name; {} for a name or a function."""
    with suppress(AttributeError, TypeError, NotImplementedError):  # it is none, or does not tell
        config, usual = made.get_config(), inspect.signature(type(made)).parameters
        names = [name for name in config if name in usual and name not in ("name", "dtype")]
        return {name: config[name] for name in names if config[name] != usual[name].default}
    return {}


def get_part_digests(source: str, *, now: bool = False) -> dict[str, str]:
    """What a given function was made of then, or is `now`, with digests; {} where none is given. Raises UsageError."""
    parts = _given[source][1] if source in _given else {}
    return compute_part_digests(get_object(source), display_name(source)) if parts and now else parts


def export_objects(sources: Iterable[str]) -> Any:
    """What this program gave under these names, and the texts of its code, for `give_again` in another process."""
    return {source: _given[source] for source in sources if source in _given}, TEXTS


def import_objects(things: Any) -> None:
    _given.update(things[0])
    TEXTS.update(things[1])
