"""Which names a sweep may have. A name is also a folder inside `sweeps/`, so it must not lead out of it."""

from __future__ import annotations

import re

from keras_sweep.space.plain_text import quoted

LONGEST_NAME = 64
_ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def sweep_name_fault(name: str) -> str | None:
    """The rule that a sweep's name breaks, or None where it may be used."""
    if len(name) > LONGEST_NAME:
        return f"a sweep's name has at most {LONGEST_NAME} characters, but {quoted(name)} has {len(name)}"
    if not _ALLOWED.fullmatch(name):
        return (
            "a sweep's name is letters (a-z), digits, `.`, `_` and `-`, and begins with a letter, digit or `_`, "
            f"but got {quoted(name)}"
        )
    return None
