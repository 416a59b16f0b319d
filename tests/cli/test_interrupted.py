from __future__ import annotations

import subprocess
import sys

import pytest

from keras_sweep.cli.main import main


def test_ctrl_c_in_any_command_is_said_in_one_line(monkeypatch, capsys):
    def interrupted(folder: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_sweep.cli.read_commands.all_sweeps", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["list"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


AMID_AN_IMPORT = """
import signal, sys

class Dropping:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

class CtrlC:
    def find_spec(name, path, target=None):
        if name == "typer":
            WHERE

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, CtrlC)
sys.argv = ["sweep", "list"]
from keras_sweep.cli.start import main
main()
"""


@pytest.mark.parametrize(
    "where",
    ["signal.raise_signal(signal.SIGINT)", "Dropping()"],
    ids=["amid an import", "where Python drops what is raised"],
)
def test_ctrl_c_while_the_command_is_imported_is_said_in_one_line(where):
    code = AMID_AN_IMPORT.replace("WHERE", where)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")
