"""Plain Optuna and Keras: an objective that calls fit and evaluate."""

from task import TRIALS, arguments, print_trial, train

options = arguments()

import optuna  # noqa: E402

optuna.logging.set_verbosity(optuna.logging.ERROR)
data = options.task.rows(options.data)


class Suggested:
    """A trial's values by KerasTuner's method names."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.Choice = trial.suggest_categorical
        self.Int = trial.suggest_int
        self._trial = trial

    def Float(self, name: str, low: float, high: float, sampling: str = "linear") -> float:  # noqa: N802
        return self._trial.suggest_float(name, low, high, log=sampling == "log")


def objective(trial: optuna.Trial) -> float:
    params = options.task.params(Suggested(trial))
    value, seconds = train(options.task, data, params, options.seed, options.steps_per_execution)
    print_trial(trial.number, params, value, seconds)
    return value


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=options.seed))
for point in options.points or []:
    study.enqueue_trial(point)
study.optimize(objective, n_trials=len(options.points or []) or TRIALS)
