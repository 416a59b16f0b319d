"""A process that is killed, at any call or any moment, leaves whole files and the first trials."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_sweep.record import reader
from keras_sweep.record.study_file import StudyFile
from tests.helpers.records import ROOT, integrity, new_folder, same
from tests.helpers.results import dense_sweep


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


@pytest.mark.parametrize(
    ("seed", "kills"),
    [(0, 10), *(pytest.param(n, 20, marks=(pytest.mark.soak, pytest.mark.timeout(3600))) for n in range(1, 11))],
)
def test_killed_at_random_moments(tmp_path: Path, seed: int, kills: int) -> None:
    folder, draw = new_folder(tmp_path, 0), random.Random(seed)
    trials = dense_sweep(4000)
    lengths = []
    told = 0  # trials that must be there
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, "-c", ADD, str(folder.path)], stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdout is not None
        assert process.stdout.readline()
        for _ in range(draw.randint(0, 6)):  # on a machine of any speed it has come that far
            told = int(process.stdout.readline()) + 1
        time.sleep(draw.uniform(0.0, 0.01))
        process.kill()
        process.communicate()
        results = reader.read_results(folder)  # before the writer's log is played in by the next opening
        assert same(results, trials[: len(results)])
        assert integrity(folder.study) == "ok"
        lengths.append(len(results))
        assert len(results) >= told
    assert lengths == sorted(lengths)
    assert lengths[-1] > 0
    with StudyFile.open(folder) as study:
        assert study.next_number == lengths[-1]
        study.add(trials[study.next_number])
