"""Importance says what the trials say, and no more."""

import random
from dataclasses import replace

from keras_sweep.views.importance import Importance, estimate_importance, is_settled
from keras_sweep.views.report.drawings import draw_importance
from keras_sweep.views.report.facts import PageContent
from tests.helpers.page_facts import facts_of
from tests.helpers.results import ACCURACY, result


def facts_of_draws(count: int, rate_matters: float) -> PageContent:
    draw = random.Random(1)
    results = []
    for number in range(count):
        rate, epochs = 10 ** draw.uniform(-4, 0), draw.randint(1, 20)
        value = 0.8 - rate_matters * abs(rate - 0.01) ** 0.5 + draw.random() / 100
        params = {"optimizer": draw.choice(["sgd", "adam"]), "learning_rate": rate, "epochs": epochs}
        results.append(result(number, value, params=params))
    return facts_of(results)


def found_of(count: int, rate_matters: float) -> list[Importance]:
    facts = facts_of_draws(count, rate_matters)
    return estimate_importance(facts.rows, ACCURACY, facts.sweep.facts.distributions)


def test_what_alone_moves_the_value_is_most_important_and_that_is_settled() -> None:
    found = found_of(120, 1.0)
    assert found[0].name == "learning_rate"
    assert is_settled(found)
    assert abs(sum(one.share for one in found) - 1) < 1e-9
    assert all(0 <= one.low <= one.share <= one.high <= 1 for one in found)
    assert "In nearly all resamples learning_rate is the most important." in draw_importance(found, 120)
    assert found == found_of(120, 1.0), "the same record has the same page"


def test_noise_settles_no_order() -> None:
    found = found_of(30, 0.0)
    assert not is_settled(found)
    for count in range(12, 40, 4):  # the share of all trials may lie beyond that of most resamples
        assert all(one.low <= one.share <= one.high for one in found_of(count, 0.0))
    assert "the order may change" in draw_importance(found, 30)


def test_ranges_that_are_none_are_left_out() -> None:
    facts = facts_of_draws(14, 1.0)
    whole = facts.sweep.facts.distributions
    assert {one.name for one in estimate_importance(facts.rows, ACCURACY, whole)} == {
        "optimizer",
        "learning_rate",
        "epochs",
    }
    for text in (whole["epochs"].replace('"low": 1,', '"low": 99,'), "no JSON", '{"name": "IntDistribution"}'):
        assert text != whole["epochs"]
        found = estimate_importance(facts.rows, ACCURACY, {**whole, "epochs": text})
        assert {one.name for one in found} == {"optimizer", "learning_rate"}


def test_trials_from_outside_the_space_are_left_out() -> None:
    params = {"optimizer": "adam", "learning_rate": 0.1, "epochs": 2}
    rows = [result(n, 0.5, params={**params, "epochs": 99 if n < 5 else 2}) for n in range(14)]
    facts = facts_of(rows)
    assert estimate_importance(facts.rows, ACCURACY, facts.sweep.facts.distributions) == []
    assert found_of(9, 1.0) == [], "few trials say nothing"


def test_epochs_that_are_read_off_curves_are_no_cause_of_values() -> None:
    facts = facts_of_draws(14, 1.0)
    rows = [replace(row, reads_epochs=True) for row in facts.rows]
    found = estimate_importance(rows, ACCURACY, facts.sweep.facts.distributions)
    assert {one.name for one in found} == {"optimizer", "learning_rate"}
