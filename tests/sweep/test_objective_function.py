"""A sweep of an objective function: what the function gets and returns, and what there is without rows and models."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.errors import ModelError, SpaceFileError, UsageError
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.trial.events import Noticed
from keras_sweep.trial.result import TrialState
from keras_sweep.views.report.facts import PageContent
from keras_sweep.views.report.page import page_of
from keras_sweep.views.sweep_list import sweep_row
from tests.helpers import user_functions
from tests.helpers.ran import Ran, finished, quiet
from tests.helpers.tracked import READERS, stay_here
from tests.helpers.whole_spaces import SPACES

PARABOLA = (
    "objective: {python: user_functions:parabola}\nmetric: {name: score, goal: maximize}\n"
    "parameters: {x: {min: -5.0, max: 5.0}}\nsearch: {sampler: random, trials: 12, seed: 42}\n"
)


def ran(folder: Path, text: str, **options: Any) -> Ran:
    shutil.copy(user_functions.__file__, folder)
    return finished(folder, text, **options)


def searched(folder: Path, function: Any, parameters: Any = None, *, trials: int = 3, **fields: Any) -> ks.Sweep:
    fields = {"maximize": "score", "search": ks.Optuna("random", trials=trials), **fields}
    spec = ks.Spec(objective=function, parameters=parameters or {"x": ks.Float(-5, 5)}, **fields)
    return ks.run(spec, name="it", sweeps_dir=folder, listener=quiet)


@pytest.fixture(scope="module")
def parabola(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran(tmp_path_factory.mktemp("parabola"), PARABOLA)


def test_the_best_value_wins_and_a_raised_error_is_a_failed_trial(parabola: Ran) -> None:
    results = parabola.ended.results
    failed = [trial for trial in results if trial.state is TrialState.FAIL]
    assert [trial.reason for trial in failed] == ["ValueError: x is too large"] * len(failed) and failed
    assert "user_functions.py" in (failed[0].traceback or "")
    for trial in results:
        if trial not in failed:
            x = trial.params["x"]
            assert (trial.value, trial.metrics["cost"]) == (-((x - 2) ** 2), abs(x))
            assert (trial.epochs, trial.stderr, trial.weights_digest, trial.scores_digest) == (1, None, None, None)
    best = max((trial for trial in results if trial not in failed), key=lambda trial: trial.value or 0.0)
    assert parabola.ended.comparison.best == best.number


def test_the_run_says_once_what_the_sweep_has_not(parabola: Ran) -> None:
    lacks = "no lanes, no expected score, no sealed test and no export; without an argument `seed`, no finalists either"
    assert [text for text in parabola.notices if "no lanes" in text] == [
        f"user_functions:parabola returns each trial's value, so there are {lacks}"
    ]
    assert parabola.ended.model == "" and parabola.ended.comparison.estimate is None
    assert not parabola.sweep.best.exists() and not parabola.sweep.card.exists()


def test_a_complete_sweep_is_told_again_and_more_trials_resume_it(tmp_path: Path) -> None:
    first = ran(tmp_path, PARABOLA)
    again = Ran(tmp_path, text=PARABOLA, trials=None)
    assert [trial.value for trial in again().results] == [trial.value for trial in first.ended.results]
    assert any(text.startswith("the sweep is complete") for text in again.notices)
    assert len(Ran(tmp_path, text=PARABOLA, trials=None, more=2)().results) == 14


def test_list_and_report_show_values_without_rows_models_and_errors(parabola: Ran) -> None:
    assert sweep_row(parabola.sweep).state == "done"
    from datetime import datetime

    page = page_of(PageContent.read(OpenSweep(parabola.sweep)), datetime.now())
    for words in ("±", "expected", "rows can", "sweep export", "model.fit", "Not shown", "sealed"):
        assert words not in page, words


def test_the_record_is_replayed_and_what_needs_a_model_says_why_not(tmp_path: Path) -> None:
    sweep = searched(tmp_path, user_functions.parabola)
    assert sweep.replay().matches and sweep.replay(0).matches
    for call in (lambda: sweep.export(tmp_path / "model.keras"), sweep.evaluate, sweep.load_model, sweep.script):
        with pytest.raises(UsageError, match=r"has an objective function, and no models|by an objective function"):
            call()
    with pytest.raises(UsageError, match="can't estimate the time"):
        ks.check(ks.Spec(objective=user_functions.parabola, parameters={"x": [1, 2]}, maximize="score")).estimate()


@pytest.mark.parametrize("to", ["tensorboard", "mlflow", pytest.param("wandb", marks=pytest.mark.soak)])
def test_trackers_get_parameters_and_values(to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_here(tmp_path, monkeypatch)
    sweep = searched(tmp_path / "sweeps", user_functions.told)
    sweep.log(to)
    runs = READERS[to]("it")
    for trial in sweep.trials:
        run = runs[f"trial-{trial.number}"]
        assert float(run.params["x"]) == pytest.approx(trial.params["x"])
        assert run.metrics["value"][0][1] == pytest.approx(trial.value)


def test_a_function_gets_what_its_signature_asks_for(tmp_path: Path) -> None:
    def asks(x, params, trial, folder, seed, report, *, fixed, **others):  # type: ignore[no-untyped-def]
        assert params == {"x": x, "fixed": 7, "model.depth": 2} and others == {"model.depth": 2} and fixed == 7
        assert folder.is_dir() and seed == 42
        (folder / "x.txt").write_text(str(x))
        report({"score": 1.0, "pace": 2.0}, 1)
        report(3.0)
        return float(trial)

    sweep = searched(tmp_path, (asks, {"fixed": 7}), {"x": ks.Float(-5, 5), "model.depth": 2}, finalists="none")
    assert [trial.value for trial in sweep.trials] == [0.0, 1.0, 2.0]
    assert sweep.trials[1].curve["score"] == (1.0, 1.0) and sweep.trials[1].curve["pace"][0] == 2.0
    files = tmp_path / "it" / "files"
    assert (files / "trial-1" / "x.txt").read_text() == str(sweep.trials[1].params["x"])
    assert sweep.replay(1).matches and sorted(path.name for path in files.iterdir()) == [
        "trial-0",
        "trial-1",
        "trial-2",
    ]


def test_without_a_returned_value_the_last_reported_value_counts(tmp_path: Path) -> None:
    sweep = searched(tmp_path, user_functions.told)
    for trial in sweep.trials:
        assert trial.value == 3 * trial.params["x"]
        assert (tmp_path / "it/files" / f"trial-{trial.number}/note.txt").read_text().startswith(f"{trial.number} True")


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        ({"loss": 1.0}, "the objective function returned 'loss', and reported no 'score'"),
        (None, "the objective function returned nothing, and reported no 'score'"),
        ("good", "the objective function returned a str that is no metric"),
        (float("nan"), "diverged"),
    ],
)
def test_a_result_without_a_value_fails_the_trial(tmp_path: Path, returned: Any, reason: str) -> None:
    def good_or(x):  # type: ignore[no-untyped-def]
        return returned if x > 1 else 0.5

    sweep = searched(tmp_path, good_or, {"x": [1, 2]}, trials=2)
    failed = next(trial for trial in sweep.trials if trial.params["x"] == 2)
    assert str(failed.reason).startswith(reason)


def test_a_history_counts_with_its_best_epoch(tmp_path: Path) -> None:
    class History:  # as that of `model.fit`
        history: ClassVar = {"score": [0.1, 0.7, 0.4], "loss": [3.0, 2.0, 1.0]}

    sweep = searched(tmp_path, lambda x: History(), trials=1)
    assert sweep.best.value == 0.7 and sweep.best.metrics == {"score": 0.7, "loss": 2.0}


def test_a_function_and_parameters_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for function, words in (
        (lambda x, y: 0.0, "can't be called with the parameters: missing a required argument: 'y'"),
        (lambda: 0.0, "has no argument 'x'"),
    ):
        with pytest.raises(ModelError, match=words):
            searched(tmp_path, function)
    with pytest.raises(ks.UsageError, match="an objective function has no model"):
        searched(tmp_path, lambda x: x, where=["parameters <= 10"])
    assert not (tmp_path / "it").exists()


def test_epochs_are_reported_in_turn(tmp_path: Path) -> None:
    sweep = searched(tmp_path, lambda x, report: report(1.0, 0) if x > 1 else 1.0, {"x": [1, 2]}, trials=2)
    failed = next(trial for trial in sweep.trials if trial.params["x"] == 2)
    assert failed.reason == "ValueError: `report` needs the epochs 1, 2, 3, ... in turn: now 1, but got 0"


def test_a_pruned_function_ends_even_if_it_catches_errors(tmp_path: Path) -> None:
    ended: list[float] = []

    def counts(x, report):  # type: ignore[no-untyped-def]
        for epoch in range(1, 9):
            report(-abs(x) / epoch, epoch)
        ended.append(x)
        return -abs(x) / 8

    rungs = {"early_terminate": {"type": "successive_halving", "eta": 2}, "trials": 8}
    sweep = searched(tmp_path, counts, **rungs)
    complete = [trial for trial in sweep.trials if trial.state == "COMPLETE"]
    assert 0 < len(complete) < 8 and ended == [trial.params["x"] for trial in complete]
    assert all(len(trial.curve["score"]) in (1, 2, 4) for trial in sweep.trials if trial not in complete)
    caught = searched(tmp_path / "caught", user_functions.stubborn, **rungs)
    assert [trial.state for trial in caught.trials] == [trial.state for trial in sweep.trials]
    assert sweep.replay(next(trial.number for trial in sweep.trials if trial.state == "PRUNED")).matches


def test_finalists_train_with_new_seeds_if_the_function_takes_one(tmp_path: Path) -> None:
    def noisy(x, seed):  # type: ignore[no-untyped-def]
        return -abs(x) + np.random.default_rng(seed).normal() / 100

    sweep = searched(tmp_path, noisy, finalists={"top": 2, "seeds": 2})
    assert sweep.best.seeds is not None and sweep.replay().matches


def test_names_and_values_of_parameters_are_the_functions_own(tmp_path: Path) -> None:
    values = []

    def takes(optimizer, learning_rate, momentum=0):  # type: ignore[no-untyped-def]
        values.append((optimizer, type(learning_rate), momentum))
        return 1.0

    domains = {"optimizer": ["Adam", "SGD"], "learning_rate": ks.Int(1, 9), "momentum": ks.Choice([0, 1], when=None)}
    searched(tmp_path, takes, domains, trials=4)
    assert {name for name, _, _ in values} == {"Adam", "SGD"} and {kind for _, kind, _ in values} == {int}
    ks.run(
        ks.Spec(objective=takes, parameters=domains, maximize="score", search=ks.Optuna("random", trials=4)),
        name="it",
        sweeps_dir=tmp_path,
        add="optimizer=Adam learning_rate=9 momentum=1",
        listener=quiet,
    )


def test_the_space_file_has_no_keys_of_a_model_beside_an_objective(tmp_path: Path) -> None:
    text = "data: iris\nloss: mse\nfinish: {refit: true}\n"
    with pytest.raises(SpaceFileError) as refused:
        ran(tmp_path, PARABOLA + text)
    assert [fault.key for fault in refused.value.faults] == ["data", "loss", "finish.refit"]
    assert {fault.rule for fault in refused.value.faults} == {
        "can't be used with `objective`: the function has its own data and model"
    }


def test_a_changed_function_is_another_sweep(tmp_path: Path) -> None:
    ran(tmp_path, PARABOLA)
    file = tmp_path / "user_functions.py"
    file.write_text(file.read_text().replace("x - 2", "x - 3"))
    with pytest.raises(ks.UsageError, match=r"the code of the model: user_functions\.py"):
        finished(tmp_path, PARABOLA, more=1)


@pytest.mark.parametrize("workers", [2])
def test_workers_give_the_values_of_this_process(tmp_path: Path, workers: int) -> None:
    text = SPACES["function"] + "finalists: {top: 2, seeds: 1}\n"
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    here, there = ran(tmp_path / "a", text), ran(tmp_path / "b", text, workers=workers)

    def plain(one: Ran) -> list[Any]:
        return [replace(trial, seconds=None, traceback=None, finalists=()) for trial in one.ended.results]

    bare = [[replace(t, suggestion=replace(t.suggestion, sampler_seconds=0)) for t in plain(r)] for r in (here, there)]
    assert bare[0] == bare[1]
    assert {trial.state for trial in here.ended.results} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_a_stopped_sweep_resumes_to_the_same_trials(tmp_path: Path) -> None:
    text = SPACES["function"] + "finalists: none\n"
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    whole = ran(tmp_path / "a", text)
    shutil.copy(user_functions.__file__, tmp_path / "b")
    part = Ran(tmp_path / "b", text=text, trials=None)
    part.time_is_up = lambda event: getattr(event, "epoch", 0) == 3
    part()
    assert len(part.ended.results) < 18
    rest = finished(tmp_path / "b", text)
    assert [(t.number, t.params, t.value, t.curve) for t in rest.ended.results] == [
        (t.number, t.params, t.value, t.curve) for t in whole.ended.results
    ]
    assert not [event for event in rest.events if isinstance(event, Noticed) and event.warns]
