"""A space file is data: it imports no code, except where it names `python:`, and `sweep check` says so."""

from __future__ import annotations

from pathlib import Path

from tests.faults.test_signals import LONG
from tests.helpers.whole_sweeps import Driver

TRAP = "import pathlib\npathlib.Path('ran').touch()\n"


def test_check_says_which_code_a_run_would_import_and_imports_none(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(TRAP)
    (tmp_path / "long.yaml").write_text(LONG.replace("EPOCHS", "1").replace("TRIALS", "1"))
    ended = driver.sweep(tmp_path, ["check", "long.yaml"])
    assert ended.code == 0, ended.err
    assert "`sweep run` imports and runs slow:build from " in ended.err
    assert not (tmp_path / "ran").exists()


def test_a_file_with_tags_or_other_keys_runs_nothing(driver: Driver, tmp_path: Path) -> None:
    for text in (
        "data: !!python/object/apply:os.system ['touch ran']\n",
        "data: digits\nprogram: slow.py\n",
        "data: {python: 'os:system'}\nmodel: dense\n",
    ):
        (tmp_path / "bad.yaml").write_text(text)
        (tmp_path / "slow.py").write_text(TRAP)
        ended = driver.sweep(tmp_path, ["check", "bad.yaml"])
        assert ended.code == 2, text
        assert "Traceback" not in ended.err
    assert not (tmp_path / "ran").exists()
