"""A picture of what a terminal shows, as SVG that asks nothing of another host."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.terminal_theme import TerminalTheme

from keras_sweep.errors import SweepError

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


def record_svg(parts: Sequence[RenderableType], path: Path, *, title: str, width: int = 100) -> None:
    """Draw the parts one below the other and write them as an SVG of a terminal window.

    Raises SweepError if the SVG would name another host.
    """
    console = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        force_terminal=True,
        color_system="truecolor",
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part)
    svg = without_hosts(console.export_svg(title=title, theme=THEME))
    path.write_text(svg, encoding="utf-8")


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
