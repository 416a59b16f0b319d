from keras_sweep.trial.plan import training_plan
from tests.helpers.factory import make_spec


def test_parameters_go_where_keras_takes_them():
    params = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "epochs": 3, "batch_size": 64}
    plan = training_plan(make_spec(), {**params, "model.units": 7})
    assert plan.model_arguments == {"units": 7}
    assert plan.optimizer == "sgd"
    assert plan.optimizer_arguments == {"learning_rate": 0.1, "momentum": 0.9}
    assert (plan.epochs, plan.batch_size, plan.seed) == (3, 64, 42)


def test_what_is_not_said_is_as_keras_and_the_search_have_it():
    plan = training_plan(make_spec(seed=7), {})
    assert (plan.optimizer, plan.optimizer_arguments, plan.epochs, plan.batch_size) == ("rmsprop", {}, 5, 32)
    assert plan.seed == 7
    assert training_plan(make_spec(seed=7), {"seed": 3}).seed == 3
