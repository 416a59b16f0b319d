"""Values from a file, written so that they can't mislead a terminal, and suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 60  # characters of a value that an error repeats


def escaped(text: str) -> str:
    """Control characters, lone surrogates and other unprintable ones as escapes; printable text as it is."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def quoted(value: object) -> str:
    """A value for an error message: as it would stand in a file, on one line, cut where it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        text = "a map of " + ", ".join(map(str, value)) if value else "an empty map"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(quoted(item) for item in value[:20]) + (", ...]" if len(value) > 20 else "]")
    elif isinstance(value, str):
        text = repr(value[: LONGEST + 1])
    else:
        text = str(value)
    text = escaped(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def did_you_mean(name: object, known: Iterable[str]) -> str | None:
    """A hint with the nearest known name, or None where none is near."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    parts = set(str(name)[:LONGEST].lower().split("_"))
    longer = [known for known in by_lower if parts < set(known.split("_"))]
    if longer:  # sparse_crossentropy, rate: a word was left out
        return f"did you mean `{by_lower[min(longer, key=len)]}`?"
    near = difflib.get_close_matches(str(name)[:LONGEST].lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean `{by_lower[near[0]]}`?" if near else None


def counted(count: int, noun: str) -> str:
    """`1 trial`, `12 trials`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def joined(names: Iterable[str]) -> str:
    """Names for a sentence: `a, b, c`."""
    return ", ".join(names)
