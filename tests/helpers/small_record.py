"""All that a sweep does to the disk, in a sixth of a second, and what must hold after it was stopped anywhere."""

from __future__ import annotations

from contextlib import ExitStack, closing

from keras_sweep.files import atomic
from keras_sweep.files.arrays import read_arrays
from keras_sweep.record import reader
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.saved import delete_others, save_weights, saved_trials, weights_file
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.records import DENSE, SPEC, identical, integrity, same
from tests.helpers.results import dense_sweep

TRIALS = dense_sweep(4)


def run(folder: SweepFolder) -> None:
    """What `sweep run` does to a record, beginning it or going on, up to four trials."""
    with SweepLock(folder), ExitStack() as stack:
        study = StudyFile.open(folder) if folder.exists() else StudyFile.create(folder, SPEC, {})
        stack.enter_context(closing(study))
        atomic.write_text(folder.space, SPEC.text)
        for one in TRIALS[study.next_number :]:
            save_weights(weights_file(folder, one.number), DENSE)
            study.add(one)
        delete_others(folder.weights, [TRIALS[-1].number])
        study.set_attributes({"test_looks": 1})
        atomic.write_text(folder.card, '{"trial": 3}')


def check_sound(folder: SweepFolder) -> None:
    """Every file is whole or absent, and the record holds the first trials."""
    if folder.exists():
        assert integrity(folder.study) == "ok"
        results = reader.read_results(folder)
        assert same(results, TRIALS[: len(results)])
    if folder.card.exists():
        assert folder.card.read_text() == '{"trial": 3}'
    for number in saved_trials(folder):
        assert identical(read_arrays(weights_file(folder, number)), DENSE)


def check_done(folder: SweepFolder) -> None:
    check_sound(folder)
    assert len(reader.read_results(folder)) == len(TRIALS)
    assert reader.read_facts(folder).test_looks == 1
    assert saved_trials(folder) == [3]
    assert not list(folder.path.rglob("*.part*"))
