"""KerasTuner with a training loop of one's own: in `fit` of a HyperModel, and in `run_trial` of a tuner."""

import jax
import keras
import keras_tuner
import numpy as np
from sklearn.datasets import load_digits

x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
x_train, y_train, x_val, y_val = x[:512], y[:512], x[512:768], y[512:768]


def batches(x, y, size):
    return [(x[start : start + size], y[start : start + size]) for start in range(0, len(x), size)]


class LoopModel(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((64,))])
        model.add(keras.layers.Dense(hp.Int("units", 8, 24, step=8), activation="relu"))
        model.add(keras.layers.Dense(10))
        return model

    def fit(self, hp, model, x, y, validation_data, callbacks=None, **kwargs):
        size = hp.Int("batch_size", 32, 64, step=32)
        optimizer = keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log"))
        optimizer.build(model.trainable_variables)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metric = keras.metrics.Mean()

        def compute(trainable, fixed, x, y):
            out, _ = model.stateless_call(trainable, fixed, x)
            return loss(y, out)

        step = jax.jit(jax.value_and_grad(compute))
        for callback in callbacks or ():
            callback.set_model(model)
        best = float("inf")
        for epoch in range(2):
            for xs, ys in batches(x, y, size):
                state = ([v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables])
                _, grads = step(*state, xs, ys)
                optimizer.apply(grads, model.trainable_variables)
            metric.reset_state()
            for xs, ys in batches(*validation_data, size):
                metric.update_state(loss(ys, model(xs)))
            value = float(metric.result())
            best = min(best, value)
            for callback in callbacks or ():
                callback.on_epoch_end(epoch, logs={"own_loss": value})
        return best


tuner = keras_tuner.RandomSearch(
    LoopModel(),
    objective=keras_tuner.Objective("own_loss", "min"),
    max_trials=2,
    overwrite=True,
    directory="loops",
    project_name="fit",
)
tuner.search(x=x_train, y=y_train, validation_data=(x_val, y_val))
best_hps = tuner.get_best_hyperparameters()[0]
print("own loop:", sorted(best_hps.values))
tuner.get_best_models()[0].summary()


class FoldsTuner(keras_tuner.BayesianOptimization):
    """Each trial is trained on two halves, and its value is their mean."""

    def run_trial(self, trial, x, y, epochs, **kwargs):
        losses = []
        for held, kept in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
            hp = trial.hyperparameters
            model = self.hypermodel.build(hp)
            model.compile(
                keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log")),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            )
            model.fit(x[kept], y[kept], batch_size=hp.Choice("batch_size", [16, 32]), epochs=epochs, verbose=0)
            losses.append(model.evaluate(x[held], y[held], verbose=0))
        return {"val_loss": float(np.mean(losses))}


tuner = FoldsTuner(
    LoopModel(),
    objective="val_loss",
    max_trials=3,
    num_initial_points=2,
    overwrite=True,
    directory="loops",
    project_name="folds",
)
tuner.search(x_train, y_train, epochs=2)
best = tuner.oracle.get_best_trials(1)[0]
print("folds:", len(tuner.oracle.trials), best.score == min(t.score for t in tuner.oracle.trials.values()))
