import io
import os
import subprocess
import sys
from contextlib import nullcontext
from functools import partial

import pytest

from keras_sweep.errors import Fault, Interrupted, SpaceFileError, SweepError, UsageError
from keras_sweep.views.running.live import LiveBoard, notices_alone, progress_view
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.terminal import text
from keras_sweep.views.terminal.console import ASCII, error_lines, print_error, print_notice
from tests.helpers.screen import on_pipe, sent, terminal


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )


def test_answers_go_to_stdout_and_progress_to_stderr_plain_where_they_are_pipes():
    code = """
from keras_sweep.views.terminal.console import stderr_console, stdout_console
stdout_console().print("answer [red]x[/red] :smile: 12", style="bold red")
stdout_console().print("größe ±")
stderr_console().print("progress")
"""
    done = run(code, COLUMNS="20", TERM="xterm-256color", PYTHONIOENCODING="ascii")
    assert done.stdout == "answer [red]x[/red] :smile: 12\ngr\\xf6\\xdfe +/-\n"
    assert done.stderr == "progress\n"


def test_a_drawing_has_a_character_for_terminals_that_know_ascii_alone():
    drawn = text.LEVELS + text.HALF + text.FULL + text.TRACK + text.GAP + text.SPINNER + text.TIE
    assert set(drawn) < set(ASCII) and "".join(ASCII.values()).isascii()


@pytest.fixture
def pty(monkeypatch):
    """What a program writes to in a terminal."""
    monkeypatch.setenv("TERM", "xterm-256color")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as file:
        yield file
    os.close(ours)


def test_a_terminal_gets_the_board_and_a_dumb_one_or_a_pipe_gets_lines(monkeypatch, pty):
    monkeypatch.setattr(sys, "stderr", pty)
    assert isinstance(progress_view(), LiveBoard)
    assert isinstance(progress_view(notices_alone), LiveBoard)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress_view(), PlainLines)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert isinstance(progress_view(), PlainLines)
    assert isinstance(progress_view(notices_alone), nullcontext)


def test_no_view_waits_for_a_heavy_package_and_the_formats_for_programs_not_even_for_rich():
    code = """
import sys
import keras_sweep.views.leaderboard.rows, keras_sweep.views.leaderboard.formats
print("rich" in sys.modules)
import keras_sweep.views.leaderboard.table, keras_sweep.views.terminal.console
import keras_sweep.views.notebook, keras_sweep.views.trial_view, keras_sweep.views.sweep_list
import keras_sweep.views.running.live, keras_sweep.views.summary
heavy = "numpy optuna pydantic keras jax tensorflow sklearn scipy polars ruamel sqlalchemy asyncio".split()
print([name for name in heavy if name in sys.modules])
"""
    assert run(code).stdout == "False\n[]\n"


def test_an_error_is_one_line_with_what_to_do_and_an_interruption_is_none():
    error = UsageError("no sweep is named 'dens'", hint="did you mean `dense`?")
    assert on_pipe(print_error, error) == "error: no sweep is named 'dens'. Did you mean `dense`?\n"
    assert error_lines(SweepError("it failed\nbadly.", hint="Try again")) == ["it failed badly. Try again"]
    assert error_lines(ZeroDivisionError("division by zero")) == ["ZeroDivisionError: division by zero"]
    assert error_lines(KeyboardInterrupt()) == ["KeyboardInterrupt"]
    kept = Interrupted("interrupted; every finished trial is kept", hint="The same command resumes")
    assert on_pipe(print_error, kept).startswith("interrupted; every finished trial is kept. The")


def test_one_fault_is_the_error_and_several_are_a_list():
    faults = [Fault("unknown key", "paramters", 3, "did you mean `parameters`?"), Fault("is missing", "data")]
    first = "x.yaml:3: paramters: unknown key (did you mean `parameters`?)"
    assert on_pipe(print_error, SpaceFileError("x.yaml", faults[:1])) == f"error: {first}\n"
    both = on_pipe(print_error, SpaceFileError("x.yaml", faults)).splitlines()
    assert both == ["error: x.yaml has 2 faults", f"  {first}", "  x.yaml: data: is missing"]


@pytest.mark.parametrize(("warns", "label"), [(False, "note"), (True, "warning")])
def test_notices_and_warnings_are_one_line(warns, label):
    words = on_pipe(partial(print_notice, warns=warns), "[red]a\x1b[2J\nb")
    assert words == f"{label}: [red]a\\x1b[2J b\n"


def test_an_error_is_harmless_on_a_terminal():
    console = terminal(200)
    print_error(console, UsageError("[bold]x\x1b]0;title\x07\x1b[31m", hint="\x9b31m"))
    fault = Fault("[rule]\x1b", "[key]\x07", 1)
    print_error(console, SpaceFileError("[red]\x1b.yaml", [fault, fault]))
    words = sent(console)
    assert not any(char in words for char in "\x1b\x07\x9b")
    assert "[bold]x\\x1b]0;title\\x07" in words and "[red]\\x1b.yaml" in words
