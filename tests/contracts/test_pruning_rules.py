"""What every pruning rule promises: `Pruner` of `search/pruning.py` in tests, over all that are registered."""

import random

import pytest
from tests.helpers.engine_contract import LONG, spec

from keras_sweep.search.pruning import PRUNING_RULES, Pruner
from keras_sweep.space.sweep_spec import EarlyTerminate


def climb(pruner: Pruner, numbers: range, epochs: int = 9) -> dict[int, int]:
    """The trials that stopped, and after which epoch; each asked at its rungs while it trains."""
    draw = random.Random(numbers.start)
    tops = {number: draw.random() for number in numbers}
    ended: dict[int, int] = {}
    for epoch in pruner.rungs(epochs):
        for number in numbers:
            if number not in ended and pruner.stops(number, epoch, tops[number] * epoch / epochs):
                ended[number] = epoch
    for number in set(numbers) - set(ended):
        pruner.complete(number)
    return ended


@pytest.mark.parametrize("name", PRUNING_RULES)
class TestEveryPruningRule:
    def fresh(self, name: str, min_iter: int = 1) -> Pruner:
        return PRUNING_RULES[name](spec(LONG, "optuna", "random"), EarlyTerminate(name, min_iter, 2))

    def test_compares_before_the_last_epoch_in_ascending_order(self, name: str) -> None:
        pruner = self.fresh(name)
        for epochs in range(1, 12):
            rungs = pruner.rungs(epochs)
            assert list(rungs) == sorted(set(rungs)) and all(1 <= rung < epochs for rung in rungs)

    def test_stops_no_trial_before_min_iter(self, name: str) -> None:
        assert all(rung >= 3 for rung in self.fresh(name, min_iter=3).rungs(9))

    def test_stops_some_trials_but_not_all(self, name: str) -> None:
        pruner = self.fresh(name)
        assert 0 < len(climb(pruner, range(20)) | climb(pruner, range(20, 40))) < 40

    def test_decides_alike_when_it_is_built_anew(self, name: str) -> None:
        first, again = self.fresh(name), self.fresh(name)
        for numbers in (range(16), range(16, 32)):
            assert climb(first, numbers) == climb(again, numbers)
