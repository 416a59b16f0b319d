"""A picture of what a terminal shows, as SVG that asks nothing of another host."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from keras_sweep.errors import SweepError
from keras_sweep.sweep.events import GenerationAsked, SweepStarted, TrialEnded
from keras_sweep.trial.events import EpochEnded, PhaseBegan
from keras_sweep.trial.result import Result
from keras_sweep.views.running.sweep_progress import SweepProgress

FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"  # of the viewer's own machine
THEME = TerminalTheme(
    (250, 250, 248),
    (36, 41, 47),
    [
        (36, 41, 47),
        (191, 38, 48),
        (17, 125, 60),
        (154, 103, 0),
        (9, 86, 190),
        (130, 66, 190),
        (8, 118, 135),
        (110, 119, 129),
    ],
    [
        (87, 96, 106),
        (191, 38, 48),
        (17, 125, 60),
        (154, 103, 0),
        (9, 86, 190),
        (130, 66, 190),
        (8, 118, 135),
        (140, 149, 159),
    ],
)


def record_svg(
    draw: Callable[[Console], object], path: Path, *, title: str, width: int = 100, height: int = 40
) -> None:
    """Call `draw` with a console and write what it prints as an SVG of a terminal window.

        record_svg(lambda console: print_summary(console, summary), Path("end.svg"), title="sweep run dense.yaml")
        record_svg(lambda console: console.print(board(progress, console)), Path("board.svg"), title="...")

    Raises SweepError if the SVG would name another host.
    """
    console = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        height=height,
        force_terminal=True,
        color_system="truecolor",
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    draw(console)
    console.print()  # else the frame cuts off what hangs below the last line
    path.write_text(without_hosts(console.export_svg(title=title, theme=THEME)), encoding="utf-8")


def progress_at(started: SweepStarted, results: Sequence[Result], done: int, elapsed: float) -> SweepProgress:
    """The progress of a sweep as it stood after `done` of its trials, the rest of their generation half trained.

    `results` are all results in order of number, `elapsed` the seconds that the sweep had taken then.
    """
    now, an_epoch = 0.0, elapsed / max(sum(result.epochs for result in results[:done]), 1)
    progress = SweepProgress(lambda: now)
    progress(started)
    for generation, group in groupby(results, key=lambda result: result.suggestion.generation):
        trials = list(group)
        progress(GenerationAsked(generation, tuple(result.suggestion for result in trials)))
        progress(PhaseBegan("train"))
        for result in trials:
            ended = progress.done < done
            for epoch in range(result.epochs if ended else result.epochs // 2):
                logs = {name: values[epoch] for name, values in result.curve.items() if epoch < len(values)}
                now += an_epoch if ended else 0.0
                progress(EpochEnded(result.number, epoch + 1, logs))
            if ended:
                progress(TrialEnded(result))
        if progress.done >= done:
            break
    now = elapsed
    return progress


def without_hosts(svg: str) -> str:
    """The SVG with the viewer's own fonts in place of a web font. Raises SweepError if a host's name is left."""
    svg = re.sub(r"@font-face\s*\{[^}]*\}\s*", "", svg)
    svg = re.sub(r"font-family:\s*Fira Code[^;]*;", f"font-family: {FONTS};", svg)
    svg = re.sub(r"font-family:\s*arial;", "font-family: system-ui, sans-serif;", svg)
    svg = svg.replace("<!-- Generated with Rich https://www.textualize.io -->", "")
    hosts = set(re.findall(r"(?:https?:)?//[^\s\"'<>)]+", svg)) - {"http://www.w3.org/2000/svg"}
    if hosts:
        raise SweepError(f"the picture would name another host: {', '.join(sorted(hosts))}")
    return svg
