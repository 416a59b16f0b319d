"""What a record says of the whole sweep is of the types that readers count on."""

import json
from dataclasses import replace

import pytest

from keras_sweep.record.facts import ChosenFinalists, Facts, Refit, TestLook, is_distribution, parse_record
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.result import Result, Suggestion, TrialState

BASE = {"metric": "val_accuracy", "goal": "maximize", "seed": 42, "space": "", "distributions": {}}
FLOAT = json.dumps({"name": "FloatDistribution", "attributes": {"low": 0.0, "high": 1.0}})


def test_attributes_become_facts_of_their_types() -> None:
    facts = parse_record(
        Facts,
        {
            **BASE,
            "distributions": {"rate": FLOAT},
            "goals": [{"name": "parameters", "goal": "minimize"}],
            "finalists": [{"trials": 4, "recipes": [2, 1], "seeds": [43]}, {"trials": 8}],
            "seconds": {"train": 1, "other": 0.5},
            "trials": 0,
            "test_fingerprint": None,
            "spec": {"epochs.take": "best"},
            "choose": "parameters < 9",
            "of_another_program": [1],
        },
    )
    objective = facts.objective
    assert (objective.name, objective.goal, objective.where) == ("val_accuracy", Goal.MAXIMIZE, "parameters < 9")
    assert (objective.take_best, objective.further) == (True, (Objective("parameters", Goal.MINIMIZE),))
    assert facts.finalists == (ChosenFinalists(4, (2, 1), (43,)), ChosenFinalists(8))
    assert (facts.choice, facts.trials, facts.seconds) == (ChosenFinalists(8), 0, {"train": 1, "other": 0.5})
    assert parse_record(Facts, BASE).choice == ChosenFinalists(0)
    assert not parse_record(Facts, {**BASE, "spec": {"epochs.take": "last"}}).objective.take_best


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1),
        ("seed", 1.0),
        ("seed", True),
        ("seed", "1"),
        ("seed", None),
        ("seed", 2**63),
        ("goal", "up"),
        ("metric", 1),
        ("trials", -1),
        ("distributions", {"rate": "x"}),
        ("distributions", [FLOAT]),
        ("finalists", {"trials": 1}),
        ("finalists", [{"trials": 1, "recipes": [-1]}]),
        ("seconds", {"train": "1"}),
        ("seconds", {"train": True}),
        ("refit", []),
        ("versions", {"keras": 3}),
    ],
)
def test_an_attribute_of_another_type_is_named(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"`{key}` must be"):
        parse_record(Facts, {**BASE, key: value})


@pytest.mark.parametrize("key", BASE)
def test_an_attribute_that_every_record_has_must_be_there(key: str) -> None:
    with pytest.raises(ValueError, match=f"`{key}` is missing"):
        parse_record(Facts, {name: value for name, value in BASE.items() if name != key})


def test_the_largest_number_is_that_of_sqlite() -> None:
    assert parse_record(Facts, {**BASE, "seed": 2**63 - 1}).seed == 2**63 - 1
    assert parse_record(Facts, {**BASE, "seconds": {"a": -(2**63) + 1}}).seconds == {"a": -(2**63) + 1}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (FLOAT, True),
        (FLOAT.replace("Float", "Int"), True),
        (FLOAT.replace("Float", "Uniform"), False),
        (FLOAT.replace("1.0", "Infinity"), False),
        (FLOAT.replace("1.0", "true"), False),
        (FLOAT.replace("high", "most"), False),
        ('{"name": "CategoricalDistribution", "attributes": {"choices": [1]}}', True),
        ('{"name": "CategoricalDistribution", "attributes": {"choices": []}}', False),
        ('{"name": "CategoricalDistribution", "attributes": {"choices": "ab"}}', False),
        ("[]", False),
        ("{", False),
        (7, False),
        ("[" * 100_000, False),
    ],
    ids=range(13),
)
def test_a_distribution_is_told_from_other_texts(text: object, is_one: bool) -> None:
    assert is_distribution(text) is is_one


REFIT = Refit(2, 43, 4, 100, {}, "x")
LOOK = TestLook(100, {}, {}, None, 2, 43, refit=True)


def finalist(recipe: int, seed: int) -> Result:
    return Result(Suggestion(0, {"seed": seed}, recipe=recipe), TrialState.COMPLETE, 0.5)


def test_a_refit_and_a_look_are_of_one_training() -> None:
    facts = Facts("val_accuracy", Goal.MAXIMIZE, 42, "", {}, refit=REFIT, test=LOOK)
    assert facts.refit_of(finalist(2, 43)) is REFIT
    assert facts.test_of(finalist(2, 43)) is LOOK
    for other in (finalist(2, 44), finalist(3, 43), Result(Suggestion(2, {"seed": 43}), TrialState.COMPLETE, 0.5)):
        assert (facts.refit_of(other), facts.test_of(other)) == (None, None)
    before = replace(facts, refit=None)
    assert (before.refit_of(finalist(2, 43)), before.test_of(finalist(2, 43))) == (None, None)
    plain = replace(before, test=replace(LOOK, refit=False))
    assert plain.test_of(finalist(2, 43)) == replace(LOOK, refit=False)
    assert replace(facts, test=None).test_of(finalist(2, 43)) is None
