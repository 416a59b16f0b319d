"""Rungs as arithmetic, and the same decisions as Optuna's pruners make."""

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.search.engine import Engine
from keras_sweep.search.engines import make_engine
from keras_sweep.search.pruning import PRUNING_RULES, assign_bracket, bracket_shares, estimate_epochs
from keras_sweep.space.distributions import Float, Int
from keras_sweep.space.search_space import Goal, Objective, Parameter, SearchSpace
from keras_sweep.space.sweep_spec import EarlyTerminate, SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.testing.searching import score, search_spec
from keras_sweep.trial.result import Result, TrialState
from tests.helpers.space_texts import dense

UP, DOWN = Objective("val_accuracy", Goal.MAXIMIZE), Objective("val_loss", Goal.MINIMIZE)


def test_brackets_get_trials_by_hyperbands_shares() -> None:
    """The numbers of Li et al. 2018, table 1: R = 81, eta = 3 has brackets of 81, 34, 15, 8 and 5 configurations."""
    assert bracket_shares(1, 3, 81) == (81, 34, 15, 8, 5)
    dealt = [assign_bracket(number, (81, 34, 15, 8, 5)) for number in range(3_000)]
    shares = [dealt.count(bracket) / 3_000 for bracket in range(5)]
    assert shares == pytest.approx([share / 143 for share in (81, 34, 15, 8, 5)], abs=0.03)


def sweep(rule: EarlyTerminate, goal: Goal = Goal.MAXIMIZE) -> SweepSpec:
    space = SearchSpace((Parameter("epochs", Int(1, 27)),))
    return replace(search_spec(space, "optuna", "random", goal=goal), early_terminate=rule)


class Theirs:
    """Optuna's pruner of that name, on a study of its own."""

    def __init__(self, rule: EarlyTerminate, goal: Goal) -> None:
        pruners: dict[str, Any] = {
            "hyperband": lambda: optuna.pruners.HyperbandPruner(rule.min_iter, 27, rule.eta),
            "successive_halving": lambda: optuna.pruners.SuccessiveHalvingPruner(rule.min_iter, rule.eta),
            "median": lambda: optuna.pruners.MedianPruner(n_warmup_steps=rule.min_iter - 1),
        }
        self.study = optuna.create_study(study_name="sweep", direction=goal.value, pruner=pruners[rule.type]())
        self.trials: list[optuna.Trial] = []

    def stops(self, number: int, epoch: int, value: float) -> bool:
        self.trials[number].report(value, epoch)
        return self.trials[number].should_prune()


@pytest.mark.parametrize("goal", Goal)
@pytest.mark.parametrize("eta", [2, 3])
@pytest.mark.parametrize("min_iter", [1, 2])
@pytest.mark.parametrize("kind", ["hyperband", "successive_halving", "median"])
def test_every_rule_decides_as_optunas_pruner(kind: Any, min_iter: int, eta: int, goal: Goal) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rule = EarlyTerminate(kind, min_iter, eta)
    ours, theirs = PRUNING_RULES.find(rule.type)(sweep(rule, goal), rule), Theirs(rule, goal)
    draw = random.Random(f"{kind}/{min_iter}/{eta}")
    decisions = []
    for number in range(60):
        theirs.trials.append(theirs.study.ask())
        epochs = draw.choice([3, 9, 27])
        top = draw.random()
        for epoch in ours.rungs(epochs):
            value = round(top * (1 - 0.5**epoch), draw.choice([1, 12]))  # equal values are there too
            stops = ours.stops(number, epoch, value)
            assert stops == theirs.stops(number, epoch, value), (number, epoch)
            decisions.append(stops)
            if stops:
                theirs.study.tell(number, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            ours.complete(number)
            theirs.study.tell(number, top)
    assert set(decisions) == {True, False}


def test_a_value_that_is_no_number_stops_its_trial() -> None:
    for kind in ("successive_halving", "median"):
        rule = EarlyTerminate(kind)
        pruner = PRUNING_RULES.find(rule.type)(sweep(rule), rule)
        for number in range(5):
            pruner.stops(number, 1, 0.5)
            pruner.complete(number)
        assert pruner.stops(9, 1, math.nan)


@pytest.mark.parametrize(
    ("least", "more"),
    [
        (2, ""),
        (0, "training: {early_stopping: {patience: 2}}\n"),
        (0, "  schedule: cosine\n"),
        (0, "  batch_size: {values: [16, 32], when: {epochs: [2, 3]}}\n"),
        (0, "where: [epochs * learning_rate < 1]\n"),
    ],
)
def test_epochs_are_read_off_curves_where_a_shorter_trial_begins_like_a_longer_one(least: int, more: str) -> None:
    text = dense().replace("epochs: {min: 1, max: 20}\n", "epochs: {min: 2, max: 20}\n" + more)
    rule = "early_terminate: {type: successive_halving, min_iter: 2, eta: 3}\n"
    found = read_space_file(Path("space.yaml"), text=text + rule)
    assert (found.objective.epochs_from, found.objective.take_best) == (least, least > 0)
    assert found.sampler_space.constants.get("epochs") == (20 if least else None)
    assert read_space_file(Path("space.yaml"), text=text).objective.epochs_from == 0


def test_the_first_generation_of_halving_is_halved_at_once_and_later_trials_come_later() -> None:
    rule = EarlyTerminate("halving", 1, 2, first=8)
    pruner = PRUNING_RULES.find("halving")(sweep(rule), rule)
    assert pruner.rungs(20) == (1, 2, 4, 8, 16)
    first = {number: number / 10 for number in range(8)}
    assert pruner.rung(1, first) == {0, 1, 2, 3}
    assert pruner.rung(2, {number: first[number] for number in (4, 5, 6, 7)}) == {4, 5}
    assert pruner.rung(1, {8: 0.0, 9: 0.9}) == frozenset()
    assert pruner.rung(2, {8: 0.0, 9: 0.9}) == {8}  # beside the four that came there before


def test_only_halving_has_a_first_generation() -> None:
    text = dense() + "early_terminate: {type: median, first: 8}\n"
    with pytest.raises(SpaceFileError, match="works with `type: halving` only"):
        read_space_file(Path("space.yaml"), text=text)
    halved = read_space_file(Path("space.yaml"), text=dense() + "early_terminate: {type: halving, eta: 2}\n")
    assert halved.early_terminate == EarlyTerminate("halving", 1, 2, 32)


def test_expected_epochs_are_those_of_trials_in_a_random_order() -> None:
    rule = EarlyTerminate("successive_halving", 2, 3)
    found = estimate_epochs(sweep(rule), rule, [20] * 64, 16)
    assert 64 * 4 < found < 64 * 6  # of 20 each: a third goes on at epochs 2, 6 and 18


def halving(first: int = 8, eta: int = 2) -> Any:
    rule = EarlyTerminate("halving", 1, eta, first=first)
    return PRUNING_RULES.find("halving")(sweep(rule), rule)


@pytest.mark.parametrize(
    ("eta", "values", "stop"),
    [
        (2, {0: 0.1, 1: 0.2}, {0}),
        (2, {0: 0.1, 1: 0.2, 2: 0.3}, {0, 1}),
        (2, {0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4}, {0, 1}),
        (3, {0: 0.3, 1: 0.2}, {1}),
        (3, {0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4, 4: 0.0, 5: 0.5}, {0, 1, 2, 4}),
        (2, {0: 0.5, 1: 0.5, 2: 0.5, 3: 0.5}, {2, 3}),
        (2, {6: 0.5, 7: 0.6}, {6}),
    ],
)
def test_of_the_first_trials_of_halving_the_best_share_goes_on(
    eta: int, values: dict[int, float], stop: set[int]
) -> None:
    assert halving(eta=eta).rung(1, values) == stop


def test_a_first_trial_that_comes_alone_is_compared_with_those_before_it() -> None:
    pruner = halving()
    assert pruner.rung(1, {0: 0.5}) == frozenset()
    assert pruner.rung(1, {1: 0.4}) == {1}
    assert pruner.rung(1, {2: 0.6}) == frozenset()


def test_a_generation_with_a_later_trial_in_it_is_not_halved() -> None:
    assert halving().rung(1, {7: 0.1, 8: 0.2}) == frozenset()
    assert halving().rung(1, {6: 0.1, 7: 0.2}) == {6}


RULE = EarlyTerminate("halving", 1, 2, first=8)
SPACE = SearchSpace((Parameter("learning_rate", Float(1e-4, 1.0, log=True)), Parameter("epochs", Int(1, 27))))


def made(rule: EarlyTerminate | None, sampler: str = "tpe") -> Engine:
    return make_engine(replace(search_spec(SPACE, "optuna", sampler), early_terminate=rule))


def ended(asked: list[Any]) -> list[Result]:
    return [Result(one, TrialState.COMPLETE, score(one.params), {"val_accuracy": (0.5,) * 27}, 27) for one in asked]


def test_the_first_generation_of_halving_is_drawn_at_random_and_later_ones_by_the_sampler() -> None:
    engine, plain, at_random = made(replace(RULE, first=20)), made(None), made(None, "random")
    assert [engine.generation_size(index, size) for index, size in ((0, 16), (1, 16), (0, 1))] == [20, 16, 1]
    first = engine.ask(20)
    assert [one.params for one in first] == [one.params for one in at_random.ask(20)]
    engine.tell(ended(first))
    plain.replay([ended(first)])
    at_random.tell(ended(first))
    second = [one.params for one in engine.ask(16)]
    assert second == [one.params for one in plain.ask(16)]
    assert second != [one.params for one in at_random.ask(16)]


def test_an_engine_that_is_cut_short_in_its_first_generation_goes_on_at_random() -> None:
    engine, at_random = made(RULE), made(None, "random")
    first = at_random.ask(7)
    engine.replay([ended(first)])
    at_random.tell(ended(first))
    assert [one.params for one in engine.ask(1)] == [one.params for one in at_random.ask(1)]


def test_other_rules_have_no_first_generation() -> None:
    engine = made(EarlyTerminate("median"))
    assert engine.generation_size(0, 16) == 16
    assert [one.params for one in engine.ask(4)] == [one.params for one in made(None).ask(4)]
