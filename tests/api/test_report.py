"""A report beside a sweep that runs, and from Python."""

import threading
import time
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.api import report
from keras_sweep.errors import UsageError
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.study_file import StudyFile
from keras_sweep.sweep.open_sweep import OpenSweep
from tests.helpers.command import PATIENCE
from tests.helpers.records import new_folder
from tests.helpers.results import dense_sweep


def wait_for(text: str, page: Path) -> None:
    """Until a page has the text."""
    end = time.monotonic() + PATIENCE
    while not (page.exists() and text in page.read_text()):
        assert time.monotonic() < end, text
        time.sleep(0.02)


def test_a_page_is_kept_current_while_the_sweep_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "EVERY", 0.05)
    monkeypatch.setattr(report, "SHARE", 0)
    folder = new_folder(tmp_path, trials=12)
    page = tmp_path / "page" / "index.html"
    with SweepLock(folder):  # this process runs the sweep
        watching = threading.Thread(
            target=report.write_report, args=(OpenSweep(folder), page.parent), kwargs={"watch": True}
        )
        watching.start()
        wait_for("</output> of 12 trials", page)
        assert 'id="running"' in page.read_text()
        with StudyFile.open(folder) as study:
            study.add(*dense_sweep(14)[12:])
        wait_for("</output> of 14 trials", page)
        assert watching.is_alive()
    watching.join(PATIENCE)
    assert not watching.is_alive()
    assert 'id="running"' not in page.read_text()


def test_a_sweep_writes_its_report_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    new_folder(tmp_path / "sweeps", trials=12)
    sweep = ks.open("dense")
    assert sweep.report() == Path("reports/dense/index.html")
    assert "read the space file in" in sweep.report(tmp_path / "elsewhere").read_text()  # the winner's rows
    (tmp_path / "file").write_text("mine")
    for place in ("sweeps", "file"):
        with pytest.raises(UsageError, match=r"did not write|not a folder"):
            sweep.report(tmp_path / place)
