"""What is there when a sweep is opened: the same sweep goes on, another one is refused, altered files are set aside."""

from dataclasses import replace
from pathlib import Path

import pytest

from keras_sweep.errors import ChangedSweep, RecordError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.record.saved import load_scores_of, save_scores, scores_file, weights_file_of
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep import resume
from keras_sweep.sweep.resume import open_study, rebuild_scores, rebuild_weights, set_damaged_weights_aside
from tests.helpers.factory import OPTIMIZER, make_spec
from tests.helpers.in_memory_record import open_to_run
from tests.sweep.conftest import DATA, notices
from tests.sweep.conftest import SPEC as TRAINED

SPEC = make_spec(text="data: digits\n")


def opened(folder: SweepFolder, spec: SweepSpec = SPEC, fingerprint: str = "abc") -> list[str]:
    """Open and close; the notices."""
    told: list[object] = []
    open_study(folder, spec, fingerprint, told.append).close()
    return notices(told)


def test_a_folder_that_stays_open_to_others_is_said(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "digits")
    folder.path.mkdir()
    folder.path.chmod(0o755)
    (folder.path / "photo.jpg").touch()
    (told,) = opened(folder)
    assert told.startswith(f"other users can open the folder {folder.path} (mode 0755): ")
    assert f"`chmod 700 {folder.path}` makes it private" in told


def test_another_space_or_other_rows_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "digits")
    opened(folder)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    for spec, fingerprint in [
        (replace(SPEC, loss="mse"), "abc"),
        (SPEC, "other rows"),
        (make_spec((OPTIMIZER,)), "abc"),
    ]:
        with pytest.raises(ChangedSweep, match="--fresh"):
            opened(folder, spec, fingerprint)
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


def test_other_test_rows_are_refused_once_their_fingerprint_is_recorded(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "digits")
    opened(folder)  # as an older version did, without one
    open_study(folder, SPEC, "abc", test_fingerprint="def").close()
    open_study(folder, SPEC, "abc", test_fingerprint="def").close()
    opened(folder)
    with pytest.raises(ChangedSweep, match="the test rows have changed since the sweep started"):
        open_study(folder, SPEC, "abc", test_fingerprint="other")


def test_the_same_file_and_another_comment_in_it_are_no_other_sweep(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "digits")
    for text in (SPEC.text, SPEC.text, "# one\ndata: digits\n", "# two\ndata: digits\n"):
        assert opened(folder, replace(SPEC, text=text)) == []
        assert folder.space.read_text() == text
    with open_study(folder, SPEC, "abc") as study:
        assert study.facts.space == SPEC.text


def kept_files(study: StudyFile, results):
    """Write the weights and the scores of all trials, and give them as the record does."""
    for one in results:
        write_arrays(weights_file_of(study.folder, one), one.weights)
        save_scores(scores_file(study.folder, one.number), one.scores)
    return [one.light() for one in results]


def test_weights_that_are_damaged_are_set_aside_and_those_that_are_sound_or_gone_are_left(study, results) -> None:
    light, heard = kept_files(study, results), []
    first, second, third = (weights_file_of(study.folder, one) for one in light[:3])
    first.write_bytes(b"damaged")
    second.unlink()
    finalist = replace(light[2], suggestion=replace(light[2].suggestion, recipe=2))
    of_finalist = weights_file_of(study.folder, finalist)
    write_arrays(of_finalist, results[1].weights)  # of another
    trials = [light[0], light[1], replace(light[2], finalists=(finalist,)), light[3]]
    assert set_damaged_weights_aside(study.folder, trials, heard.append) == [light[0], finalist]
    assert not first.exists() and third.exists() and not of_finalist.exists()
    assert [one.rpartition("; ")[2] for one in notices(heard)] == [
        f"the file is renamed to {path.name}~1" for path in (first, of_finalist)
    ]


def test_weights_are_written_again_where_they_are_those_of_the_record(study, results, monkeypatch) -> None:
    light, heard = [one.light() for one in results], []
    found = {0: results[0].weights, 1: results[0].weights}

    def weights_of(sweep, trial):
        if trial.number == 2:
            raise RecordError("the new training has 0.5")
        return found[trial.number]

    monkeypatch.setattr(resume, "weights_of", weights_of)
    rebuild_weights(open_to_run(TRAINED, None, heard.append, study=study, data=DATA), light[:3])
    assert [weights_file_of(study.folder, one).exists() for one in light] == [True, False, False, False]
    assert notices(heard) == [
        "the weights of trial 1 are lost: a new training reached the same value, but its weights differ in the last "
        "digits",
        "the weights of trial 2 are lost: the new training has 0.5",
    ]


def test_scores_are_computed_again_from_weights_and_what_is_lost_is_counted(study, results) -> None:
    light, heard = kept_files(study, results), []
    files = [scores_file(study.folder, one.number) for one in light]
    before = files[0].read_bytes()
    running = open_to_run(TRAINED, None, heard.append, study=study, data=DATA)
    rebuild_scores(running, light)
    assert heard == [] and files[0].read_bytes() == before
    files[0].write_bytes(b"damaged")
    files[1].unlink()
    files[2].unlink()
    weights_file_of(study.folder, light[2]).unlink()
    rebuild_scores(running, light)
    assert [load_scores_of(study.folder, one).digest for one in light[:2]] == [one.scores_digest for one in light[:2]]
    aside, lost = notices(heard)
    assert aside.endswith(f"; the file is renamed to {files[0].name}~1")
    assert lost == (
        "the scores of the validation rows are missing for 1 trial, and so are the weights: "
        "trials are compared by their values alone"
    )
    files[3].unlink()
    other = [*light[:3], replace(light[3], scores_digest="bits:other")]
    heard.clear()
    rebuild_scores(running, other)
    assert notices(heard)[-1].startswith("the scores of the validation rows are missing for 2 trials")
    assert not files[3].exists()


def test_scores_of_finalists_that_decide_are_made_whole_too(study, results) -> None:
    (first, *_), heard = kept_files(study, results), []
    finalist = replace(first, suggestion=replace(first.suggestion, recipe=first.number))
    running = open_to_run(TRAINED, None, heard.append, study=study, data=DATA)
    path = scores_file(study.folder.finalists, finalist.number)
    write_arrays(weights_file_of(study.folder, finalist), results[0].weights)
    rebuild_scores(running, [replace(first, finalists=(finalist,), final=False)])
    assert not path.exists()
    rebuild_scores(running, [replace(first, finalists=(finalist,), final=True)])
    assert path.exists() and heard == []
