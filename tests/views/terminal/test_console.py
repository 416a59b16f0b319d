import io
import os
import subprocess
import sys
from contextlib import nullcontext

import pytest

from keras_sweep.views.running.live import LiveBoard
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.running.progress import notices_alone, progress_view
from keras_sweep.views.terminal import drawing
from keras_sweep.views.terminal.console import ASCII, console_on

CODE = """
import sys
from keras_sweep.views.terminal.console import stderr_console, stdout_console
stdout_console().print("answer [red]x[/red] :smile: 12", style="bold red")
stderr_console().print("progress")
"""


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )


def test_answers_go_to_stdout_and_progress_to_stderr_plain_where_they_are_pipes():
    done = run(CODE, COLUMNS="20", TERM="xterm-256color")
    assert done.stdout == "answer [red]x[/red] :smile: 12\n"
    assert done.stderr == "progress\n"


def test_a_pipe_folds_no_line():
    file = io.StringIO()
    console_on(file).print("x " * 5000)
    assert file.getvalue().count("\n") == 1


def test_an_encoding_that_lacks_a_character_does_not_end_the_command():
    done = run(CODE.replace("12", "größe ±"), PYTHONIOENCODING="ascii")
    assert "gr\\xf6\\xdfe +/-" in done.stdout


def test_a_drawing_has_a_character_for_terminals_that_know_ascii_alone():
    drawn = drawing.LEVELS + drawing.HALF + drawing.FULL + drawing.TRACK + drawing.GAP + drawing.SPINNER + drawing.TIE
    assert set(drawn) < set(ASCII) and "".join(ASCII.values()).isascii()


@pytest.fixture
def pty(monkeypatch):
    """(what a user sees, what a program writes to) of a terminal."""
    monkeypatch.setenv("TERM", "xterm-256color")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as file:
        yield ours, file
    os.close(ours)


def test_a_terminal_gets_the_board_and_a_dumb_one_or_a_pipe_gets_lines(monkeypatch, pty):
    monkeypatch.setattr(sys, "stderr", pty[1])
    assert isinstance(progress_view(), LiveBoard)
    assert isinstance(progress_view(notices_alone), LiveBoard)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress_view(), PlainLines)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(progress_view(), PlainLines)
    assert isinstance(progress_view(notices_alone), nullcontext)


def test_no_color_is_honoured(monkeypatch, pty):
    ours, file = pty
    monkeypatch.setenv("NO_COLOR", "1")
    console_on(file).print("x", style="red on blue")
    file.flush()
    assert os.read(ours, 100) == b"x\r\n"


def test_no_view_waits_for_a_heavy_package():
    code = """
import sys
import keras_sweep.views.leaderboard.table, keras_sweep.views.leaderboard.formats, keras_sweep.views.terminal.console
import keras_sweep.views.notebook, keras_sweep.views.trial_view, keras_sweep.views.sweep_list
import keras_sweep.views.running.progress, keras_sweep.views.summary
heavy = "numpy optuna pydantic keras jax tensorflow sklearn scipy polars ruamel sqlalchemy asyncio".split()
print([name for name in heavy if name in sys.modules])
"""
    assert run(code).stdout == "[]\n"


def test_the_formats_for_programs_do_not_even_wait_for_rich():
    code = """
import sys
import keras_sweep.views.leaderboard.rows, keras_sweep.views.leaderboard.formats
print("rich" in sys.modules)
"""
    assert run(code).stdout == "False\n"
