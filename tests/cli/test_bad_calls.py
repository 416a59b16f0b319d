"""Whatever is wrong with a call: an exit code and one plain message that says what to do; nothing is written."""

import errno
import re
from pathlib import Path

import pytest
import typer

from keras_sweep.cli.main import app
from keras_sweep.cli.options import parse_duration
from keras_sweep.errors import Interrupted, SweepBusy, SweepError, UsageError
from tests.helpers.command import called
from tests.helpers.space_texts import DIGITS

# The call -> words of the message. The rules of space files have tests in tests/space_file.
CALLS = {
    "runn space.yaml": "See `sweep --help`",
    "run space.yaml --trails 3": "--trails",
    "run": "`sweep init plants.csv` writes a space file. See `sweep run --help`",
    "check": "`sweep check` needs a space file. `sweep init plants.csv` writes a space file",
    "run digits": "`sweep init ",
    "run spaces.yaml": "spaces.yaml: this file does not exist (",
    "run folder": "folder",
    "run broken.yaml": "broken.yaml:1",
    "check broken.yaml": "broken.yaml:1",
    "baseline broken.yaml": "broken.yaml:1",
    "run space.yaml --backend tensorfow": "tensorflow",
    "run space.yaml --runner fits": "one of compiled, fit, but got 'fits'. Did you mean `fit`?",
    "run space.yaml --engine optunna": "optuna",
    "run space.yaml --sampler tpee": "tpe",
    "run space.yaml --trials 0": "trials",
    "run space.yaml --trials many": "'many' is not a whole number. See `sweep run --help`",
    "run space.yaml --more 0": "`--more` must be at least 1, but got 0",
    "run space.yaml --trials 9 --more 3": "`--add` can't be used together. `--trials` sets the total",
    "run space.yaml --for soon": "`--for` must be a time with a unit, for example 90s, 10m or 1h30m, but got 'soon'",
    "run space.yaml --seed -1": "seed",
    "run space.yaml --set epochs.max": "--set epochs.max",
    "run space.yaml --name ../x": "../x",
    "run space.yaml --max-failures -1": "--max-failures",
    "list --top 3": "See `sweep list --help`",
    "list --format jsn": "`--format` must be one of table, json, but got 'jsn'. Did you mean `json`?",
    "list --format xml": "`--format` must be one of table, json, but got 'xml'",
    "leaderboard": "there is no sweep",
    "show dense best": "'best' is not a whole number",
    "evaluate dense": "dense",
    "export dense --format pickle": "`--format` must be one of keras, onnx, ",
    "replay dense --rows rows.npz": "`--rows` needs `--script`",
    "replay dense --script --workers 2": "`--script` trains nothing. Leave out `--runner` and `--workers`",
    "replay dense --script --runner fit": "`--script` trains nothing. Leave out `--runner` and `--workers`",
    "init": "`init` needs either SOURCE or `--example`. For example `sweep init --example digits`",
    "init --example digit": "there is no data set 'digit'. Did you mean `digits`?",
    "init space.yaml": "the data must be a .csv",
    "data fashion_minst": "fashion_mnist",
    "data digits --save folder.npz": "must be a .npz file in an existing folder, but got folder.npz",
    "data digits --picture no/it.png": "must be a .png file in an existing folder, but got no/it.png",
    "import nothing.db": "nothing.db",
    "import space.yaml": "space.yaml",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "space.yaml").write_text(DIGITS)
    (tmp_path / "broken.yaml").write_text("data digits\n")
    for name in ("folder", "folder.npz"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SWEEPS_DIR", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    return tmp_path


@pytest.mark.parametrize("call", CALLS)
def test_a_bad_call_says_what_is_wrong_and_writes_nothing(call: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    code, out, err = called(call.split())
    said = " ".join(err.split())
    assert (code, out) == (2, ""), err
    assert said.startswith("error: ") and CALLS[call] in said
    assert "Traceback" not in err and "unexpected error (" not in err
    assert not re.search(r"[?!]\.|\. (as|did)\b|\b1 \w+s\b|\[\[", err), err  # plain sentences
    assert sorted(folder.rglob("*")) == before


def test_what_surrounds_a_call_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    code, _, err = called(["run", "space.yaml"])
    assert code == 2 and "KERAS_BACKEND" in err
    (folder / "sweeps").write_text("a file")
    code, _, err = called(["list"])
    assert code in (1, 2) and "sweeps" in err


def test_without_arguments_the_help_is_printed() -> None:
    code, out, err = called([])
    assert (code, err) == (0, "")
    assert out.startswith("Usage: sweep [OPTIONS] COMMAND") and "\n  leaderboard " in out


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1h1m1s", 3661), ("0.5s", 0.5), (" 1.5m ", 90)],
)
def test_a_time_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "0s", "0h0m0s", "10m1h", "-3s", "1d", "5 m", "1m30"])
def test_a_time_without_unit_order_or_length_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="`--for` must be a time with a unit"):
        parse_duration(text)


NO_ROOM = "error: can't write the output: no room. Free disk space, or write it elsewhere\n"
EXITED = "error: your code ended the command with `sys.exit(3)`. "
EXITED += "Raise an exception instead. Every finished trial is kept\n"
SAID = [
    (UsageError("a fault", hint="Do this"), 2, "error: a fault. Do this\n"),
    (UsageError("a fault that ends."), 2, "error: a fault that ends.\n"),
    (SweepError("it failed.", hint="Do this"), 1, "error: it failed. Do this\n"),
    (SweepBusy("another runs it"), 3, "error: another runs it\n"),
    (Interrupted("interrupted", hint="Again"), 130, "interrupted. Again\n"),
    (KeyboardInterrupt(), 130, "interrupted\n"),
    (typer.Abort(), 130, "interrupted\n"),
    (BrokenPipeError(), 0, ""),
    *((OSError(number, "no room"), 1, NO_ROOM) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)),
    (SystemExit(3), 1, EXITED),
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
        f"{text} Do this" for text in ("it failed.", "it failed.", "did it?", "it did ...")
    ]


@pytest.mark.parametrize("error", [ZeroDivisionError("of nothing"), OSError(errno.EACCES, "of nothing")])
def test_what_is_no_error_of_ours_names_its_place_and_asks_for_a_report(monkeypatch, error: Exception) -> None:
    code, answer, said = ended(monkeypatch, error)
    place = rf"unexpected error \({type(error).__name__} at test_bad_calls.py:\d+\): .*of nothing. "
    assert (code, answer) == (1, "") and "Traceback" not in said
    assert re.fullmatch(rf"error: {place}Run it again with --debug to see the traceback, and please report it\n", said)
    assert "Traceback" in ended(monkeypatch, error, "--debug")[2]


def test_nothing_is_asked_for_unless_it_is_said() -> None:
    options = [one for command in typer.main.get_command(app).commands.values() for one in command.params]
    defaults = {one.default for one in options if not one.required and one.name != "help"}
    assert defaults == {None, False, "table", "keras", 8080}
