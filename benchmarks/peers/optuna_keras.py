"""Plain Optuna and Keras: an objective that calls fit and evaluate."""

from task import TRIALS, arguments, print_trial, splits, train

options = arguments()

import optuna  # noqa: E402

optuna.logging.set_verbosity(optuna.logging.ERROR)
data = splits(options.data)


def objective(trial: optuna.Trial) -> float:
    params = {
        "optimizer": trial.suggest_categorical("optimizer", ["sgd", "rmsprop", "adam"]),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1.0, log=True),
        "epochs": trial.suggest_int("epochs", 1, 20),
    }
    value, seconds = train(data, params, options.seed, options.steps_per_execution)
    print_trial(trial.number, params, value, seconds)
    return value


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=options.seed))
for point in options.points or []:
    study.enqueue_trial(point)
study.optimize(objective, n_trials=len(options.points or []) or TRIALS)
