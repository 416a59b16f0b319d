"""A trial's parameters, sorted into what model, optimizer, loss and `fit` take."""

import pytest

from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import EarlyStopping, ReduceLROnPlateau, Training
from keras_sweep.trial.plan import Schedule, TrainingPlan, training_plan, watches
from tests.helpers.factory import SPACE, make_spec

PATIENCE = "training.early_stopping.patience"
STOPPING = EarlyStopping(monitor="val_accuracy", patience=3, min_delta=0.01, restore_best_weights=True)
PLATEAU = ReduceLROnPlateau(patience=2)


def test_parameters_go_where_keras_takes_them():
    params = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "epochs": 3, "batch_size": 64}
    plan = training_plan(make_spec(), {**params, "model.units": 7})
    assert plan.model_arguments == {**make_spec().model.arguments, "units": 7}
    assert plan.optimizer == "sgd"
    assert plan.optimizer_arguments == {"learning_rate": 0.1, "momentum": 0.9}
    assert (plan.epochs, plan.batch_size, plan.seed) == (3, 64, 42)
    assert plan.schedule is None


def test_what_is_not_said_is_as_keras_and_the_search_have_it():
    plan = training_plan(make_spec(seed=7), {})
    assert (plan.optimizer, plan.optimizer_arguments, plan.epochs, plan.batch_size) == ("rmsprop", {}, 5, 32)
    assert plan.seed == 7
    assert training_plan(make_spec(seed=7), {"seed": 3}).seed == 3
    bare = TrainingPlan({}, "adam")
    assert (bare.epochs, bare.batch_size, bare.seed) == (5, 32, 0)


def test_parameters_of_the_data_are_no_arguments_of_the_optimizer():
    assert training_plan(make_spec(), {"data.window": 8, "momentum": 0.5}).optimizer_arguments == {"momentum": 0.5}


def test_a_parameter_of_the_loss_replaces_the_files_value_and_no_other():
    spec = make_spec(loss_arguments={"alpha": 0.25, "gamma": 2.0})
    assert training_plan(spec, {"loss.gamma": 3.0}).loss_arguments == {"alpha": 0.25, "gamma": 3.0}


def test_a_searched_patience_keeps_what_else_the_file_says_of_early_stopping():
    spec = make_spec(training=Training(early_stopping=STOPPING, reduce_lr_on_plateau=PLATEAU))
    training = training_plan(spec, {PATIENCE: 7}).training
    assert training.early_stopping == EarlyStopping(
        monitor="val_accuracy", patience=7, min_delta=0.01, restore_best_weights=True
    )
    assert training.reduce_lr_on_plateau == PLATEAU
    assert spec.training.early_stopping == STOPPING
    assert training_plan(spec, {}).training == spec.training


def test_arguments_of_a_section_that_the_file_does_not_have_make_it_with_kerass_defaults():
    training = training_plan(make_spec(), {PATIENCE: 4, "training.early_stopping.min_delta": 0.5}).training
    assert training == Training(early_stopping=EarlyStopping(patience=4, min_delta=0.5))
    training = training_plan(make_spec(), {"training.reduce_lr_on_plateau.factor": 0.3}).training
    assert training == Training(reduce_lr_on_plateau=ReduceLROnPlateau(factor=0.3))


def test_a_parameter_that_is_no_section_is_an_argument_of_training():
    assert training_plan(make_spec(), {"training.class_weight": "balanced"}).training.class_weight == "balanced"


def test_a_schedule_goes_on_over_the_epochs_of_the_trial_or_those_that_the_file_says():
    params = {"epochs": 3, "batch_size": 64, "schedule": "cosine", "warmup": 0.2}
    assert training_plan(make_spec(), params).schedule == Schedule(3, 64, "cosine", 0.2)
    assert training_plan(make_spec(schedule_epochs=20), params).schedule == Schedule(20, 64, "cosine", 0.2)
    assert training_plan(make_spec(), {"warmup": 0.1}).schedule == Schedule(5, 32, "constant", 0.1)
    assert training_plan(make_spec(), {"schedule": "linear"}).schedule == Schedule(5, 32, "linear", 0.0)


def test_the_steps_of_a_schedule_count_a_short_last_batch_of_every_epoch():
    assert Schedule(3, 32, "cosine", 0.1).over(97) == ("cosine", 12, 0.1)
    assert Schedule(3, 32, "cosine", 0.1).over(96) == ("cosine", 9, 0.1)


@pytest.mark.parametrize(
    ("training", "names", "watched"),
    [
        (Training(), [], False),
        (Training(early_stopping=STOPPING), [], True),
        (Training(reduce_lr_on_plateau=PLATEAU), [], True),
        (Training(), [PATIENCE], True),
        (Training(), ["training.reduce_lr_on_plateau.patience"], True),
        (Training(), ["training.adapt"], False),
    ],
)
def test_a_metric_decides_how_a_trial_trains_if_file_or_parameters_have_it_do_so(training, names, watched):
    parameters = (*SPACE, *(Parameter(name, Int(1, 5)) for name in names))
    assert watches(make_spec(parameters, training=training)) is watched
