"""Which trials share a program, and which arguments may differ in each of its lanes."""

from dataclasses import replace

import pytest

from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Parameter
from keras_sweep.training.lanes.signature import (
    PLACEHOLDER,
    OptimizerVariant,
    Signature,
    arguments,
    may_vary_per_lane,
    optimizer_variants,
    signature_of,
    variant_of,
)
from keras_sweep.trial.plan import training_plan
from tests.helpers.factory import make_spec

RATE = Parameter("learning_rate", Float(1e-3, 1.0, log=True))
KINDS = Parameter("optimizer", Categorical(("sgd", "adam")))


def plan_of(**params):
    return training_plan(make_spec(), {"optimizer": "adam", "learning_rate": 0.1, **params})


def variants_of(*parameters, **constants):
    return optimizer_variants(make_spec(parameters, constants=constants))


def test_values_that_are_equal_and_of_another_type_are_different_arguments():
    assert arguments({"b": 1, "a": True}) == (("a", "bool", True), ("b", "int", 1))
    assert len({arguments({"a": value}) for value in (1, 1.0, True)}) == 3
    assert arguments({"a": 1, "b": 2}) == arguments({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("optimizer", "name", "value", "may"),
    [
        ("sgd", "momentum", 0.9, True),
        ("SGD", "momentum", 1, True),
        ("sgd", "momentum", 0, False),  # for which Keras makes no slot
        ("sgd", "momentum", 0.0, False),
        ("sgd", "momentum", True, False),
        ("sgd", "momentum", None, False),
        ("sgd", "nesterov", 1.0, False),
        ("sgd", "beta_1", 0.9, False),
        ("adam", "beta_1", 0.9, True),
        ("adam", "beta_2", 0.9, True),
        ("adam", "epsilon", 1e-7, True),
        ("adam", "weight_decay", 0.1, True),
        ("adam", "momentum", 0.9, False),
        ("adamw", "beta_1", 0.9, True),
        ("adamax", "epsilon", 0.1, True),
        ("rmsprop", "rho", 0.9, True),
        ("rmsprop", "momentum", 0.9, True),
        ("rmsprop", "epsilon", 0.1, True),
        ("adadelta", "rho", 0.9, True),
        ("adadelta", "epsilon", 0.1, True),
        ("adagrad", "epsilon", 0.1, True),
        ("adagrad", "weight_decay", 0.1, True),
        ("lion", "beta_2", 0.9, True),
        ("lion", "weight_decay", 0.1, True),
        ("ftrl", "weight_decay", 0.1, False),
        ("adam", "clipnorm", 1.0, False),
    ],
)
def test_what_may_differ_per_lane_is_a_number_that_only_enters_sums_and_products(optimizer, name, value, may):
    assert may_vary_per_lane(optimizer, name, value) is may


def test_a_variant_leaves_out_the_rate_and_holds_what_is_searched_apart():
    plan = plan_of(beta_1=0.8, epsilon=1e-3, amsgrad=True)
    constants = arguments({"beta_1": 0.8, "epsilon": 1e-3, "amsgrad": True})
    assert variant_of(plan) == OptimizerVariant("adam", constants, ())
    found = variant_of(plan, {"epsilon", "beta_1", "amsgrad", "momentum"})
    assert found == OptimizerVariant("adam", arguments({"amsgrad": True}), ("beta_1", "epsilon"))


def test_a_signature_is_all_that_a_program_is_compiled_for():
    plan = plan_of(**{"model.units": 10, "batch_size": 16, "seed": 7, "loss.label_smoothing": 0.1})
    found = signature_of(plan)
    assert found == Signature(
        arguments({"units": 10}),
        (variant_of(plan),),
        16,
        7,
        "",
        arguments({"label_smoothing": 0.1}),
        None,
        False,
        False,
    )
    assert signature_of(plan_of(learning_rate=0.5)) == signature_of(plan_of(learning_rate=0.1))
    for other in ({"batch_size": 8}, {"seed": 8}, {"optimizer": "sgd"}, {"beta_1": 0.5}, {"model.units": 9}):
        assert signature_of(plan_of(**other)) != signature_of(plan_of())
    two = (OptimizerVariant("sgd"), OptimizerVariant("adam"))
    assert signature_of(plan, two).variants == two
    shared = signature_of(plan, structure="a chain")
    assert (shared.model, shared.structure, shared.variants) == ((), "a chain", (variant_of(plan),))


def test_class_weights_and_schedules_are_part_of_a_signature():
    plan = plan_of()
    assert signature_of(plan).class_weight is None and not signature_of(plan).scheduled
    weighed = replace(plan, training=replace(plan.training, class_weight={"a": 1.0, 2: 3.0}))
    assert signature_of(weighed).class_weight == (("a", 1.0), (2, 3.0))
    balanced = replace(plan, training=replace(plan.training, class_weight="balanced"))
    assert signature_of(balanced).class_weight == "balanced"
    assert signature_of(plan_of(schedule="cosine")).scheduled


def test_what_differs_per_lane_is_told_once_in_order():
    variants = (
        OptimizerVariant("sgd", (), ("weight_decay", "momentum")),
        OptimizerVariant("adam", (), ("weight_decay",)),
    )
    assert Signature((), variants, 32, 0).per_lane == ("momentum", "weight_decay")
    assert Signature((), (OptimizerVariant("sgd"),), 32, 0).per_lane == ()


def test_all_optimizers_of_a_small_space_are_variants_whatever_else_is_searched():
    others = (
        RATE,
        Parameter("epochs", Int(1, 20)),
        Parameter("batch_size", Int(8, 64)),
        Parameter("model.hidden", Int(1, 9)),
        Parameter("training.early_stopping.patience", Int(1, 9)),
        Parameter("loss.label_smoothing", Float(0.0, 0.5)),
    )
    expected = (OptimizerVariant("sgd"), OptimizerVariant("adam"))
    assert variants_of(KINDS, *others) == variants_of(KINDS) == expected
    assert variants_of(RATE, optimizer="adam") == (OptimizerVariant("adam"),)
    four = Parameter("optimizer", Categorical(("sgd", "adam", "lion", "adagrad")))
    assert len(variants_of(four)) == 4
    five = Parameter("optimizer", Categorical(("sgd", "adam", "lion", "adagrad", "adamax")))
    assert variants_of(five) == ()


def test_a_number_that_is_searched_is_of_the_lane_and_a_zero_is_another_variant():
    momentum = Parameter("momentum", Float(0.1, 0.9))
    (found,) = variants_of(momentum, optimizer="sgd")
    assert found == OptimizerVariant("sgd", (), ("momentum",))
    to_zero = Parameter("momentum", Float(0.0, 0.9, step=0.3))
    assert variants_of(to_zero, optimizer="sgd") == (
        OptimizerVariant("sgd", arguments({"momentum": 0.0})),
        OptimizerVariant("sgd", (), ("momentum",)),
    )
    smooth = Parameter("momentum", Float(0.0, 0.9))  # which draws 0 never
    assert variants_of(smooth, optimizer="sgd") == (found,)
    listed = Parameter("momentum", Categorical((0.0, 0.5, 0.9)))
    assert variants_of(listed, optimizer="sgd") == variants_of(to_zero, optimizer="sgd")
    alone = Parameter("momentum", Categorical((0.0,)))
    assert variants_of(alone, optimizer="sgd") == (OptimizerVariant("sgd", arguments({"momentum": 0.0})),)


def test_what_is_compiled_in_keeps_its_values():
    nesterov = Parameter("nesterov", Categorical((False, True)))
    found = variants_of(nesterov, optimizer="sgd", momentum=0.9)
    assert [variant.constants for variant in found] == [
        arguments({"momentum": 0.9, "nesterov": value}) for value in (False, True)
    ]
    assert all(variant.per_lane == () for variant in found)
    whole = Parameter("epsilon", Int(0, 3))
    assert [one.per_lane for one in variants_of(whole, optimizer="adam")] == [(), ("epsilon",)]
    assert variants_of(whole, optimizer="adam")[0].constants == arguments({"epsilon": 0})


def test_conditions_part_the_optimizers_that_have_an_argument():
    momentum = Parameter("momentum", Float(0.1, 0.9), (Condition("optimizer", ("sgd",)),))
    assert variants_of(KINDS, momentum) == (OptimizerVariant("sgd", (), ("momentum",)), OptimizerVariant("adam"))
    assert variants_of(RATE, momentum, optimizer="sgd") == (OptimizerVariant("sgd", (), ("momentum",)),)
    hidden = Parameter("momentum", Float(0.1, 0.9), (Condition("model.hidden", (1,)),))
    assert variants_of(Parameter("model.hidden", Int(1, 2)), hidden, optimizer="sgd") == ()


def test_a_number_that_others_depend_on_keeps_its_values():
    momentum = Parameter("momentum", Categorical((0.5, 0.9)))
    nesterov = Parameter("nesterov", Categorical((True,)), (Condition("momentum", (0.9,)),))
    found = variants_of(momentum, nesterov, optimizer="sgd")
    assert {variant.constants for variant in found} == {
        arguments({"momentum": 0.5}),
        arguments({"momentum": 0.9, "nesterov": True}),
    }


def test_an_argument_that_an_optimizer_does_not_hold_per_lane_has_no_made_up_value():
    assert PLACEHOLDER == 0.5
    wrong = Parameter("beta_1", Float(0.1, 0.9))
    assert variants_of(wrong, optimizer="sgd") == ()
