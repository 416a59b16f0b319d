"""All that a sweep does to the disk, in a sixth of a second, and what must hold after it was stopped anywhere.

    python -m tests.helpers.small_record FOLDER STEP [begun]

kills it before and after its n-th call to the disk, for every n: each time the files must be sound, and the same sweep
run again must complete. Prints how many kills it survived. One process that has imported everything forks for each
kill, so that hundreds take seconds.
"""

import os
import shutil
import signal
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from keras_sweep.files import atomic
from keras_sweep.files.arrays import read_arrays, write_arrays
from keras_sweep.record import reader
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import delete_others, weights_file
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.disk_faults import KILL, Faults, injected
from tests.helpers.records import DENSE, SPEC, identical, integrity, new_folder, same, saved_trials
from tests.helpers.results import dense_sweep

TRIALS = dense_sweep(4)


def run(folder: SweepFolder) -> None:
    """What `sweep run` does to a record, beginning it or going on, up to four trials."""
    with SweepLock(folder), ExitStack() as stack:
        study = StudyFile.open(folder) if folder.exists() else StudyFile.create(folder, SPEC, {})
        stack.enter_context(closing(study))
        atomic.write_text(folder.space, SPEC.text)
        for one in TRIALS[study.next_number :]:
            write_arrays(weights_file(folder, one.number), DENSE)
            study.add(one)
        delete_others(folder.weights, [TRIALS[-1].number])
        study.set_attributes({"test_looks": 1})
        atomic.write_text(folder.card, '{"trial": 3}')


def check_sound(folder: SweepFolder) -> None:
    """Every file is whole or absent, and the record holds the first trials."""
    if folder.exists():
        assert integrity(folder.study) == "ok"
        results = RecordedSweep.read(folder).results
        assert same(results, TRIALS[: len(results)])
    if folder.card.exists():
        assert folder.card.read_text() == '{"trial": 3}'
    for number in saved_trials(folder):
        assert identical(read_arrays(weights_file(folder, number)), DENSE)


def check_done(folder: SweepFolder) -> None:
    check_sound(folder)
    assert len(RecordedSweep.read(folder).results) == len(TRIALS)
    assert reader.read_facts(folder).test_looks == 1
    assert saved_trials(folder) == [3]
    assert not list(folder.path.rglob("*.part*"))


def killed(folder: SweepFolder, nth: int, *, after: bool) -> bool:
    """Whether a sweep on the folder was killed at its n-th call; False when it has fewer."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with injected(Faults(nth, KILL, after=after)):
                run(folder)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        raise AssertionError(f"the sweep that was to be killed at call {nth} ended with {code}")
    return code != 0


def main(sweeps: Path, step: int, *, begun: bool) -> int:
    """The number of kills survived, over every `step`-th call."""
    first = new_folder(sweeps, 0)
    survived = 0
    for after in (False, True):
        nth = 1
        while True:
            folder = SweepFolder(sweeps / f"{nth}-{after}")
            if begun:
                shutil.copytree(first.path, folder.path)
            if not killed(folder, nth, after=after):
                break
            check_sound(folder)
            run(folder)
            check_done(folder)
            shutil.rmtree(folder.path)
            survived += 1
            nth += step
    return survived


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), int(sys.argv[2]), begun=sys.argv[3:] == ["begun"]))  # noqa: T201
