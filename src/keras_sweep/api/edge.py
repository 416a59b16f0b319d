"""Adapt errors and notices to Python callers: a traceback ends at the caller's line, a message names Python keywords.

Messages of all other modules name options of the command: `--trust`. For a debugger, `error.__context__` keeps the
exception that led to an error.
"""

import inspect
import re
import warnings
from collections.abc import Callable, Collection
from functools import wraps
from itertools import takewhile
from pkgutil import resolve_name
from traceback import walk_stack
from types import FunctionType
from typing import ParamSpec, TypeVar

from keras_sweep.errors import SweepError, SweepWarning
from keras_sweep.process.stop_request import IS_COMMAND
from keras_sweep.trial.events import Event, Noticed

P = ParamSpec("P")
T = TypeVar("T")

# An option or argument of the command -> its keyword in Python, if the keyword has another name or a fixed value.
KEYWORDS = {"for": "seconds", "model": "path", "o": "path", "output": "path", "trial": "number"}
KEYWORDS |= {"no-test": "test=False", **{name: f"{name}=True" for name in ("force", "fresh", "test", "trust")}}
# Options that decide how a command prints, or which function it calls, have no keyword.
KEYWORDS |= dict.fromkeys(("help", "json", "probe", "quiet", "schema", "script", "times"), "")
# Text in backticks, or an option without backticks.
_WORDS = re.compile(r"`[^`]*`|(?<![^\s(])(?:--[a-z]+(?:-[a-z]+)*|-o)(?![\w=-])")
_OPTION = re.compile(r"--?([a-z][a-z-]*)(?: ('[^']*'|[^\s-]\S*))?")
# Options that take a name -> the list of all names, which includes the names of installed plugins.
NAMES = {
    "engine": "keras_sweep.search.engines:ENGINES",
    "format": "keras_sweep.sweep.export:EXPORT_FORMATS",
    "own_sampler": "keras_sweep.search.engines:OWN_SAMPLERS",
    "runner": "keras_sweep.training.choose:RUNNERS",
    "sampler": "keras_sweep.search.engines:SAMPLERS",
    "to": "keras_sweep.api.report:TRACKERS",
}


def names_of(option: str) -> Collection[str]:
    """Return the names that a command's `option`, a key of `NAMES`, accepts: for "sampler" all samplers and plugins."""
    names: Collection[str] = resolve_name(NAMES[option])
    return names


def keyword_of(option: str) -> str:
    """Return the Python keyword of a command's option: "test=False" for "no-test"; "" if there is no keyword for it."""
    return KEYWORDS.get(option, option.replace("-", "_"))


def in_python(text: str) -> str:
    """Replace the command's options in a message by Python keywords: "`--workers 4`" by "`workers=4`"."""
    return _WORDS.sub(_replace_options, text).replace("he same command", "he same call")


def _replace_options(match: re.Match[str]) -> str:
    words, keywords = match[0].strip("`"), []
    if not re.match("--?[a-z]", words):  # a command, or a value
        return match[0]
    for name, value in _OPTION.findall(words):
        word, value = keyword_of(name), value.strip("'")
        if value and not re.fullmatch(r"[0-9]+|[A-Z]+", value):
            value = f"[{value!r}]" if name == "set" else repr(value)
        keywords.append(f"{word}={value}" if value else word)
    return match[0].replace(words, ", ".join(keywords))


def cut_traceback(function: Callable[P, T], errors: type[Exception] = SweepError) -> Callable[P, T]:
    """Wrap a function: tracebacks of `errors` and Ctrl-C end at the caller's line, and messages name Python keywords.
    The `sweep` command sees the errors unchanged."""

    @wraps(function)
    def wrapper(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except (errors, KeyboardInterrupt) as error:
            if IS_COMMAND.get():
                raise
            if isinstance(error, SweepError):
                error.message, error.hint = in_python(error.message), error.hint and in_python(error.hint)
            raise error.with_traceback(None) from None

    return wrapper


def cut_tracebacks(kind: type[T], errors: type[Exception] = SweepError) -> type[T]:
    """Apply `cut_traceback` to the constructor, public methods and properties of the class `kind`; return the class."""
    for name, member in list(vars(kind).items()):
        if isinstance(member, property) and member.fget is not None:
            setattr(kind, name, member.getter(cut_traceback(member.fget, errors)))
        elif isinstance(member, FunctionType) and (name[0] != "_" or name == "__init__"):
            setattr(kind, name, cut_traceback(member, errors))
    return kind


def warn_of_notices(event: Event) -> None:
    """Show a notice as a Python warning at the line that called keras_sweep. Ignore all other events."""
    if isinstance(event, Noticed):
        frames = walk_stack(inspect.currentframe())
        ours = ("keras_sweep.", "contextlib")  # frames of contextlib lie between ours
        inside = takewhile(lambda frame: frame[0].f_globals.get("__name__", "").startswith(ours), frames)
        warnings.warn(in_python(event.message), SweepWarning, stacklevel=sum(1 for _ in inside) + 1)
