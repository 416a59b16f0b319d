"""What every runner promises: `training/runner.py` in tests, over all that are registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from tests.helpers.factory import digits, make_spec

from keras_sweep.training.choose import RUNNERS
from keras_sweep.training.runner import Runner
from keras_sweep.trial.result import Result, Suggestion, TrialState

TRIALS = [
    Suggestion(0, {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}),
    Suggestion(1, {"optimizer": "adam", "learning_rate": 0.1, "epochs": 2}),
    Suggestion(2, {"optimizer": "sgd", "learning_rate": 3e38, "epochs": 3}),  # diverges
]


class Watching:
    """Stops a trial after an epoch, or all of them."""

    def __init__(self, stops: Mapping[int, int] | None = None, stop_at_once: bool = False) -> None:
        self.stops, self.stop_at_once = stops or {}, stop_at_once
        self.epochs: list[tuple[int, int]] = []

    def epoch(self, number: int, epoch: int, logs: Mapping[str, float]) -> None:
        assert "val_accuracy" in logs
        self.epochs.append((number, epoch))

    def rungs(self, epochs: int) -> tuple[int, ...]:
        return tuple(range(1, epochs)) if self.stops else ()

    def rung(self, epoch: int, values: Mapping[int, float]) -> frozenset[int]:
        return frozenset(number for number in values if self.stops.get(number) == epoch)

    def phase(self, name: str, done: int | None = None, total: int | None = None, per_trial: float = 0.0) -> None:
        pass

    def resumed(self, number: int, rows: Sequence[Mapping[str, float]]) -> None:
        pass

    def stopping(self) -> bool:
        return self.stop_at_once


def run(runner: Runner, wanted: Sequence[int] = (0, 1, 2), watch: Watching | None = None) -> dict[int, Result]:
    return {one.number: one for one in runner.run(TRIALS, frozenset(wanted), watch or Watching())}


@pytest.mark.parametrize("name", RUNNERS)
class TestEveryRunner:
    @pytest.fixture
    def runner(self, name: str) -> Runner:
        return RUNNERS[name](make_spec(), digits())

    def test_bears_the_name_by_which_it_is_registered(self, name: str, runner: Runner) -> None:
        assert runner.name.partition("/")[0] == name and runner.generation >= 1

    def test_trains_every_trial_and_fails_the_one_that_diverges(self, runner: Runner) -> None:
        watch = Watching()
        results = run(runner, watch=watch)
        assert {number: one.state for number, one in results.items()} == {
            0: TrialState.COMPLETE, 1: TrialState.COMPLETE, 2: TrialState.FAIL,
        }  # fmt: skip
        assert [len(results[number].curve["val_accuracy"]) for number in (0, 1)] == [3, 2]
        assert [epoch for number, epoch in watch.epochs if number == 0] == [1, 2, 3]
        assert sum(runner.spent.values()) > 0

    def test_gives_the_same_numbers_whichever_are_wanted(self, runner: Runner) -> None:
        whole, part = run(runner), run(runner, wanted=(1,))
        assert set(part) == {1} and part[1].curve == whole[1].curve

    def test_stops_a_trial_at_a_rung(self, runner: Runner) -> None:
        results = run(runner, wanted=(0, 1), watch=Watching({0: 1}))
        assert (results[0].state, results[0].epochs) == (TrialState.PRUNED, 1)
        assert results[1].state is TrialState.COMPLETE

    def test_ends_early_when_it_is_stopped(self, runner: Runner) -> None:
        assert len(run(runner, watch=Watching(stop_at_once=True))) < 3
