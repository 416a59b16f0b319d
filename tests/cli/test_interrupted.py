from __future__ import annotations

import subprocess
import sys

import pytest

from keras_sweep.cli.main import main


def test_ctrl_c_in_any_command_is_said_in_one_line(monkeypatch, capsys):
    def interrupted(folder: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_sweep.record.sweep_folder.all_sweeps", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["list"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


AMID_AN_IMPORT = """
import sys

class CtrlC:
    def find_spec(name, path, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC)
sys.argv = ["sweep", "list"]
from keras_sweep.cli.start import main
main()
"""


def test_ctrl_c_while_the_command_is_imported_is_said_in_one_line():
    ended = subprocess.run([sys.executable, "-c", AMID_AN_IMPORT], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")
