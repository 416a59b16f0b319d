"""Models that learn from pictures alone: a variational autoencoder as in keras.io's example, and steps of its own."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_sweep as ks
from keras_sweep.data.array_sources import read_npz
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.trial.events import Noticed
from tests.helpers.factory import digits

pytestmark = pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")
X = digits().train.x
ROWS = {"x_train": X[:96], "x_validation": X[96:192], "x_test": X[192:224]}
SEARCH: dict[str, Any] = {"search": ks.Optuna("grid", trials=2), "finalists": {"top": 2, "seeds": 1}}


class Sampling(layers.Layer):
    """Draws a code, and adds how far its distribution is from the normal one to the loss."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, inputs: Any, training: bool = False) -> Any:
        mean, log_variance = inputs
        self.add_loss(-0.005 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
        drawn = keras.random.normal(ops.shape(mean), seed=self.seed_generator) if training else 0.0
        return mean + ops.exp(0.5 * log_variance) * drawn


class Reconstruction(layers.Layer):
    """Adds how far outputs are from inputs to the loss."""

    def call(self, inputs: Any) -> Any:
        x, again = inputs
        self.add_loss(ops.mean(ops.square(x - again)))
        return again


def vae(units: int = 8) -> Any:
    """Its layers add their losses, so that there is nothing but an optimizer to compile with."""
    x = keras.Input((64,))
    hidden = layers.Dense(units, "relu")(x)
    code = Sampling()([layers.Dense(2)(hidden), layers.Dense(2)(hidden)])
    again = layers.Dense(64, "sigmoid")(layers.Dense(units, "relu")(code))
    model = keras.Model(x, Reconstruction()([x, again]))
    model.compile(keras.optimizers.Adam(0.01))
    return model


@pytest.mark.soak
def test_a_vae_is_searched_evaluated_and_verified(search: Any, tmp_path: Path) -> None:
    sweep = search(ROWS, model=vae, minimize="val_loss", parameters={"model.units": [4, 8]}, **SEARCH)
    best = sweep.best
    assert best.value == pytest.approx(best.curve["val_loss"][-1]) and best.seeds is not None
    assert best.stderr is None and sweep.estimate is None
    keras_model = sweep.load_model()
    assert keras_model.evaluate(ROWS["x_validation"], verbose=0) == pytest.approx(best.curve["val_loss"][-1], rel=1e-5)
    assert sweep.evaluate().scores.keys() == {"loss"}
    sweep.export(tmp_path / "vae.keras")
    verified = ks.verify(tmp_path / "vae.keras", sweeps_dir=tmp_path, trust=True, test=True)
    assert verified.matches and [check.name for check in verified.checks] == ["val_loss", "test loss"]
    assert "it" in sweep.report().read_text()


class TrainStep(keras.Model):
    """A step of its own, which records what it loses; as of a GAN, Keras's own `test_step` finds no loss for it."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.parts = keras.Sequential([layers.Dense(units, "relu"), layers.Dense(64, "sigmoid")])
        self.lost = keras.metrics.Mean(name="reconstruction")

    @property
    def metrics(self) -> Any:
        return [self.lost]

    def call(self, inputs: Any) -> Any:
        return self.parts(inputs)

    def lose(self, trainable: Any, rest: Any, data: Any) -> Any:
        x, *_ = keras.utils.unpack_x_y_sample_weight(data)
        again, rest = self.stateless_call(trainable, rest, x)
        return ops.mean(ops.square(x - again)), rest

    def logged(self, value: Any, variables: Any) -> Any:
        variables = self.lost.stateless_update_state(variables, value)
        return {"reconstruction": self.lost.stateless_result(variables)}, variables

    def train_step(self, state: Any, data: Any) -> Any:
        import jax

        trainable, rest, optimizer, metrics = state
        (value, rest), grads = jax.value_and_grad(self.lose, has_aux=True)(trainable, rest, data)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, grads, trainable)
        logs, metrics = self.logged(value, metrics)
        return logs, (trainable, rest, optimizer, metrics)


class BothSteps(TrainStep):
    def test_step(self, state: Any, data: Any) -> Any:
        trainable, rest, metrics = state
        value, _ = self.lose(trainable, rest, data)
        logs, metrics = self.logged(value, metrics)
        return logs, (trainable, rest, metrics)


def train_step_alone(units: int = 8) -> Any:
    model = TrainStep(units)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    return model


def both_steps(hp: Any) -> Any:
    model = BothSteps(hp.Choice("units", [4, 8]))
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    return model


def test_steps_of_its_own_rank_by_what_they_record(tmp_path: Path) -> None:
    tuner = ks.Tuner(both_steps, "val_reconstruction", max_trials=2, directory=tmp_path, project_name="steps")
    tuner.search(ROWS["x_train"], epochs=2, validation_data=(ROWS["x_validation"], None))
    best = tuner.sweep.best
    assert best.curve.keys() == {"reconstruction", "val_reconstruction"}
    assert best.value == min(trial.value for trial in tuner.sweep.trials)
    assert tuner.sweep.replay().matches
    tuner.sweep.export(tmp_path / "steps.keras")
    with pytest.raises(ks.UsageError, match=r"can't compute the scores of its card: your own `fit` or `test_step`"):
        ks.verify(tmp_path / "steps.keras", sweeps_dir=tmp_path, trust=True)


def test_without_a_test_step_a_metric_of_training_may_rank_and_one_of_validation_may_not(tmp_path: Path) -> None:
    parameters = {"model.units": [4, 8], "epochs": 2}
    given: dict[str, Any] = {"parameters": parameters, **SEARCH, "finalists": "none", "model": train_step_alone}
    with pytest.raises(
        ks.UsageError, match=r"metric.name: can't be measured: the model has its own `train_step`, but no"
    ):
        ks.run(ks.Spec(ROWS, minimize="val_loss", **given), name="not", sweeps_dir=tmp_path)
    heard: list[Any] = []
    spec = ks.Spec(ROWS, minimize="reconstruction", **given)
    sweep = ks.run(spec, name="steps", sweeps_dir=tmp_path, listener=heard.append)
    assert [trial.curve.keys() for trial in sweep.trials] == [{"reconstruction"}] * 2
    assert sweep.best.value == min(trial.value for trial in sweep.trials)
    notices = [event.message for event in heard if isinstance(event, Noticed)]
    assert any(
        "can't evaluate the winner on the test rows: its model has a `train_step` of its own" in one for one in notices
    )
    with pytest.raises(ks.UsageError, match="can't evaluate the winner on the test rows"):
        sweep.evaluate()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"loss": "mean_squared_error"}, "`loss: mean_squared_error` needs labels, but the data have none"),
        ({"split": {"folds": 3}, "data": {"x": X[:96]}}, "trials can't be ranked by val_loss"),
        ({"minimize": "val_los"}, "must be a recorded metric"),
    ],
    ids=["a loss that compares", "folds", "another metric"],
)
def test_what_needs_labels_is_refused_in_one_sentence(tmp_path: Path, change: Any, says: str) -> None:
    given = {"data": ROWS, "minimize": "val_loss", "parameters": {"model.units": [4]}, **SEARCH, **change}
    with pytest.raises(ks.SweepError, match=says):
        ks.run(ks.Spec(model=vae, **given), name="not", sweeps_dir=tmp_path)


def test_an_npz_file_may_have_rows_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x=X[:8])
    rows = read_npz(DataSpec("npz", "rows.npz"), tmp_path).rows
    assert rows is not None and rows.y.shape == (8, 0) and len(rows) == 8
