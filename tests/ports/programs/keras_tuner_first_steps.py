"""KerasTuner, first steps: tune a model, its training, and functions that are no model."""

import json
from pathlib import Path

import keras
import keras_tuner
import numpy as np
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
x_train, y_train, x_val, y_val, x_test, y_test = x[:512], y[:512], x[512:768], y[512:768], x[768:], y[768:]


def call_existing_code(units, activation, dropout, lr):
    model = keras.Sequential()
    model.add(keras.layers.Dense(units, activation=activation))
    if dropout:
        model.add(keras.layers.Dropout(0.25))
    model.add(keras.layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.Adam(learning_rate=lr)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def build_model(hp):
    units = hp.Int("units", min_value=16, max_value=64, step=16)
    activation = hp.Choice("activation", ["relu", "tanh"])
    dropout = hp.Boolean("dropout")
    lr = hp.Float("lr", min_value=1e-3, max_value=1e-1, sampling="log")
    return call_existing_code(units, activation, dropout, lr)


build_model(keras_tuner.HyperParameters())

tuner = keras_tuner.RandomSearch(
    hypermodel=build_model,
    objective="val_accuracy",
    max_trials=3,
    executions_per_trial=2,
    overwrite=True,
    directory="tuned",
    project_name="first",
)
tuner.search_space_summary()
tuner.search(x_train, y_train, epochs=2, validation_data=(x_val, y_val))
best_model = tuner.get_best_models(num_models=2)[0]
best_model.summary()
tuner.results_summary()
best_hps = tuner.get_best_hyperparameters(5)
model = build_model(best_hps[0])
model.fit(np.concatenate((x_train, x_val)), np.concatenate((y_train, y_val)), epochs=1, verbose=0)
print("tuned:", best_model.evaluate(x_test, y_test, verbose=0)[1] > 0.3, len(best_hps))


class TunedFit(keras_tuner.HyperModel):
    def build(self, hp):
        return build_model(hp)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Choice("batch_size", [16, 32]), **kwargs)


tuner = keras_tuner.RandomSearch(
    TunedFit(), objective="val_loss", max_trials=2, overwrite=True, directory="tuned", project_name="fit"
)
tuner.search(x_train, y_train, epochs=2, validation_data=(x_val, y_val))
hp = tuner.get_best_hyperparameters()[0]
print("batch size:", hp.get("batch_size"))
TunedFit().fit(hp, TunedFit().build(hp), x_train, y_train, epochs=1, verbose=0)


class Parabola(keras_tuner.RandomSearch):
    def run_trial(self, trial, *args, **kwargs):
        hp = trial.hyperparameters
        at = hp.Float("x", min_value=-1.0, max_value=1.0)
        return at * at + 1


tuner = Parabola(max_trials=12, overwrite=True, directory="tuned", project_name="parabola")
tuner.search()
print("least:", abs(tuner.get_best_hyperparameters()[0].get("x")) < 0.5)


class ForestTuner(keras_tuner.RandomSearch):
    """It saves what it needs itself, under the trial's own name."""

    def run_trial(self, trial, x, y, x_val, y_val):
        hp = trial.hyperparameters
        forest = RandomForestClassifier(hp.Int("trees", 10, 40, step=10), max_depth=hp.Int("depth", 2, 6))
        forest.fit(x, y)
        self.keep(trial.trial_id, forest)
        return {"val_error": 1 - forest.score(x_val, y_val)}

    def keep(self, trial_id, forest):
        Path(f"forest-{trial_id}.json").write_text(json.dumps(forest.get_params()))

    def load_model(self, trial):
        return json.loads(Path(f"forest-{trial.trial_id}.json").read_text())


flowers, kinds = load_iris(return_X_y=True)
objective = keras_tuner.Objective("val_error", direction="min")
tuner = ForestTuner(objective=objective, max_trials=3, overwrite=True, directory="tuned", project_name="forest")
tuner.search(flowers[::2], kinds[::2], flowers[1::2], kinds[1::2])
best = tuner.get_best_models()[0]
print("forest:", best["n_estimators"] == tuner.get_best_hyperparameters()[0].get("trees"))
