"""A record outlives every fault: a call to the disk that fails, and a kill, at any call and at any moment.

Each time there is a plain error, the database is sound, what was written is the first trials unchanged, and doing the
same again completes the sweep.
"""

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from keras_sweep.errors import RecordError
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.system import disk
from tests.helpers.disk_faults import KINDS, Faults, injected
from tests.helpers.records import ROOT, integrity, new_folder, new_study, same
from tests.helpers.results import dense_sweep
from tests.helpers.small_record import check_done, check_sound, run

HINTS = (
    "Free some space",
    "Check the owner",
    "Another program uses",
    "The disk or its connection",
    "run the same command",
)


def survives(start: Callable[[], SweepFolder], faults: Faults) -> bool:
    """Run with a fault, then without. False when there was nothing left to fail."""
    folder = start()
    try:
        with injected(faults):
            run(folder)
    except RecordError as error:
        assert faults.failed is not None
        assert error.message.startswith(("can't ", "the record "))
        assert error.hint.startswith(HINTS) or "run the same command" in error.hint.lower(), error.hint
    else:
        if faults.failed is None:
            return False
    check_sound(folder)
    run(folder)
    check_done(folder)
    return True


def test_any_call_may_fail_once_the_record_is_begun(tmp_path: Path) -> None:
    """Of each kind in turn, before and after its work; the long form tries each with each."""
    begun = new_folder(tmp_path, 0)
    nth = 0
    survived = True
    while survived:
        nth += 1
        kind = KINDS[nth % len(KINDS)]

        def start(nth: int = nth) -> SweepFolder:
            shutil.copytree(begun.path, tmp_path / str(nth))
            return SweepFolder(tmp_path / str(nth))

        survived = survives(start, Faults(nth, kind, after=bool(nth // len(KINDS) % 2)))
    assert nth > 80


def test_any_call_may_fail_while_a_record_is_made(tmp_path: Path) -> None:
    for nth in range(1, 30):
        for after in (False, True):
            folder = SweepFolder(tmp_path / f"{nth}-{after}")
            assert survives(lambda folder=folder: folder, Faults(nth, KINDS[nth % len(KINDS)], after=after))  # type: ignore[misc]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_any_call_may_fail_in_any_way(tmp_path: Path, kind: str, after: bool) -> None:
    nth = 1
    while survives(lambda nth=nth: SweepFolder(tmp_path / str(nth)), Faults(nth, kind, after=after)):  # type: ignore[misc]
        nth += 1
    assert nth > 100


def test_the_same_open_record_goes_on_after_a_fault(tmp_path: Path) -> None:
    """A full disk in one commit, and room again in the next, without opening anew."""
    with new_study(tmp_path) as study:
        limit = study._connection.execute("PRAGMA page_count").fetchone()[0]
        study._connection.execute(f"PRAGMA max_page_count = {limit}").fetchall()
        with pytest.raises(RecordError, match="disk is full") as caught:
            for one in dense_sweep(200):
                study.add(one)
        assert "Free some space" in caught.value.hint
        done = study.results()
        study._connection.execute("PRAGMA max_page_count = 1000000").fetchall()
        study.add(*dense_sweep(200)[len(done) :])
        assert same(study.results(), dense_sweep(200))
    assert integrity(study.folder.study) == "ok"


ADD = """
import sys
from pathlib import Path
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.results import dense_sweep
with StudyFile.open(SweepFolder(Path(sys.argv[1]))) as study:
    print("open", flush=True)
    for one in dense_sweep(4000)[study.next_number:]:
        study.add(one)
        print(one.number, flush=True)
"""


def test_a_file_system_that_takes_no_more_bytes(tmp_path: Path) -> None:
    """The operating system itself refuses to let a file grow, in a process of its own."""
    folder = new_folder(tmp_path, 0)
    limited = ["bash", "-c", 'ulimit -f 1953 && exec "$@"', "bash"]  # KiB
    process = subprocess.run(
        [*limited, sys.executable, "-c", ADD, str(folder.path)], capture_output=True, text=True, cwd=ROOT
    )
    assert f"RecordError: can't write {folder.study}: " in process.stderr
    assert integrity(folder.study) == "ok"
    results = RecordedSweep.read(folder).results
    trials = dense_sweep(len(results) + 10)
    assert same(results, trials[:-10])
    assert len(results) > 20
    with StudyFile.open(folder) as study:
        study.add(*trials[-10:])
    assert same(RecordedSweep.read(folder).results, trials)


def test_a_database_locked_by_another_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "BUSY_SECONDS", 0.1)
    folder = new_folder(tmp_path, 3)
    with StudyFile.open(folder) as study, closing(sqlite3.connect(folder.study, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordError, match=r"locked.*Another program uses"):
            study.add(dense_sweep(4)[3])
        other.execute("ROLLBACK")
        study.add(dense_sweep(4)[3])
        assert same(study.results(), dense_sweep(4))


def kills_survived(sweeps: Path, step: int, *more: str) -> int:
    command = [sys.executable, "-m", "tests.helpers.small_record", str(sweeps), str(step), *more]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert process.returncode == 0, process.stderr
    return int(process.stdout)


def test_killed_at_many_calls_of_a_sweep_that_goes_on(tmp_path: Path) -> None:
    assert kills_survived(tmp_path, 7, "begun") > 30


def test_killed_at_many_calls_of_a_sweep_that_begins(tmp_path: Path) -> None:
    assert kills_survived(tmp_path, 13) > 15


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("begun", [(), ("begun",)], ids=["begins", "goes on"])
def test_killed_at_every_call(tmp_path: Path, begun: tuple[str, ...]) -> None:
    survived = kills_survived(tmp_path, 1, *begun)
    print(f"{survived} kills survived")  # noqa: T201
    assert survived > 200


@pytest.mark.parametrize(
    ("seed", "kills"),
    [(0, 3), *(pytest.param(n, 20, marks=(pytest.mark.soak, pytest.mark.timeout(3600))) for n in range(1, 11))],
)
def test_killed_at_random_moments(tmp_path: Path, seed: int, kills: int) -> None:
    folder, draw = new_folder(tmp_path, 0), random.Random(seed)
    trials = dense_sweep(4000)
    lengths = []
    told = 0  # trials that must be there
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, "-c", ADD, str(folder.path)], stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdout.readline()
        for _ in range(draw.randint(0, 6)):  # on a machine of any speed it has come that far
            told = int(process.stdout.readline()) + 1
        time.sleep(draw.uniform(0.0, 0.01))
        process.kill()
        process.communicate()
        results = RecordedSweep.read(folder).results  # before the writer's log is played in by the next opening
        assert same(results, trials[: len(results)])
        assert integrity(folder.study) == "ok"
        lengths.append(len(results))
        assert len(results) >= told
    assert lengths == sorted(lengths)
    assert lengths[-1] > 0
    with StudyFile.open(folder) as study:
        assert study.next_number == lengths[-1]
        study.add(trials[study.next_number])
