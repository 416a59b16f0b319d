"""KerasTuner on several processes: each process has the same program, and settings tell who is who."""

import keras
import keras_tuner
from sklearn.datasets import load_digits


def build_model(hp):
    model = keras.Sequential([keras.Input((64,))])
    model.add(keras.layers.Dense(hp.Int("units", 8, 24, step=8), activation="relu"))
    model.add(keras.layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.25)))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


if __name__ == "__main__":
    x, y = load_digits(return_X_y=True)
    tuner = keras_tuner.RandomSearch(
        build_model,
        objective="val_accuracy",
        max_trials=4,
        directory="results",
        project_name="distributed",
    )
    tuner.search(
        x / 16,
        y,
        steps_per_epoch=20,
        validation_split=0.25,
        epochs=2,
        callbacks=[keras.callbacks.EarlyStopping("val_accuracy")],
    )
    print("trials:", len(tuner.oracle.trials))
