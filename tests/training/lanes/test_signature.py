"""Which trials share a program: what may differ between its lanes, and what is compiled into it."""

import pytest

from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.training.lanes.signature import (
    OptimizerVariant,
    Signature,
    can_vary_per_lane,
    list_optimizer_variants,
    make_signature,
    make_variant,
    to_key,
)
from keras_sweep.trial.plan import training_plan
from tests.helpers.factory import make_spec

ADAM = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3, "batch_size": 16, "seed": 7}


def plan(**params):
    return training_plan(make_spec(), {**ADAM, **params})


def variants(*parameters, **constants):
    """What a space offers, each as its optimizer, its constants by name and the arguments that lanes have."""
    spec = make_spec(space=SearchSpace(parameters, constants))
    return [
        (one.optimizer, {name: value for name, _, value in one.constants}, one.per_lane)
        for one in list_optimizer_variants(spec)
    ]


@pytest.mark.parametrize(
    ("optimizer", "per_lane"),
    [
        ("sgd", "momentum weight_decay"),
        ("rmsprop", "epsilon momentum rho weight_decay"),
        ("adam", "beta_1 beta_2 epsilon weight_decay"),
        ("adamw", "beta_1 beta_2 epsilon weight_decay"),
        ("adamax", "beta_1 beta_2 epsilon weight_decay"),
        ("adadelta", "epsilon rho weight_decay"),
        ("adagrad", "epsilon weight_decay"),
        ("lion", "beta_1 beta_2 weight_decay"),
        ("nadam", ""),
    ],
)
def test_an_optimizer_has_those_of_its_numbers_per_lane_that_only_enter_sums_and_products(optimizer, per_lane):
    names = ("momentum", "rho", "beta_1", "beta_2", "epsilon", "weight_decay", "clipnorm", "nesterov", "amsgrad")
    assert [name for name in sorted(names) if can_vary_per_lane(optimizer.title(), name, 0.5)] == per_lane.split()


@pytest.mark.parametrize(
    ("value", "may"), [(0.9, True), (1, True), (-0.5, True), (0, False), (0.0, False), (True, False), ("a", False)]
)
def test_a_lane_has_a_number_of_its_own_but_no_zero_for_which_keras_makes_no_slot(value, may):
    assert can_vary_per_lane("sgd", "momentum", value) is may


def test_trials_that_differ_in_their_learning_rate_or_epochs_alone_share_a_program():
    first = make_signature(plan())
    assert first == make_signature(plan(learning_rate=0.5, epochs=9))
    assert first.variants == (OptimizerVariant("adam"),) and first.per_lane == ()
    assert (first.batch_size, first.seed, first.structure, first.scheduled) == (16, 7, "", False)
    assert not first.masked
    assert first.model == () and make_signature(plan(**{"model.units": 9})).model == (("units", "int", 9),)


@pytest.mark.parametrize(
    "params",
    [
        {"optimizer": "sgd"},
        {"beta_1": 0.5},
        {"batch_size": 8},
        {"seed": 8},
        {"model.units": 11},
        {"loss.from_logits": True},
        {"schedule": "cosine"},
        {"warmup": 0.5},
        {"training.class_weight": {0: 1.0, 1: 2.0}},
        {"training.class_weight": "balanced"},
    ],
    ids=lambda params: next(iter(params)),
)
def test_trials_that_differ_in_what_is_compiled_share_none(params):
    assert make_signature(plan(**params)) != make_signature(plan())


def test_values_that_compare_equal_but_are_of_other_types_are_others():
    assert to_key({"b": 1, "a": True}) == (("a", "bool", True), ("b", "int", 1))
    assert len({to_key({"a": value}) for value in (1, 1.0, True)}) == 3


def test_models_of_one_structure_share_a_program_whatever_their_arguments():
    wide, narrow = (make_signature(plan(**{"model.units": units}), structure="two layers") for units in (4, 9))
    assert wide == narrow and wide != make_signature(plan(), structure="three layers")


def test_what_varies_is_left_to_the_lanes_where_the_optimizer_allows_it():
    of_adam = plan(beta_1=0.5, epsilon=0.1, clipnorm=1.0, amsgrad=True)
    fixed = (("amsgrad", "bool", True), ("clipnorm", "float", 1.0))
    assert make_variant(of_adam, {"epsilon", "beta_1", "clipnorm", "rho"}) == OptimizerVariant(
        "adam", fixed, ("beta_1", "epsilon")
    )
    assert make_variant(of_adam, {"epsilon"}).constants == (*fixed[:1], ("beta_1", "float", 0.5), *fixed[1:])
    assert {name for name, *_ in make_variant(of_adam).constants} == {"beta_1", "epsilon", "clipnorm", "amsgrad"}
    both = Signature((), (make_variant(of_adam, {"epsilon"}), make_variant(of_adam, {"beta_1"})), 32, 0)
    assert both.per_lane == ("beta_1", "epsilon")


def test_a_space_offers_up_to_four_optimizers_in_the_order_of_its_file():
    names = ("sgd", "rmsprop", "adam", "lion", "adamw")
    four, five = (Parameter("optimizer", Categorical(names[:count])) for count in (4, 5))
    rate, units = Parameter("learning_rate", Float(0.1, 1.0)), Parameter("model.units", Int(1, 99))
    others = (rate, units, Parameter("epochs", Int(1, 9)), Parameter("batch_size", Categorical((8, 16))))
    others += (Parameter("loss.delta", Int(1, 9)), Parameter("training.early_stopping.patience", Int(1, 9)))
    assert [name for name, *_ in variants(four, *others)] == list(names[:4])
    assert variants(five, *others) == []
    assert variants(rate, units, optimizer="sgd", momentum=0.5) == [("sgd", {"momentum": 0.5}, ())]


def test_numbers_of_a_range_are_one_offer_and_its_zero_another():
    sgd = {"optimizer": "sgd"}
    assert variants(Parameter("momentum", Float(0.0, 0.9)), **sgd) == [("sgd", {}, ("momentum",))]
    steps = Parameter("momentum", Float(0.0, 0.9, step=0.3))
    assert variants(steps, **sgd) == [("sgd", {"momentum": 0.0}, ()), ("sgd", {}, ("momentum",))]
    some = Parameter("momentum", Categorical((0.2, 0.4, 0.6, 0.8, 0.9)))
    assert variants(some, **sgd) == [("sgd", {}, ("momentum",))]
    flags = Parameter("nesterov", Categorical((False, True)))
    assert variants(flags, **sgd) == [("sgd", {"nesterov": False}, ()), ("sgd", {"nesterov": True}, ())]


def test_a_number_that_only_some_optimizers_have_per_lane_is_made_up_for_none():
    """Each of the others would be compiled for one number of very many."""
    beta = Parameter("beta_1", Float(0.5, 0.9))
    assert variants(Parameter("optimizer", Categorical(("adam", "lion"))), beta) == [
        ("adam", {}, ("beta_1",)),
        ("lion", {}, ("beta_1",)),
    ]
    assert variants(Parameter("optimizer", Categorical(("adam", "nadam"))), beta) == []


def test_what_a_condition_looks_at_is_compiled_in():
    """Its values part the space, so each must be known; an optimizer beside a model's width has no list."""
    momentum = Parameter("momentum", Categorical((0.5, 0.9)))
    clip = Parameter("clipnorm", Categorical((1.0,)), (Condition("momentum", (0.9,)),))
    assert variants(momentum, clip, optimizer="sgd") == [
        ("sgd", {"momentum": 0.5}, ()),
        ("sgd", {"clipnorm": 1.0, "momentum": 0.9}, ()),
    ]
    units = Parameter("model.units", Categorical((1, 2)))
    beside = Parameter("clipnorm", Categorical((1.0,)), (Condition("model.units", (2,)),))
    assert variants(units, beside, optimizer="sgd") == []
    of_constant = Parameter("clipnorm", Categorical((1.0,)), (Condition("optimizer", ("sgd",)),))
    assert variants(of_constant, optimizer="sgd") == [("sgd", {"clipnorm": 1.0}, ())]
