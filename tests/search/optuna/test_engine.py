import math

import pytest

from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter, identity
from keras_sweep.space.sweep_spec import EarlyTerminate
from keras_sweep.trial.result import Result, TrialState
from tests.helpers.factory import EPOCHS, LEARNING_RATE, MOMENTUM, OPTIMIZER, make_spec


def scored(suggestion, epochs=4):
    """A result whose curve rises to a height that the learning rate decides."""
    height = 1 - abs(math.log10(suggestion.params.get("learning_rate", 0.1)) + 1) / 5
    curve = tuple(height * (1 - 0.5**epoch) for epoch in range(1, epochs + 1))
    return Result(suggestion, TrialState.COMPLETE, curve[-1], curve={"val_accuracy": curve}, epoch=epochs)


def searched(spec, generations, size=6):
    """The generations of results of a search that is never stopped."""
    engine = make_engine(spec)
    history = []
    for _ in range(generations):
        results = [scored(one) for one in engine.ask(size)]
        engine.tell(results)
        history.append(results)
    return history


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "qmc"])
def test_an_engine_rebuilt_by_replay_asks_what_the_first_would_have(sampler):
    spec = make_spec((OPTIMIZER, LEARNING_RATE, EPOCHS, MOMENTUM), sampler=sampler)
    history = searched(spec, 5)
    for done in range(5):
        engine = make_engine(spec)
        engine.replay(history[:done])
        assert [one.params for one in engine.ask(6)] == [result.params for result in history[done]]


def test_tpe_finds_the_good_learning_rates():
    last = searched(make_spec((LEARNING_RATE,)), 8)[-1]
    assert sum(0.02 < result.params["learning_rate"] < 0.5 for result in last) >= 4


def test_a_failed_trial_counts_as_the_worst():
    spec = make_spec((LEARNING_RATE,), seed=1)
    engine = make_engine(spec)
    for _ in range(10):
        results = []
        for one in engine.ask(6):
            good = one.params["learning_rate"] < 0.01
            results.append(scored(one) if good else Result(one, TrialState.FAIL, None, reason="diverged"))
        engine.tell(results)
    asked = [one for _ in range(5) for one in engine.ask(6)]
    assert sum(one.params["learning_rate"] < 0.02 for one in asked) > len(asked) / 2


def test_results_of_another_space_are_left_out_but_keep_their_numbers():
    spec = make_spec((OPTIMIZER,))
    engine = make_engine(spec)
    foreign = searched(make_spec((LEARNING_RATE,)), 1)
    engine.replay(foreign)
    assert [one.number for one in engine.ask(2)] == [6, 7]


def test_random_draws_follow_the_probabilities():
    weighed = Parameter("optimizer", Categorical(("sgd", "rmsprop", "adam"), (0.9, 0.1, 0.0)))
    spec = make_spec((weighed, LEARNING_RATE), sampler="random")
    drawn = [one.params["optimizer"] for one in make_engine(spec).ask(100)]
    assert drawn.count("sgd") > 75
    assert drawn.count("adam") == 0


def test_choices_that_are_lists_come_back_as_they_were():
    hidden = Parameter("model.hidden", Categorical(((), (64,), (64, 32))))
    suggestions = make_engine(make_spec((hidden,))).ask(5)
    assert {one.params["model.hidden"] for one in suggestions} == {(), (64,), (64, 32)}


RULES = [EarlyTerminate("hyperband", 1, 2), EarlyTerminate("successive_halving", 1, 2), EarlyTerminate("median", 1)]


def pruned(spec, engine, size):
    """One generation that climbs its rungs."""
    asked = engine.ask(size)
    whole = {one.number: scored(one, 8) for one in asked}
    ended = {}
    for epoch in engine.rungs(8):
        values = {number: whole[number].curve["val_accuracy"][epoch - 1] for number in whole if number not in ended}
        ended |= dict.fromkeys(engine.rung(epoch, values), epoch)
    results = []
    for one in asked:
        curve = whole[one.number].curve["val_accuracy"][: ended.get(one.number, 8)]
        state = TrialState.PRUNED if one.number in ended else TrialState.COMPLETE
        results.append(Result(one, state, curve[-1], curve={"val_accuracy": curve}, epoch=len(curve)))
    engine.tell(results)
    return results


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.type)
def test_a_pruner_stops_poor_trials_and_is_rebuilt_by_replay(rule):
    spec = make_spec((LEARNING_RATE,), constants={"epochs": 8}, early_terminate=rule)
    engine = make_engine(spec)
    history = [pruned(spec, engine, 8) for _ in range(4)]
    stopped = [result for results in history for result in results if result.state is TrialState.PRUNED]
    best = max((result for results in history for result in results), key=lambda result: result.value)
    assert stopped
    assert best.state is TrialState.COMPLETE
    rebuilt = make_engine(spec)
    rebuilt.replay(history[:3])
    again = pruned(spec, rebuilt, 8)
    assert [(result.params, result.state, result.epochs) for result in again] == [
        (result.params, result.state, result.epochs) for result in history[3]
    ]


def test_without_a_rule_there_are_no_rungs():
    assert make_engine(make_spec()).rungs(20) == ()


def test_rungs_are_a_geometric_series_below_the_last_epoch():
    spec = make_spec(constants={}, early_terminate=EarlyTerminate("hyperband", 2, 3))
    assert make_engine(spec).rungs(20) == (2, 6, 18)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_no_suggestion_repeats_another(sampler):
    spec = make_spec((OPTIMIZER, EPOCHS), sampler=sampler)
    history = searched(spec, 3, size=4)
    keys = [identity(result.params) for results in history for result in results]
    assert len(set(keys)) == len(keys) == 12
