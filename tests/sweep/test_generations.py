"""Which generation is next, of real engines, for what a record holds."""

from dataclasses import replace

from keras_sweep.search.engines import make_engine
from keras_sweep.sweep.generations import Generation, Generations
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.trial.wall_time import WallTime
from tests.helpers.factory import make_spec
from tests.helpers.in_memory_record import InMemory


def generations(finished=()):
    return Generations(lambda: make_engine(make_spec()), 4, finished, WallTime())


def ended(suggestions, *, engine="optuna/tpe", runner="formula"):
    return [Result(one, TrialState.COMPLETE, one.number / 100, engine=engine, runner=runner) for one in suggestions]


def first_two():
    """The first two generations of a sweep that nobody stopped."""
    of = generations()
    first = of.next()
    first.done = ended(first.asked)
    of.close(first, first.done)
    return first, of.next()


def test_a_complete_generation_is_followed_by_the_next_one_told_or_rebuilt():
    first, second = first_two()
    assert first.is_recorded and (first.index, second.index) == (0, 1)
    assert [one.number for one in second.asked] == [4, 5, 6, 7]
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
