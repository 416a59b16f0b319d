"""The winner's look at the test rows, its model and card: each once, counted, and whole."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.errors import RecordError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.saved import weights_file_of
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep import finish as finish_module
from keras_sweep.sweep.card import kept_card
from keras_sweep.sweep.finish import finish
from keras_sweep.sweep.load import Running
from keras_sweep.sweep.open_record import open_study
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.events import Noticed
from keras_sweep.trial.ranking import winner
from keras_sweep.trial.wall_time import WallTime
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, accuracy_error, make_spec
from tests.helpers.in_memory_record import searched

SPEC = make_spec((OPTIMIZER, LEARNING_RATE), constants={"epochs": 2, "batch_size": 200}, text="data: digits\n")
DATA = load_search_data(SPEC)


@pytest.fixture(scope="module")
def results():
    return searched(SPEC, CompiledRunner(SPEC, DATA), 4).results()


@pytest.fixture
def study(tmp_path: Path) -> Iterator[StudyFile]:
    with open_study(SweepFolder(tmp_path / "digits"), SPEC, DATA.fingerprint) as study:
        yield study


def finished(study: StudyFile, results, *, test: bool = True):
    """Finish; the events."""
    best = winner(results, SPEC.objective)
    write_arrays(weights_file_of(study.folder, best), best.weights)
    events = []
    running = Running(study, SPEC, DATA, None, events.append, WallTime(), StopRequest())
    finish(running, results, best.light(), test=test)
    return events


def card(study: StudyFile):
    return json.loads(study.folder.card.read_text())


def test_each_score_on_the_test_rows_has_its_own_error(study: StudyFile, results) -> None:
    (event,) = finished(study, results)
    accuracy, rows = event.scores["accuracy"], DATA.test_rows
    assert event.stderrs["accuracy"] == accuracy_error(accuracy, rows)
    assert 0 < event.stderrs["loss"] != event.stderrs["accuracy"]
    assert card(study)["test"]["stderrs"] == event.stderrs == study.facts.test.stderrs
    assert card(study)["test"]["stderr"] == event.stderrs["accuracy"]


def test_the_same_again_does_nothing(study: StudyFile, results) -> None:
    (first,) = finished(study, results)
    assert first.looks == 1
    before = {path.name: path.stat().st_mtime_ns for path in study.folder.path.glob("[bc]*")}
    (second,) = finished(study, results)
    assert second == replace(first, earlier=True)
    assert before == {path.name: path.stat().st_mtime_ns for path in study.folder.path.glob("[bc]*")}


def test_without_a_look_at_the_test_rows_and_with_one_later(study: StudyFile, results) -> None:
    assert finished(study, results, test=False) == []
    assert card(study)["test"] is None
    assert study.facts.test_looks == 0
    model = study.folder.best.read_bytes()
    finished(study, results)
    assert card(study)["test"]["looks"] == 1
    assert study.folder.best.read_bytes() == model


def test_a_look_that_is_cut_short_is_counted(study: StudyFile, results, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(finish_module, "evaluate", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            finished(study, results)
    assert study.facts.test_looks == 1
    assert finished(study, results)[-1].looks == 2
    assert card(study)["test"]["looks"] == 2


def test_a_better_trial_later_gets_its_own_look_model_and_card(study: StudyFile, results) -> None:
    finished(study, results[:1])
    finished(study, results)
    best = winner(results, SPEC.objective)
    assert card(study)["trial"] == best.number
    assert card(study)["trials"] == 4
    assert study.facts.test_looks == (1 if best.number == 0 else 2)
    assert not list(study.folder.path.glob("*~*"))


def test_no_card_stands_beside_another_model(study: StudyFile, results, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(study, results[:1])
    with monkeypatch.context() as patch:
        patch.setattr(finish_module, "write_text", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            finished(study, results)
    assert study.folder.best.exists()
    assert not study.folder.card.exists()
    assert not any(isinstance(event, Noticed) for event in finished(study, results))
    assert card(study)["trials"] == 4


def test_a_card_that_was_altered_is_set_aside_and_neither_exported_nor_reported(study: StudyFile, results) -> None:
    finished(study, results)
    good = card(study)
    study.folder.card.write_text(json.dumps({**good, "params": {**good["params"], "learning_rate": 0.5}}))
    with pytest.raises(RecordError, match=r"card\.json is not as the sweep wrote it"):
        kept_card(study.folder, study.facts)
    events = finished(study, results)
    assert any("card.json~1 now, and written again" in event.message for event in events if isinstance(event, Noticed))
    again = kept_card(study.folder, study.facts)
    changing = {"created", "sha256"}
    assert {**again, **dict.fromkeys(changing)} == {**good, **dict.fromkeys(changing)}
