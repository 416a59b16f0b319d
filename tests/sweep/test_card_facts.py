"""What a card says beside its scores is compared with the rows, the record and the file; what nobody knows is said."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_sweep.record.facts import Facts, Refit, TestLook
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.card import build_card, card_text
from keras_sweep.sweep.card_facts import Fact, compare_card_facts
from keras_sweep.trial.comparison import Comparison, Estimate
from keras_sweep.trial.result import Suggestion
from tests.helpers.factory import digits
from tests.helpers.results import result
from tests.helpers.whole_spaces import PLAIN

DATA = replace(digits(64, 32), test_rows=8)
SPEC = read_space_file(Path("plain.yaml"), text=PLAIN)
LOOK = TestLook(8, {"accuracy": 0.9, "loss": 0.2}, {}, None, 1, None, False)
FACTS = Facts("val_accuracy", Goal.MAXIMIZE, 42, PLAIN, {}, engine="optuna/tpe", test=LOOK, test_looks=2)
TRIALS = (result(0, 0.8), result(1, 0.9), result(2, 0.7))
SEEN = ("validation.value", "validation.stderr", "validation.val_accuracy", "validation.val_loss")
REFIT = Refit(1, None, 4, 96, {"loss": 0.5}, "digest")


def home_of(*trials, facts=FACTS):
    home = RecordedSweep(SweepFolder(Path("plain")), facts, trials)
    vars(home)["comparison"] = Comparison(1, Estimate(0.89, 0.8, 0.95, 0.9, "paired"))
    return home


HOME = home_of(*TRIALS)


def card(training=TRIALS[1], home=HOME, spec=SPEC, refit=None, **changes):
    about = json.loads(card_text(build_card(home, spec, training, DATA, opening="the call", refit=refit)))
    return {**about, "keras_config": None, **changes}


@pytest.fixture(scope="module")
def model():
    dense = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    dense.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy")
    return dense


@pytest.fixture
def compared(model):
    """What is wrong, each with who says it; what nobody looked at; why the record did not help."""

    def compare(about, home=HOME, *, model=model, seen=SEEN):
        facts, unseen, why = compare_card_facts(about, home, model, seen)
        return {fact.name: fact.by for fact in facts if not fact.matches}, unseen, why

    return compare


@pytest.mark.parametrize(
    ("card", "known", "matches"),
    [
        (0.001, np.float64(np.float32(0.001)).item(), True),
        (0.001, 0.0010001, False),
        (1, 1.0, True),
        (float("inf"), 1e308, False),
        (10**400, 10**400, True),
        (1, None, False),
        ([1], [1], True),
        (0.0, 1e-12, False),
    ],
)
def test_numbers_match_to_the_rounding_of_float32_and_all_else_to_the_letter(card, known, matches):
    assert Fact("a", card, known, "file").matches is matches
    assert Fact("a", known, card, "file").matches is matches


def test_a_card_that_is_as_the_record_has_it_has_nothing_wrong_and_its_surroundings_are_not_looked_at(compared):
    wrong, unseen, why = compared(card())
    assert (wrong, why) == ({}, "")
    assert {*unseen} == {"epoch", "model", "loss", "metrics", "metric", "engine", "runner", "versions", "created"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"trial": 2}, {"trial": "record"}),
        ({"seed": 7}, {"seed": "record"}),
        ({"params": {"learning_rate": 0.5}}, {"params.learning_rate": "record"}),
        ({"estimate": {"value": 0.99}}, {"estimate.value": "record"}),
    ],
)
def test_what_is_altered_is_named_with_who_knows(compared, change, wrong):
    found = compared({**card(), **change})[0]
    assert {name: by for name, by in found.items() if name in wrong} == wrong


def test_a_refit_is_compared_with_that_of_the_record(compared):
    home = home_of(*TRIALS, facts=replace(FACTS, refit=REFIT, test=replace(LOOK, refit=True)))
    about = card(home=home, refit=REFIT)
    assert compared(about, home)[0] == {}
    about["refit"]["rows"] = 65
    assert compared(about, home)[0] == {"refit.rows": "record"}
    about = card(home=home, refit=REFIT)
    about["validation"]["value"] = 0.5  # the refit still tells whose card it is
    assert compared(about, home, seen=())[0] == {"validation.value": "record"}
    assert compared(card(refit=REFIT))[0] == {}  # the sweep has none: it was trained so when it was exported


def test_further_goals_are_compared_with_the_record(compared):
    home = home_of(*TRIALS, facts=replace(FACTS, goals=(Objective("val_loss", Goal.MINIMIZE),)))
    loss = TRIALS[1].metrics["val_loss"]
    assert compared(card(goals={"val_loss": loss}), home)[0] == {}
    assert compared(card(goals={"val_loss": loss / 2}), home)[0] == {"goals.val_loss": "record"}


def test_without_its_sweep_the_files_optimizer_is_compared_and_the_rest_is_not_looked_at(compared):
    about = card(goals={"parameters": 650, "flops": 9})
    wrong, unseen, why = compared(about, home=None)
    assert (wrong, why) == ({}, "the card's sweep is not available")
    assert {"sweep", "open", "sha256", "params.learning_rate", "refit"} & set(unseen) == set()
    assert {"trial", "seed", "estimate", "params.epochs", "goals", "model", "test"} <= set(unseen)
    assert {"validation", "data"} & set(unseen) == set() and "validation" in compared(about, None, seen=())[1]
    about["params"].update(optimizer="sgd", learning_rate=0.002)
    assert compared(about, home=None)[0] == {"params.optimizer": "file", "params.learning_rate": "file"}
    assert compared(about, home=None, model=None)[0] == {}  # the trial's optimizer is not in the file


def test_of_a_longer_sweep_what_other_trials_move_is_not_compared(compared):
    longer = home_of(*TRIALS, result(3, 0.6))
    about = card(estimate={"value": 0.5})
    wrong, unseen, why = compared(about, longer)
    assert (wrong, why) == ({}, "the sweep has more trials now")
    assert {"trials", "estimate"} <= set(unseen)
    assert compared(card(trials=9), longer)[0] == {"trials": "record"}
    for said in (0, -1, True, "3"):
        assert compared(card(trials=said), longer)[0]["trials"] == "record"


def test_looks_at_the_test_rows_after_the_cards_are_no_fault_and_fewer_are(compared):
    about = card()
    about["test"]["looks"] = 1
    assert compared(about)[0] == {}
    about["test"]["looks"] = 3
    assert compared(about)[0] == {"test.looks": "record"}
    assert compared(card(test=None))[0] == {}


def test_the_record_of_another_sweep_does_not_help(compared):
    other = home_of(result(0, 0.1))
    assert compared(card(), other)[2] == f"no trial of the sweep {other.folder.name!r} has the scores of the card"


def test_of_trainings_with_equal_scores_the_one_that_the_card_names_is_compared(compared):
    twins = (result(0, 0.9), result(1, 0.9))
    again = result(2, 0.9, params={**twins[1].params, "seed": 43})
    again = replace(again, suggestion=Suggestion(2, again.params, recipe=1))
    both = home_of(twins[0], replace(twins[1], finalists=(again,)), facts=replace(FACTS, test=None))
    for training in (*twins, again):
        assert compared(card(training, both), both)[0] == {}
    of_no_trial, _, _ = compared(card(twins[1], both, trial=7), both)  # the first of them
    assert set(of_no_trial) == {"trial", *(f"estimate.{name}" for name in ("value", "low", "high", "naive", "method"))}
