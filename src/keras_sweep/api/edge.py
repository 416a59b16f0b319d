"""What callers see of options and errors: a program's errors begin at its own line, and name its keywords.

The rooms below name an option as the command does, `--trust`. What was raised before an error stays in
`error.__context__`, for a debugger.
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

# An option or argument of the command -> its keyword in Python, where that has another name or a value of its own.
KEYWORDS = {"for": "seconds", "model": "path", "o": "path", "output": "path", "trial": "number"}
KEYWORDS |= {"no-test": "test=False", **{name: f"{name}=True" for name in ("force", "fresh", "test", "trust")}}
# Options that say how a command prints, or which of two functions it calls, have no keyword.
KEYWORDS |= dict.fromkeys(("help", "json", "probe", "quiet", "schema", "script", "times"), "")
# A text in backticks, or an option without them.
_WORDS = re.compile(r"`[^`]*`|(?<![^\s(])(?:--[a-z]+(?:-[a-z]+)*|-o)(?![\w=-])")
_OPTION = re.compile(r"--?([a-z][a-z-]*)(?: ('[^']*'|[^\s-]\S*))?")
# Options that take a name -> where the names are listed, with those that installed packages bring.
NAMES = {
    "engine": "keras_sweep.search.engines:ENGINES",
    "format": "keras_sweep.sweep.export:EXPORT_FORMATS",
    "own_sampler": "keras_sweep.search.engines:OWN_SAMPLERS",
    "runner": "keras_sweep.training.choose:RUNNERS",
    "sampler": "keras_sweep.search.engines:SAMPLERS",
    "to": "keras_sweep.api.report:TRACKERS",
}


def names_of(option: str) -> Collection[str]:
    """The names that an option takes; what lists them is imported only now."""
    names: Collection[str] = resolve_name(NAMES[option])
    return names


def keyword_of(option: str) -> str:
    """The keyword in Python of an option of the command, `no-test`, with its value if it has one; "" without one."""
    return KEYWORDS.get(option, option.replace("-", "_"))


def in_python(text: str) -> str:
    """The text with options of the command as keywords: "`--workers 4`" as "`workers=4`"."""
    return _WORDS.sub(_keywords, text).replace("he same command", "he same call")


def _keywords(match: re.Match[str]) -> str:
    words, shown = match[0].strip("`"), []
    if not re.match("--?[a-z]", words):  # a command, or a value
        return match[0]
    for name, value in _OPTION.findall(words):
        word, value = keyword_of(name), value.strip("'")
        if value and not re.fullmatch(r"[0-9]+|[A-Z]+", value):
            value = f"[{value!r}]" if name == "set" else repr(value)
        shown.append(f"{word}={value}" if value else word)
    return match[0].replace(words, ", ".join(shown))


def cut_traceback(function: Callable[P, T], errors: type[Exception] = SweepError) -> Callable[P, T]:
    """The function, whose errors of these kinds begin at its caller's line; a command says all by `--debug`."""

    @wraps(function)
    def wrapper(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except errors as error:
            if IS_COMMAND.get():
                raise
            if isinstance(error, SweepError):
                error.message, error.hint = in_python(error.message), error.hint and in_python(error.hint)
            raise error.with_traceback(None) from None

    return wrapper


def cut_tracebacks(kind: type[T], errors: type[Exception] = SweepError) -> type[T]:
    """The class, so for what makes it, its public methods and its properties."""
    for name, member in list(vars(kind).items()):
        if isinstance(member, property) and member.fget is not None:
            setattr(kind, name, member.getter(cut_traceback(member.fget, errors)))
        elif isinstance(member, FunctionType) and (name[0] != "_" or name == "__init__"):
            setattr(kind, name, cut_traceback(member, errors))
    return kind


def warn_of_notices(event: Event) -> None:
    """What was done otherwise than asked is a Python warning of the program's line, where no view shows it."""
    if isinstance(event, Noticed):
        frames = walk_stack(inspect.currentframe())
        ours = ("keras_sweep.", "contextlib")  # the frames of contextlib lie between ours
        inside = takewhile(lambda one: one[0].f_globals.get("__name__", "").startswith(ours), frames)
        warnings.warn(in_python(event.message), SweepWarning, stacklevel=sum(1 for _ in inside) + 1)
