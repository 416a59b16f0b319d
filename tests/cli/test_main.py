"""Each kind of error has its exit code and its line."""

import errno
import re

import pytest
import typer

from keras_sweep.cli.main import app
from keras_sweep.errors import Interrupted, SweepBusy, SweepError, UsageError
from tests.helpers.command import called

NO_ROOM = "error: the output can't be written: {}. Make room, or send it elsewhere\n"
SAID = [
    (UsageError("a fault", hint="Do this"), 2, "error: a fault. Do this\n"),
    (UsageError("a fault that ends."), 2, "error: a fault that ends.\n"),
    (SweepError("it failed."), 1, "error: it failed.\n"),
    (SweepError("it failed.", hint="Do this"), 1, "error: it failed. Do this\n"),
    (SweepBusy("another runs it"), 3, "error: another runs it\n"),
    (Interrupted("interrupted", hint="Again"), 130, "interrupted. Again\n"),
    (KeyboardInterrupt(), 130, "interrupted\n"),
    (typer.Abort(), 130, "interrupted\n"),
    (BrokenPipeError(), 0, ""),
    (OSError(errno.ENOSPC, "no room"), 1, NO_ROOM.format("no room")),
    (OSError(errno.EDQUOT, "no quota"), 1, NO_ROOM.format("no quota")),
    (OSError(errno.EFBIG, "too big"), 1, NO_ROOM.format("too big")),
    (OSError(errno.EIO, "no disk"), 1, NO_ROOM.format("no disk")),
    (
        SystemExit(3),
        1,
        "error: code of yours ended the command by `sys.exit(3)`. "
        "Raise an exception instead; everything finished is kept\n",
    ),
]


def ended(monkeypatch: pytest.MonkeyPatch, error: BaseException, *words: str) -> tuple[int, str, str]:
    """How `sweep list` ends where this is raised in it."""

    def failing(folder: object) -> None:
        raise error

    monkeypatch.setattr("keras_sweep.api.sweep.all_sweeps", failing)
    return called(["list", *words])


@pytest.mark.parametrize(("error", "code", "said"), SAID, ids=lambda value: repr(value)[:40])
def test_an_error_has_its_code_and_one_line(monkeypatch, error: BaseException, code: int, said: str) -> None:
    assert ended(monkeypatch, error) == (code, "", said)


def test_str_of_an_error_has_no_two_stops() -> None:
    errors = [SweepError(text, hint="Do this") for text in ("it failed", "it failed.", "did it?", "it did ...")]
    assert list(map(str, errors)) == [
        "it failed. Do this",
        "it failed. Do this",
        "did it? Do this",
        "it did ... Do this",
    ]


@pytest.mark.parametrize("error", [ZeroDivisionError("of nothing"), OSError(errno.EACCES, "of nothing")])
def test_what_is_no_error_of_ours_names_its_place_and_asks_for_a_report(monkeypatch, error: Exception) -> None:
    code, answer, said = ended(monkeypatch, error)
    place = rf"this should not have happened \({type(error).__name__} at test_main.py:\d+\): .*of nothing. "
    assert (code, answer) == (1, "") and "Traceback" not in said
    assert re.fullmatch(rf"error: {place}The same call with --debug shows where; please report it\n", said)


@pytest.mark.parametrize("words", [(), ("--debug",)])
def test_a_traceback_is_shown_by_debug_alone(monkeypatch, words: tuple[str, ...]) -> None:
    said = ended(monkeypatch, UsageError("a fault"), *words)[2]
    assert said.endswith("error: a fault\n") and ("Traceback" in said) == bool(words)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["runn"], "`sweep --help` says what there is"),
        (["run"], "Write one with `sweep init plants.csv`, say; `sweep run --help` says what there is"),
        (["list", "--top", "3"], "`sweep list --help` says what there is"),
    ],
)
def test_a_call_that_is_wrong_names_the_help_that_says_more(words: list[str], hint: str) -> None:
    code, _, said = called(words)
    assert code == 2 and " ".join(said.split()).endswith(f" {hint}")
    assert ("sweep init" in said) == ("sweep init" in hint)


# command -> what an option is where it is not given, and is not None
DEFAULTS = {
    "check": {"schema": False},
    "run": dict.fromkeys(("fresh", "force", "no_test", "quiet", "times", "json"), False),
    "list": {"format": "table"},
    "leaderboard": {"format": "table"},
    "show": {"format": "table"},
    "report": {"watch": False, "trust": False},
    "log": {"follow": False, "trust": False},
    "evaluate": {"trust": False, "format": "table"},
    "export": {"format": "keras", "trust": False},
    "verify": {"test": False, "trust": False, "format": "table"},
    "replay": {"script": False, "trust": False, "format": "table"},
    "compare": {"format": "table"},
    "dashboard": {"port": 8080},
    "baseline": {"format": "table"},
}


def test_nothing_is_asked_for_unless_it_is_said() -> None:
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        given = {one.name: one.default for one in command.params if one.name != "help" and not one.required}
        found[name] = {key: value for key, value in given.items() if value is not None}
    assert {name: values for name, values in found.items() if values} == DEFAULTS
