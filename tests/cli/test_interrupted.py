from __future__ import annotations

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
