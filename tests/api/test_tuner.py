"""KerasTuner's tuners: plain searches, subclasses whose `run_trial` is called, and what their record is good for."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

import keras_sweep as ks
from tests.helpers.tracked import READERS, stay_here

pytestmark = [
    pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning"),
    pytest.mark.filterwarnings("ignore:(currentThread|getName|Skipping variable loading)"),  # KerasTuner's own
]
CALLS: list[Any] = []  # of what a tuner calls; a list that a function only adds to is no part of the function


def rows(count: int = 96) -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x[:count] / 16).astype("float32"), y[:count]


HELD = tuple(part[64:] for part in rows())


class Digits(keras_tuner.HyperModel):  # type: ignore[misc]
    def build(self, hp: Any) -> Any:
        layers = [keras.layers.Dense(hp.Choice(f"units_{i}", [8, 16]), "relu") for i in range(hp.Int("layers", 1, 2))]
        model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10, "softmax")])
        model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


class Parabola(ks.RandomSearch):
    """As KerasTuner's guide on any function: the space is what `run_trial` asks for."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        CALLS.append(trial.trial_id)
        x = trial.hyperparameters.Float("x", -1.0, 1.0)
        return (x - 0.5) ** 2


class OwnTraining(ks.RandomSearch):
    """A `run_trial` that trains by itself, asks for the batch size, and keeps weights in its trial's folder."""

    def run_trial(self, trial: Any, x: Any, y: Any) -> Any:
        hp = trial.hyperparameters
        model = self.hypermodel.build(hp)
        history = model.fit(x, y, batch_size=hp.Int("batch", 16, 32, step=16), validation_data=HELD, verbose=0)
        model.save_weights(self.weights(trial))
        return history

    def weights(self, trial: Any) -> str:
        return str(Path(self.get_trial_dir(trial.trial_id)) / "model.weights.h5")

    def load_model(self, trial: Any) -> Any:
        model = self.hypermodel.build(trial.hyperparameters)
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self.weights(trial))
        return model


def own_training(folder: Path, **options: Any) -> Any:
    tuner = OwnTraining(Digits(), objective="val_accuracy", max_trials=3, directory=folder, seed=5, **options)
    tuner.search(*(part[:64] for part in rows()))
    return tuner


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return own_training(tmp_path_factory.mktemp("trained"))


def test_what_run_trial_asks_for_is_searched_and_the_first_trial_has_the_defaults(trained: Any) -> None:
    trials = list(trained.oracle.trials.values())
    assert trials[0].hyperparameters.values == {"layers": 1, "units_0": 8, "batch": 16}
    names = {name for trial in trials for name in trial.hyperparameters.values}
    assert {"layers", "units_0", "batch"} <= names <= {"layers", "units_0", "units_1", "batch"}
    assert [trial.status for trial in trials] == ["COMPLETED"] * 3
    assert [trial.score for trial in trials] == [trial.value for trial in trained.sweep.trials]


def test_the_best_model_is_loaded_from_the_files_of_its_trial(trained: Any) -> None:
    (model,), best = trained.get_best_models(), trained.oracle.get_best_trials()[0]
    assert model.evaluate(*HELD, verbose=0)[1] == pytest.approx(best.score)
    assert Path(trained.get_trial_dir(best.trial_id)).parent == trained.sweep.path / "files"


def test_each_trial_is_replayed_and_the_first_is_no_exception(trained: Any) -> None:
    assert trained.sweep.replay(0).matches and trained.sweep.replay(1).matches


def test_workers_give_the_values_of_this_process(trained: Any, tmp_path: Path) -> None:
    there = own_training(tmp_path, workers=1)
    assert [trial.value for trial in there.sweep.trials] == [trial.value for trial in trained.sweep.trials]
    assert there.get_best_hyperparameters()[0].values == trained.get_best_hyperparameters()[0].values


def test_a_report_is_written_and_a_tracker_gets_the_trials(
    trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_here(tmp_path, monkeypatch)
    assert "val_accuracy" in trained.sweep.report(tmp_path / "page").read_text()
    trained.sweep.log("tensorboard")
    runs = READERS["tensorboard"]("untitled_project")
    assert {f"trial-{trial.number}" for trial in trained.sweep.trials} <= set(runs)


def test_a_killed_search_resumes_with_its_space_and_the_same_trials(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class Ends(Parabola):
        def on_trial_begin(self, trial: Any) -> None:
            mark = Path(self.directory) / "mark"
            if int(trial.trial_id) == 3 and not mark.exists():
                mark.touch()
                raise Killed

    def tuner(kind: type, name: str) -> Any:
        return kind(max_trials=6, directory=tmp_path, project_name=name, seed=1)

    tuner(Parabola, "whole").search()
    CALLS.clear()
    with pytest.raises(Killed):
        tuner(Ends, "part").search()
    assert CALLS == ["0", "1", "2"]
    rest = tuner(Ends, "part")
    assert len(rest.oracle.trials) == 3
    rest.search()
    assert CALLS == ["0", "1", "2", "3", "4", "5"]
    whole = ks.open("whole", sweeps_dir=tmp_path)
    assert [trial.value for trial in rest.sweep.trials] == [trial.value for trial in whole.trials]
    assert rest.get_best_hyperparameters()[0]["x"] == rest.sweep.best.params["x"]


def test_retries_failed_trials_and_fatal_errors_are_keras_tuners(tmp_path: Path) -> None:
    class Fails(ks.GridSearch):
        def run_trial(self, trial: Any) -> Any:
            CALLS.append(value := trial.hyperparameters.Int("value", 1, 4))
            if value == 2:
                raise ValueError("two")
            if value == 3:
                raise keras_tuner.errors.FailedTrialError("three")
            return value

    CALLS.clear()
    tuner = Fails(directory=tmp_path, max_retries_per_trial=2)
    tuner.search()
    assert sorted(CALLS) == [1, 2, 2, 2, 3, 4]
    assert [trial.status for trial in tuner.oracle.trials.values()].count("FAILED") == 2
    assert "ValueError: two" in {trial.reason for trial in tuner.sweep.trials}

    class Ends(Parabola):
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
            if len(self.oracle.start_order) > 2:
                raise keras_tuner.errors.FatalTypeError("wrong")
            return super().run_trial(trial)

    ending = Ends(max_trials=5, directory=tmp_path, project_name="ends")
    with pytest.raises(TypeError, match="wrong"):
        ending.search()
    assert len(ks.open("ends", sweeps_dir=tmp_path).trials) == 2

    class Never(Parabola):
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
            if super().run_trial(trial) != 0.25:  # not the defaults
                raise ValueError("never")
            return 1.0

    with pytest.raises(RuntimeError, match="exceeded the limit of 2"):
        Never(max_trials=9, directory=tmp_path, project_name="never", max_consecutive_failed_trials=2).search()


def test_hooks_of_a_subclass_are_called_in_order(tmp_path: Path) -> None:
    class Hooks(ks.Hyperband):
        def on_search_begin(self) -> None:
            CALLS.append("search")

        def on_trial_begin(self, trial: Any) -> None:
            CALLS.append(f"begin {trial.trial_id}")

        def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
            assert isinstance(model, keras.Model) and "val_accuracy" in logs
            CALLS.append(f"epoch {epoch}")

        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            CALLS.append(f"end {trial.status}")

    CALLS.clear()
    tuner = Hooks(Digits(), "val_accuracy", max_epochs=2, factor=2, directory=tmp_path, seed=1)
    x, y = rows()
    tuner.search(x[:64], y[:64], validation_data=HELD)
    assert CALLS[:4] == ["search", "begin 0000", "epoch 0", "end COMPLETED"]
    assert CALLS[-4:] == [CALLS[-4], "epoch 0", "epoch 1", "end COMPLETED"] and len(tuner.oracle.trials) == 5
    assert tuner.get_best_models()[0].evaluate(*HELD, verbose=0)[1] == tuner.oracle.get_best_trials()[0].score


class Counts(keras.callbacks.Callback):
    def on_train_begin(self, logs: Any = None) -> None:
        CALLS.append(id(self))


def test_a_plain_search_has_an_estimate_and_gives_each_trial_a_copy_of_a_callback(tmp_path: Path) -> None:
    declared = keras_tuner.HyperParameters()
    declared.Choice("units_0", [4])
    options: dict[str, Any] = {"hyperparameters": declared, "beta": 4.0, "seed": 3, "directory": tmp_path}
    tuner = ks.BayesianOptimization(Digits(), "val_accuracy", max_trials=2, **options)
    x, y = rows()
    CALLS.clear()
    tuner.search(x[:64], y[:64], validation_data=HELD, callbacks=[callback := Counts()])
    assert len(CALLS) >= 2 and id(callback) not in CALLS
    assert tuner.sweep.estimate is not None
    assert {trial.hyperparameters["units_0"] for trial in tuner.oracle.trials.values()} == {4}
    model = tuner.load_model(tuner.oracle.get_best_trials()[0])
    assert model.evaluate(*HELD, verbose=0)[1] == pytest.approx(tuner.oracle.get_best_trials()[0].score)
    with pytest.raises(RuntimeError, match="pass `overwrite=True`"):
        ks.GridSearch(Digits(), "val_accuracy", directory=tmp_path)


def test_declared_hyperparameters_keep_their_conditional_scopes(tmp_path: Path) -> None:
    declared = keras_tuner.HyperParameters()
    declared.Int("layers", 1, 2)
    with declared.conditional_scope("layers", [2]):
        declared.Int("units_1", 4, 8, sampling="log")
    tuner = ks.RandomSearch(
        Digits(), "val_accuracy", hyperparameters=declared, max_trials=3, seed=1, directory=tmp_path
    )
    tuner.search(*(part[:64] for part in rows()), verbose=0)
    assert {(trial.params["model.layers"], "model.units_1" in trial.params) for trial in tuner.sweep.trials} == {
        (1, False),
        (2, True),
    }


def test_overwrite_moves_the_old_search_aside_and_deletes_nothing(tmp_path: Path) -> None:
    for seed in (1, 2):
        tuner = Parabola(max_trials=2, directory=tmp_path, overwrite=True, seed=seed)
        assert len(tuner.oracle.trials) == 0
        tuner.search()
    assert {path.name for path in tmp_path.iterdir()} == {"untitled_project", "untitled_project~1"}
    assert (tmp_path / "untitled_project~1/files/trial-0").is_dir()
    assert [len(sweep.trials) for sweep in ks.sweeps(tmp_path)] == [2, 2]


def test_a_hyperparameter_that_is_found_late_has_its_default_and_is_said(tmp_path: Path) -> None:
    class Late(Parabola):
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
            hp = trial.hyperparameters
            return float(hp.Choice("late", [3, 4])) if hp.Boolean("more") else 1.0

    with pytest.warns(UserWarning, match="'late' had default values"):
        (tuner := Late(max_trials=2, directory=tmp_path, seed=1)).search()
    assert {trial.score for trial in tuner.oracle.trials.values()} == {1.0, 3.0}


def test_what_a_sweep_can_not_do_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
        pass

    with pytest.raises(ks.UsageError, match="your own oracle Own"):
        ks.Tuner(Own("val_accuracy", 2), Digits(), directory=tmp_path)
    with pytest.raises(ks.UsageError, match="distribution_strategy"):
        ks.RandomSearch(Digits(), "val_accuracy", directory=tmp_path, distribution_strategy=np)
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    with pytest.raises(ks.UsageError, match="KERASTUNER_ORACLE_IP"):
        ks.RandomSearch(Digits(), "val_accuracy", directory=tmp_path)
    assert not list(tmp_path.iterdir())
