"""What every pruning rule promises, as tests to derive from: `Pruner` of `search/pruning.py` in tests."""

import random

from keras_sweep.search.pruning import PRUNING_RULES, Pruner
from keras_sweep.space.sweep_spec import EarlyTerminate
from keras_sweep.testing.searching import LONG, search_spec


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


class PruningRuleContract:
    """What every pruning rule promises. A test class that derives from this names one: `rule = "patient"`."""

    rule: str  # the name by which it is registered

    def fresh(self, min_iter: int = 1) -> Pruner:
        return PRUNING_RULES.find(self.rule)(
            search_spec(LONG, "optuna", "random"), EarlyTerminate(self.rule, min_iter, 2)
        )

    def test_compares_before_the_last_epoch_in_ascending_order(self) -> None:
        pruner = self.fresh()
        for epochs in range(1, 12):
            rungs = pruner.rungs(epochs)
            assert list(rungs) == sorted(set(rungs)) and all(1 <= rung < epochs for rung in rungs)

    def test_stops_no_trial_before_min_iter(self) -> None:
        assert all(rung >= 3 for rung in self.fresh(min_iter=3).rungs(9))

    def test_stops_some_trials_but_not_all(self) -> None:
        pruner = self.fresh()
        assert 0 < len(climb(pruner, range(20)) | climb(pruner, range(20, 40))) < 40

    def test_decides_alike_when_it_is_built_anew(self) -> None:
        first, again = self.fresh(), self.fresh()
        for numbers in (range(16), range(16, 32)):
            assert climb(first, numbers) == climb(again, numbers)
