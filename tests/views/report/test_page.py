"""The page as text: small, thinned where it must be, escaped, and asking for nothing."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sweep.sweep.validation_outputs import Missed
from keras_sweep.trial.result import Result, Suggestion, TrialState
from keras_sweep.views.report.page import number_cards, page_of, thin_rows
from tests.helpers.page_facts import MOMENT, facts_of, hostile_facts, outputs_of
from tests.helpers.records import results as any_result
from tests.helpers.results import dense_sweep, result


def test_a_winner_with_several_seeds_has_their_mean_and_the_test_of_its_best() -> None:
    own, other = result(0, 0.9, stderr=0.02), result(1, 0.8)
    seed = replace(result(0, 0.94), suggestion=Suggestion(0, {**own.params, "seed": 43}, recipe=0))
    test = {"number": 0, "seed": 43, "refit": False, "rows": 360, "per_class": None}
    test |= {"scores": {"accuracy": 0.93}, "stderrs": {}}
    facts = facts_of([replace(own, finalists=(seed,), final=True), other], test=test, test_looks=1)
    cards = dict(number_cards(facts))
    assert "the mean of 2 seeds" in cards["0.9200 ±0.0200"]
    assert "360 sealed test rows" in cards["0.9300"]
    page = page_of(facts, MOMENT)
    assert "over seeds" in page and "0.9200 ±0.0200 ×2" in page


def test_a_page_of_200_trials_is_below_a_megabyte_and_draws_all_or_the_best_half_and_the_others_evenly() -> None:
    facts = facts_of(dense_sweep(200))
    page = page_of(facts, MOMENT)
    assert len(page.encode()) < 1_000_000 and page.count("<tr data-t=") >= 200 and "To stay small" not in page
    assert [row.rank for row in thin_rows(facts.rows[:100], 20)] == [*range(1, 11), *range(11, 101, 9)]


@pytest.mark.soak
def test_a_page_of_thousands_of_trials_is_thinned_and_says_so() -> None:
    facts = facts_of(dense_sweep(5_000))
    page = page_of(facts, MOMENT)
    assert len(page.encode()) < 5_000_000
    assert "</output> of 5,000 trials are shown. To stay small, the page and its drawings have 2,000 of them" in page
    drawn = json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])["trials"]
    assert {str(row.number) for row in facts.rows[:1000]} <= set(drawn)
    assert len(drawn) == 2000


def test_only_its_own_style_and_script_may_be_used() -> None:
    page = page_of(facts_of(dense_sweep(12)), MOMENT)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    policy = policy.replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind, element in (("style-src", "style"), ("script-src", "script")):
        (text,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert " style=" not in page
    assert not re.findall(r"\son\w+=", page)
    assert not re.findall(r'(?:src|href)="(?!data:image/png|#)', page)


def test_a_sweep_without_a_winner_has_a_page() -> None:
    assert "No trial has ended yet." in page_of(facts_of([]), MOMENT)
    failed = [result(n, None, state=TrialState.FAIL, stderr=None, reason="diverged", epochs=1) for n in range(3)]
    page = page_of(facts_of(failed), MOMENT)
    assert "None of 3 trials can win yet." in page and page.count("diverged") >= 3


def test_the_matrix_counts_every_row_and_its_diagonal_is_the_accuracy() -> None:
    draw = np.random.default_rng(0)
    y = draw.integers(0, 3, 60)
    outputs = draw.random((60, 3))
    found = outputs_of(y, outputs, ("a", "b", "c"))
    page = page_of(facts_of(dense_sweep(12), outputs=found), MOMENT)
    cells = re.findall(r"<title>(\w) predicted as (\w): (\d+) of (\d+)</title>", page)
    assert sum(int(count) for _, _, count, _ in cells) == 60
    right = sum(int(count) for true, named, count, _ in cells if true == named)
    assert right == int((outputs.argmax(axis=1) == y).sum())
    assert f"The winner gets {60 - right} validation rows wrong." in page


def test_numbers_are_drawn_against_the_truth() -> None:
    y = np.linspace(0, 10, 50).astype(np.float32)
    found = outputs_of(y, (y + 0.5)[:, None], None)
    page = page_of(facts_of(dense_sweep(12), outputs=found), MOMENT)
    assert "half of the predictions are within 0.5 of the true value" in page
    assert "20 validation rows with the largest errors" in page


@settings(max_examples=25)
@given(st.integers(0, 12).flatmap(lambda count: st.tuples(*(any_result(number) for number in range(count)))))
def test_any_results_have_a_page(results: tuple[Result, ...]) -> None:
    page = page_of(facts_of(results), MOMENT)
    page.encode()
    data = json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])
    assert len(data["trials"]) == len(results)


def test_markup_in_a_file_is_text_on_the_page() -> None:
    page, plain = page_of(hostile_facts(), MOMENT), page_of(facts_of(dense_sweep(30)), MOMENT)
    assert page.count("<script") == plain.count("<script") == page.count("</script>") == 2
    assert "<img" not in page and "</title></style>" not in page
    assert "&lt;script&gt;owned()&lt;/script&gt;" in page and "{{ 7 * 7 }}" in page
    json.loads(re.findall(r'id="data">(.*?)</script>', page)[0])


def test_rows_that_no_good_trial_gets_right_are_counted() -> None:
    page = page_of(facts_of(dense_sweep(12), missed=Missed((3, 1, 2), True, (5, 9), 40)), MOMENT)
    assert "2 of 40 validation rows are wrong in each of the 3 trials that tie with the best: their labels" in page
    none = page_of(facts_of(dense_sweep(12), missed=Missed((3, 1, 2), True, (), 40)), MOMENT)
    assert "No validation row is wrong in each of the 3 trials that tie with the best." in none
    assert 'id="missed"' not in page_of(facts_of(dense_sweep(12)), MOMENT)
