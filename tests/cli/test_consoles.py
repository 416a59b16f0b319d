"""Every command prints on a console that knows few characters: cp1252 of Windows, or ASCII."""

import shutil
from pathlib import Path

import pytest

from keras_sweep.cli.main import app
from tests.helpers.command import python

CODE = """
import sys
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(encoding=sys.argv[1], errors="strict")
from keras_sweep.cli.main import main
main(sys.argv[2:])
"""
QUICK = """
list
leaderboard digits
leaderboard digits --format csv
leaderboard digits --format markdown
leaderboard digits --format json
show digits
compare digits again
check größe学/digits.yaml --no-probe
report digits -o größe学/page
dashboard --help
run 学.yaml
"""
SLOW = """
init --example digits -o größe学/first.yaml
run größe学/digits.yaml --more 1
log digits --to tensorboard
evaluate digits
export digits -o größe学/it.keras --card README.md
verify größe学/it.keras
replay digits
replay digits --script --rows größe学/rows.npz
data digits
baseline größe学/digits.yaml
import sweeps/digits/study.db --name copy
"""


def show(lines: str, encoding: str, finished: Path, folder: Path) -> str:
    """What the commands print, all of it."""
    shutil.copytree(finished / "sweeps", folder / "sweeps")
    shutil.copytree(finished / "sweeps" / "digits", folder / "sweeps" / "again")
    (folder / "größe学").mkdir()
    shutil.copyfile(finished / "digits.yaml", folder / "größe学" / "digits.yaml")
    shown = ""
    for line in lines.strip().splitlines():
        ended = python(CODE, encoding, *line.split(), cwd=folder)
        shown += ended.out + ended.err
        assert ended.code == (2 if line == "run 学.yaml" else 0), (line, ended)
    assert "Unicode" not in shown
    return shown


def test_a_console_that_knows_ascii_alone_gets_substitutes(finished: Path, tmp_path: Path) -> None:
    shown = show(QUICK, "ascii", finished, tmp_path)
    assert shown.isascii()
    assert "gr\\xf6\\xdfe\\u5b66/page/index.html\n" in shown
    assert "error: \\u5b66.yaml: this file does not exist" in shown


@pytest.mark.soak
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_every_command_prints_on_a_console_of_few_characters(finished: Path, tmp_path: Path, encoding: str) -> None:
    assert show(QUICK + SLOW, encoding, finished, tmp_path).isascii() is (encoding == "ascii")
    names = {line.split()[0] for line in (QUICK + SLOW).split("\n") if line}
    assert names == {command.name for command in app.registered_commands}
