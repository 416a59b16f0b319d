"""What is KerasTuner's own: its draws, Hyperband's budgets, the values it would mangle, its faults."""

import warnings
from dataclasses import replace
from importlib.metadata import version

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sweep.errors import SearchError, UsageError
from keras_sweep.search.engines import make_engine
from keras_sweep.search.keras_tuner.engine import KerasTunerEngine
from keras_sweep.search.keras_tuner.space import decode, encode
from keras_sweep.space.distributions import Categorical, Float, Int, Value
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.testing.searching import CONDITIONAL, NARROW, SMALL, flatten, run_search, score, search_spec, summarize
from keras_sweep.trial.result import Result, TrialState

RATE = Parameter("learning_rate", Float(1e-4, 1.0, log=True))


def hyperband(*parameters: Parameter, **constants: Value) -> KerasTunerEngine:
    return KerasTunerEngine(search_spec(SearchSpace((RATE, *parameters), constants), "keras-tuner", "hyperband"))


@pytest.mark.parametrize(("seed", "theirs_seed"), [(5, 5), (3_000_000_007, 3_000_000_007), (0, 2**32 - 1)])
def test_random_asks_what_keras_tuner_asks(seed: int, theirs_seed: int) -> None:
    import keras_tuner

    space = SearchSpace((Parameter("optimizer", Categorical(("sgd", "adam"))), RATE, Parameter("units", Int(8, 64))))
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Choice("optimizer", ["sgd", "adam"])
    hyperparameters.Float("learning_rate", 1e-4, 1.0, sampling="log")
    hyperparameters.Int("units", 8, 64)
    theirs = keras_tuner.oracles.RandomSearchOracle(
        "val_accuracy", 10, seed=theirs_seed, hyperparameters=hyperparameters
    )
    ours = make_engine(search_spec(space, "keras-tuner", "random", seed=seed)).ask(4)
    for suggestion in ours:
        assert suggestion.params == theirs.populate_space("any")["values"]


def test_the_grid_meets_every_conditional_point_once() -> None:
    space = SearchSpace(
        (
            Parameter("optimizer", Categorical(("sgd", "adam", "rmsprop"))),
            Parameter("momentum", Float(0.0, 0.3, step=0.1), (Condition("optimizer", ("sgd", "rmsprop")),)),
            Parameter("nesterov", Categorical((False, True)), (Condition("momentum", (0.1, 0.3)),)),
            Parameter("batch_size", Int(1, 8, log=True)),
        )
    )
    generations = run_search(make_engine(search_spec(space, "keras-tuner", "grid")), 100, 16)
    assert [result.params for result in flatten(generations)] == list(space.points())
    assert {len(results) for results in generations[:-1]} == {16}  # it waits for no trial's end


def test_points_to_start_with_are_filled_up_and_hyperband_trains_them_longest() -> None:
    space = SearchSpace((RATE, Parameter("units", Int(8, 64)), Parameter("epochs", Int(2, 9))))
    start = ({"learning_rate": 0.5, "units": 16}, {"learning_rate": 0.25, "epochs": 3})
    first, second, third = KerasTunerEngine(search_spec(space, "keras-tuner", "hyperband"), start).ask(3)
    assert (first.number, first.params) == (0, {"learning_rate": 0.5, "units": 16, "epochs": 9})
    assert 8 <= second.params["units"] <= 64
    assert (second.number, second.params["learning_rate"], second.params["epochs"]) == (1, 0.25, 3)
    assert third.number == 2


@pytest.mark.parametrize(
    ("engine", "largest", "smallest"),
    [
        (hyperband(Parameter("epochs", Int(1, 20))), 20, 3),
        (hyperband(Parameter("epochs", Int(5, 20))), 20, 7),
        (hyperband(Parameter("epochs", Categorical((2, 9)))), 9, 3),
        (hyperband(epochs=10), 10, 2),
        (hyperband(), 5, 2),
    ],
)
def test_hyperbands_budgets_lie_in_the_range_of_epochs(engine: KerasTunerEngine, largest: int, smallest: int) -> None:
    epochs = [result.params["epochs"] for result in flatten(run_search(engine, 10, 8))]
    assert (max(epochs), min(epochs)) == (largest, smallest)  # type: ignore[type-var]


def test_hyperband_promotes_the_best_of_a_round() -> None:
    results = flatten(run_search(hyperband(Parameter("epochs", Int(1, 9))), 6, 5))
    promoted = {result.suggestion.continues for result in results if result.params["epochs"] == 3}
    promoted.discard(None)
    first = [result for result in results if result.params["epochs"] == 1][:9]
    best = sorted(first, key=lambda result: result.value or 0.0, reverse=True)[: len(promoted)]
    assert len(promoted) >= 3
    assert {result.number for result in best} == promoted


def test_hyperbands_promoted_trials_with_schedules_begin_anew() -> None:
    cosine = Parameter("schedule", Categorical(("cosine",)))
    both = (hyperband(Parameter("epochs", Int(1, 9)), *more) for more in ((), (cosine,)))
    plain, scheduled = (flatten(run_search(engine, 6, 5)) for engine in both)
    assert [one.params["epochs"] for one in plain] == [one.params["epochs"] for one in scheduled]
    assert {one.suggestion.continues for one in scheduled} == {None}


def test_hyperband_never_promotes_a_failed_trial() -> None:
    engine = hyperband(Parameter("epochs", Int(1, 9)))
    results = flatten(run_search(engine, 12, 6, lambda one: None if one.number % 4 else score(one.params)))
    promoted = [result.suggestion.continues for result in results if result.suggestion.continues is not None]
    assert promoted
    assert not [number for number in promoted if results[number].value is None]


@pytest.mark.soak
def test_bayesian_learns_from_the_trials_of_another_engine() -> None:
    theirs = run_search(make_engine(search_spec(NARROW, "optuna", "random")), 3, 4)
    taught, other = (make_engine(search_spec(NARROW, "keras-tuner", "bayesian")) for _ in range(2))
    taught.replay(theirs)
    other.replay([[replace(result, value=1.0 - (result.value or 0.0)) for result in results] for results in theirs])
    assert [one.params for one in taught.ask(2)] != [one.params for one in other.ask(2)]


def test_trials_of_another_space_are_passed_over() -> None:
    theirs = run_search(make_engine(search_spec(SMALL, "optuna", "random")), 1, 4)
    for sampler in ("random", "bayesian", "hyperband", "grid"):
        engine = make_engine(search_spec(CONDITIONAL, "keras-tuner", sampler))
        engine.replay(theirs)
        assert [suggestion.number for suggestion in engine.ask(4)] == [4, 5, 6, 7]


def test_choices_keep_their_types() -> None:
    choices = (True, 1.5, "a", None, (32, 16), ())
    engine = make_engine(
        search_spec(SearchSpace((Parameter("model.any", Categorical(choices)),)), "keras-tuner", "grid")
    )
    found = [suggestion.params["model.any"] for suggestion in engine.ask(9)]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in choices]


def test_a_parameter_that_depends_on_hyperbands_epochs_is_refused() -> None:
    late = Parameter("momentum", Float(0.0, 1.0), (Condition("epochs", (3,)),))
    with pytest.raises(UsageError, match="`momentum` depends on `epochs`"):
        hyperband(Parameter("epochs", Int(1, 3)), late)
    bounded = SearchSpace((Parameter("epochs", Int(1, 3)),), {}, ("epochs < 3",))
    with pytest.raises(UsageError, match="`epochs < 3` depends on `epochs`"):
        make_engine(search_spec(bounded, "keras-tuner", "hyperband"))


def test_a_keras_tuner_without_a_part_that_is_used_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras_tuner

    monkeypatch.delattr(keras_tuner.oracles.HyperbandOracle, "_start_new_bracket")
    with pytest.raises(SearchError, match="no attribute '_start_new_bracket'") as raised:
        hyperband(Parameter("epochs", Int(1, 3)))
    assert f"You have KerasTuner {version('keras-tuner')}; keras-sweep is tested with KerasTuner 1.4.8" in str(
        raised.value
    )


@pytest.mark.soak
def test_bayesian_resumes_alike_once_it_models_results_and_no_warning_of_the_library_escapes() -> None:
    first, again = (make_engine(search_spec(NARROW, "keras-tuner", "bayesian")) for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again.replay(run_search(first, 3, 4))  # the first nine are at random
        ours, theirs = (flatten(run_search(engine, 1, 2, start=3)) for engine in (first, again))
    assert len(ours) == 2 and summarize(ours) == summarize(theirs)


UNITS = st.lists(st.floats(0, 1, exclude_max=True), min_size=len(CONDITIONAL.parameters), max_size=20)


@settings(deadline=None)
@given(UNITS)
def test_values_survive_their_codes(units: list[float]) -> None:
    params = CONDITIONAL.at(iter(units))
    codes = encode(CONDITIONAL, params)
    assert codes is not None and decode(CONDITIONAL, codes) == params


@settings(deadline=None)
@given(st.floats(-5, 5), st.floats(0.01, 3), st.integers(0, 40))
def test_stepped_values_survive_their_codes(low: float, step: float, steps: int) -> None:
    distribution = Float(low, low + step * steps, step=step)
    space = SearchSpace((Parameter("x", distribution),))
    for value in distribution.values():
        if distribution.contains(value):
            codes = encode(space, {"x": value})
            assert codes is not None and decode(space, codes) == {"x": value}


def test_only_trials_that_hyperband_may_still_promote_are_continuable_and_no_other_is_promoted_later() -> None:
    engine = hyperband(Parameter("epochs", Int(1, 9)))
    may: frozenset[int] | None = None
    told = 0
    promoted = 0
    for _ in range(12):
        asked = engine.ask(8)
        continued = {one.continues for one in asked if one.continues is not None}
        promoted += len(continued)
        assert may is None or continued <= may
        engine.tell([Result(one, TrialState.COMPLETE, score(one.params)) for one in asked])
        told += len(asked)
        may = engine.continuable()
    assert promoted > 12
    assert len(may or ()) < told / 2
