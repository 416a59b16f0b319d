from dataclasses import replace

import pytest

from keras_sweep.data.split import left_out
from keras_sweep.space.sweep_spec import ModelSpec, SearchSettings, Split
from keras_sweep.sweep.time_estimate import TimeEstimate
from keras_sweep.views.space_view import print_estimate, print_space
from tests.helpers.factory import digits, make_spec
from tests.helpers.screen import on_pipe


@pytest.mark.parametrize(
    ("trials", "said"), [(1, "1 trial to be run by optuna/tpe"), (12, "12 trials to be run by optuna/tpe")]
)
def test_the_last_line_says_how_large_the_space_is_and_how_many_trials_there_are_to_be(trials: int, said: str) -> None:
    spec = make_spec(search=SearchSettings("optuna", "tpe", trials, 42))
    *_, last = on_pipe(print_space, spec, "dense.yaml").splitlines()
    assert last == f"more than 100,000 different trials; {said}"


def test_of_a_model_that_may_bring_hyperparameters_the_size_is_not_said_to_be_all() -> None:
    spec = make_spec((), model=ModelSpec("python", "models:tuned"), search=SearchSettings("optuna", "tpe", 4, 42))
    *_, last = on_pipe(print_space, spec, "tuned.yaml").splitlines()
    assert last.startswith("1 different trial, times those that models:tuned makes if it is a HyperModel; 4 trials to")


def test_of_folds_it_says_that_trials_train_once_a_fold_and_the_winner_once_more() -> None:
    rows = digits(40, 0)
    data = replace(rows, validation=rows.train, folds=tuple(left_out(rows.train.y, Split(folds=2), classes=True)))
    estimate = TimeEstimate("compiled/jax", 0.1, 10.0, 1.0, 1.0, refit_epochs=4.0)
    said = on_pipe(print_estimate, data, estimate)
    assert "40 rows in 2 folds, on each of which every trial is trained once" in said
    assert "then the winner trains once more on all of these rows, about 4 epochs" in said
