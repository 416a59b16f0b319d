"""Search without training: spaces, made-up scores, and loops that ask an engine and tell it the results."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from keras_sweep.search.engine import Engine
from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter, Params, SearchSpace
from keras_sweep.space.sweep_spec import SearchSettings, SweepSpec
from keras_sweep.testing.small_sweep import LEARNING_RATE, MOMENTUM, OPTIMIZER, make_spec
from keras_sweep.trial.result import Result, Suggestion, TrialState

SMALL = SearchSpace((OPTIMIZER, Parameter("batch_size", Categorical((16, 32)))), {"epochs": 3})  # 6 points
# Few parameters, so that samplers that model the objective begin to do so after few trials.
NARROW = SearchSpace((Parameter("optimizer", Categorical(("sgd", "adam"))), LEARNING_RATE, MOMENTUM))
LONG = SearchSpace((LEARNING_RATE,), {"epochs": 9})
CONDITIONAL = SearchSpace(
    (
        OPTIMIZER,
        Parameter("learning_rate", Float(1e-3, 1.0, log=True), (Condition("optimizer", ("sgd",)),), 1),
        Parameter("learning_rate", Float(1e-4, 1e-2), (Condition("optimizer", ("rmsprop", "adam")),), 2),
        Parameter("momentum", Float(0.0, 0.9, step=0.3), (Condition("optimizer", ("sgd",)),)),
        Parameter("nesterov", Categorical((True, False)), (Condition("momentum", (0.3, 0.6)),)),
        Parameter("model.hidden", Categorical(((), (32,), (64, 32)))),
        Parameter("model.units", Int(1, 4, log=True)),
        Parameter("batch_size", Int(16, 48, step=32)),
        Parameter("epochs", Int(1, 9)),
    ),
    {"seed": 7},
    ("model.units * batch_size <= 100", "optimizer != 'sgd' or learning_rate < 0.3"),
)
GOALS = Objective("val_accuracy", Goal.MAXIMIZE, further=(Objective("parameters", Goal.MINIMIZE),))
SIZES = SearchSpace((OPTIMIZER, LEARNING_RATE, Parameter("model.units", Int(1, 256, log=True))))


def search_spec(space: SearchSpace, engine: str, sampler: str, seed: int = 42, goal: Goal = Goal.MAXIMIZE) -> SweepSpec:
    """Return a spec for a search that maximizes (or minimizes: `goal`) val_accuracy, and never builds a model."""
    return make_spec(
        space=space, objective=Objective("val_accuracy", goal), search=SearchSettings(engine, sampler, 64, seed)
    )


def read_number(params: Params, name: str, default: float) -> float:
    value = params.get(name, default)
    assert isinstance(value, int | float), (name, value)
    return value


def score(params: Params) -> float:
    """Return a made-up accuracy. The best learning rate is 0.01; adam and more epochs are better."""
    rate, epochs = read_number(params, "learning_rate", 0.01), read_number(params, "epochs", 5)
    bonus = {"sgd": 0.0, "rmsprop": 0.02, "adam": 0.03}[str(params.get("optimizer", "sgd"))]
    return 0.8 + bonus - 0.02 * (math.log10(rate) + 2) ** 2 - 0.1 / epochs


def make_result(suggestion: Suggestion, engine: str, value: float | None) -> Result:
    """Return a made-up result of `suggestion` with the score `value`. If `value` is None, the trial has failed."""
    state = TrialState.FAIL if value is None else TrialState.COMPLETE
    epochs = int(read_number(suggestion.params, "epochs", 5))
    curve = {"val_accuracy": tuple((value or 0.0) * epoch / epochs for epoch in range(1, epochs + 1))}
    return Result(suggestion, state, value, curve, None if value is None else epochs, engine=engine)


def run_generation(engine: Engine, spec: SweepSpec, generation: int, size: int) -> list[Result]:
    """Ask `engine` for `size` trials of 9 epochs, stop some at rungs, tell it made-up results, and return these."""
    trials = [replace(suggestion, generation=generation) for suggestion in engine.ask(size)]
    whole = {trial.number: make_result(trial, engine.name, score(trial.params)) for trial in trials}
    name = spec.objective.name
    stopped: dict[int, int] = {}  # trial -> epoch
    for epoch in engine.rungs(9):
        values = {number: whole[number].curve[name][epoch - 1] for number in whole if number not in stopped}
        stopped |= dict.fromkeys(engine.rung(epoch, values), epoch)
    results = []
    for number, result in whole.items():
        curve = result.curve[name][: stopped.get(number, 9)]
        state = TrialState.PRUNED if number in stopped else TrialState.COMPLETE
        results.append(replace(result, state=state, value=curve[-1], curve={name: curve}, epoch=len(curve)))
    engine.tell(results)
    return results


def check_rungs(spec: SweepSpec, size: int) -> None:
    """Assert that poor trials stop, that the best completes, and that an engine rebuilt by replay decides the same."""
    engine, rebuilt = make_engine(spec), make_engine(spec)
    whole = [run_generation(engine, spec, index, size) for index in range(3)]
    best = max(flatten(whole), key=lambda result: result.value or 0.0)
    assert TrialState.PRUNED in {result.state for result in flatten(whole)} and best.state is TrialState.COMPLETE
    rebuilt.replay(whole[:2])
    for again, result in zip(run_generation(rebuilt, spec, 2, size), whole[2], strict=True):
        assert (again.params, again.state, again.epochs) == (result.params, result.state, result.epochs)


def run_search(
    engine: Engine,
    generations: int,
    size: int,
    value: Callable[[Suggestion], float | None] = lambda suggestion: score(suggestion.params),
    start: int = 0,
    measure: Callable[[Params], dict[str, float]] | None = None,
) -> list[list[Result]]:
    """Run `generations` generations of `size` trials, or fewer if the space is exhausted. Return results by generation.

    `value` scores a suggestion (None: the trial fails). `start` is the number of the first generation. `measure` maps
    parameters to {further goal: value}.
    """
    search: list[list[Result]] = []
    for index in range(start, start + generations):
        trials = [replace(suggestion, generation=index) for suggestion in engine.ask(size)]
        if not trials:
            break
        results = [make_result(trial, engine.name, value(trial)) for trial in trials]
        if measure is not None:
            results = [done if done.value is None else replace(done, measured=measure(done.params)) for done in results]
        engine.tell(results)
        search.append(results)
    return search


def score_size(suggestion: Suggestion) -> float | None:
    """Score a suggestion from the space `SIZES`: larger models are better. Every ninth trial fails (None)."""
    units = read_number(suggestion.params, "model.units", 1)
    return None if suggestion.number % 9 == 5 else score(suggestion.params) - 0.2 / units


def measure_size(params: Params) -> dict[str, float]:
    return {"parameters": 10.0 * read_number(params, "model.units", 1)}


def flatten(generations: Sequence[Sequence[Result]]) -> list[Result]:
    return [result for generation in generations for result in generation]


def summarize(results: Sequence[Result]) -> list[tuple[object, ...]]:
    """Return (number, parameters, number of the continued trial, value) of each result: what equal searches share."""
    return [(result.number, result.params, result.suggestion.continues, result.value) for result in results]


def is_in_space(space: SearchSpace, params: Params) -> bool:
    """Check whether `params` has exactly the constants, and the parameters whose conditions hold, with valid values."""
    values = space.match_values(params)
    expected = {**space.constants, **{parameter.name: value for parameter, value in values or ()}}
    return values is not None and expected == dict(params) and space.allows(params)
