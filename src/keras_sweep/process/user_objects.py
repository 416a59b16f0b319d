"""Register arrays and functions that a program passes to `keras_sweep`, each under a name with its digest.

Another program can't look up a name like `__program__:build_3f2a90c1d4e5`, so a record alone can't run any code.
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
ARRAYS = "the arrays given"
# Name -> (object, digests of a function's parts when it was registered).
_objects: dict[str, tuple[object, dict[str, str]]] = {}


def is_object_name(source: str) -> bool:
    """Check whether `source` names an object that a program registered, in this process or another."""
    return source.startswith(PREFIX)


def is_registered(source: str) -> bool:
    return source in _objects


def display_name(source: str) -> str:
    """Return how messages name `source`: a registered object without prefix and digest, any other source as it is."""
    if not is_object_name(source):
        return source
    name = source.removeprefix(PREFIX).rpartition("_")[0]
    return ARRAYS if name == "arrays" else name


def get_object(source: str, error: type[UsageError] = UsageError) -> object:
    """Return the registered object named `source`. Raises `error` if this process has not registered it."""
    if source not in _objects:
        raise error(
            f"{source.removeprefix(PREFIX)} was defined in a running program, so `sweep` can't import it",
            hint="Call `keras_sweep.run` with the same Spec in that program",
        )
    return _objects[source][0]


def register_function(function: Any, *, of_rows: bool = False) -> str:
    """Register a function, a class or an instance. Return a name that ends with the digest of all its parts.

    Raises UsageError if a part can't be hashed. If the function returns rows of data (`of_rows`), only its code is
    hashed in this case, since the rows have a digest of their own.
    """
    innermost = function
    while isinstance(innermost, functools.partial):
        innermost = innermost.func
    name = getattr(innermost, "__name__", type(innermost).__name__).strip("<>")
    try:
        parts = compute_part_digests(function, name)
    except UsageError:
        if not of_rows:
            raise
        parts = {"its code": compute_digest(getattr(function, "__code__", name), name)}
    source = f"{PREFIX}{name}_{compute_digest(parts, name)[:12]}"
    _objects[source] = function, parts
    return source


def register_arrays(arrays: Any) -> str:
    """Register arrays, or pairs or a dict of arrays, as a function that returns them. Return the registered name."""
    try:
        digest = compute_digest(arrays, ARRAYS)
    except UsageError:
        # The value has no arrays, or is a dataset. Reading the data reports what is wrong with more detail.
        digest = compute_digest(type(arrays).__name__, ARRAYS)
    source = f"{PREFIX}arrays_{digest[:12]}"
    _objects[source] = (lambda: arrays), {}
    return source


def get_keras_loss_name(loss: Any) -> str | None:
    """Return the Keras name of a loss object or function, or None if the loss is not from Keras."""
    function = getattr(loss, "fn", loss)
    name = getattr(function, "__name__", "")
    return name if getattr(getattr(sys.modules.get("keras"), "losses", None), name, None) is function else None


def get_changed_arguments(keras_object: Any) -> dict[str, Any]:
    """Return a Keras object's arguments that differ from defaults, without `name` and `dtype`; {} for a function."""
    # `get_config` may be missing or may raise.
    with suppress(AttributeError, TypeError, NotImplementedError):
        config, parameters = keras_object.get_config(), inspect.signature(type(keras_object)).parameters
        names = [name for name in config if name in parameters and name not in ("name", "dtype")]
        return {name: config[name] for name in names if config[name] != parameters[name].default}
    return {}


def get_part_digests(source: str, *, now: bool = False) -> dict[str, str]:
    """Return {part, like "its code": digest} of a registered function; {} if not registered. `now`: hash it again."""
    parts = _objects[source][1] if source in _objects else {}
    return compute_part_digests(get_object(source), display_name(source)) if parts and now else parts


def export_objects(sources: Iterable[str]) -> Any:
    """Return the objects registered as `sources`, with functions' texts, for `import_objects` in another process."""
    return {source: _objects[source] for source in sources if source in _objects}, TEXTS


def import_objects(exported: Any) -> None:
    _objects.update(exported[0])
    TEXTS.update(exported[1])
