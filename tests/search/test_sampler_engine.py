"""Whatever a sampler draws, no trial repeats another, and nothing that was dropped is told."""

from keras_sweep.search.engine import Sampler
from keras_sweep.search.sampler_engine import SamplerEngine, SeenPoints
from keras_sweep.space.distributions import Categorical, Float, Int, Value
from keras_sweep.space.search_space import Parameter, SearchSpace, identity
from keras_sweep.trial.result import Result, TrialState

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


def test_a_finite_space_ends_when_each_point_had_its_trial() -> None:
    engine = SamplerEngine("test/stubborn", Stubborn(SIX), seed=1)
    asked = [one for _ in range(4) for one in engine.ask(4)]
    assert {identity(one.params) for one in asked} == {identity(point) for point in SIX.points()}
    assert len(asked) == 6


def test_a_sampler_that_has_no_more_ends_the_search() -> None:
    engine = SamplerEngine("test/stubborn", Stubborn(LARGE, ends_after=1), seed=1)
    assert [len(engine.ask(3)), len(engine.ask(3))] == [1, 0]


def test_in_a_space_without_end_points_come_at_random() -> None:
    engine = SamplerEngine("test/stubborn", Stubborn(LARGE), seed=1)
    assert len({identity(one.params) for one in engine.ask(5)}) == 5


def test_points_of_other_spaces_do_not_exhaust_this_one() -> None:
    seen = SeenPoints(SIX)
    for index in range(6):
        seen.add({"c": index})
    assert not seen.exhausted
    for point in SIX.points():
        seen.add(point)
    assert seen.exhausted
