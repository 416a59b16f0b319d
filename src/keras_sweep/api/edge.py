"""Where errors leave the package: a script's traceback has its own line, one of ours, and the message.

What was raised before it stays in `error.__context__`, for a debugger.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from keras_sweep.errors import SweepError

P = ParamSpec("P")
T = TypeVar("T")


def cut_traceback(function: Callable[P, T], errors: type[Exception] = SweepError) -> Callable[P, T]:
    """The function, whose errors of these kinds begin at its caller's line."""

    @wraps(function)
    def called(*arguments: P.args, **options: P.kwargs) -> T:
        try:
            return function(*arguments, **options)
        except errors as error:
            raise error.with_traceback(None) from None

    return called


def cut_tracebacks(kind: type[T], errors: type[Exception] = SweepError) -> type[T]:
    """The class, so for what makes it, its public methods and its properties."""
    members: dict[str, Any] = {name: one for name, one in vars(kind).items() if name[0] != "_" or name == "__init__"}
    for name, member in members.items():
        if isinstance(member, property) and member.fget is not None:
            setattr(kind, name, property(cut_traceback(member.fget, errors), doc=member.__doc__))
        elif callable(member) and not isinstance(member, type):
            setattr(kind, name, cut_traceback(member, errors))
    return kind
