"""The winner's look at the test rows, its model and card: each once, counted, and whole."""

import json
from dataclasses import replace

import keras
import pytest

from keras_sweep.errors import ChangedSweep, RecordError
from keras_sweep.files.arrays import write_arrays
from keras_sweep.files.plain import file_digest
from keras_sweep.record.saved import weights_file_of
from keras_sweep.record.study_file import StudyFile
from keras_sweep.sweep import export
from keras_sweep.sweep import winner as winner_module
from keras_sweep.sweep.card import card_text, read_kept_card
from keras_sweep.sweep.export import finish
from keras_sweep.sweep.winner import build_final_model
from keras_sweep.trial.ranking import winner
from tests.helpers.factory import accuracy_error
from tests.helpers.in_memory_record import open_to_run
from tests.sweep.conftest import DATA, SPEC, notices


def finished(study: StudyFile, results, *, test: bool = True, data=DATA):
    """Finish; the events."""
    best = winner(results, SPEC.objective)
    write_arrays(weights_file_of(study.folder, best), best.weights)
    events = []
    finish(open_to_run(SPEC, None, events.append, study=study, data=data), results, best.light(), test=test)
    return events


def card(study: StudyFile):
    return json.loads(study.folder.card.read_text())


def write_card(study: StudyFile, card) -> None:
    """A card that the record knows."""
    study.folder.card.write_text(card_text(card))
    study.set_attributes({"card": file_digest(study.folder.card)})


def test_each_score_on_the_test_rows_has_its_own_error(study: StudyFile, results) -> None:
    (event,) = finished(study, results)
    accuracy, rows = event.scores["accuracy"], DATA.test_rows
    assert event.stderrs["accuracy"] == accuracy_error(accuracy, rows)
    assert 0 < event.stderrs["loss"] != event.stderrs["accuracy"]
    assert card(study)["test"]["stderrs"] == event.stderrs == study.facts.test.stderrs
    assert card(study)["test"]["stderr"] == event.stderrs["accuracy"]
    assert (event.looks, event.earlier, event.rows) == (1, False, rows)
    best, kept = winner(results, SPEC.objective), study.facts.test
    assert (kept.number, kept.seed, kept.refit) == (best.number, None, False)
    assert card(study)["sha256"] == file_digest(study.folder.best)


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
        patch.setattr(winner_module, "evaluate", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
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
        patch.setattr(export, "write_text", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            finished(study, results)
    assert study.folder.best.exists()
    assert not study.folder.card.exists()
    assert notices(finished(study, results)) == []
    assert card(study)["trials"] == 4


def test_a_card_that_was_altered_is_set_aside_and_neither_exported_nor_reported(study: StudyFile, results) -> None:
    finished(study, results)
    good = card(study)
    study.folder.card.write_text(json.dumps({**good, "params": {**good["params"], "learning_rate": 0.5}}))
    with pytest.raises(RecordError, match=r"card\.json was changed after the sweep wrote it"):
        read_kept_card(study.folder, study.facts)
    assert any("card.json~1, and written again" in told for told in notices(finished(study, results)))
    again = read_kept_card(study.folder, study.facts)
    changing = {"created", "sha256"}
    assert {**again, **dict.fromkeys(changing)} == {**good, **dict.fromkeys(changing)}


@pytest.mark.parametrize("change", [{"estimate": {"value": 0.5}}, {"test": None}], ids=["estimate", "test"])
def test_a_card_that_says_otherwise_of_the_same_model_is_written_again_alone(study, results, change) -> None:
    finished(study, results)
    good, model = card(study), study.folder.best.stat().st_mtime_ns
    write_card(study, {**good, **change})
    (event,) = finished(study, results)
    assert event.earlier and study.facts.test_looks == 1
    assert {**card(study), "created": ""} == {**good, "created": ""}
    assert study.folder.best.stat().st_mtime_ns == model


def test_a_card_of_another_model_has_the_model_written_again(study: StudyFile, results) -> None:
    finished(study, results, test=False)
    for key in ("trial", "seed", "trials", "seeds", "refit"):
        good, model = card(study), study.folder.best.stat().st_mtime_ns
        write_card(study, {**good, key: 7})
        assert finished(study, results, test=False) == []
        assert card(study).get(key) == good.get(key) and study.folder.best.stat().st_mtime_ns > model


def test_without_test_rows_there_is_no_look(study: StudyFile, results) -> None:
    assert finished(study, results, data=replace(DATA, test_rows=0)) == []
    assert study.facts.test_looks == 0 and card(study)["test"] is None


def test_a_model_that_nothing_compiled_is_exported_and_not_looked_at(study, results, monkeypatch) -> None:
    def uncompiled(sweep, trial):
        model, own, refit = build_final_model(sweep, trial)
        return keras.Sequential([keras.Input((64,)), *model.layers]), own, refit

    monkeypatch.setattr(export, "build_final_model", uncompiled)
    why = "can't evaluate the winner on the test rows: its model is not compiled"
    assert notices(finished(study, results)) == [why]
    assert study.facts.test_looks == 0 and study.folder.best.exists() and card(study)["test"] is None


@pytest.mark.parametrize(("begun", "same"), [("other", False), ("others+{}", True), (None, True)])
def test_rows_that_are_not_those_of_the_sweep_judge_nobody(study: StudyFile, results, begun, same) -> None:
    study.set_attributes({"test_fingerprint": begun and begun.format(DATA.test_fingerprint)})
    if same:
        assert finished(study, results)[-1].looks == 1
        return
    with pytest.raises(ChangedSweep, match="the test rows of digits have changed since the sweep 'digits' started"):
        finished(study, results)
    assert study.facts.test_looks == 0
