"""The contract of every runner as tests. `training/runner.py` documents it."""

from collections.abc import Sequence
from typing import Any

import pytest

from keras_sweep.testing.small_sweep import digits, make_spec
from keras_sweep.training.choose import RUNNERS
from keras_sweep.training.runner import Runner, StopsAt, Watch
from keras_sweep.trial.events import EpochEnded, Event
from keras_sweep.trial.result import Result, Suggestion, TrialState

TRIALS = [
    Suggestion(0, {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}),
    Suggestion(1, {"optimizer": "adam", "learning_rate": 0.1, "epochs": 2}),
    Suggestion(2, {"optimizer": "sgd", "learning_rate": 3e38, "epochs": 3}),  # diverges
]


def run(runner: Runner, numbers: Sequence[int] = (0, 1, 2), **watch: Any) -> dict[int, Result]:
    return {result.number: result for result in runner.run(TRIALS, frozenset(numbers), Watch(**watch))}


class RunnerContract:
    """The tests of a runner. A test class derives from it and sets the registered name: `runner_name = "patient"`."""

    runner_name: str

    @pytest.fixture
    def runner(self) -> Runner:
        return RUNNERS.find(self.runner_name)(make_spec(), digits())

    def test_has_its_registered_name(self, runner: Runner) -> None:
        assert runner.name.partition("/")[0] == self.runner_name and runner.generation >= 1

    def test_trains_every_trial_and_fails_the_one_that_diverges(self, runner: Runner) -> None:
        events: list[Event] = []
        results = run(runner, emit=events.append)
        states = [results[number].state for number in sorted(results)]
        assert states == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.FAIL]
        assert [len(results[number].curve["val_accuracy"]) for number in (0, 1)] == [3, 2]
        epoch_ends = [event for event in events if isinstance(event, EpochEnded)]
        assert [event.epoch for event in epoch_ends if event.number == 0] == [1, 2, 3]
        assert all("val_accuracy" in event.logs for event in epoch_ends)
        assert sum(runner.spent.values()) > 0

    def test_a_trial_has_the_same_scores_alone_as_with_others(self, runner: Runner) -> None:
        whole, part = run(runner), run(runner, numbers=(1,))
        assert set(part) == {1} and part[1].curve == whole[1].curve

    def test_stops_a_trial_at_a_rung(self, runner: Runner) -> None:
        results = run(runner, numbers=(0, 1), pruner=StopsAt({0: 1}))
        assert (results[0].state, results[0].epochs) == (TrialState.PRUNED, 1)
        assert results[1].state is TrialState.COMPLETE

    def test_stops_early_when_it_is_asked_to(self, runner: Runner) -> None:
        assert len(run(runner, stopping=lambda: True)) < 3
