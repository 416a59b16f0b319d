"""Scores of rows on disk: whole or refused, of that trial or refused, deleted only where they were written here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.errors import RecordError
from keras_sweep.record.saved import (
    BEST_WITH_VALUES,
    DamagedScores,
    delete_others,
    load_scores,
    numbered_files,
    save_scores,
    save_weights,
    scores_file,
)
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.trial.row_scores import of_outputs, of_values
from tests.helpers.records import DENSE, SPEC, new_study
from tests.helpers.results import result

RIGHT = of_values(np.random.default_rng(0).random(1000) < 0.85)


def kept_scores(folder: SweepFolder) -> set[int]:
    return set(numbered_files(folder.scores))


@pytest.mark.parametrize("scores", [RIGHT, of_values(np.arange(3) / 2), of_outputs(np.ones((3, 2)), np.zeros(3))])
def test_scores_come_back_bit_for_bit(tmp_path: Path, scores) -> None:
    save_scores(tmp_path / "000000.npz", scores)
    assert load_scores(tmp_path / "000000.npz", scores.digest).digest == scores.digest


def test_every_altered_byte_is_found_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "000000.npz"
    save_scores(path, of_values(np.ones(9)))
    whole = path.read_bytes()
    for index in range(len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 0xFF]) + whole[index + 1 :])
        try:
            assert load_scores(path, of_values(np.ones(9)).digest).values().tolist() == [1.0] * 9
        except DamagedScores:
            continue


def test_another_trials_scores_and_no_scores_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "000000.npz"
    save_scores(path, of_values(np.ones(9)))
    with pytest.raises(DamagedScores, match="not those that the record tells of"):
        load_scores(path, RIGHT.digest)
    save_weights(path, DENSE)
    with pytest.raises(DamagedScores):
        load_scores(path, RIGHT.digest)
    with pytest.raises(RecordError, match="No such file"):
        load_scores(tmp_path / "000001.npz", RIGHT.digest)


def test_what_was_not_written_here_stays(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path)
    for number in range(3):
        save_scores(scores_file(folder, number), RIGHT)
    mine = tmp_path / "mine.npz"
    mine.write_bytes(scores_file(folder, 0).read_bytes())
    scores_file(folder, 7).write_text("a user's own")
    scores_file(folder, 8).symlink_to(mine)
    delete_others(folder.scores, [1])
    assert kept_scores(folder) == {1, 7, 8}
    assert mine.exists()


def test_bits_are_kept_of_all_that_can_win_and_losses_of_the_best(tmp_path: Path) -> None:
    values = [0.001 * (number * 7 % 40) for number in range(40)]
    best = sorted(range(40), key=lambda number: -values[number])[:BEST_WITH_VALUES]
    for name, scores, wanted in (("bits", RIGHT, set(range(40))), ("losses", of_values(np.arange(9.0)), set(best))):
        with new_study(tmp_path / name) as study:
            record = TrialRecord(study, SPEC.objective)
            for number, value in enumerate(values):
                light = record.add(result(number, value, scores=scores))
                assert light.scores is None and light.scores_digest == scores.digest
            assert kept_scores(study.folder) == wanted
            TrialRecord(study, SPEC.objective)  # as the next run begins
            assert kept_scores(study.folder) == wanted
            assert {one.scores_digest for one in study.results()} == {scores.digest}


def test_a_trial_that_waits_keeps_its_scores(tmp_path: Path) -> None:
    with new_study(tmp_path) as study:
        TrialRecord(study, SPEC.objective).wait(result(1, 0.9, scores=RIGHT, weights=DENSE))
        record = TrialRecord(study, SPEC.objective)
        waiting = record.waiting([1])[1]
        assert waiting.scores is not None and waiting.scores.digest == RIGHT.digest
        record.add(result(0, 0.8, scores=of_values(np.ones(9))))
        record.add(waiting)
        assert load_scores(scores_file(study.folder, 1), study.results()[1].scores_digest or "").rows == 1000


def test_a_trial_whose_scores_can_not_be_written_is_not_recorded(tmp_path: Path) -> None:
    with new_study(tmp_path) as study:
        record = TrialRecord(study, SPEC.objective)
        study.folder.scores.write_text("no folder")
        with pytest.raises(RecordError):
            record.add(result(0, scores=RIGHT))
        assert study.results() == []
        study.folder.scores.unlink()
        record.add(replace(result(0), scores=RIGHT))
        assert kept_scores(study.folder) == {0}
