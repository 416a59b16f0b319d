"""A rule says, allows and publishes the same; and a section's fields allow what pydantic does."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings, Split
from keras_sweep.space_file.file_model import DENSE_ARGUMENTS, EarlyTerminateSection, SpaceFile
from keras_sweep.space_file.optimizer_arguments import OPTIMIZERS
from keras_sweep.space_file.rules import NameRule, NumberRule, Rule, fields_of, rule_of
from tests.helpers.json_schema import schema_errors

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    3,
    0.0,
    0.5,
    1.0,
    1.5,
    2**32 - 1,
    2**32,
    "a",
    "median",
    "",
    [1],
)
SECTIONS = (Split, EarlyTerminate, SearchSettings)
REGISTERED = ("engine", "sampler", "type")  # names that are looked at when they are used
FIELDS = [(section, name) for section in SECTIONS for name in fields_of(section) if name not in REGISTERED]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (NumberRule(), "a number"),
        (NumberRule(bool), "true or false"),
        (NumberRule(int, ge=1), "a whole number of at least 1"),
        (NumberRule(int, ge=1, le=1_000_000), "a whole number from 1 to 1,000,000"),
        (NumberRule(ge=0, le=1), "a number from 0 to 1"),
        (NumberRule(gt=0, null=True), "a number above 0, or null"),
        (NumberRule(ge=0, lt=1), "a number of at least 0 and below 1"),
        (NumberRule(le=0), "a number of at most 0"),
        (NameRule(("best", "last")), "best or last"),
        (NameRule(("a", "b", "c")), "a, b or c"),
        (NameRule(("mse", "mae"), "a loss of Keras"), "a loss of Keras"),
        (rule_of(fields_of(Split)["validation"]), "a number above 0 and below 1"),
        (rule_of(fields_of(EarlyTerminateSection)["type"]), "hyperband, median or successive_halving"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_rule_is_said_in_words(rule: Rule, text: str) -> None:
    assert rule.text == text
    assert rule.fault({}) == f"must be {text}, but got an empty map"


@pytest.mark.parametrize(("section", "name"), FIELDS, ids=lambda one: getattr(one, "__name__", one))
def test_a_rule_allows_what_its_section_does(section: type, name: str) -> None:
    whole = {"type": "median"} if section is EarlyTerminate else {}
    rule = rule_of(fields_of(section)[name])
    for value in VALUES:
        try:
            section(**{**whole, name: value})
            made = True
        except ValidationError:
            made = False
        assert rule.allows(value) is made, value


@pytest.mark.parametrize(("section", "name"), FIELDS, ids=lambda one: getattr(one, "__name__", one))
def test_a_rule_allows_what_the_schema_does(section: type, name: str) -> None:
    schema = TypeAdapter(section).json_schema()["properties"][name]
    rule = rule_of(fields_of(section)[name])
    assert [rule.allows(value) for value in VALUES] == [schema_errors(value, schema) == [] for value in VALUES]


@pytest.mark.parametrize(
    "rule",
    [*DENSE_ARGUMENTS.values(), *OPTIMIZERS["adam"].values(), rule_of(fields_of(SpaceFile)["loss"])],
    ids=lambda rule: rule.text,
)
def test_a_rule_of_a_table_allows_what_its_own_schema_does(rule: Rule) -> None:
    values = [value for value in VALUES if value is not None]  # `null` is for an editor no value of its own
    assert [rule.allows(value) for value in values] == [schema_errors(value, rule.schema) == [] for value in values]


def test_a_section_is_checked_however_it_is_made() -> None:
    with pytest.raises(ValidationError):
        Split(validation=2.0)
    with pytest.raises(ValidationError):
        SearchSettings(trials=0)
