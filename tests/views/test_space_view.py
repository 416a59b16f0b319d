from dataclasses import replace
from functools import partial

import pytest

from keras_sweep.data.labels import LabelForm
from keras_sweep.data.source import RawRows
from keras_sweep.data.split import split_folds
from keras_sweep.space.data_spec import Split
from keras_sweep.space.search_space import Condition, SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec, SearchSettings
from keras_sweep.sweep.time_estimate import HALVING, RUNGS, TimeEstimate
from keras_sweep.views.space_view import cores_text, print_estimate, print_space
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, digits, make_spec
from tests.helpers.screen import on_pipe


def test_the_last_line_says_how_large_the_space_is_and_how_many_trials_there_are_to_be() -> None:
    for trials, words in ((1, "1 trial"), (12, "12 trials")):
        spec = make_spec(search=SearchSettings("optuna", "tpe", trials, 42))
        *_, last = on_pipe(print_space, spec, "dense.yaml").splitlines()
        assert last == f"more than 100,000 different trials; {words} to be run by optuna/tpe"
    spec = make_spec((), model=ModelSpec("python", "models:tuned"), search=SearchSettings("optuna", "tpe", 4, 42))
    *_, last = on_pipe(print_space, spec, "tuned.yaml").splitlines()
    assert last.startswith("1 different trial, more if models:tuned is a HyperModel with parameters; 4 trials to")


def test_cases_and_constraints_have_a_line_each() -> None:
    names = enumerate(("sgd", "adam"), 1)
    cases = [replace(LEARNING_RATE, when=(Condition("optimizer", (name,)),), case=case) for case, name in names]
    spec = make_spec(space=SearchSpace((OPTIMIZER, *cases), {}, ("learning_rate < 0.5",)))
    *_, first, second, where, last = on_pipe(print_space, spec, "dense.yaml").splitlines()
    assert first == "  learning_rate  0.0001 to 1, log, when optimizer is sgd"
    assert second == "  learning_rate  0.0001 to 1, log, when optimizer is adam"
    assert where == "  where learning_rate < 0.5"
    assert last.startswith("more than 100,000 different trials before `where`; ")


def test_of_folds_it_says_that_trials_train_once_a_fold_and_the_winner_once_more() -> None:
    rows = digits(40, 0)
    folds = split_folds(RawRows(rows.train.x, rows.train.y), Split(folds=2), LabelForm.INDEX)
    data = replace(rows, validation=rows.train, folds=folds)
    estimate = TimeEstimate("compiled/jax", 0.1, 10.0, 1.0, 1.0, refit_epochs=4.0)
    said = on_pipe(partial(print_estimate, cores=2), data, estimate)
    assert "40 rows in 2 folds; every trial trains once per fold" in said
    assert "then the winner trains again on all of these rows, about 4 epochs" in said


def test_epochs_that_rungs_spare_or_would_spare_are_told() -> None:
    spares = TimeEstimate("compiled/jax", 0.1, 294.0, 1.0, 1.0, whole_epochs=672.0)
    would = TimeEstimate("compiled/jax", 0.1, 672.0, 1.0, 1.0, whole_epochs=672.0, offer=RUNGS, offered_epochs=294.0)
    said = "about 294 trial-epochs of 0.10 s each (in place of 672, if the usual share of trials stops early)"
    offer = "`early_terminate: {type: successive_halving, min_iter: 2, eta: 3}` would train about 294 trial-epochs in"
    halving = "`early_terminate: {type: halving, first: 32, eta: 2}` would train about 294 trial-epochs in place of 672"
    for estimate, words in ((spares, said), (would, offer), (replace(would, offer=HALVING), halving)):
        assert words in on_pipe(partial(print_estimate, cores=2), digits(40, 8), estimate)


LANES = {"runner": "compiled/jax", "generation": 16, "at_once": 4}
ALONE = {"runner": "fit/torch", "learns": False}
IN_TURN = "trials train one by one on 1 of"
AS_FOUR = "up to 16 trials train at once, as 4 programs"
WITHOUT = "the sampler then never knows the results of the last"
WAITS = ", since the sampler waits for each result"


@pytest.mark.parametrize(
    ("estimate", "cores", "workers", "said"),
    [
        (LANES, 2, None, "up to 16 trials train at once, as 4 programs on 2 of 2 cores"),
        (
            {**LANES, "trials": 256, "trial_epochs": 2560.0},
            16,
            None,
            f"{AS_FOUR} on 4 of 16 cores; `search: {{generation: 64}}` would use all; {WITHOUT} 64 of 256 trials",
        ),
        (
            {**LANES, "trials": 256, "trial_epochs": 2560.0, "paces": True},
            16,
            None,
            f"{AS_FOUR} on 4 of 16 cores; `search: {{pace: 2}}` would use all; {WITHOUT} 80 of 256 trials",
        ),
        ({**LANES, "trials": 64, "trial_epochs": 640.0, "paces": True}, 16, None, f"{AS_FOUR} on 4 of 16 cores"),
        (LANES, 2, 3, "up to 16 trials train at once, as 4 programs on 3 of 3 workers"),
        ({}, 8, None, f"{IN_TURN} 8 cores{WAITS}; `search: {{generation: 8}}` and `--workers` would use more"),
        ({}, 2, 3, f"{IN_TURN} 3 workers{WAITS}; `search: {{generation: 3}}` would use more"),
        ({"generation": 2}, 2, 3, "2 trials at once on 2 of 3 workers"),
        (ALONE, 8, None, "trials train one by one on 1 of 8 cores; `--workers 8` would use all"),
        (ALONE, 2, 3, "3 trials at once on 3 of 3 workers"),
    ],
)
def test_it_says_how_many_cores_or_workers_are_used_and_how_more_would_be(estimate, cores, workers, said: str) -> None:
    usual = {"runner": "fit/torch", "epoch_seconds": 0.1, "trial_epochs": 9.0, "programs": 1.0, "compile_seconds": 1}
    assert cores_text(TimeEstimate(**{**usual, **estimate}), cores, workers) == said
