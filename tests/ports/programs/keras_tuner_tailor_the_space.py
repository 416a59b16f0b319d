"""KerasTuner, a space tailored from outside of the model's function."""

import keras
import keras_tuner
import numpy as np


def build_model(hp):
    model = keras.Sequential([keras.Input((20,))])
    for i in range(hp.Int("num_layers", 1, 3)):
        model.add(keras.layers.Dense(hp.Int(f"units_{i}", 8, 32, step=8), activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.Adam(hp.Choice("learning_rate", [1e-2, 1e-3, 1e-4]))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


rng = np.random.default_rng(1)
x_train, y_train = rng.random((200, 20)), rng.integers(0, 10, 200)
x_val, y_val = rng.random((100, 20)), rng.integers(0, 10, 100)

hp = keras_tuner.HyperParameters()
hp.Float("learning_rate", min_value=1e-4, max_value=1e-2, sampling="log")
tuner = keras_tuner.RandomSearch(
    build_model,
    max_trials=3,
    hyperparameters=hp,
    tune_new_entries=False,  # searches the rate alone
    objective="val_accuracy",
    overwrite=True,
    directory="space",
    project_name="rate",
)
tuner.search_space_summary()
tuner.search(x_train, y_train, epochs=1, validation_data=(x_val, y_val))
best = tuner.get_best_hyperparameters()[0].values
print("rate alone:", best["num_layers"], best["units_0"], best["learning_rate"] not in (1e-2, 1e-3, 1e-4))

hp = keras_tuner.HyperParameters()
hp.Fixed("learning_rate", value=1e-3)
tuner = keras_tuner.RandomSearch(
    build_model,
    max_trials=3,
    hyperparameters=hp,
    tune_new_entries=True,
    objective="val_accuracy",
    overwrite=True,
    directory="space",
    project_name="but_rate",
)
tuner.search(x_train, y_train, epochs=1, validation_data=(x_val, y_val))
print("all but the rate:", {trial.hyperparameters.get("learning_rate") for trial in tuner.oracle.trials.values()})

tuner = keras_tuner.RandomSearch(
    build_model,
    optimizer=keras.optimizers.SGD(1e-2),
    loss=keras.losses.SparseCategoricalCrossentropy(name="own_loss"),
    metrics=["sparse_categorical_crossentropy"],
    objective="val_loss",
    max_trials=3,
    overwrite=True,
    directory="space",
    project_name="compiled",
)
tuner.search(x_train, y_train, epochs=1, validation_data=(x_val, y_val))
print("compiled:", type(tuner.get_best_models()[0].optimizer).__name__)
