"""Ray Tune with Keras: a function of a config, which reports each epoch's accuracy to a scheduler."""

import keras
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from sklearn.datasets import load_digits


def train(config):
    x, y = load_digits(return_X_y=True)
    layers = [keras.layers.Dense(config["hidden"], "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(layers)
    optimizer = keras.optimizers.SGD(config["learning_rate"], momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: tune.report({"accuracy": logs["val_accuracy"]})
    )
    model.fit(x / 16, y, batch_size=64, epochs=8, verbose=0, validation_split=0.25, callbacks=[told])


space = {
    "learning_rate": tune.loguniform(0.001, 0.1),
    "hidden": tune.choice([32, 64, 128]),
}
rungs = ASHAScheduler(time_attr="training_iteration", max_t=8, grace_period=1, reduction_factor=3)
config = tune.TuneConfig(metric="accuracy", mode="max", scheduler=rungs, num_samples=6)
results = tune.Tuner(train, param_space=space, tune_config=config).fit()
print("Best hyperparameters found were:", results.get_best_result().config)
