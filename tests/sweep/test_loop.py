"""The loop and its generations, with real engines and a runner that is a plain function of a trial's parameters."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sweep.errors import SweepError
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings, Stop
from keras_sweep.sweep.events import TrialEnded
from keras_sweep.sweep.generations import Generation
from keras_sweep.sweep.loop import search, train_added
from keras_sweep.trial.events import EpochEnded, Noticed
from keras_sweep.trial.result import Result, TrialState
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, make_spec
from tests.helpers.in_memory_record import SPACE, Asked, Formula, InMemory, open_to_run, plain


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


@pytest.mark.parametrize("kind", ["hyperband", "median", "successive_halving"])
@pytest.mark.parametrize("size", [4, 6])
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
    for stop in range(1, 24):
        pieces = InMemory()
        for total in (stop, stop + 1, 30):
            run(spec, pieces, total, runner=Formula(generation=size))
        assert plain(pieces.results()) == plain(whole.results()), stop


@pytest.mark.soak
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 25), min_size=1, max_size=4))
def test_a_total_that_ends_inside_a_generation_changes_nothing_that_follows(totals):
    spec = make_spec(SPACE)
    whole = InMemory()
    run(spec, whole, 25)
    pieces = InMemory()
    for total in [*sorted(totals), 25]:
        run(spec, pieces, total)
        assert len(pieces.kept) == total
    assert plain(pieces.results()) == plain(whole.results())


def running_of(spec, record, runner):
    return open_to_run(spec, runner)


@pytest.mark.parametrize(
    ("engine", "sampler", "rule"), [*KINDS[:5], ("optuna", "cmaes", None)], ids=lambda one: str(one)
)
@pytest.mark.parametrize("there", [4, 6])  # a whole generation, and a half of another
def test_a_trial_that_is_added_counts_and_the_search_goes_on_from_it_however_it_is_stopped(
    engine, sampler, rule, there
):
    settings_ = SearchSettings(engine, sampler, 18, 42, start=({"optimizer": "sgd"},) * 6)
    spec = make_spec(SPACE, early_terminate=rule, search=settings_)
    point = {"optimizer": "adam", "learning_rate": 0.05, "epochs": 3}
    begun = InMemory()
    run(spec, begun, there)
    train_added(running_of(spec, begun, Formula()), begun, point)
    assert [one.number for one in begun.kept] == list(range(there + 1))
    added = begun.kept[-1]
    assert (dict(added.params), added.engine, added.epochs) == (point, "added", 3)
    train_added(running_of(spec, begun, Formula()), begun, point)  # the same point again
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
    assert reason == "good enough" and "which is as good as `search.stop` asks for" in events[0].message
    assert plain(pieces.kept) == plain(whole.kept[: len(pieces.kept)]) and len(pieces.kept) in range(4, 24, 4)
    assert not any((result.value or 0.0) >= good for result in pieces.kept[:-4])
    run(replace(enough, search=replace(spec.search, stop=Stop(99.0))), pieces, 24)
    assert plain(pieces.results()) == plain(whole.results())


def test_the_same_command_again_trains_nothing():
    spec, record, runner = make_spec(SPACE), InMemory(), Formula()
    run(spec, record, 8)
    reason, events = run(spec, record, 8, runner=runner)
    assert (reason, events, runner.trained) == ("done", [], [])


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
@pytest.mark.parametrize("after", [1, 3])
def test_what_had_ended_before_a_kill_is_not_trained_again_and_changes_nothing(engine, sampler, rule, after):
    spec = make_spec(SPACE, early_terminate=rule, search=SearchSettings(engine, sampler, 18, 42))
    whole, pieces = InMemory(), InMemory()
    run(spec, whole, 18)
    with pytest.raises(KeyboardInterrupt):
        run(spec, pieces, 18, runner=Dying(after=after))
    kept = set(pieces.beside)
    assert len(kept) == after
    runner = Formula()
    _, events = run(spec, pieces, 18, runner=runner)
    assert not kept & set(runner.trained)
    assert sorted(ended(events)) == list(range(18))
    assert plain(pieces.results()) == plain(whole.results())


def test_what_waits_of_another_engine_is_not_taken_for_what_is_asked_now():
    spec, record = make_spec(SPACE), InMemory()
    with pytest.raises(KeyboardInterrupt):
        run(spec, record, 18, runner=Dying(after=3))
    other = replace(spec, search=SearchSettings("keras-tuner", "bayesian", 64, 42))
    run(other, record, 4)
    assert {one.engine for one in record.kept} == {"keras-tuner/bayesian"}
    assert not record.beside


@pytest.mark.parametrize(
    ("engine", "sampler"),
    [
        ("optuna", "tpe"),
        ("optuna", "grid"),
        ("optuna", "random"),
        ("optuna", "qmc"),
        ("keras-tuner", "random"),
        ("keras-tuner", "grid"),
        ("keras-tuner", "bayesian"),
    ],
)
def test_a_space_of_six_points_ends_at_six_and_says_so(engine, sampler):
    space = (OPTIMIZER, Parameter("batch_size", Categorical((16, 32))))
    spec = make_spec(space, search=SearchSettings(engine, sampler, 64, 42))
    record = InMemory()
    reason, events = run(spec, record, 64)
    assert reason == "the space is exhausted"
    assert len(record.kept) == 6
    assert any(isinstance(event, Noticed) and "6 different trials" in event.message for event in events)


def test_another_generation_size_goes_on_from_what_is_there():
    spec, record = make_spec(SPACE), InMemory()
    run(spec, record, 6)
    run(spec, record, 9, runner=Formula(generation=1))
    assert [one.number for one in record.kept] == list(range(9))
    assert [one.suggestion.generation for one in record.kept] == [0, 0, 0, 0, 1, 1, 2, 3, 4]


def test_the_other_engine_goes_on_from_what_is_there():
    spec, record = make_spec(SPACE), InMemory()
    run(spec, record, 8)
    other = replace(spec, search=SearchSettings("keras-tuner", "bayesian", 64, 42))
    run(other, record, 12)
    assert {one.engine for one in record.kept[:8]} == {"optuna/tpe"}
    assert {one.engine for one in record.kept[8:]} == {"keras-tuner/bayesian"}


def test_a_sweep_whose_first_trials_all_raise_stops_and_explains():
    record = InMemory()
    with pytest.raises(SweepError, match=r"first 3 trials all failed; trial 0: ValueError: no") as error:
        run(spec := make_spec(SPACE), record, 20, runner=Formula(raises=True))
    assert error.value.hint == f"Mend it and run with --fresh; `sweep show {spec.name} 0` has the traceback"
    assert len(record.kept) == 3


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
                result = Result(result.suggestion, TrialState.FAIL, None, reason="MemoryError: no", is_transient=True)
            yield result


@pytest.mark.parametrize(("engine", "sampler", "rule"), KINDS, ids=lambda kind: str(kind))
@pytest.mark.parametrize("times", [1, 2])
def test_what_the_machine_fails_at_most_twice_changes_nothing(engine, sampler, rule, times):
    spec = make_spec(SPACE, early_terminate=rule, search=SearchSettings(engine, sampler, 14, 42))
    whole, retried = InMemory(), InMemory()
    run(spec, whole, 14)
    _, events = run(spec, retried, 14, runner=Failing(times=times))
    assert plain(retried.results()) == plain(whole.results())
    told = [event.message for event in events if isinstance(event, Noticed) and "trained again" in event.message]
    assert len(told) >= 3 * times


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

    with pytest.raises(SweepError, match="left out trial 2"):
        run(make_spec(SPACE), InMemory(), 8, runner=Forgetful())


def test_the_user_is_told_once_that_the_sweep_is_stopping():
    spec, record, stop, events = make_spec(SPACE), InMemory(), StopRequest(), []

    def emit(event):
        events.append(event)
        stop.signalled = stop.signalled or isinstance(event, EpochEnded)

    assert search(open_to_run(spec, Formula(), emit, stop), record, 8) == "interrupted"
    assert sum(isinstance(event, Noticed) and "stopping" in event.message for event in events) == 1


def results_of(suggestions, *, engine="optuna/tpe", runner="formula"):
    return [Result(one, TrialState.COMPLETE, one.number / 100, engine=engine, runner=runner) for one in suggestions]


def test_what_waits_is_taken_up_where_it_was_asked_and_trained_alike_and_else_discarded():
    asked = make_engine(make_spec()).ask(4)
    sound, of_fit, otherwise = (
        results_of(asked)[1],
        results_of(asked, runner="fit")[2],
        replace(results_of(asked)[3], suggestion=replace(asked[3], params={"epochs": 9})),
    )
    record = InMemory(beside={one.number: one for one in (sound, of_fit, otherwise)})
    generation = Generation(0, asked)
    generation.take_up(record, 100, "optuna/tpe", "formula")
    assert (generation.waiting, generation.resumed) == ({1: sound}, True)
    assert record.beside == {1: sound}
    untouched = Generation(0, asked)
    untouched.take_up(InMemory(), 100, "optuna/tpe", "formula")
    assert not untouched.resumed


def test_trials_that_ended_before_their_turn_are_told_again_before_any_other_trains():
    spec, whole = make_spec(SPACE, sampler="random"), InMemory()
    run(spec, whole, 8)
    _, events = run(spec, InMemory(whole.kept[:4], {6: whole.kept[6]}), 8)
    first = next(event for event in events if isinstance(event, TrialEnded | EpochEnded))
    assert isinstance(first, TrialEnded) and first.result.number == 6
