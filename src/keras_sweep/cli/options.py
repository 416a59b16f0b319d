"""Options that several commands share, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from keras_sweep.errors import UsageError
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.text import nearest

SweepsDir = Annotated[
    Path | None,
    typer.Option(
        "--sweeps-dir", envvar="SWEEPS_DIR", metavar="PATH", help="Where sweeps live.", show_default="./sweeps"
    ),
]


def names_of_sweeps(context: typer.Context, incomplete: str) -> list[str]:
    """The sweeps whose names begin so, for a shell that completes."""
    from keras_sweep.record.sweep_folder import all_sweeps, sweeps_dir

    folder = sweeps_dir(context.params.get("sweeps_dir"))
    return [sweep.name for sweep in all_sweeps(folder) if sweep.name.startswith(incomplete)]


def whole(text: str) -> int:
    """A whole number; for `typer.Option(parser=...)`, whose own message does not say what was given."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number") from None


Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="A sweep.", show_default="the newest", autocompletion=names_of_sweeps),
]
TrialNumber = Annotated[
    int | None, typer.Argument(parser=whole, metavar="TRIAL", help="The trial's number.", show_default="the winner")
]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As of `sweep run` (repeatable).")]
Backend = Annotated[
    str | None, typer.Option("--backend", metavar="NAME", help="Keras backend: jax, tensorflow or torch.")
]
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def one_of(option: str, value: str | None, known: Collection[str]) -> str | None:
    """The value, if it is one of the known ones. Raises UsageError."""
    if value is not None and value not in known:
        near = nearest(value, known)
        hint = f"Did you mean {near!r}?" if near else None
        words = f"one of {', '.join(known)}" if len(known) > 1 else next(iter(known))
        raise UsageError(f"`{option}` must be {words}, but got {value!r}", hint=hint)
    return value


def _table_or_json(value: str) -> str | None:
    return one_of("--format", value, ("table", "json"))


Format = Annotated[str, typer.Option("--format", metavar="NAME", help="table or json.", callback=_table_or_json)]


def at_least(option: str, value: int | None, least: int) -> int | None:
    """The value, if it is not too small. Raises UsageError."""
    if value is not None and value < least:
        raise UsageError(f"`{option}` must be at least {least}, but got {value}")
    return value


def seconds_of(option: str, text: str | None) -> float | None:
    """The seconds of a duration like 90s, 10m or 1h30m. Raises UsageError."""
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    seconds = 0.0
    if match:
        seconds = sum(float(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True))
    if not seconds > 0:
        raise UsageError(f"`{option}` takes a time with its unit, like 90s, 10m or 1h30m, but got {text!r}")
    return seconds


def found(name: str | None, sweeps: Path | None) -> SweepFolder:
    """The sweep of that name, or the newest. Raises UsageError."""
    from keras_sweep.record.sweep_folder import find, sweeps_dir

    return find(name, sweeps_dir(sweeps))


class NamesRegistered(TyperCommand):
    """A command some of whose options take the name of a member that another package may bring."""

    def get_help(self, ctx: Any) -> str:
        """The help; entry points are read for it alone."""
        from keras_sweep.search.optuna.samplers import SAMPLERS
        from keras_sweep.training.choose import RUNNERS

        registered: dict[str, Iterable[str]] = {"sampler": SAMPLERS, "runner": RUNNERS}
        for option in self.params:
            text: str = getattr(option, "help", None) or ""
            said = set(re.findall(r"[\w-]+", text))
            others = [name for name in registered.get(str(option.name), ()) if name not in said]
            if others:
                option.help = f"{text.removesuffix('.')}; also {', '.join(others)}."  # type: ignore[attr-defined]
        return super().get_help(ctx)
