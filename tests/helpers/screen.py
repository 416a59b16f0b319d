"""What a terminal or a pipe would be sent, as text."""

import io
import re
from collections.abc import Callable
from typing import Any

from rich.console import Console

from keras_sweep.views.terminal.console import PLAIN, console_on


def terminal(width: int = 100, height: int = 40, encoding: str = "utf-8") -> Console:
    """A console that takes itself for a terminal without colour."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=PLAIN, write_through=True)
    return Console(
        file=file,
        width=width,
        height=height,
        force_terminal=True,
        color_system=None,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={"TERM": "xterm"},
    )


def sent(console: Console) -> str:
    file = console.file
    return file.buffer.getvalue().decode(file.encoding)


def on_terminal(
    draw: Callable[..., object], *things: Any, width: int = 100, encoding: str = "utf-8", **more: Any
) -> str:
    """What `draw(console, *things)` sends to a terminal of that width, styles taken out."""
    console = terminal(width, encoding=encoding)
    draw(console, *things, **more)
    return without_styles(sent(console))


def on_pipe(draw: Callable[..., object], *things: Any) -> str:
    """What `draw(console, *things)` writes into a pipe."""
    file = io.StringIO()
    draw(console_on(file), *things)
    return file.getvalue()


def without_styles(text: str) -> str:
    """The text without colour, bold and the like; other control sequences stay."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
