"""Searches of other programs, run by these programs, read as results."""

import hashlib
import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import pytest

from keras_sweep.errors import MissingPackage, UsageError
from keras_sweep.importing.imported import fitted
from keras_sweep.importing.read import read_trials
from keras_sweep.record.study_file import StudyFile, optuna_texts
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter, SearchSpace
from keras_sweep.trial.result import TrialState
from tests.helpers.calls import calls_of
from tests.helpers.engine_contract import CONDITIONAL, flat, in_space, searched, spec
from tests.helpers.results import dense_sweep

SGD = (Condition("optimizer", ("sgd",)),)


TUNED = SearchSpace(
    (
        Parameter("optimizer", Categorical(("sgd", "adam"))),
        Parameter("momentum", Float(0.0, 0.9), SGD),
        Parameter("units", Int(3, 9, step=3)),
        Parameter("epochs", Int(1, 3)),
    )
)


def texts(space: SearchSpace) -> dict[str, str]:
    """The distributions of a space as they are recorded."""
    return optuna_texts({one.name: one.distribution for one in space.parameters})


def refused(source: Path | str, words: str, **options: str) -> UsageError:
    """The error that a source is refused by, in these words."""
    with pytest.raises(UsageError, match=words) as caught:
        read_trials(str(source), **options)
    return caught.value


def test_a_hyperband_project(projects: Path) -> None:
    found = read_trials(str(projects / "Hyperband"))
    assert found.objective == Objective("val_loss", Goal.MINIMIZE)
    assert (found.name, found.engine) == ("Hyperband", "import/keras-tuner")
    assert found.distributions == texts(TUNED)
    assert [result.number for result in found.results] == list(range(len(found.results)))
    for result in found.results:
        assert result.state is TrialState.COMPLETE and result.engine == found.engine
        assert in_space(TUNED, result.params), result.params
        assert result.metrics["val_loss"] == result.value
        assert set(result.metrics) == {"loss", "accuracy", "val_loss", "val_accuracy"}
        assert math.isfinite(result.metrics["accuracy"])
    promoted = [result for result in found.results if result.suggestion.continues is not None]
    assert promoted
    for result in promoted:
        past = found.results[result.suggestion.continues or 0]
        assert {**past.params, "epochs": 3} == result.params


def test_another_metric_ranks_by_its_own_direction(projects: Path) -> None:
    found = read_trials(str(projects / "RandomSearch"), metric="val_accuracy")
    assert found.objective == Objective("val_accuracy", Goal.MAXIMIZE)
    assert [result.value for result in found.results] == [result.metrics["val_accuracy"] for result in found.results]
    refused(projects / "RandomSearch", "has no metric 'auc'", metric="auc")


def test_scores_of_no_metric_ask_for_its_name(projects: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(projects / "RandomSearch", tmp_path / "copy"))
    path = project / "trial_0" / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "score": -1.0}))
    refused(project, r"does not say which metric it was tuned for\. Add `--metric`, one of loss, ")


@pytest.mark.parametrize("engine", ["optuna", "keras-tuner"])
def test_an_engine_goes_on_from_imported_trials(projects: Path, engine: str) -> None:
    found = read_trials(str(projects / "RandomSearch"))
    space = SearchSpace(TUNED.parameters[:3])
    going_on = make_engine(spec(space, engine, "random", goal=found.objective.goal))
    going_on.replay([found.results])
    assert [suggestion.number for suggestion in going_on.ask(2)] == [3, 4]


def test_failed_and_unfinished_and_torn_trials(projects: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(projects / "RandomSearch", tmp_path / "project"))
    texts = sorted(project.glob("trial_*/trial.json"))
    failed = json.loads(texts[0].read_text()) | {"status": "FAILED", "score": None, "message": "Traceback\nOh: no"}
    texts[0].write_text(json.dumps(failed))
    texts[1].write_text(texts[1].read_text()[:50])
    (project / "trial_9").mkdir()
    running = {**json.loads(texts[2].read_text()), "trial_id": "9", "status": "RUNNING"}
    (project / "trial_9" / "trial.json").write_text(json.dumps(running))
    found = read_trials(str(project), metric="val_loss")
    assert [(result.state.value, result.reason) for result in found.results] == [("FAIL", "Oh: no"), ("COMPLETE", None)]
    assert len(found.notes) == 2
    assert "can't be read as JSON" in found.notes[0] and "1 trial that had not finished" in found.notes[1]


def test_folders_that_are_no_project_are_refused(projects: Path, tmp_path: Path) -> None:
    refused(projects, "Name one of the projects in it: Hyperband, RandomSearch")
    refused(tmp_path / "nowhere", "there is no file or folder")
    (tmp_path / "oracle.json").write_text("{")
    refused(tmp_path, "can't be read as JSON")
    (tmp_path / "oracle.json").write_text('{"hyperparameters": {"space": [{"class_name": "os.system"}]}}')
    shutil.copytree(projects / "RandomSearch" / "trial_0", tmp_path / "trial_0")
    refused(tmp_path, r"is not as KerasTuner 1.4 writes it: .*os\.system", metric="val_loss")


def objective(trial: optuna.Trial) -> float:
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adam"])
    rate = trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)
    trial.suggest_categorical("batch_size", [32])
    if optimizer == "sgd":
        trial.suggest_float("momentum", 0.0, 0.9)
    for step in range(4):
        trial.report(rate + step, step)
        if step == 1 and trial.number == 3:
            raise optuna.TrialPruned
    if trial.number == 2:
        raise ArithmeticError
    return rate


def run(storage: Any, name: str) -> optuna.Study:
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.set_metric_names(["val_accuracy"])
    study.optimize(objective, n_trials=8, catch=ArithmeticError)
    study.ask()
    return study


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Optuna SQLite file with two studies, made by Optuna."""
    path = tmp_path_factory.mktemp("a folder? 100%") / "studies#1.db"
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    database = optuna.storages.RDBStorage(
        "sqlite://", engine_kwargs={"creator": lambda: __import__("sqlite3").connect(path)}
    )
    for name in ("first", "second"):
        run(database, name)
    return path


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_an_optuna_database(storage: Path) -> None:
    before = hashlib.sha256(storage.read_bytes()).hexdigest()
    found = read_trials(str(storage), study="second")
    assert hashlib.sha256(storage.read_bytes()).hexdigest() == before
    assert [path.name for path in storage.parent.iterdir()] == [storage.name]
    assert (found.name, found.engine) == ("second", "import/optuna")
    assert found.objective == Objective("val_accuracy", Goal.MAXIMIZE)
    space = SearchSpace(
        (
            Parameter("optimizer", Categorical(("sgd", "adam"))),
            Parameter("learning_rate", Float(1e-4, 1.0, log=True)),
            Parameter("batch_size", Categorical((32,))),
            Parameter("momentum", Float(0.0, 0.9), SGD),
        )
    )
    assert found.distributions == texts(space)
    states = " ".join(result.state.value for result in found.results)
    assert states == "COMPLETE COMPLETE FAIL PRUNED COMPLETE COMPLETE COMPLETE COMPLETE"
    assert found.results[3].reason == "pruned at epoch 2"
    assert found.results[0].epochs == 4
    assert found.notes == ("left out: 1 trial that had not finished",)
    assert all(in_space(space, result.params) for result in found.results)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_journal_gives_the_same_trials_as_a_database(storage: Path, tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    run(optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path))), "second")
    journal, database = read_trials(str(path)), read_trials(str(storage), study="second")
    assert [result.params for result in journal.results] == [result.params for result in database.results]
    assert [result.value for result in journal.results] == [result.value for result in database.results]
    assert journal.distributions == database.distributions


def test_a_study_is_to_be_named_where_there_are_several(storage: Path) -> None:
    refused(storage, r"holds 2 studies\. Add `--study`, one of first, second")
    refused(f"sqlite:///{quote(str(storage))}", r"holds no study 'third'\. It holds first, second", study="third")


def test_a_sweeps_own_record_keeps_curves_and_lists(tmp_path: Path) -> None:
    sweep = spec(CONDITIONAL, "optuna", "random")
    results = flat(searched(make_engine(sweep), 3, 4))
    with StudyFile.create(SweepFolder(tmp_path / "dense"), sweep, {}) as study:
        study.add(*results)
    found = read_trials(str(tmp_path / "dense" / "study.db"))
    assert found.objective == sweep.objective
    assert [result.params for result in found.results] == [result.params for result in results]
    assert [result.curve for result in found.results] == [result.curve for result in results]
    searched_in = {name: of for name, of in CONDITIONAL.distributions.items() if name in found.distributions}
    constants = {name: Categorical((value,)) for name, value in CONDITIONAL.constants.items()}
    assert found.distributions == optuna_texts({**searched_in, **constants})
    assert all(in_space(CONDITIONAL, result.params) for result in found.results)


@pytest.mark.soak
def test_four_times_the_trials_take_four_times_the_work(tmp_path: Path) -> None:
    work = []
    for trials in (300, 300, 1200):  # the first time imports what is used
        folder = SweepFolder(tmp_path / f"{trials}_{len(work)}")
        with StudyFile.create(folder, spec(CONDITIONAL, "optuna", "random"), {}) as study:
            study.add(*dense_sweep(trials))
        work.append(calls_of(lambda folder=folder: read_trials(str(folder.study))))  # type: ignore[misc]
    assert work[2] < 5 * work[1]


def test_what_is_no_storage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    refused(tmp_path / "notes.txt", "file is not a database")
    (tmp_path / "torn.db").write_bytes(b"SQLite format 3\0" + b"x" * 100)
    refused(tmp_path / "torn.db", r"torn.db can't be read: .*DatabaseError")
    refused(f"sqlite:///{tmp_path}/none.db", "there is no SQLite file")
    assert not (tmp_path / "none.db").exists()


def test_passwords_are_never_shown() -> None:
    with pytest.raises((MissingPackage, UsageError)) as caught:
        read_trials("postgresql://me:s3cret@127.0.0.1:1/studies?sslpassword=hidden7")
    assert "me:***@127.0.0.1" in str(caught.value)
    assert "s3cret" not in str(caught.value) and "hidden7" not in str(caught.value)
    with pytest.raises(UsageError) as caught_form:
        read_trials("postgresql://me:s3cret@127.0.0.1:port/studies")
    assert "s3cret" not in str(caught_form.value)


def test_trials_that_fit_a_sweep_become_its_own(projects: Path) -> None:
    found = read_trials(str(projects / "Hyperband"))
    space = SearchSpace(
        (
            Parameter("optimizer", Categorical(("sgd", "adam"))),
            Parameter("momentum", Float(0.0, 0.9), SGD),
            Parameter("model.units", Int(3, 9)),
            Parameter("epochs", Int(1, 3)),
        ),
        {"batch_size": 32},
    )
    sweep = replace(spec(space, "optuna", "tpe"), objective=found.objective)
    ours = fitted(found, sweep)
    assert [result.number for result in ours.results] == list(range(len(found.results)))
    assert all(in_space(space, result.params) for result in ours.results)
    engine = make_engine(sweep)
    engine.replay([ours.results])
    assert engine.ask(1)[0].number == len(ours.results)


def test_trials_that_do_not_fit_are_counted_with_the_reason(projects: Path) -> None:
    found = read_trials(str(projects / "Hyperband"))
    narrow = SearchSpace((Parameter("optimizer", Categorical(("sgd", "adam"))), Parameter("units", Int(3, 9))))
    longer = SearchSpace((*TUNED.parameters[:3], Parameter("epochs", Int(3, 9))))
    sweep = replace(spec(longer, "optuna", "tpe"), objective=found.objective)
    kept = fitted(found, sweep)
    short = [result for result in found.results if result.params["epochs"] == 1]
    assert len(kept.results) == len(found.results) - len(short)
    assert all(result.suggestion.continues is None for result in kept.results)
    assert kept.notes == (f"left out: {len(short)} trials, since `epochs` is outside of the space",)
    bounded = replace(TUNED, where=("epochs > 1",))
    assert fitted(found, replace(sweep, space=bounded)).notes == (
        f"left out: {len(short)} trials, since it breaks `where`",
    )
    with pytest.raises(UsageError, match=r"no trial of .* fits the sweep's space.*the space has no `epochs`"):
        fitted(found, replace(sweep, space=narrow))
    with pytest.raises(UsageError, match="was run to minimize val_loss, but this sweep is to maximize val_accuracy"):
        fitted(found, spec(longer, "optuna", "tpe"))
