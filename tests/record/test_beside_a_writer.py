"""Readers of every kind, while a process writes: none sees half a trial, and none keeps the writer from writing."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from keras_sweep.errors import RecordError
from keras_sweep.record import reader
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.command import PATIENCE
from tests.helpers.records import ROOT, integrity, new_folder, new_study, same
from tests.helpers.results import dense_sweep

WRITE = """
import sys, time
from pathlib import Path
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.results import dense_sweep
folder = SweepFolder(Path(sys.argv[1]))
with StudyFile.open(folder) as study:
    for one in dense_sweep(150):
        study.add(one)
        time.sleep(0.01)
        if one.number == 5:
            print("begun", flush=True)
(folder.path / "done").touch()
"""

READ = """
import contextlib, io, sys
from pathlib import Path
from keras_sweep.cli.main import main
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.results import dense_sweep
folder, wanted, last, times = SweepFolder(Path(sys.argv[1])), dense_sweep(150), 0, 0
while last < 150:
    results = RecordedSweep.read(folder).results
    assert len(results) >= last
    assert repr(results) == repr(wanted[: len(results)])
    for words in (["leaderboard", "dense"], ["list"], ["show", "dense", "0"]):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            assert not main([*words, "--sweeps-dir", str(folder.path.parent)])
    assert not ("optuna" in sys.modules or "numpy" in sys.modules)
    last, times = len(results), times + 1
    if (folder.path / "done").exists() and last < 150:
        assert len(RecordedSweep.read(folder).results) == 150
print(times)
"""

OPTUNA = """
import sys
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
last, times = 0, 0
while last < 150:
    study = optuna.load_study(study_name="dense", storage=f"sqlite:///{sys.argv[1]}/study.db")
    trials = study.get_trials()
    assert len(trials) >= last
    assert all(trial.state.is_finished() and "curve" in trial.user_attrs for trial in trials)
    last, times = len(trials), times + 1
print(times)
"""


def start(code: str, folder: SweepFolder) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(folder.path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.mark.parametrize(("own", "optunas"), [(2, 1), pytest.param(8, 2, marks=pytest.mark.soak)])
def test_readers_of_every_kind_beside_a_writer(tmp_path: Path, own: int, optunas: int) -> None:
    folder = new_folder(tmp_path, 0)
    writer = start(WRITE, folder)
    assert writer.stdout.readline() == "begun\n"
    readers = [start(code, folder) for code in [READ] * own + [OPTUNA] * optunas]
    command = [str(Path(sys.executable).with_name("optuna")), "trials", "--study-name", "dense", "-f", "json"]
    shown = subprocess.run(
        [*command, "--storage", f"sqlite:///{folder.study}"], capture_output=True, text=True, check=True
    )
    assert len(json.loads(shown.stdout)) >= 6
    for process in readers:
        out, error = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, error
        assert int(out) >= 1
    _, error = writer.communicate(timeout=PATIENCE)
    assert writer.returncode == 0, error
    assert integrity(folder.study) == "ok"
    assert same(RecordedSweep.read(folder).results, dense_sweep(150))


def test_a_reader_that_stays_does_not_stop_the_writer(tmp_path: Path) -> None:
    with new_study(tmp_path, dense_sweep(3)) as study, reader.reading(study.folder) as recorded:
        study.add(*dense_sweep(40)[3:])
        assert len(recorded.load_results()) == 3  # its own moment
        assert len(RecordedSweep.read(study.folder).results) == 40


def test_a_reader_can_not_write(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    with pytest.raises(RecordError, match="readonly"), reader.reading(folder) as recorded:
        recorded.connection.execute("DELETE FROM trials")


def test_a_second_writer_can_not_give_a_number_twice(tmp_path: Path) -> None:
    wanted = dense_sweep(4)
    with new_study(tmp_path) as one, StudyFile.open(one.folder) as other:
        one.add(wanted[0])
        with pytest.raises(RecordError, match="trial 1 is next"):
            other.add(wanted[0])
        other.add(wanted[1])
        one.add(wanted[2])
        assert same(other.results(), wanted[:3])


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions hold for root too."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.posix
def test_a_record_in_a_folder_that_can_not_be_written_to() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = new_folder(Path(name))
        Path(name).chmod(0o755)
        folder.study.chmod(0o444)
        folder.path.chmod(0o555)
        try:
            with unprivileged():
                assert same(RecordedSweep.read(folder).results, dense_sweep(12))
            assert [path.name for path in folder.path.iterdir()] == ["study.db"]
        finally:
            folder.path.chmod(0o755)


def test_a_record_that_may_not_be_read_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = new_folder(Path(name))
        folder.path.chmod(0o755)
        Path(name).chmod(0o755)
        folder.study.chmod(0o000)
        with unprivileged(), pytest.raises(RecordError, match=r"can't read .*study\.db: .*Check the owner"):
            RecordedSweep.read(folder)


@pytest.mark.posix
def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    odd = tmp_path / "a?b=c&d#e% f'\"ä"
    assert same(RecordedSweep.read(new_folder(odd)).results, dense_sweep(12))
    with closing(sqlite3.connect(odd / "dense" / "study.db")) as connection:
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (12,)
