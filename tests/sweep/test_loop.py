"""The loop and its generations, with real engines and a runner that is a plain function of a trial's parameters."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sweep.errors import SweepError
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter, SearchSpace
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings, Stop, SweepSpec
from keras_sweep.sweep.events import TrialEnded
from keras_sweep.sweep.loop import Generation, Generations, search, train_point
from keras_sweep.testing.searching import NARROW, SMALL, score, search_spec
from keras_sweep.trial.events import EpochEnded, Noticed
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, make_spec
from tests.helpers.in_memory_record import SPACE, Asked, Formula, InMemory, open_to_run, plain
from tests.helpers.records import SPEC, new_study


def run(spec, record, trials, *, runner=None, stop=None, failures=None):
    events = []
    stop = stop if stop is not None else StopRequest()
    return search(
        open_to_run(spec, runner or Formula(), events.append, stop), record, trials, most_failures=failures
    ), events


HYPERBAND = EarlyTerminate("hyperband", 1, 2)
KINDS = [
    ("optuna", "tpe", None),
    ("optuna", "random", HYPERBAND),
    ("optuna", "qmc", None),
    ("keras-tuner", "grid", None),
    *(
        pytest.param("keras-tuner", one, None, marks=pytest.mark.soak) for one in ("hyperband", "bayesian")
    ),  # the slow ones
]


@pytest.mark.parametrize(("engine", "sampler", "rule"), KINDS, ids=lambda kind: str(kind))
@settings(max_examples=4, deadline=None)
@given(
    st.lists(
        st.one_of(st.tuples(st.just("trials"), st.integers(0, 6)), st.tuples(st.just("looks"), st.integers(0, 30))),
        max_size=5,
    )
)
def test_a_search_stopped_anywhere_ends_as_one_that_was_not(engine, sampler, rule, stops):
    settings_ = SearchSettings(engine, sampler, 18, 42)
    spec = make_spec(SPACE, early_terminate=rule, search=settings_)
    whole = InMemory()
    run(spec, whole, 18)
    pieces = InMemory()
    for kind, after in stops:
        run(spec, pieces, 18, stop=Asked(pieces, **{kind: after}))
    run(spec, pieces, 18)
    assert plain(pieces.results()) == plain(whole.results())
    assert len(whole.results()) == 18


@pytest.mark.parametrize(("kind", "size"), [("hyperband", 4), ("median", 6), ("successive_halving", 4)])
def test_a_generation_of_which_only_a_pruned_trial_was_missing_counts_whole_in_what_follows(kind, size):
    """The runner ends with that trial, before the rungs that its mates climbed."""
    spec = make_spec(
        (OPTIMIZER, LEARNING_RATE),
        sampler="random",
        constants={"epochs": 8},
        early_terminate=EarlyTerminate(kind, 1, 2),
    )
    whole = InMemory()
    run(spec, whole, 30, runner=Formula(generation=size))
    assert any(one.state is TrialState.PRUNED for one in whole.kept)
    for stop in range(1, 14):
        pieces = InMemory()
        for total in (stop, stop + 1, 30):
            run(spec, pieces, total, runner=Formula(generation=size))
        assert plain(pieces.results()) == plain(whole.results()), stop


@pytest.mark.parametrize(
    ("engine", "sampler", "rule"), [*KINDS[:5], ("optuna", "cmaes", None)], ids=lambda one: str(one)
)
def test_a_trial_that_is_added_counts_and_the_search_goes_on_from_it_however_it_is_stopped(engine, sampler, rule):
    there = 4 if rule else 6  # a whole generation, or a half of another
    settings_ = SearchSettings(engine, sampler, 18, 42, start=({"optimizer": "sgd"},) * 6)
    spec = make_spec(SPACE, early_terminate=rule, search=settings_)
    point = {"optimizer": "adam", "learning_rate": 0.05, "epochs": 3}
    begun = InMemory()
    run(spec, begun, there)
    train_point(open_to_run(spec, Formula()), begun, point)
    assert [one.number for one in begun.kept] == list(range(there + 1))
    added = begun.kept[-1]
    assert (dict(added.params), added.engine, added.epochs) == (point, "added", 3)
    train_point(open_to_run(spec, Formula()), begun, point)  # the same point again
    assert len(begun.kept) == there + 1
    whole, pieces = InMemory(), InMemory()
    whole.kept, pieces.kept = list(begun.kept), list(begun.kept)
    run(spec, whole, 18)
    for total in (there + 2, there + 5, 18):
        run(spec, pieces, total)
    assert plain(pieces.results()) == plain(whole.results())
    assert len(whole.results()) == 18
    if engine == "optuna":  # a point of the user's takes none from those that the search starts with
        assert [one.params["optimizer"] for one in whole.kept[:7] if one is not added][:6] == ["sgd"] * 6


class FarAhead(Formula):
    """Would rather train three generations as one."""

    ahead = 3


def test_a_search_that_is_good_enough_ends_with_its_generation_and_goes_on_for_a_better_value():
    spec = make_spec(SPACE, sampler="random")
    whole = InMemory()
    run(spec, whole, 24)
    good = sorted(result.value for result in whole.kept if result.value is not None)[-3]
    enough = replace(spec, search=replace(spec.search, stop=Stop(good)))
    pieces = InMemory()
    for total in (2, 24, 24):  # the first ends inside a generation, the last finds nothing to do
        reason, events = run(enough, pieces, total, runner=FarAhead())
    assert reason == "good enough" and "reached `search.stop.value`" in events[0].message
    assert plain(pieces.kept) == plain(whole.kept[: len(pieces.kept)]) and len(pieces.kept) in range(4, 24, 4)
    assert not any((result.value or 0.0) >= good for result in pieces.kept[:-4])
    run(replace(enough, search=replace(spec.search, stop=Stop(99.0))), pieces, 24)
    assert plain(pieces.results()) == plain(whole.results())


def count_since_best(results):
    """Trials after the best trial that could win at that time."""
    best = since = 0
    for result in results:
        is_better = result.state is TrialState.COMPLETE and (not best or result.value > best)
        best, since = (result.value, 0) if is_better else (best, since + 1)
    return since if best else 0


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(0, 30), max_size=4), st.sampled_from([None, HYPERBAND]))
def test_a_search_without_a_better_trial_ends_with_the_same_generation_wherever_it_was_stopped(patience, looks, rule):
    spec = make_spec(SPACE, sampler="tpe", early_terminate=rule)
    patient = replace(spec, search=replace(spec.search, stop=Stop(patience=patience)))
    whole, pieces, endless = InMemory(), InMemory(), InMemory()
    reason, events = run(patient, whole, 24)
    for count in looks:
        run(patient, pieces, 24, stop=Asked(pieces, looks=count))
    run(patient, pieces, 24)
    assert plain(pieces.results()) == plain(whole.results())
    run(spec, endless, 24)
    assert plain(whole.kept) == plain(endless.kept[: len(whole.kept)])
    size = Formula.generation
    waits = [count_since_best(whole.kept[:count]) for count in range(0, len(whole.kept) + 1, size)]
    assert all(wait < patience for wait in waits[:-1])
    if reason == "no better trial":
        assert waits[-1] >= patience and f"no better trial in the last {waits[-1]};" in events[-1].message
    else:
        assert (reason, len(whole.kept)) == ("done", 24)


def ended(events):
    return [event.result.number for event in events if isinstance(event, TrialEnded)]


def test_a_trial_is_told_once_it_is_kept_and_recorded_in_the_order_of_numbers():
    record = InMemory()
    _, events = run(make_spec(SPACE), record, 8)
    assert ended(events) == [3, 2, 1, 0, 7, 6, 5, 4]  # as the runner ends them
    assert [one.number for one in record.kept] == list(range(8))
    assert not record.beside


@dataclass
class Dying(Formula):
    """Is killed once so many trials of a generation have ended."""

    after: int = 1

    def run(self, *asked):
        for count, result in enumerate(super().run(*asked)):
            if count == self.after:
                raise KeyboardInterrupt
            yield result


@pytest.mark.parametrize(("engine", "sampler", "rule"), KINDS, ids=lambda kind: str(kind))
def test_what_had_ended_before_a_kill_is_not_trained_again_and_changes_nothing(engine, sampler, rule):
    spec = make_spec(SPACE, early_terminate=rule, search=SearchSettings(engine, sampler, 18, 42))
    whole, pieces = InMemory(), InMemory()
    run(spec, whole, 18)
    with pytest.raises(KeyboardInterrupt):
        run(spec, pieces, 18, runner=Dying(after=3))
    kept = set(pieces.beside)
    assert len(kept) == 3
    runner = Formula()
    _, events = run(spec, pieces, 18, runner=runner)
    assert not kept & set(runner.trained)
    assert sorted(ended(events)) == list(range(18))
    assert plain(pieces.results()) == plain(whole.results())


def test_another_engine_goes_on_from_what_is_recorded_and_not_from_what_waits():
    spec, record = make_spec(SPACE), InMemory()
    run(spec, record, 4)
    with pytest.raises(KeyboardInterrupt):
        run(spec, record, 18, runner=Dying(after=3))
    other = replace(spec, search=SearchSettings("keras-tuner", "bayesian", 64, 42))
    run(other, record, 8)
    assert [one.engine for one in record.kept] == ["optuna/tpe"] * 4 + ["keras-tuner/bayesian"] * 4
    assert not record.beside


@pytest.mark.parametrize(("engine", "sampler"), [("optuna", "tpe"), ("optuna", "qmc"), ("keras-tuner", "grid")])
def test_a_space_of_six_points_ends_at_six_and_says_so(engine, sampler):
    space = (OPTIMIZER, Parameter("batch_size", Categorical((16, 32))))
    spec = make_spec(space, search=SearchSettings(engine, sampler, 64, 42))
    record = InMemory()
    reason, events = run(spec, record, 64)
    assert reason == "the space is exhausted"
    assert len(record.kept) == 6
    assert any(isinstance(event, Noticed) and "6 different trials" in event.message for event in events)


def test_a_sweep_whose_first_trials_all_raise_stops_and_explains():
    record = InMemory()
    with pytest.raises(SweepError, match=r"first 8 trials all failed alike; trial 0: ValueError: no") as error:
        run(spec := make_spec(SPACE), record, 20, runner=Formula(raises=True))
    assert error.value.hint.startswith(
        f"Fix the cause, then add `--fresh`. `sweep show {spec.name} 0` has the traceback. If only some values fail, "
    )
    assert len(record.kept) == 8


REASONS = {
    "memory": lambda number: f"out of memory: MemoryError: {number} GiB",
    "two causes": lambda number: f"models.py:{number % 2}: ValueError: " + ("no units", "no layers")[number % 2],
    "one that trains": lambda number: None if number == 7 else "ValueError: no",
}


@pytest.mark.parametrize("kind", REASONS)
def test_first_trials_that_fail_by_memory_or_unlike_causes_or_that_partly_train_end_no_sweep(kind):
    @dataclass
    class Mixed(Formula):
        def run(self, trials, wanted, *told):
            for result in super().run(trials, wanted, *told):
                reason = REASONS[kind](result.number)
                yield Result(result.suggestion, TrialState.FAIL, None, reason=reason) if reason else result

    record = InMemory()
    run(make_spec(SPACE), record, 16, runner=Mixed())
    assert len(record.kept) == 16


@dataclass
class Failing(Formula):
    """The machine fails a trial of each generation for the first so many times."""

    times: int = 1
    failures: dict = field(default_factory=dict)

    def run(self, trials, wanted, *told):
        victim = max(wanted)
        for result in super().run(trials, wanted, *told):
            if result.number == victim and self.failures.get(victim, 0) < self.times:
                self.failures[victim] = self.failures.get(victim, 0) + 1
                result = Result(result.suggestion, TrialState.FAIL, None, reason="TimeoutError: no", is_transient=True)
            yield result


@pytest.mark.parametrize(("engine", "sampler", "rule"), KINDS, ids=lambda kind: str(kind))
def test_what_the_machine_fails_at_most_twice_changes_nothing(engine, sampler, rule):
    spec = make_spec(SPACE, early_terminate=rule, search=SearchSettings(engine, sampler, 14, 42))
    whole, retried = InMemory(), InMemory()
    run(spec, whole, 14)
    _, events = run(spec, retried, 14, runner=Failing(times=2))
    assert plain(retried.results()) == plain(whole.results())
    told = [event.message for event in events if isinstance(event, Noticed) and "trained again" in event.message]
    assert len(told) >= 6


def test_three_divergences_at_the_start_are_no_reason_to_stop():
    @dataclass
    class Diverging(Formula):
        def run(self, trials, *_):
            for one in trials:
                yield Result(one, TrialState.FAIL, None, reason="diverged")

    record = InMemory()
    run(make_spec(SPACE), record, 8, runner=Diverging())
    assert len(record.kept) == 8


def test_a_runner_that_leaves_a_trial_out_is_found():
    @dataclass
    class Forgetful(Formula):
        def run(self, trials, wanted, *told):
            yield from super().run(trials, wanted - {2}, *told)

    with pytest.raises(SweepError, match="returned no trial 2"):
        run(make_spec(SPACE), InMemory(), 8, runner=Forgetful())


def test_the_user_is_told_once_that_the_sweep_is_stopping():
    spec, record, stop, events = make_spec(SPACE), InMemory(), StopRequest(), []

    def emit(event):
        events.append(event)
        stop.signalled = stop.signalled or isinstance(event, EpochEnded)

    assert search(open_to_run(spec, Formula(), emit, stop), record, 8) == "interrupted"
    assert sum(isinstance(event, Noticed) and "stopping" in event.message for event in events) == 1


def test_trials_that_ended_before_their_turn_are_told_again_before_any_other_trains():
    spec, whole = make_spec(SPACE, sampler="random"), InMemory()
    run(spec, whole, 8)
    _, events = run(spec, InMemory(whole.kept[:4], {6: whole.kept[6]}), 8)
    first = next(event for event in events if isinstance(event, TrialEnded | EpochEnded))
    assert isinstance(first, TrialEnded) and first.result.number == 6


def space(sampler: str = "tpe", parameters: SearchSpace = NARROW) -> SweepSpec:
    return search_spec(parameters, "optuna", sampler)


def trained(asked: Sequence[Suggestion]) -> list[Result]:
    return [
        Result(one, TrialState.COMPLETE, score(one.params), {"val_accuracy": (score(one.params),)}, 1) for one in asked
    ]


def searched(spec: SweepSpec, size: int, rounds: int, ahead: int = 1) -> list[list[Suggestion]]:
    """What is asked, where nothing interrupts."""
    found, finished = Generations(spec, size, [], WallTime(), ahead), list[Result]()
    asked = []
    for _ in range(rounds):
        generation = found.next()
        generation.recorded = trained(generation.suggestions)
        finished += generation.recorded
        generation.ended += generation.recorded
        asked.append(generation.suggestions)
        if generation.suggestions:
            found.close(generation, finished)
    return asked


def points(asked: Sequence[Suggestion]) -> list[tuple[int, int, object]]:
    return [(one.number, one.generation, dict(one.params)) for one in asked]


@pytest.mark.parametrize("recorded", range(1, 9))
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_from_any_number_of_recorded_trials_the_next_are_those_of_a_search_that_never_stopped(
    sampler: str, recorded: int
) -> None:
    whole = [one for part in searched(space(sampler), 3, 4) for one in part]
    finished = trained(whole[:recorded])
    found = Generations(space(sampler), 3, finished, WallTime())
    generation = found.next()
    index = recorded // 3
    assert generation.index == index
    assert points(generation.suggestions) == points(whole[3 * index : 3 * index + 3])
    assert generation.recorded == finished[3 * index :]
    assert (found.incomplete, generation.is_recorded) == (None, False)
    generation.resumed = bool(generation.recorded)
    finished += trained(generation.suggestions[len(generation.recorded) :])
    generation.recorded = finished[3 * index :]
    assert generation.is_recorded
    found.close(generation, finished)
    following = found.next()
    assert points(following.suggestions) == points(whole[3 * index + 3 : 3 * index + 6])
    assert (following.index, following.recorded) == (index + 1, [])


def test_of_an_engine_that_does_not_learn_several_generations_are_asked_as_one_and_keep_their_numbers() -> None:
    apart, together = searched(space("random"), 2, 6), searched(space("random"), 2, 2, ahead=3)
    assert [len(part) for part in together] == [6, 6]
    assert [points(part) for part in together] == [
        points([one for part in half for one in part]) for half in (apart[:3], apart[3:])
    ]
    assert [points(part) for part in searched(space("tpe"), 2, 2, ahead=3)] == [
        points(part) for part in searched(space("tpe"), 2, 2)
    ]


def test_a_generation_of_another_size_is_not_continued_and_the_next_has_the_next_number() -> None:
    whole = [one for part in searched(space(), 3, 2) for one in part]
    finished = trained(whole[:4])
    other = replace(finished[3], suggestion=replace(whole[3], params={**whole[3].params, "learning_rate": 0.123}))
    generation = Generations(space(), 3, [*finished[:3], other], WallTime()).next()
    assert (generation.index, generation.recorded) == (2, [])
    assert [(one.number, one.generation) for one in generation.suggestions] == [(4, 2), (5, 2), (6, 2)]
    smaller = Generations(space(), 1, finished[:3], WallTime()).next()
    assert (smaller.index, [one.number for one in smaller.suggestions]) == (1, [3])


def test_an_exhausted_space_gives_what_is_left_and_then_an_empty_generation() -> None:
    sizes = [len(part) for part in searched(space("random", SMALL), 4, 3)]
    assert sizes == [4, 2, 0]
    finished = trained([one for part in searched(space("random", SMALL), 4, 2) for one in part])
    assert Generations(space("random", SMALL), 4, finished, WallTime()).next().suggestions == []


def test_what_waits_in_the_spool_is_taken_up_where_it_was_asked_and_trained_alike(tmp_path: Path) -> None:
    asked = [replace(one, generation=1) for one in make_engine(space()).ask(8)]
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
        generation = Generation(1, asked, recorded=ended[:1])
        assert generation.missing_numbers(7) == frozenset(range(1, 7))
        assert generation.missing_numbers(100) == frozenset(range(1, 8))
        generation.load_spooled(record, 7, "optuna/tpe", "compiled/jax")
        assert [*generation.spooled] == [1]
        assert generation.spooled[1].value == ended[1].value
        assert generation.resumed
        left = sorted(path.name for path in study.folder.spool.iterdir())
        assert left == ["000001.npz", "000007.npz"]  # trial 7 is not of a sweep of seven
