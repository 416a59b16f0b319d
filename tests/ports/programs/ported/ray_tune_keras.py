"""Ray Tune with Keras: a function of a config, which reports each epoch's accuracy to a scheduler."""

import keras
import keras_sweep as ks
from sklearn.datasets import load_digits


def train(report, **config):
    x, y = load_digits(return_X_y=True)
    layers = [keras.layers.Dense(config["hidden"], "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(layers)
    optimizer = keras.optimizers.SGD(config["learning_rate"], momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: report({"accuracy": logs["val_accuracy"]}, epoch + 1)
    )
    model.fit(x / 16, y, batch_size=64, epochs=8, verbose=0, validation_split=0.25, callbacks=[told])


space = {
    "learning_rate": ks.Float(0.001, 0.1, log=True),
    "hidden": [32, 64, 128],
}
rungs = {"type": "successive_halving", "min_iter": 1, "eta": 3}
random = ks.Optuna("random", trials=6)
spec = ks.Spec(objective=train, maximize="accuracy", parameters=space, early_terminate=rungs, search=random)
results = ks.run(spec, name="ray")
print("Best hyperparameters found were:", results.best.params)
