"""Which generation is next, of real engines, for what a record holds."""

from dataclasses import replace

from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter
from keras_sweep.sweep.generations import Generation, Generations
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.trial.wall_time import WallTime
from tests.helpers.factory import make_spec
from tests.helpers.in_memory_record import InMemory

SIZE = 4


def generations(finished=(), *, size=SIZE, spec=None):
    return Generations(lambda: make_engine(spec or make_spec()), size, finished, WallTime())


def ended(suggestions, *, engine="optuna/tpe", runner="formula"):
    return [Result(one, TrialState.COMPLETE, one.number / 100, engine=engine, runner=runner) for one in suggestions]


def first_two():
    """The first two generations of a sweep that nobody stopped."""
    of = generations()
    first = of.next()
    first.done = ended(first.asked)
    of.close(first, first.done)
    return first, of.next()


def test_a_new_sweep_begins_with_generation_zero():
    first = generations().next()
    assert (first.index, [one.number for one in first.asked], first.done) == (0, [0, 1, 2, 3], [])
    assert {one.generation for one in first.asked} == {0}


def test_a_complete_generation_is_followed_by_the_next_one_told_or_rebuilt():
    first, second = first_two()
    assert first.is_recorded and second.index == 1
    again = generations(first.done).next()
    assert [one.params for one in again.asked] == [one.params for one in second.asked]
    assert (again.index, again.done) == (1, [])


def test_an_incomplete_generation_is_asked_again_with_what_is_recorded_of_it():
    first, second = first_two()
    recorded = ended(second.asked)[:3]
    again = generations([*first.done, *recorded]).next()
    assert [(one.number, one.params) for one in again.asked] == [(one.number, one.params) for one in second.asked]
    assert (again.index, again.done, again.is_recorded) == (1, recorded, False)
    assert again.wanted(total=100) == {7}
    assert again.wanted(total=7) == set()


def test_one_of_another_size_is_left_as_it_is_and_the_next_one_begins():
    first, second = first_two()
    other = generations([*first.done, *ended(second.asked)[:2]], size=1).next()
    assert (other.index, [one.number for one in other.asked], other.done) == (2, [6], [])


def test_an_exhausted_space_gives_an_empty_generation():
    spec = make_spec((Parameter("optimizer", Categorical(("sgd", "adam"))),))
    of = generations(spec=spec)
    first = of.next()
    first.done = ended(first.asked)
    assert len(first.done) == 2
    of.close(first, first.done)
    assert of.next().asked == []
    assert generations(first.done, spec=spec).next().asked == []


def test_what_waits_is_taken_up_where_it_was_asked_and_trained_alike_and_else_discarded():
    asked = generations().next().asked
    sound, of_fit, otherwise = (
        ended(asked)[1],
        ended(asked, runner="fit")[2],
        replace(ended(asked)[3], suggestion=replace(asked[3], params={"epochs": 9})),
    )
    record = InMemory(beside={one.number: one for one in (sound, of_fit, otherwise)})
    generation = Generation(0, asked)
    generation.take_up(record, 100, "optuna/tpe", "formula")
    assert (generation.waiting, generation.resumed) == ({1: sound}, True)
    assert record.beside == {1: sound}
    untouched = Generation(0, asked)
    untouched.take_up(InMemory(), 100, "optuna/tpe", "formula")
    assert not untouched.resumed
