from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.api.events import ModelExported, TrialsLogged
from keras_sweep.errors import RecordError
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import set_aside
from tests.helpers.records import new_folder


def test_the_best_is_the_first_of_the_leaderboard(finished):
    best = finished.best
    assert best.number == finished.leaderboard()[0].number
    assert best.value == max(trial.value for trial in finished.trials) == finished.study.best_value
    assert best.stderr > 0
    assert set(best.params) >= {"optimizer", "learning_rate", "epochs", "model.units"}
    assert len(best.curve["val_accuracy"]) == best.epochs == best.params["epochs"]
    assert [trial.number for trial in finished.ties()] == [row.number for row in finished.leaderboard() if row.tie]


def test_a_leaderboard_is_filtered_sorted_and_becomes_tables_of_other_libraries(finished):
    assert {row.params["optimizer"] for row in finished.leaderboard(where="optimizer=adam")} == {"adam"}
    assert [row.number for row in finished.leaderboard(sort="number", top=3)] == [0, 1, 2]
    with pytest.raises(ks.UsageError, match="no trial has"):
        finished.leaderboard(sort="learning_rat")
    board = finished.leaderboard()
    frame = board.to_polars()
    assert frame["value"].to_list() == [row.value for row in board]
    assert {"params.learning_rate", "metrics.val_loss", "number"} <= set(frame.columns)
    assert board.to_markdown().startswith("| # | trial | val_accuracy")
    assert len(board[:2]) == 2 and board[1] == list(board)[1]


def test_the_estimate_of_the_winner(finished):
    estimate = finished.estimate
    assert estimate.naive == finished.best.value
    assert estimate.low < estimate.value < estimate.high
    rows = finished.leaderboard()
    assert rows[0].behind == 0 and all(row.behind_stderr > 0 for row in rows[1:])
    assert "expected on new rows: 0." in rows.to_markdown() and "<th" in rows._repr_html_()


def test_sweeps_are_found_by_name_and_all_together(finished):
    folder = finished.path.parent
    assert ks.open("mine", sweeps_dir=folder).best.number == finished.best.number
    assert ks.open(sweeps_dir=folder).name == "mine"
    assert [sweep.name for sweep in ks.sweeps(folder)] == ["mine"]
    with pytest.raises(ks.UsageError, match="other"):
        ks.open("other", sweeps_dir=folder)


def test_a_trial_is_shown_beside_its_sweep_and_is_the_winner_unless_it_is_named(finished):
    assert finished.show().result.number == finished.best.number
    shown = finished.show(2)
    assert (shown.result.number, len(shown.sweep.results), finished.trial(1).number) == (2, 5, 1)
    assert (finished.status.name, finished.status.trials, finished.status.state) == ("mine", 5, "done")
    with pytest.raises(ks.UsageError, match="has no trial 99"):
        finished.trial(99)


def test_a_listener_hears_what_is_done_with_a_sweep(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    heard = []
    sweep = ks.open("mine", trust=True, sweeps_dir=finished.path.parent, listener=heard.append)
    assert sweep.export() == Path("mine.keras")
    (exported,) = [event for event in heard if isinstance(event, ModelExported)]
    assert exported.card.is_file() and exported.trial.startswith(f"trial {finished.best.number}")
    assert finished.log("tensorboard", tmp_path / "runs") == sweep.log("tensorboard", tmp_path / "runs")
    winner = tmp_path / "runs" / "mine" / f"trial-{finished.best.number}"
    assert {"best.keras", "card.json", "index.html"} <= {path.name for path in winner.iterdir()}
    (logged,) = [event for event in heard if isinstance(event, TrialsLogged)]
    assert logged.text == "logged 0 of 5 trials; the tracker already has the others"


def test_in_words_and_as_html(finished):
    assert repr(finished) == "Sweep('mine', 5 trials)"
    assert repr(finished.best).startswith(f"Trial({finished.best.number}: 0.")
    assert finished._repr_html_().count("<tr") == 6
    assert "<td>curve</td>" in finished.best._repr_html_() or finished.best.epochs < 2


def test_the_model_scores_what_the_leaderboard_says(finished):
    model = finished.load_model()
    rows = finished.validation()
    loss, accuracy = model.evaluate(rows.x, rows.y, verbose=0)
    assert accuracy == finished.best.value
    assert loss == pytest.approx(finished.best.metrics["val_loss"], rel=1e-5)


def test_a_sweep_whose_record_was_replaced_says_so_and_never_reads_the_new_one(tmp_path):
    folder = new_folder(tmp_path, trials=3)
    former = ks.open("dense", sweeps_dir=tmp_path)
    assert len(former.trials) == 3
    set_aside(folder.path)
    new_folder(tmp_path, trials=2)
    questions = (lambda: former.best, lambda: former.objective, lambda: former.study, former.leaderboard, former.replay)
    for question in (*questions, former.evaluate, lambda: repr(former)):
        with pytest.raises(RecordError, match="another record has replaced sweep 'dense'") as refused:
            question()
        assert "`keras_sweep.open('dense')`" in refused.value.hint
    assert sorted((sweep.name, len(sweep.trials)) for sweep in ks.sweeps(tmp_path)) == [("dense", 2), ("dense~1", 3)]


def test_a_record_that_has_no_identity_is_read_as_before(tmp_path):
    with StudyFile.open(new_folder(tmp_path, trials=3)) as study:
        study.set_attributes({"identity": None})
    assert len(ks.open("dense", sweeps_dir=tmp_path).trials) == 3
