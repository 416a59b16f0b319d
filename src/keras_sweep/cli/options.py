"""Define options that several commands share, and how a command shows events and prints its answer."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from typer.core import TyperCommand

import keras_sweep as ks
from keras_sweep.api.edge import names_of
from keras_sweep.errors import UsageError
from keras_sweep.space.text import did_you_mean
from keras_sweep.views.terminal.console import print_answer, print_notice, stderr_console, stdout_console

if TYPE_CHECKING:
    from rich.console import Console

    from keras_sweep.api.events import Event, Listener
    from keras_sweep.views.running.live import View

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def complete_sweep_name(context: typer.Context, incomplete: str) -> list[str]:
    sweeps = ks.sweeps(context.params.get("sweeps_dir"))
    return [sweep.name for sweep in sweeps if sweep.name.startswith(incomplete)]


def parse_int(text: str) -> int:
    """Parse a whole number. Raises BadParameter with the wrong text, which Typer's own message does not show."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number") from None


def parse_duration(text: str) -> float:
    """Parse a duration, say 90s, 10m or 1h30m, and return the seconds. Raises UsageError for other texts."""
    match = _DURATION.fullmatch(text.strip())
    parts = zip(match.groups(), (3600, 60, 1), strict=True) if match else ()
    seconds = sum(float(part or 0) * unit for part, unit in parts)
    if not seconds > 0:
        raise UsageError(f"`--for` must be a time with a unit, for example 90s, 10m or 1h30m, but got {text!r}")
    return seconds


def option(flags: str, metavar: str, help: str, **more: Any) -> Any:
    return typer.Option(*flags.split(), metavar=metavar, help=help, **more)


def number(name: str, help: str, **more: Any) -> Any:
    return option(name, "N", help, parser=parse_int, **more)


def choice(name: str, help: str, known: Collection[str] | str, metavar: str = "NAME") -> Any:
    """Return an option that accepts only the names in `known`. If it is a str: plugins of that kind, say "runner"."""

    def check(param: typer.CallbackParam, value: str | None) -> str | None:
        if value is None:
            return None
        names = names_of(known) if isinstance(known, str) else known
        if value not in names:
            rule = f"must be one of {', '.join(names)}, but got {value!r}"
            raise UsageError(f"`{param.opts[0]}` {rule}", hint=did_you_mean(value, names))
        return value

    return option(name, metavar, help, callback=check)


def flag(names: str, help: str) -> Any:
    return typer.Option(*names.split(), help=help)


SweepsDir = Annotated[
    Path | None, option("--sweeps-dir", "PATH", "Folder of all sweeps.", envvar="SWEEPS_DIR", show_default="./sweeps")
]
Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="The sweep.", show_default="the newest", autocompletion=complete_sweep_name),
]
TrialNumber = Annotated[
    int | None, typer.Argument(parser=parse_int, metavar="TRIAL", help="The trial's number.", show_default="the winner")
]
Space = Annotated[Path, typer.Argument(metavar="SPACE", help="The space file.")]
NewName = Annotated[str | None, option("--name", "NAME", "The sweep's name.", show_default="SPACE without .yaml")]
Sets = Annotated[
    list[str] | None, option("--set", "KEY=VALUE", "Change the space file: learning_rate.max=0.1 (repeatable).")
]
Backend = Annotated[str | None, option("--backend", "NAME", "The backend of Keras: jax, tensorflow or torch.")]
Runner = Annotated[str | None, choice("--runner", "compiled (on jax, many at once) or fit (any backend).", "runner")]
Workers = Annotated[
    str | None,
    option("--workers", "WORKERS", "Worker processes: their number, dask://HOST:PORT, ray://HOST:PORT or ray."),
]
Trust = Annotated[bool, flag("--trust", "Import and run the Python code that the sweep's record names.")]
Format = Annotated[str, choice("--format", "The output format: table or json.", ("table", "json"))]


def note(message: str, *, warns: bool = False) -> None:
    print_notice(stderr_console(), message, warns=warns)


class Events:
    """A listener that passes each event to the listener `show`, and keeps the last event of each class in `last`."""

    def __init__(self, show: Listener) -> None:
        self._show = show
        self.last: dict[type[Event], Any] = {}

    def __call__(self, event: Event) -> None:
        self.last[type(event)] = event
        self._show(event)


@contextmanager
def at_work(view: Callable[[TextIO], View] | None = None) -> Iterator[Events]:
    """Hide what libraries print inside the block, and yield a listener that shows the events of a command.

    `view(stream of the command's output)` makes the context manager that shows the events. By default, a terminal shows
    a live board, and a pipe shows only notices.
    """
    from keras_sweep.process.streams import LibraryNoise, has_descriptor, open_answer_stream, warn_once
    from keras_sweep.views.running.live import OutputMayVanish, notices_alone, progress_view

    with ExitStack() as stack:
        # This comes first, so that output of the user's C code is shown. `sweep run` has the output in its log.
        if view is None:
            stack.enter_context(open_answer_stream())
        if has_descriptor(sys.stderr, 2):
            stack.enter_context(LibraryNoise())
        stack.enter_context(warn_once())
        show = progress_view(notices_alone) if view is None else view(stack.enter_context(open_answer_stream()))
        yield Events(stack.enter_context(OutputMayVanish(show)))


def answer(draw: Callable[[Console], object], json: str, format: str) -> None:
    if format == "json":
        print_answer(json)
    else:
        draw(stdout_console())


class PlainHelp(TyperCommand):
    """Add the names of installed plugins to a command's help, and remove Typer's `<list[str]>` from the help."""

    def get_help(self, ctx: Any) -> str:
        for option in self.params:
            registered = names_of(option.name) if option.name in ("sampler", "runner") else ()
            text: str = getattr(option, "help", None) or ""
            if plugins := [name for name in registered if name not in re.findall(r"[\w-]+", text)]:
                option.help = f"{text.removesuffix('.')}; also {', '.join(plugins)}."  # type: ignore[attr-defined]
        return super().get_help(ctx).replace(" <list[str]>", "")
