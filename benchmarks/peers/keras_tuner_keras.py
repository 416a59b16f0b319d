"""KerasTuner: a HyperModel under its random search. Nothing is checkpointed, which is faster than its own habit."""

import tempfile

from task import TRIALS, arguments, model, print_trial, splits, train

options = arguments()

import keras_tuner  # noqa: E402

data = splits(options.data)


class Dense(keras_tuner.HyperModel):
    """What KerasTuner asks of a user."""

    def build(self, hp):
        optimizer = hp.Choice("optimizer", ["sgd", "rmsprop", "adam"])
        learning_rate = hp.Float("learning_rate", 1e-4, 1.0, sampling="log")
        hp.Int("epochs", 1, 20)
        return model(optimizer, learning_rate, options.seed)


class Listed(keras_tuner.oracles.RandomSearchOracle):
    """Gives out the listed points, where there are any."""

    def populate_space(self, trial_id):
        if options.points is None:
            return super().populate_space(trial_id)
        values = options.points[int(trial_id)]
        return {"status": keras_tuner.engine.trial.TrialStatus.RUNNING, "values": values}


class Tuner(keras_tuner.Tuner):
    """Trains a trial with its own number of epochs."""

    def run_trial(self, trial, *args, **kwargs):
        params = {name: trial.hyperparameters.get(name) for name in ("optimizer", "learning_rate", "epochs")}
        value, seconds = train(data, params, options.seed, options.steps_per_execution)
        print_trial(int(trial.trial_id), params, value, seconds)
        return {"val_accuracy": value}


with tempfile.TemporaryDirectory() as folder:
    oracle = Listed(
        objective=keras_tuner.Objective("val_accuracy", "max"),
        max_trials=len(options.points or []) or TRIALS,
        seed=options.seed,
    )
    tuner = Tuner(oracle=oracle, hypermodel=Dense(), directory=folder, project_name="peer")
    tuner.search(verbose=0)
