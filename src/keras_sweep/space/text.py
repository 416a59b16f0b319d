"""Format text for people: safe values for a terminal, hints for misspelt names, and names of sweeps."""

import json
import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

# Cc: terminal control. Cf: bidirectional overrides. Cs: surrogates of undecodable bytes. Zl, Zp: line separators.
UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
JOINERS = frozenset("\u200c\u200d")  # Cf, but ordinary writing uses them
MOST_LISTED = 20  # texts of a list that a message shows
LONGEST = 60  # characters of a value that an error repeats
LIKENESS = 0.66  # of a misspelt and the right name, at least: two of three letters match
_ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(?<!\.)")
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?", re.IGNORECASE)  # devices of Windows, also as `nul.x`
_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def escape(text: str) -> str:
    """Replace every character that could control a terminal by an escape sequence in plain letters: `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char
        if unicodedata.category(char) not in UNSAFE_CATEGORIES or char in JOINERS
        else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


def escape_markdown(text: object) -> str:
    """Escape characters that Markdown, HTML or a terminal would interpret."""
    plain = re.sub(r"([\\|`*\[\]<>&])", r"\\\1", escape(str(text)))
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", plain)


def strip_styles(text: str) -> str:
    """Remove the escape sequences for bold and coloured text, which Keras puts into its messages."""
    return _STYLE.sub("", text)


def quote(value: object) -> str:
    """Format a value for an error message as in a space file (`true`, 'adam', [1, 2]), in at most 60 characters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        text = "a map of " + ", ".join(map(str, value)) if value else "an empty map"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(quote(item) for item in value[:20]) + (", ...]" if len(value) > 20 else "]")
    else:
        text = repr(value[: LONGEST + 1]) if isinstance(value, str) else str(value)
    text = escape(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def format_yaml_list(texts: Iterable[str]) -> str:
    """Format texts as a YAML list: `[id, "?"]`. Of a long list, show the first MOST_LISTED: `[id, "?", and 5 more]`."""
    constants = ("null", "true", "false")
    plain = [text if text.isidentifier() and text.lower() not in constants else json.dumps(text) for text in texts]
    more = [f"and {len(plain) - MOST_LISTED:,} more"] if len(plain) > MOST_LISTED else []
    return f"[{', '.join(plain[:MOST_LISTED] + more)}]"


def find_nearest(name: object, known: Iterable[str]) -> str | None:
    """Return the name in `known` that is spelt most like `name`, in any case; None if no name is similar enough."""
    spelt = {candidate.lower(): candidate for candidate in known}
    near = get_close_matches(str(name)[:LONGEST].lower(), spelt, 1, LIKENESS)
    return spelt[near[0]] if near else None


def did_you_mean(name: object, known: Iterable[str]) -> str | None:
    """Return "did you mean `adam`?" with the nearest name in `known`; None if no name is near."""
    near = find_nearest(name, known)
    return f"did you mean `{near}`?" if near else None


def pluralize(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def join(names: Iterable[str], word: str = "") -> str:
    """Join names for a sentence: "a, b, c", or if `word` is "or": "a, b or c"."""
    items = list(names)
    if word and len(items) > 1:
        items[-2:] = [f"{items[-2]} {word} {items[-1]}"]
    return ", ".join(items)


def itemize(values: Iterable[object], most: int = 5) -> str:
    """List the first `most` values for a sentence, texts in quotes: "'a', 'b' and 3 more"."""
    items = list(values)
    shown = ", ".join(repr(value[:LONGEST] if isinstance(value, str) else value) for value in items[:most])
    return f"{shown} and {len(items) - most:,} more" if len(items) > most else shown


def check_sweep_name(name: str) -> str | None:
    """Return an error message if `name` is not allowed for a sweep, else None."""
    if not _ALLOWED.fullmatch(name):
        rule = "must be at most 64 letters (a-z), digits, `.`, `_` or `-`, not begin with `.` or `-`, nor end with `.`"
    elif _RESERVED.fullmatch(name):
        rule = "must be a name that Windows does not reserve for a device, like `con`, `nul` or `com1`"
    else:
        return None
    return f"a sweep's name {rule}, but got {quote(name)}"
