"""KerasTuner: a HyperModel under its random search. Nothing is checkpointed, which is faster than its own habit."""

import tempfile

from task import TRIALS, arguments, model, print_trial, train

options = arguments()

import keras_tuner  # noqa: E402

data = options.task.rows(options.data)


class Model(keras_tuner.HyperModel):
    """What KerasTuner asks of a user."""

    def build(self, hp):
        return model(options.task, options.task.params(hp), options.seed)


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
        params = options.task.params(trial.hyperparameters)
        value, seconds = train(options.task, data, params, options.seed, options.steps_per_execution)
        print_trial(int(trial.trial_id), params, value, seconds)
        return {"val_accuracy": value}


with tempfile.TemporaryDirectory() as folder:
    oracle = Listed(
        objective=keras_tuner.Objective("val_accuracy", "max"),
        max_trials=len(options.points or []) or TRIALS,
        seed=options.seed,
    )
    tuner = Tuner(oracle=oracle, hypermodel=Model(), directory=folder, project_name="peer")
    tuner.search(verbose=0)
