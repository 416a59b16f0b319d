import io
from functools import partial

import pytest
from rich.console import Console

from keras_sweep.errors import Fault, Interrupted, SpaceFileError, SweepError, UsageError
from keras_sweep.views.terminal.console import error_lines, print_error, print_notice
from tests.helpers.screen import on_pipe, sent, terminal


def test_an_error_is_one_line_with_what_to_do():
    error = UsageError("no sweep is named 'dens'", hint="Did you mean `dense`?")
    assert on_pipe(print_error, error) == ("error: no sweep is named 'dens'. Did you mean `dense`?\n")
    assert error_lines(SweepError("it failed.", hint="Try again")) == ["it failed. Try again"]
    assert error_lines(SweepError("it failed\nbadly")) == ["it failed badly"]
    assert error_lines(ZeroDivisionError("division by zero")) == ["ZeroDivisionError: division by zero"]
    assert error_lines(KeyboardInterrupt()) == ["KeyboardInterrupt"]


def test_an_interruption_is_no_error():
    error = Interrupted("interrupted; every finished trial is kept", hint="The same command resumes")
    assert on_pipe(print_error, error).startswith("interrupted; every finished trial is kept. The")


def test_one_fault_is_the_error_and_several_are_a_list():
    faults = [Fault("unknown key", "paramters", 3, "did you mean `parameters`?"), Fault("is missing", "data")]
    one = on_pipe(print_error, SpaceFileError("x.yaml", faults[:1]))
    assert one == "error: x.yaml:3: paramters: unknown key (did you mean `parameters`?)\n"
    both = on_pipe(print_error, SpaceFileError("x.yaml", faults))
    assert both.splitlines() == [
        "error: x.yaml has 2 faults",
        "  x.yaml:3: paramters: unknown key (did you mean `parameters`?)",
        "  x.yaml: data: is missing",
    ]


@pytest.mark.parametrize(("warns", "label"), [(False, "note"), (True, "warning")])
def test_notices_and_warnings_are_one_line(warns, label):
    text = on_pipe(partial(print_notice, warns=warns), "[red]a\x1b[2J\nb")
    assert text == f"{label}: [red]a\\x1b[2J b\n"


def test_an_error_is_harmless_on_a_terminal():
    console = terminal(200)
    print_error(console, UsageError("[bold]x\x1b]0;title\x07\x1b[31m", hint="\x9b31m"))
    fault = Fault("[rule]\x1b", "[key]\x07", 1)
    print_error(console, SpaceFileError("[red]\x1b.yaml", [fault, fault]))
    text = sent(console)
    assert "\x1b" not in text and "\x07" not in text and "\x9b" not in text
    assert "[bold]x\\x1b]0;title\\x07" in text and "[red]\\x1b.yaml" in text


def test_an_error_is_red_on_a_colour_terminal():
    coloured = Console(file=io.StringIO(), force_terminal=True, color_system="standard", markup=False, _environ={})
    print_error(coloured, UsageError("x"))
    assert "\x1b[1;31merror: " in coloured.file.getvalue()
