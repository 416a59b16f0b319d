"""Storages that Optuna wrote, read as results of a sweep and written as one."""

import hashlib
import pickle
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import create_trial

from keras_sweep.errors import UsageError
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile, encode_distributions
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter, SearchSpace
from keras_sweep.sweep.optuna_storage import fit_to_space, read_trials, write_sweep
from keras_sweep.testing.searching import CONDITIONAL, flatten, is_in_space, run_search, search_spec
from tests.helpers.command import called
from tests.helpers.records import new_folder
from tests.helpers.results import dense_sweep

OPTIMIZER = Parameter("optimizer", Categorical(("sgd", "adam")))
MOMENTUM = Parameter("momentum", Float(0.0, 0.9), (Condition("optimizer", ("sgd",)),))
RATE = Parameter("learning_rate", Float(1e-4, 1.0, log=True))
SPACE = SearchSpace(
    (OPTIMIZER, RATE, Parameter("batch_size", Categorical((32,))), Parameter("units", Int(1, 9)), MOMENTUM)
)
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def refused(source: Path | str, words: str, **options: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        read_trials(str(source), **options)
    assert "\n" not in str(error.value)


def objective(trial: optuna.Trial) -> float:
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adam"])
    rate = trial.suggest_float("learning_rate", 1e-4, 1.0, log=True)
    trial.suggest_categorical("batch_size", [32])
    trial.suggest_int("units", 1, 9 if trial.number else 7, step=2)
    if optimizer == "sgd":
        trial.suggest_float("momentum", 0.0, 0.9)
    for step in range(4):
        trial.report(rate + step, step)
        if step == 1 and trial.number == 3:
            raise optuna.TrialPruned
    if trial.number == 2:
        raise ArithmeticError
    return rate


def run(storage: Any, name: str) -> None:
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize", sampler=sampler)
    study.set_metric_names(["val_accuracy"])
    study.optimize(objective, n_trials=8, catch=ArithmeticError)
    study.ask()


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with two studies, made by Optuna."""
    path = tmp_path_factory.mktemp("a folder? 100%") / "studies#1.db"
    connect = {"creator": lambda: sqlite3.connect(path)}
    database = optuna.storages.RDBStorage("sqlite://", engine_kwargs=connect)
    for name in ("first", "second"):
        run(database, name)
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A SQLite file of one study with three trials."""
    path = tmp_path / "optuna.db"
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="s")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    return path


def test_a_database(storage: Path) -> None:
    before = hashlib.sha256(storage.read_bytes()).hexdigest()
    imported = read_trials(str(storage), study="second")
    assert hashlib.sha256(storage.read_bytes()).hexdigest() == before
    assert [path.name for path in storage.parent.iterdir()] == [storage.name]
    assert (imported.name, imported.objective) == ("second", Objective("val_accuracy", Goal.MAXIMIZE))
    assert imported.distributions == encode_distributions(SPACE.distributions)
    states = " ".join(result.state.value for result in imported.results)
    assert states == "COMPLETE COMPLETE FAIL PRUNED COMPLETE COMPLETE COMPLETE COMPLETE"
    assert imported.results[3].reason == "pruned at epoch 2"
    assert imported.results[0].epochs == 4
    assert imported.notes == ("skipped 1 trial that had not finished",)
    assert all(is_in_space(SPACE, result.params) for result in imported.results)


def journal_of(path: Path) -> optuna.storages.JournalStorage:
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))


def test_a_journal_gives_the_same_trials_as_a_database(storage: Path, tmp_path: Path) -> None:
    run(journal_of(tmp_path / "journal.log"), "second")
    journal, database = read_trials(str(tmp_path / "journal.log")), read_trials(str(storage), study="second")
    assert [(one.params, one.value) for one in journal.results] == [(one.params, one.value) for one in database.results]
    assert journal.distributions == database.distributions


def test_trials_of_a_journal_may_be_drawn_from_other_choices_but_not_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    study = optuna.create_study(storage=journal_of(path))

    def add(distribution: BaseDistribution) -> None:
        study.add_trial(create_trial(params={"units": 3}, distributions={"units": distribution}, value=1.0))

    add(CategoricalDistribution([3, 4]))
    add(CategoricalDistribution([5, 3]))
    assert read_trials(str(path)).distributions == encode_distributions({"units": Categorical((3, 4, 5))})
    add(IntDistribution(1, 3))
    refused(path, r"the parameter 'units' has two distributions: CategoricalDistribution.* and IntDistribution")


def test_a_study_is_to_be_named_where_there_are_several(storage: Path) -> None:
    refused(storage, r"has 2 studies\. Choose a study with `--study`: first, second")
    refused(f"sqlite:///{quote(str(storage))}", r"no study 'third'\. Choose a study with", study="third")


def test_a_sweeps_own_record_keeps_curves_and_lists(tmp_path: Path) -> None:
    sweep = search_spec(CONDITIONAL, "optuna", "random")
    results = flatten(run_search(make_engine(sweep), 3, 4))
    with StudyFile.create(SweepFolder(tmp_path / "dense"), sweep, {}) as study:
        study.add(*results)
    imported = read_trials(str(tmp_path / "dense" / "study.db"))
    assert imported.objective == sweep.objective
    assert [result.params for result in imported.results] == [result.params for result in results]
    assert [result.curve for result in imported.results] == [result.curve for result in results]
    drawn = {name: drawn for name, drawn in CONDITIONAL.distributions.items() if name in imported.distributions}
    constants = {name: Categorical((value,)) for name, value in CONDITIONAL.constants.items()}
    assert imported.distributions == encode_distributions({**drawn, **constants})
    assert all(is_in_space(CONDITIONAL, result.params) for result in imported.results)


def test_trials_that_optuna_wrote_into_a_record_become_a_sweep(tmp_path: Path) -> None:
    folder = new_folder(tmp_path, 2)
    study = optuna.load_study(study_name="dense", storage=f"sqlite:///{folder.study}")
    study.add_trial(create_trial(params={"units": 3}, distributions={"units": IntDistribution(1, 9)}, value=0.25))
    with StudyFile.open(folder) as record:
        record.add(dense_sweep(3)[2])
    words = ["import", str(folder.study), "--study", "dense from Optuna", "--name", "other"]
    assert called(words, tmp_path) == (0, f"other: 1 trial from {folder.study}\n", "")
    (result,) = RecordedSweep.read(SweepFolder(tmp_path / "other")).results
    assert (result.params, result.value, result.engine) == ({"units": 3}, 0.25, "import/optuna")
    code, _, err = called(["import", str(folder.study), "--study", "dense\x1b[31m"], tmp_path)
    assert (code, "\x1b" in err, r"no study 'dense\x1b[31m'" in err) == (2, False, True)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("it ran", "w")


def test_what_is_no_storage_is_refused_and_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content, words in (
        ("a.pickle", pickle.dumps(Evil()), "file is not a database"),
        ("torn.db", b"SQLite format 3\0" + b"x" * 100, r"can't read the Optuna storage torn.db: .*DatabaseError"),
        ("deep.log", b'{"op_code": ' + b"[" * 50_000 + b"\n", "can't read the Optuna storage "),
    ):
        Path(name).write_bytes(content)
        refused(name, words)
        assert Path(name).read_bytes() == content
    for name in (".", "none.db", "sqlite:///none.db"):
        refused(name, "there is no file ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pickle", "deep.log", "torn.db"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE trial_values SET value = 'high'",
        "UPDATE trial_params SET param_value = 1e999",
        "UPDATE trial_params SET distribution_json = '{}'",
        "UPDATE trials SET state = 'NONE'",
        f"INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (1, 'crc32', '{'[' * 50_000}')",
    ],
)
def test_damage_is_said_or_read_around(database: Path, tmp_path: Path, sql: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(sql)
    folder = SweepFolder(tmp_path / "s")
    try:
        write_sweep(read_trials(str(database)), folder)
    except UsageError as error:
        assert error.hint
        assert not folder.exists()
    else:
        assert len(RecordedSweep.read(folder).results) == 3


@pytest.mark.parametrize("port", ["1", "port"])
def test_passwords_are_never_shown(port: str) -> None:
    with pytest.raises(UsageError) as error:
        read_trials(f"postgresql://me:s3cret@127.0.0.1:{port}/studies?sslpassword=hidden7")
    assert ("me:***@127.0.0.1" in str(error.value)) is (port == "1")
    assert "s3cret" not in str(error.value) and "hidden7" not in str(error.value)


@pytest.mark.parametrize("engine", ["optuna", "keras-tuner"])
def test_an_engine_goes_on_from_trials_that_fit(storage: Path, engine: str) -> None:
    imported = read_trials(str(storage), study="first")
    units = Parameter("model.units", Int(1, 9))
    space = SearchSpace((OPTIMIZER, RATE, units, MOMENTUM), {"batch_size": 32, "epochs": 4})
    sweep = search_spec(space, engine, "random")
    fit = fit_to_space(imported, sweep)
    assert [result.number for result in fit.results] == list(range(8))
    assert all(is_in_space(space, result.params) for result in fit.results)
    going_on = make_engine(sweep)
    going_on.replay([fit.results])
    assert [suggestion.number for suggestion in going_on.ask(2)] == [8, 9]


def test_trials_that_do_not_fit_are_counted_with_the_reason(storage: Path) -> None:
    imported = read_trials(str(storage), study="first")
    sweep = search_spec(SPACE, "optuna", "tpe")
    bounded = replace(SPACE, where=("units > 5",))
    small = sum(result.params["units"] <= 5 for result in imported.results)  # type: ignore[operator]
    kept = fit_to_space(imported, replace(sweep, space=bounded))
    assert len(kept.results) == 8 - small
    assert kept.notes == (*imported.notes, f"skipped {small} trials: `where` forbids it")
    narrow = SearchSpace((OPTIMIZER,))
    with pytest.raises(UsageError, match=r"has no trial that fits the space.*the space has no `batch_size`"):
        fit_to_space(imported, replace(sweep, space=narrow))
    with pytest.raises(UsageError, match="was run to maximize val_accuracy, but this sweep is run to minimize val_acc"):
        fit_to_space(imported, search_spec(SPACE, "optuna", "tpe", goal=Goal.MINIMIZE))


def test_an_objective_without_a_name_gets_the_sweeps(database: Path) -> None:
    optuna.load_study(study_name="s", storage=f"sqlite:///{database}").optimize(
        lambda trial: trial.report(trial.suggest_float("x", 0, 1), 0) or 1.0, n_trials=1
    )
    sweep = search_spec(SearchSpace((Parameter("x", Float(0.0, 1.0)),)), "optuna", "random", goal=Goal.MINIMIZE)
    last = fit_to_space(read_trials(str(database)), sweep).results[3]
    assert last.curve == {"val_accuracy": (last.params["x"],)}
