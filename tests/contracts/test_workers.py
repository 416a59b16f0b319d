"""What every kind of workers promises: they train, and the numbers are to the bit those without them.

What a segment may be is the same whoever trains it, and so is tried over processes alone.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.helpers.clusters import KINDS
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import GENERATION, Watching, assert_same_bits, suggestions, train, user_spec

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.search_data import SearchData
from keras_sweep.space.data_spec import DataSpec, Split
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import EarlyStopping, ReduceLROnPlateau, SweepSpec, Training
from keras_sweep.training import checkpoint
from keras_sweep.training.checkpoint import FILE, read_kept_epochs
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.runner import Runner, Watch
from keras_sweep.training.workers.pool import ExecutorPool, Pool
from keras_sweep.trial.result import Result

BY_FIT = suggestions(
    {"optimizer": "adam", "learning_rate": 0.01, "epochs": 4, "batch_size": 383},
    {"optimizer": "sgd", "learning_rate": 3e38, "epochs": 2, "batch_size": 383},  # diverges
    {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 3, "batch_size": 383},
)
TRIALS = {CompiledRunner: GENERATION, FitRunner: BY_FIT}
BEST_LOSS = Objective("val_loss", Goal.MINIMIZE, take_best=True)
either = pytest.mark.parametrize("kind", TRIALS, ids=["lanes", "fit"])


@pytest.fixture(scope="module")
def opened() -> Iterator[Callable[[str], Pool]]:
    """Workers of each kind, which are started once."""
    with ExitStack() as stack:
        yield cache(lambda kind: stack.enter_context(closing(stack.enter_context(KINDS[kind]())())))


@pytest.fixture(params=[pytest.param(one, marks=[pytest.mark.soak] * (one != "processes")) for one in KINDS])
def workers(request: pytest.FixtureRequest, opened: Callable[[str], Pool]) -> Pool:
    return opened(request.param)


@pytest.fixture(scope="module")
def data() -> SearchData:
    return load_search_data(make_spec())


@pytest.fixture(scope="module")
def here(data: SearchData) -> Callable[[Any], dict[int, Result]]:
    """What this process gives, trained once for all kinds of workers."""
    return cache(lambda kind: train(kind(make_spec(), data), TRIALS[kind]))


class TestEveryKindOfWorkers:
    @either
    def test_gives_the_numbers_that_training_here_gives(
        self, workers: Pool, data: SearchData, here: Any, kind: Any
    ) -> None:
        trials, watch = TRIALS[kind], Watching()
        results = train(kind(make_spec(), data, workers=workers), trials, watch)
        assert_same_bits(results, here(kind))
        for number, result in results.items():
            assert [epoch for trial, epoch in watch.epochs if trial == number] == [*range(1, result.epochs + 1)]

    def test_says_how_many_it_has(self, workers: Pool) -> None:
        assert workers.count() == (None if type(workers) is ExecutorPool else 2)  # nobody knows of an executor

    def test_trains_a_model_of_the_users(self, workers: Pool, data: SearchData) -> None:
        spec, trials = user_spec("regularized"), BY_FIT[:1]
        runner = FitRunner(spec, data, workers=workers)
        assert_same_bits(train(runner, trials), train(FitRunner(spec, data), trials))
        assert runner.spent["train"] > 0  # the time that it waits for them

    @pytest.mark.parametrize("workers", ["processes"], indirect=True)
    def test_processes_have_cores_of_their_own_and_switch_threads_seldom(self, workers: Pool) -> None:
        first, second = workers.on_each(os.sched_getaffinity, 0)
        assert first | second == os.sched_getaffinity(0)
        assert len(os.sched_getaffinity(0)) == 1 or not first & second
        assert workers.on_each(os.sched_getscheduler, 0) == [os.SCHED_BATCH] * 2

    @pytest.mark.parametrize(
        "workers",
        ["processes", *(pytest.param(one, marks=pytest.mark.soak) for one in ("dask", "executor"))],
        indirect=True,
    )
    def test_stopped_amid_its_epochs_it_goes_on_here(
        self, workers: Pool, data: SearchData, here: Any, tmp_path: Path
    ) -> None:
        """What it was asked to end keeps the epochs that it trained until then."""
        runner = CompiledRunner(make_spec(), data, checkpoints=tmp_path, workers=workers)
        done = train(runner, GENERATION, Watching(stop_after=1))
        assert (tmp_path / FILE).exists()
        rest = {trial.number for trial in GENERATION} - set(done)
        done |= train(CompiledRunner(make_spec(), data, checkpoints=tmp_path), GENERATION, None, rest)
        assert_same_bits(done, here(CompiledRunner))

    def test_asked_to_stop_before_it_began_it_trains_nothing(self, workers: Pool, data: SearchData) -> None:
        runner = FitRunner(make_spec(), data, workers=workers)
        assert train(runner, BY_FIT, Watching(stop_after=0)) == {}
        assert len(train(runner, BY_FIT)) == len(BY_FIT)  # and is there again for what comes next

    def test_fails_a_trial_whose_code_raises_and_says_where(self, workers: Pool, data: SearchData) -> None:
        trials = suggestions({**BY_FIT[0].params, "model.units": 7})
        results = train(FitRunner(user_spec("failing"), data, workers=workers), trials)
        assert results[0].state == "FAIL" and "units must be even" in (results[0].reason or "")
        assert "user_models.py" in (results[0].traceback or "")


def in_folds() -> SweepSpec:
    return make_spec(data=DataSpec("named", "digits", split=Split(folds=2)))


@pytest.mark.parametrize("workers", ["processes"], indirect=True)
class TestWhatTheyTrain:
    @pytest.mark.parametrize(("kind", "take_best"), [(CompiledRunner, False), (FitRunner, True)])
    def test_a_rung_stops_what_it_stops_here(self, workers: Pool, data: SearchData, kind: Any, take_best: bool) -> None:
        spec, trials = make_spec(take_best=take_best), TRIALS[kind]
        here, there = (Watching(rung_epochs=(1, 2), stop_below=0.2 if kind is FitRunner else 0.6) for _ in range(2))
        results = train(kind(spec, data), trials, here)
        assert {"PRUNED", "COMPLETE"} <= {one.state for one in results.values()}
        assert_same_bits(train(kind(spec, data, workers=workers), trials, there), results)
        calls = [sorted(watch.rungs_called, key=lambda call: (call[0], *call[1])) for watch in (here, there)]
        assert calls[0] == calls[1]  # by `fit` trials come to their rungs beside each other

    @pytest.mark.soak
    def test_a_trial_by_fit_that_was_stopped_goes_on_from_its_checkpoint(
        self, workers: Pool, data: SearchData, tmp_path: Path
    ) -> None:
        trials = suggestions({**BY_FIT[0].params, "epochs": 30})
        path = tmp_path / FILE

        def runner() -> Runner:
            return FitRunner(make_spec(), data, checkpoints=tmp_path, checkpoint_seconds=0.0, workers=workers)

        def watch() -> Watch:
            return Watch(Watching(rung_epochs=(3, 20)), stopping=path.exists)

        assert list(runner().run(trials, frozenset({0}), watch())) == []
        kept = checkpoint.read(path)
        assert kept is not None and 1 <= read_kept_epochs(tmp_path)[0] < 30
        row = kept[0]["rows"]["0"][0]
        first, row["loss"] = row["loss"], -1.0  # which no training gives
        checkpoint.write(path, *kept)
        (result,) = train(runner(), trials, Watching(rung_epochs=(3, 20))).values()
        assert result.curve["loss"][0] == -1.0
        curve = {**result.curve, "loss": (first, *result.curve["loss"][1:])}
        assert_same_bits({0: replace(result, curve=curve)}, train(FitRunner(make_spec(), data), trials))
        assert not path.exists()

    @pytest.mark.soak  # in short tests/faults/test_workers.py and rungs have such
    @pytest.mark.parametrize(
        ("kind", "make", "trials"),
        [
            (CompiledRunner, in_folds, BY_FIT[1:]),
            (FitRunner, in_folds, BY_FIT[1:]),
            (CompiledRunner, lambda: user_spec("regularized"), BY_FIT[:1]),
            (CompiledRunner, lambda: make_spec(objective=BEST_LOSS), GENERATION),
        ],
        ids=["folds in lanes", "folds by fit", "a model of the user's", "the best epoch"],
    )
    def test_other_sweeps(self, workers: Pool, kind: Any, make: Any, trials: Any) -> None:
        spec = make()
        rows = load_search_data(spec)
        ours, theirs = (train(kind(spec, rows, workers=who), trials) for who in (workers, None))
        assert_same_bits(ours, theirs)

    @pytest.mark.parametrize("kind", [CompiledRunner, pytest.param(FitRunner, marks=pytest.mark.soak)])
    def test_a_trial_that_ends_early(self, workers: Pool, data: SearchData, kind: Any) -> None:
        stops = EarlyStopping(patience=1, min_delta=0.1, restore_best_weights=True)
        falls = ReduceLROnPlateau(patience=1, min_delta=0.1)
        spec = make_spec(training=Training(stops, falls, class_weight="balanced"))
        trials = suggestions(*({**BY_FIT[0].params, "learning_rate": rate, "epochs": 9} for rate in (0.1, 3.0)))
        watch = Watching(rung_epochs=(1, 2, 3), stop_below=0.1)
        ours = train(kind(spec, data, workers=workers), trials, watch)
        assert any(one.epochs < 9 for one in ours.values())
        assert_same_bits(ours, train(kind(spec, data), trials, Watching(rung_epochs=(1, 2, 3), stop_below=0.1)))
