"""Runs a user's own code: what it raises is told plainly with its place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_sweep.errors import SweepError, UsageError
from keras_sweep.process.process_kept import of_user, process_kept
from keras_sweep.process.user_code import user_place


def taken(function: Callable[..., Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the facts that the function has a parameter for."""
    try:
        wanted = inspect.signature(function).parameters
    except (TypeError, ValueError):  # built-in callables have none
        return {}
    return {name: value for name, value in facts.items() if name in wanted}


@contextmanager
def user_code(what: str, folder: Path, error: type[UsageError], *, hint: str | None = None) -> Iterator[None]:
    """Inside, a user's code runs. Whatever it raises, `sys.exit` and KeyboardInterrupt too, becomes one plain error.

    What it prints goes to stderr, since stdout carries the answer. Afterwards the working folder, the hooks of `sys`
    and the warnings that raise are as they were before: a sweep goes on for hours in the same process.

    Args:
        what: begins the message, as in "mods:build failed".
        folder: the user's, to name the file and line in.
        error: the class that is raised.
        hint: what to do.
    """
    with process_kept():
        try:
            yield
        except BaseException as fault:
            if isinstance(fault, SweepError) or not of_user(fault):  # a signal's, or one that says it all
                raise
            raise error(f"{what}: {user_place(fault, folder)}", hint=hint) from fault
