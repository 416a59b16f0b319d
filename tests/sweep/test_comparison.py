"""A sweep's trials against its winner, and the rows that all good ones miss: from the scores that the run kept."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.record.facts import Facts
from keras_sweep.record.reader import read_facts, read_results
from keras_sweep.record.saved import load_scores_of, scores_file
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal
from keras_sweep.sweep import comparison as comparing
from keras_sweep.sweep.comparison import Missed, RecordedSweep, compared, keep_comparison, missed_rows
from keras_sweep.trial.comparison import MARGINAL, PAIRED
from keras_sweep.trial.ranking import winner
from tests.helpers.ran import finished
from tests.helpers.space_texts import DIGITS, changed, small

SPACE = changed(DIGITS, epochs="  epochs: {min: 1, max: 3}", search="search: {trials: 16, seed: 42}\nfinalists: none")
CANCER = small(
    data="breast_cancer",
    model="{dense: {units: 1, activation: sigmoid}}",
    loss="binary_crossentropy",
    metrics="[METRIC]",
    metric="{name: val_METRIC}",
    parameters="{learning_rate: {min: 1e-3, max: 0.1, log: true}, epochs: 3}",
    search="{sampler: random, trials: 4, seed: 42}",
)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    ran = finished(tmp_path_factory.mktemp("done"), SPACE)
    return ran.sweep, ran.ended


@pytest.fixture
def copy(done, tmp_path):
    shutil.copytree(done[0].path.parent, tmp_path / "sweeps")
    return SweepFolder(tmp_path / "sweeps" / "plain")


def read(sweep):
    return RecordedSweep.read(sweep).comparison


def test_the_scores_of_every_trial_add_up_to_its_value(done):
    sweep, ended = done
    for result in read_results(sweep):
        scores = load_scores_of(sweep, result)
        assert scores.values().mean() == pytest.approx(result.value, abs=1e-6)
        assert scores.rows == ended.comparison.rows


def test_the_winner_is_compared_with_all_others(done):
    sweep, ended = done
    comparison = ended.comparison
    best = winner(ended.results, read_facts(sweep).objective)
    assert (comparison.method, comparison.best) == (PAIRED, best.number)
    assert set(comparison.behind) == set(range(16))
    assert comparison.behind[best.number].stderr is None
    assert all(one.stderr > 0 for number, one in comparison.behind.items() if number != best.number)
    assert comparison.estimate.naive == best.value
    assert comparison.estimate.low < comparison.estimate.value <= best.value + 1e-9 < comparison.estimate.high
    assert comparison.more.trials == 8


def test_what_more_trials_gain_is_said_of_a_loss_too_after_more_and_never_of_one_trial(tmp_path):
    text = changed(SPACE, metric="metric: {name: val_loss, goal: minimize}", epochs="  epochs: 1")
    assert finished(tmp_path, text, trials=1).ended.comparison.more is None
    ended = finished(tmp_path, text, trials=1, more=16).ended
    values = [one.value for one in ended.results]
    assert len(values) == 17
    assert ended.comparison.more.trials == 8
    assert ended.comparison.more.gain == min(values[:9]) - min(values) > 0


def test_a_reader_takes_what_the_run_kept_and_never_another_sweeps(copy, done, monkeypatch):
    kept = read(copy)
    assert kept == done[1].comparison == compared(RecordedSweep.read(copy))
    monkeypatch.setattr(comparing, "compared", lambda *_: "computed")
    assert read(copy) == kept
    fewer = RecordedSweep(copy, read_facts(copy), read_results(copy)[:-1])
    assert fewer.comparison == "computed"  # as while it runs
    copy.comparison.write_text("{}")
    assert read(copy) == "computed"


def test_an_altered_comparison_is_computed_anew_and_written_again_by_the_next_run(copy):
    expected, file = read(copy), copy.comparison
    kept = file.read_text()
    said = json.loads(kept)
    said["estimate"]["value"] = 0.99
    said["behind"] = {number: [0.0, 0.0, True] for number in said["behind"]}
    file.write_text(json.dumps(said))
    assert read(copy) == expected
    assert finished(copy.path.parent.parent, SPACE).ended.comparison == expected
    assert file.read_text() == kept


def test_what_stands_in_its_place_is_neither_waited_for_nor_followed(copy, tmp_path):
    results = read_results(copy)
    expected = read(copy)
    for place in (os.mkfifo, lambda path: path.symlink_to(tmp_path / "mine")):
        copy.comparison.unlink()
        place(copy.comparison)
        with StudyFile.open(copy) as study:
            assert read(copy) == expected == keep_comparison(study, results)
        assert not copy.comparison.is_symlink() and copy.comparison.is_file()
    assert not (tmp_path / "mine").exists()


def test_scores_that_are_gone_or_damaged_are_computed_again_from_weights(copy):
    before = {path.name: path.read_bytes() for path in copy.scores.iterdir()}
    (gone, damaged) = (path.name for path in sorted(copy.weights.iterdir())[:2])
    (copy.scores / gone).unlink()
    (copy.scores / damaged).write_bytes(b"garbage")
    notices = finished(copy.path.parent.parent, SPACE).notices
    after = {path.name: path.read_bytes() for path in copy.scores.iterdir()}
    assert any(f"{damaged} are damaged" in notice for notice in notices)
    assert after.pop(f"{damaged}~1") == b"garbage"
    assert {name: data[:-200] for name, data in after.items()} == {n: data[:-200] for n, data in before.items()}


def test_scores_without_weights_are_lost_and_said(copy):
    without = next(path for path in sorted(copy.scores.glob("0*")) if not (copy.weights / path.name).exists())
    without.unlink()
    ran = finished(copy.path.parent.parent, SPACE, trials=17)
    assert any("the scores of 1 trial on the validation rows are lost" in notice for notice in ran.notices)
    lost = ran.ended.comparison.behind[int(without.stem)]
    assert lost.stderr is None and lost.behind > 0
    assert ran.ended.comparison.estimate is not None


def test_without_scores_trials_are_compared_by_their_values(copy):
    shutil.rmtree(copy.scores)
    comparison = read(copy)
    assert (comparison.method, comparison.estimate) == (MARGINAL, None)
    assert comparison.behind[comparison.best].tie


@pytest.mark.soak
@pytest.mark.parametrize("metric", ["auc", "precision", "loss"])
def test_a_metric_that_is_no_share_of_rows_has_an_estimate_too(tmp_path, metric):
    text = CANCER.replace("metrics: [METRIC]\n", "" if metric == "loss" else f"metrics: [{metric}]\n")
    runner = "fit" if metric == "auc" else None
    comparison = finished(tmp_path, text.replace("METRIC", metric), runner=runner).ended.comparison
    assert comparison.method == PAIRED
    assert comparison.estimate.low < comparison.estimate.naive < comparison.estimate.high
    assert (comparison.estimate.value >= comparison.estimate.naive) == (metric == "loss")
    assert all(one.behind >= 0 for one in comparison.behind.values())


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> ks.Sweep:
    """Eight trials on digits, every 20th of which bears the label that is one larger."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    y[::20] = (y[::20] + 1) % 10
    spec = ks.Spec(
        data=((x / 16).astype(np.float32), y),
        model={"dense": {"units": 10, "activation": "softmax"}},
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        maximize="val_accuracy",
        parameters={"optimizer": "adam", "learning_rate": ks.Float(3e-3, 3e-2, log=True), "epochs": 12},
        search=ks.Optuna("random", trials=8, seed=1),
    )
    return ks.run(spec, name="wrong", sweeps_dir=tmp_path_factory.mktemp("hard"), test=False)


def missed(sweep: ks.Sweep) -> Missed:
    return missed_rows(RecordedSweep.read(SweepFolder(sweep.path)))


def test_they_are_those_that_the_models_of_all_good_trials_get_wrong(sweep: ks.Sweep) -> None:
    rows, found = sweep.validation(), missed(sweep)
    said = np.stack([sweep.load_model(trial).predict(rows.x, verbose=0).argmax(1) for trial in found.trials])
    assert found.rows == tuple(np.flatnonzero((said != rows.y).all(0)).tolist())
    assert len(found.rows) >= 8  # of 18 wrong labels
    assert found.total == len(rows)


def test_the_good_trials_are_those_that_tie_with_the_best_or_the_best_few(sweep: ks.Sweep) -> None:
    ties, found = {trial.number for trial in sweep.ties()}, missed(sweep)
    assert found.tied == (len(ties) >= 5)
    assert set(found.trials) == (ties if found.tied else {trial.number for trial in sweep.trials})


def test_a_trial_whose_scores_are_damaged_does_not_count(sweep: ks.Sweep) -> None:
    known = missed(sweep)
    path = scores_file(SweepFolder(sweep.path), known.trials[-1])
    kept = path.read_bytes()
    path.write_bytes(kept[:-40])
    try:
        assert set(missed(sweep).trials) == set(known.trials[:-1])
    finally:
        path.write_bytes(kept)


def test_trials_without_right_and_wrong_miss_nothing(tmp_path: Path) -> None:
    facts = Facts("val_loss", Goal.MINIMIZE, 42, "", {})
    assert missed_rows(RecordedSweep(SweepFolder(tmp_path / "mine"), facts, [])) is None
