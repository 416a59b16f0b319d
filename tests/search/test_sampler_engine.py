"""Whatever a sampler draws, no trial repeats another, and nothing that was dropped is told."""

from dataclasses import replace

from keras_sweep.search.engine import Sampler
from keras_sweep.search.sampler_engine import SamplerEngine, SeenPoints
from keras_sweep.space.distributions import Categorical, Float, Int, Value
from keras_sweep.space.search_space import Parameter, SearchSpace, identity
from keras_sweep.trial.result import Result, Suggestion, TrialState

SIX = SearchSpace((Parameter("a", Categorical(("x", "y"))), Parameter("b", Int(1, 3))), {"epochs": 1})
LARGE = SearchSpace((Parameter("a", Float(0.0, 1.0)),))


class Stubborn(Sampler):
    """Draws the same point whatever it is asked, up to so many times."""

    redraws = 3

    def __init__(self, space: SearchSpace, ends_after: int = 10**6) -> None:
        self.space = space
        self.point = space.at(iter([0.5] * len(space.parameters)))
        self.left = ends_after
        self.drawn: list[int] = []
        self.dropped: list[int] = []
        self.learned: list[int] = []

    def draw(self, number: int) -> dict[str, Value] | None:
        self.drawn.append(number)
        self.left -= 1
        return dict(self.point) if self.left >= 0 else None

    def drop(self, number: int) -> None:
        self.dropped.append(number)

    def learn(self, result: Result) -> None:
        self.learned.append(result.number)


def test_a_repeat_is_dropped_asked_again_and_then_replaced_at_random() -> None:
    sampler = Stubborn(SIX)
    engine = SamplerEngine("test/stubborn", sampler, seed=1)
    asked = engine.ask(4)
    assert asked[0].params == sampler.point
    assert len({identity(one.params) for one in asked}) == 4
    assert sampler.drawn == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert sampler.dropped == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert sampler.learned == []
    engine.tell([Result(one, TrialState.COMPLETE, 0.5) for one in asked])
    assert sampler.learned == [0, 1, 2, 3]


def test_a_sampler_that_has_no_more_ends_the_search() -> None:
    engine = SamplerEngine("test/stubborn", Stubborn(LARGE, ends_after=1), seed=1)
    assert [len(engine.ask(3)), len(engine.ask(3))] == [1, 0]


def test_points_of_other_spaces_do_not_exhaust_this_one() -> None:
    seen = SeenPoints(SIX)
    for index in range(6):
        seen.add({"c": index})
    assert not seen.is_exhausted
    for point in SIX.points():
        seen.add(point)
    assert seen.is_exhausted


def points(engine: SamplerEngine, count: int) -> list[dict[str, Value]]:
    asked = engine.ask(count)
    engine.tell([Result(one, TrialState.COMPLETE, 0.5, engine="test/stubborn") for one in asked])
    return [dict(one.params) for one in asked]


def test_points_to_start_with_count_from_the_engines_own_first_trial() -> None:
    engine = SamplerEngine("test/stubborn", Stubborn(SIX), 1, [{"a": "x", "b": 3}])
    imported = Result(Suggestion(0, {"epochs": 1, "a": "y", "b": 1}), TrialState.COMPLETE, 0.5, engine="import/optuna")
    engine.replay([[imported]])
    assert points(engine, 1) == [{"epochs": 1, "a": "x", "b": 3}]
    again = SamplerEngine("test/stubborn", Stubborn(SIX), 1, [{"a": "x", "b": 3}])
    again.tell([replace(imported, engine="test/stubborn")])
    assert points(again, 1) != [{"epochs": 1, "a": "x", "b": 3}]


def test_draws_depend_on_the_seed_and_on_how_many_trials_there_are() -> None:
    drawn = [points(SamplerEngine("t", Stubborn(LARGE), seed), 4) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    learns_nothing = Stubborn(LARGE)
    learns_nothing.learns = False
    whole, at_once = SamplerEngine("t", Stubborn(LARGE), 1), SamplerEngine("t", learns_nothing, 1).ask_ahead(2, 2)
    assert [*points(whole, 2), *points(whole, 2)] == [one.params for one in at_once]
    assert [one.number for one in at_once] == [0, 1, 2, 3]


def test_seen_points_are_those_of_trials_and_those_that_where_rules_out() -> None:
    seen = SeenPoints(replace(SIX, where=("b < 3",)))
    assert {"a": "x", "b": 3, "epochs": 1} in seen
    assert {"a": "x", "b": 1, "epochs": 1} not in seen
    seen.add({"a": "x", "b": 1, "epochs": 1})
    assert {"a": "x", "b": 1, "epochs": 1} in seen
    assert [point["b"] for point in seen.unseen() if point["a"] == "x"] == [2]
    assert seen.draw_unseen(lambda: 0.0, 3) is None  # always the first point, which a trial has
    assert seen.draw_unseen(lambda: 0.5, 1) == {"epochs": 1, "a": "y", "b": 2}
