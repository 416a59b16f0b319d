"""KerasTuner's guides, with `keras_sweep.Tuner` in place of its tuner and nothing else changed."""

from pathlib import Path
from typing import Any

import jax
import keras
import keras_tuner
import numpy as np
import pytest

import keras_sweep as ks

# That the model's own optimizer is used is said.
pytestmark = pytest.mark.filterwarnings("ignore::keras_sweep.errors.SweepWarning")

ROWS = 128  # whole batches


def digits() -> tuple[Any, Any]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x / 16).astype("float32"), y


def build_model(hp: Any) -> Any:
    """As in "Getting started with KerasTuner": layers, their units, dropout and the rate are searched."""
    model = keras.Sequential()
    model.add(keras.layers.Flatten())
    for i in range(hp.Int("num_layers", 1, 2)):
        units = hp.Int(f"units_{i}", min_value=8, max_value=24, step=8)
        model.add(keras.layers.Dense(units, activation=hp.Choice("activation", ["relu", "tanh"])))
    if hp.Boolean("dropout"):
        model.add(keras.layers.Dropout(rate=0.25))
    model.add(keras.layers.Dense(10, activation="softmax"))
    rate = hp.Float("lr", min_value=1e-3, max_value=1e-1, sampling="log")
    loss = keras.losses.SparseCategoricalCrossentropy()
    model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, metrics=["accuracy"])
    return model


def tuner_in(folder: Path) -> Any:
    return ks.Tuner(build_model, objective="val_accuracy", max_trials=3, directory=folder, project_name="hello")


def search(tuner: Any, *callbacks: Any) -> None:
    x, y = digits()
    held = (x[ROWS : 2 * ROWS], y[ROWS : 2 * ROWS])
    stops = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    tuner.search(x[:ROWS], y[:ROWS], epochs=3, validation_data=held, callbacks=[stops, *callbacks])


@pytest.fixture(scope="module")
def tuner(tmp_path_factory: pytest.TempPathFactory) -> Any:
    tuner = tuner_in(tmp_path_factory.mktemp("tuned"))
    search(tuner, keras.callbacks.TerminateOnNaN())
    return tuner


def test_the_best_models_score_what_the_board_says(tuner: Any, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = digits()
    best, second = tuner.get_best_models(num_models=2)
    for model, row in zip((best, second), tuner.sweep.leaderboard(), strict=False):
        _, accuracy = model.evaluate(x[ROWS : 2 * ROWS], y[ROWS : 2 * ROWS], verbose=0)
        assert accuracy == pytest.approx(row.value, abs=1e-6)
    tuner.results_summary(num_trials=2)
    assert str(tuner.sweep.leaderboard(top=2)) in capsys.readouterr().out


def test_the_best_hyperparameters_build_the_model_again(tuner: Any) -> None:
    first, second = tuner.get_best_hyperparameters(2)
    assert first.get("lr") == tuner.sweep.best.params["model.lr"]
    assert {"num_layers", "units_0", "activation", "dropout", "lr"} <= set(second.values)
    x, y = digits()
    model = tuner.hypermodel.build(first)
    assert np.isfinite(model.fit(x[:ROWS], y[:ROWS], epochs=1, verbose=0).history["loss"][0])


def test_the_same_search_again_trains_nothing(tuner: Any) -> None:
    before = [trial.seconds.total for trial in tuner.sweep.trials]
    again = tuner_in(tuner.sweep.path.parent)
    assert again.get_best_hyperparameters()[0].values == tuner.get_best_hyperparameters()[0].values
    search(again)
    assert [trial.seconds.total for trial in again.sweep.trials] == before


class TooLarge(keras_tuner.HyperModel):
    """As in "Handling failed trials in KerasTuner": a model that is too large fails its trial."""

    def build(self, hp: Any) -> Any:
        units = hp.Choice("units", [4, 64])
        model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(10, activation="softmax")])
        if units > 32:
            raise keras_tuner.errors.FailedTrialError("Model too large")
        model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


def test_a_trial_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    x, y = digits()
    objective = keras_tuner.Objective("val_accuracy", direction="max")
    tuner = ks.Tuner(TooLarge, objective, 2, directory=tmp_path, project_name="failing", strategy=ks.KerasTuner("grid"))
    tuner.search(x[:ROWS], y[:ROWS], batch_size=32, validation_split=0.25, class_weight={0: 2.0})
    states = {trial.params["model.units"]: (trial.state, trial.reason) for trial in tuner.sweep.trials}
    assert states[4][0] == "COMPLETE"
    assert tuner.get_best_hyperparameters()[0].values == {"units": 4}
    assert states[64][0] == "FAIL" and "Model too large" in str(states[64][1])


def weighted(units: int, rate: float) -> Any:
    """As in Keras's guide on training with its built-in methods."""
    model = keras.Sequential([keras.layers.Dense(units, activation="relu"), keras.layers.Dense(10, "softmax")])
    accuracy = ["sparse_categorical_accuracy"]
    model.compile(keras.optimizers.RMSprop(rate), "sparse_categorical_crossentropy", weighted_metrics=accuracy)
    return model


def test_the_arguments_of_fit_are_taken_with_rows_that_weigh_unlike(tmp_path: Path) -> None:
    x, y = digits()
    weights = np.where(y == 5, 2.0, 1.0)  # the guide has a class that matters more weigh twice as much
    fit: dict[str, Any] = {
        "x": x[:ROWS],
        "y": y[:ROWS],
        "sample_weight": weights[:ROWS],
        "batch_size": 64,
        "epochs": 2,
        "validation_data": (x[ROWS : 2 * ROWS], y[ROWS : 2 * ROWS], weights[ROWS : 2 * ROWS]),
    }

    def build(hp: Any) -> Any:
        return weighted(hp.Choice("units", [8, 16]), hp.Float("rate", 1e-3, 1e-2, sampling="log"))

    tuner = ks.Tuner(build, objective="val_sparse_categorical_accuracy", max_trials=2, directory=tmp_path)
    tuner.search(**fit)
    best = tuner.sweep.best
    keras.utils.set_random_seed(42)
    log = weighted(best.params["model.units"], best.params["model.rate"]).fit(**fit, verbose=0)
    assert set(best.curve) == set(log.history)
    for name, values in log.history.items():
        np.testing.assert_allclose(best.curve[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    x_val, y_val, held = fit["validation_data"]
    scores = tuner.get_best_models()[0].evaluate(x_val, y_val, sample_weight=held, verbose=0)
    assert scores[1] == pytest.approx(best.value, abs=1e-6)


class Loop(keras_tuner.HyperModel):  # type: ignore[misc]
    """As in "Tuning hyperparameters in your custom training loop", with a step of JAX in place of TensorFlow's."""

    def build(self, hp: Any) -> Any:
        inputs = keras.Input(shape=(64,))
        x = keras.layers.Dense(units=hp.Choice("units", [32, 64]), activation="relu")(inputs)
        return keras.Model(inputs=inputs, outputs=keras.layers.Dense(10)(x))

    def fit(self, hp: Any, model: Any, x: Any, y: Any, validation_data: Any, callbacks: Any) -> Any:
        batch_size, rate = hp.Int("batch_size", 32, 128, step=32), hp.Float("learning_rate", 1e-2, 1.0, sampling="log")
        loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        def loss_of(weights: Any, images: Any, labels: Any) -> Any:
            return loss_fn(labels, model.stateless_call(weights, [], images)[0])

        for callback in callbacks:
            callback.set_model(model)
        losses = []
        for epoch in range(2):
            print(f"Epoch: {epoch}")  # noqa: T201
            for start in range(0, len(x), batch_size):
                rows = slice(start, start + batch_size)
                values = [variable.value for variable in model.trainable_variables]
                for variable, slope in zip(model.variables, jax.grad(loss_of)(values, x[rows], y[rows]), strict=True):
                    variable.assign_sub(rate * slope)
            losses.append(float(loss_fn(validation_data[1], model(validation_data[0]))))
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"my_metric": losses[-1]})
        return min(losses)


@pytest.mark.soak
def test_a_training_loop_of_its_own_is_searched_and_trained_again(tmp_path: Path) -> None:
    x, y = digits()
    objective = keras_tuner.Objective("my_metric", "min")
    tuner = ks.Tuner(Loop(), objective, max_trials=2, directory=tmp_path, project_name="custom_training")
    tuner.search(x=x[:ROWS], y=y[:ROWS], validation_data=(x[ROWS : 2 * ROWS], y[ROWS : 2 * ROWS]))
    best = tuner.sweep.best
    assert best.value == min(best.curve["my_metric"])
    assert set(tuner.get_best_hyperparameters()[0].values) == {"units", "batch_size", "learning_rate"}
    assert tuner.sweep.replay().matches
    (model,) = tuner.get_best_models()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(loss(y[ROWS : 2 * ROWS], model(x[ROWS : 2 * ROWS]))) == pytest.approx(best.value, rel=1e-5)
    tuner.sweep.export(tmp_path / "it.keras")
    with pytest.raises(ks.UsageError, match=r"the model in .* is not compiled"):
        ks.verify(tmp_path / "it.keras", sweeps_dir=tmp_path)


class HyperRegressor(keras_tuner.HyperModel):  # type: ignore[misc]
    """As in "Getting started with KerasTuner": the objective is what `fit` returns."""

    def build(self, hp: Any) -> Any:
        model = keras.Sequential([keras.layers.Dense(hp.Int("units", 8, 16, step=8), "relu"), keras.layers.Dense(1)])
        model.compile(optimizer="adam", loss="mean_squared_error", metrics=[keras.metrics.MeanAbsoluteError()])
        return model

    def fit(self, hp: Any, model: Any, x: Any, y: Any, validation_data: Any, **kwargs: Any) -> Any:
        model.fit(x, y, **kwargs)
        return mean_error(model, *validation_data)


def mean_error(model: Any, x: Any, y: Any) -> Any:
    return np.mean(np.abs(model.predict(x, verbose=0)[:, 0] - np.ravel(y)))


def test_without_an_objective_the_number_that_a_fit_returns_ranks_and_has_no_error(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    tuner = ks.Tuner(HyperRegressor(), max_trials=2, directory=tmp_path, project_name="regressor")
    x_val, y_val = draw.random((32, 10)), draw.random((32, 1))
    tuner.search(draw.random((64, 10)), draw.random((64, 1)), validation_data=(x_val, y_val))
    (model,), best = tuner.get_best_models(), tuner.sweep.best
    assert best.value == pytest.approx(mean_error(model, x_val, y_val), rel=1e-5)
    assert (best.stderr, tuner.sweep.estimate, tuner.sweep.ties()) == (None, None, [])
    tuner.sweep.export(tmp_path / "it.keras")
    with pytest.raises(ks.UsageError, match="your own `fit` or `test_step` computed them"):
        ks.verify(tmp_path / "it.keras", sweeps_dir=tmp_path)


@pytest.mark.parametrize(
    ("compiled", "says"),
    [
        (None, "`loss` is missing, and build does not compile its model with a loss"),
        ({"metrics": ["mae"]}, r"must be a recorded metric \(val_loss, val_mae\), but got 'val_accuracy'"),
    ],
    ids=["no loss", "another metric"],
)
def test_what_is_not_taken_is_said_before_anything_is_searched(
    tmp_path: Path, compiled: dict[str, Any] | None, says: str
) -> None:
    def build(hp: Any) -> Any:
        model = keras.Sequential([keras.layers.Dense(hp.Choice("units", [10]), activation="softmax")])
        if compiled is not None:
            model.compile(**{"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **compiled})
        return model

    x, y = digits()
    tuner = ks.Tuner(build, objective="val_accuracy", directory=tmp_path)
    with pytest.raises(ks.UsageError, match=says):
        tuner.search(x[:ROWS], y[:ROWS])
    assert not list(tmp_path.iterdir())
