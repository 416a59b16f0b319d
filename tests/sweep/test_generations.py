"""Which generation is next, from any number of recorded trials; and what an earlier run trained of it already."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.search.engine import Engine
from keras_sweep.search.engines import make_engine
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.sweep.loop import Generation, Generations
from keras_sweep.testing.searching import NARROW, SMALL, score, search_spec
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.records import SPEC, new_study


def engine(sampler: str = "tpe", space: SearchSpace = NARROW) -> Callable[[], Engine]:
    return lambda: make_engine(search_spec(space, "optuna", sampler))


def trained(asked: Sequence[Suggestion]) -> list[Result]:
    return [
        Result(one, TrialState.COMPLETE, score(one.params), {"val_accuracy": (score(one.params),)}, 1) for one in asked
    ]


def searched(make: Callable[[], Engine], size: int, rounds: int, ahead: int = 1) -> list[list[Suggestion]]:
    """What is asked, where nothing interrupts."""
    found, finished = Generations(make, size, [], WallTime(), ahead), list[Result]()
    asked = []
    for _ in range(rounds):
        generation = found.next()
        generation.done = trained(generation.asked)
        finished += generation.done
        asked.append(generation.asked)
        if generation.asked:
            found.close(generation, finished)
    return asked


def points(asked: Sequence[Suggestion]) -> list[tuple[int, int, object]]:
    return [(one.number, one.generation, dict(one.params)) for one in asked]


@pytest.mark.parametrize("recorded", range(1, 9))
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_from_any_number_of_recorded_trials_the_next_are_those_of_a_search_that_never_stopped(
    sampler: str, recorded: int
) -> None:
    whole = [one for part in searched(engine(sampler), 3, 4) for one in part]
    finished = trained(whole[:recorded])
    found = Generations(engine(sampler), 3, finished, WallTime())
    generation = found.next()
    index = recorded // 3
    assert generation.index == index
    assert points(generation.asked) == points(whole[3 * index : 3 * index + 3])
    assert generation.done == finished[3 * index :]
    assert (found.opened, generation.is_recorded) == (None, False)
    generation.resumed = bool(generation.done)
    finished += trained(generation.asked[len(generation.done) :])
    generation.done = finished[3 * index :]
    assert generation.is_recorded
    found.close(generation, finished)
    following = found.next()
    assert points(following.asked) == points(whole[3 * index + 3 : 3 * index + 6])
    assert (following.index, following.done) == (index + 1, [])


def test_of_an_engine_that_does_not_learn_several_generations_are_asked_as_one_and_keep_their_numbers() -> None:
    apart, together = searched(engine("random"), 2, 6), searched(engine("random"), 2, 2, ahead=3)
    assert [len(part) for part in together] == [6, 6]
    assert [points(part) for part in together] == [
        points([one for part in half for one in part]) for half in (apart[:3], apart[3:])
    ]
    assert [points(part) for part in searched(engine("tpe"), 2, 2, ahead=3)] == [
        points(part) for part in searched(engine("tpe"), 2, 2)
    ]


def test_a_generation_of_another_size_is_not_continued_and_the_next_has_the_next_number() -> None:
    whole = [one for part in searched(engine(), 3, 2) for one in part]
    finished = trained(whole[:4])
    other = replace(finished[3], suggestion=replace(whole[3], params={**whole[3].params, "learning_rate": 0.123}))
    generation = Generations(engine(), 3, [*finished[:3], other], WallTime()).next()
    assert (generation.index, generation.done) == (2, [])
    assert [(one.number, one.generation) for one in generation.asked] == [(4, 2), (5, 2), (6, 2)]
    smaller = Generations(engine(), 1, finished[:3], WallTime()).next()
    assert (smaller.index, [one.number for one in smaller.asked]) == (1, [3])


def test_an_exhausted_space_gives_what_is_left_and_then_an_empty_generation() -> None:
    sizes = [len(part) for part in searched(engine("random", SMALL), 4, 3)]
    assert sizes == [4, 2, 0]
    finished = trained([one for part in searched(engine("random", SMALL), 4, 2) for one in part])
    assert Generations(engine("random", SMALL), 4, finished, WallTime()).next().asked == []


def test_what_waits_in_the_spool_is_taken_up_where_it_was_asked_and_trained_alike(tmp_path: Path) -> None:
    asked = [replace(one, generation=1) for one in engine()().ask(8)]
    ended = [replace(one, engine="optuna/tpe", runner="compiled/jax") for one in trained(asked)]
    other = Suggestion(3, {"optimizer": "sgd"}, generation=1)
    with new_study(tmp_path) as study:
        record = TrialRecord(study, SPEC.objective)
        for one in (
            ended[1],
            replace(ended[2], engine="optuna/random"),
            replace(ended[3], suggestion=other),
            replace(ended[4], suggestion=replace(asked[4], generation=2)),
            replace(ended[5], runner="fit/jax"),
            replace(ended[6], suggestion=replace(asked[6], continues=0)),
            ended[7],
        ):
            record.wait(one)
        generation = Generation(1, asked, done=ended[:1])
        assert generation.wanted(7) == frozenset(range(1, 7))
        assert generation.wanted(100) == frozenset(range(1, 8))
        generation.take_up(record, 7, "optuna/tpe", "compiled/jax")
        assert [*generation.waiting] == [1]
        assert generation.waiting[1].value == ended[1].value
        assert generation.resumed
        left = sorted(path.name for path in study.folder.spool.iterdir())
        assert left == ["000001.npz", "000007.npz"]  # trial 7 is not of a sweep of seven


def test_a_generation_of_which_nothing_is_there_is_not_resumed(tmp_path: Path) -> None:
    asked = engine()().ask(2)
    with new_study(tmp_path) as study:
        record = TrialRecord(study, SPEC.objective)
        generation = Generation(0, asked)
        generation.take_up(record, 2, "optuna/tpe", "compiled/jax")
        assert not generation.resumed
        generation = Generation(0, asked, done=trained(asked[:1]))
        generation.take_up(record, 2, "optuna/tpe", "compiled/jax")
        assert generation.resumed and not generation.waiting
        record.wait(replace(trained(asked)[1], engine="optuna/tpe", runner="compiled/jax"))
        generation = Generation(0, asked)
        generation.take_up(record, 2, "optuna/tpe", "compiled/jax")
        assert generation.resumed
