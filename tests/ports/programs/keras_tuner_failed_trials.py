"""KerasTuner and trials that fail: retries, models that are too large, and a trial that says that it fails."""

import keras
import keras_tuner
import numpy as np


def build_model(hp):
    model = keras.Sequential([keras.Input((2,))])
    for i in range(hp.Int("layers", 1, 3)):
        model.add(keras.layers.Dense(hp.Choice(f"units_{i}", [16, 64])))
    model.add(keras.layers.Dense(1))
    if model.count_params() > 1200:
        raise keras_tuner.errors.FailedTrialError(f"Model too large: {model.count_params()} weights")
    model.compile(loss="mse", metrics=["mae"])
    return model


tuner = keras_tuner.GridSearch(
    hypermodel=build_model,
    objective="val_loss",
    max_trials=6,
    overwrite=True,
    directory="failed",
    project_name="large",
    max_retries_per_trial=0,
    max_consecutive_failed_trials=8,
)
rng = np.random.default_rng(0)
data = {
    "x": rng.random((64, 2)),
    "y": rng.random((64, 1)),
    "validation_data": (rng.random((32, 2)), rng.random((32, 1))),
}
tuner.search(epochs=1, **data)
tuner.results_summary()
states = [trial.status for trial in tuner.oracle.trials.values()]
print("states:", sorted(set(states)), len(states))


def needs_a_disk(hp):
    raise keras_tuner.errors.FailedTrialError(f"no room for {hp.Int('units', 1, 9)} units")


class DiskTuner(keras_tuner.RandomSearch):
    def run_trial(self, trial, **kwargs):
        return needs_a_disk(trial.hyperparameters)


tuner = DiskTuner(
    hypermodel=build_model,
    objective="val_loss",
    max_trials=9,
    overwrite=True,
    directory="failed",
    project_name="ends",
    max_consecutive_failed_trials=2,
)
try:
    tuner.search(epochs=1, **data)
except RuntimeError as error:
    print("ended:", str(error).splitlines()[0][:40])
