"""Where errors leave the package: a script's traceback has its own line, one of ours, and the message.

What was raised before it stays in `error.__context__`, for a debugger.
"""

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import ParamSpec, TypeVar

from keras_sweep.errors import SweepError

P = ParamSpec("P")
T = TypeVar("T")


def cut_traceback(function: Callable[P, T], errors: type[Exception] = SweepError) -> Callable[P, T]:
    """The function, whose errors of these kinds begin at its caller's line."""

    @wraps(function)
    def wrapper(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except errors as error:
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
