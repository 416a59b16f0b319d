"""Text for people: values of a file that can't mislead a terminal, hints for misspelt names, names of sweeps."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Cc: terminal control. Cf: among them the bidirectional overrides. Cs: lone surrogates of undecodable file names.
# Zl, Zp: line separators.
UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
JOINERS = frozenset("\u200c\u200d")  # Cf, but part of ordinary writing
LONGEST = 60  # characters of a value that an error repeats
MOST_SLIPS = 2  # of a name that a hint mends
LONGEST_NAME = 64
_ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def escaped(text: str) -> str:
    """The text with every character that could steer a terminal written out, as in `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char
        if unicodedata.category(char) not in UNSAFE_CATEGORIES or char in JOINERS
        else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


def unstyled(text: str) -> str:
    """The text without the escape sequences that make it bold or coloured, as in messages of Keras."""
    return _STYLE.sub("", text)


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


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that a slip of one or two letters makes `name`, in any case; None where there is none.

    Two of three letters are right, so that no short name stands for every other.
    """
    wanted = str(name)[:LONGEST].lower()
    names = list(known)
    for slips in range(min(MOST_SLIPS, len(wanted) // 3) + 1):
        for candidate in names:
            if _turned(wanted, candidate.lower(), slips):
                return candidate
    return None


def did_you_mean(name: object, known: Iterable[str]) -> str | None:
    """A hint with the nearest known name, or None where none is near."""
    near = nearest(name, known)
    return f"did you mean `{near}`?" if near else None


def _turned(text: str, wanted: str, slips: int) -> bool:
    """Whether so many letters put in, left out, changed or swapped with the next turn one text into the other."""
    if abs(len(text) - len(wanted)) > slips:
        return False
    while text and text[:1] == wanted[:1]:
        text, wanted = text[1:], wanted[1:]
    if not text or not wanted or not slips:
        return text == wanted or max(len(text), len(wanted)) <= slips
    return (
        _turned(text[1:], wanted, slips - 1)
        or _turned(text, wanted[1:], slips - 1)
        or _turned(text[1:], wanted[1:], slips - 1)
        or (text[:2] == wanted[1::-1] and _turned(text[2:], wanted[2:], slips - 1))
    )


def counted(count: int, noun: str) -> str:
    """`1 trial`, `12 trials`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def joined(names: Iterable[str], word: str = "") -> str:
    """Names for a sentence: `a, b, c`, or with a word such as "or" `a, b or c`."""
    every = list(names)
    if word and len(every) > 1:
        every[-2:] = [f"{every[-2]} {word} {every[-1]}"]
    return ", ".join(every)


def listed(values: Iterable[object], most: int = 5) -> str:
    """The first of the values for a sentence, as they would stand in a file: `'a', 'b', ...`."""
    every = list(values)
    shown = [repr(value[:LONGEST] if isinstance(value, str) else value) for value in every[:most]]
    return ", ".join([*shown, "..."] if len(every) > most else shown)


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
