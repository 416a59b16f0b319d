"""A record that is gone with the process, and a search whose trials are computed by a formula in place of training."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.loop import search
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.training.runner import Runner
from keras_sweep.trial.events import EpochEnded
from keras_sweep.trial.result import Result, TrialState
from tests.helpers.factory import EPOCHS, LEARNING_RATE, OPTIMIZER

NOWHERE = SweepFolder(Path("nowhere"))
SPACE = (OPTIMIZER, LEARNING_RATE, EPOCHS)


@dataclass
class InMemory:
    """Keeps trials in a list, and those whose turn has not come beside it."""

    kept: list = field(default_factory=list)
    beside: dict = field(default_factory=dict)  # what waits for its turn

    def results(self):
        return list(self.kept)

    def add(self, result):
        assert result.number == len(self.kept)
        self.kept.append(result)
        self.beside.pop(result.number, None)
        return result

    def wait(self, result):
        assert result.number > len(self.kept)
        self.beside[result.number] = result
        return result

    def waiting(self, numbers):
        return {number: self.beside[number] for number in numbers if number in self.beside}

    def discard(self, number):
        del self.beside[number]


def searched(spec, runner, trials, *, record=None, stop=None):
    """A record with so many trials of a search: an empty one, unless one is given that it goes on from."""
    record = InMemory() if record is None else record
    stop = StopRequest() if stop is None else stop
    search(open_to_run(spec, runner, stop=stop), record, trials)
    return record


def open_to_run(spec, runner, emit=lambda event: None, stop=None, *, study=None, data=None):
    """An open sweep as a run has it, by default with neither a record nor rows."""
    sweep = OpenSweep(NOWHERE if study is None else study.folder, emit, stop=StopRequest() if stop is None else stop)
    sweep.spec, sweep.data, sweep.runner = spec, data, runner
    if study is not None:
        sweep.study = study
    return sweep


class Asked(StopRequest):
    """Asks to stop once the record has grown by so many trials, or once it was looked at so many times."""

    def __init__(self, record, trials=None, looks=None):
        super().__init__()
        self.record, self.trials, self.left = record, trials, looks
        self.start = len(record.results())

    def __bool__(self):
        grown = self.trials is not None and len(self.record.results()) - self.start >= self.trials
        if self.left is None:
            return grown
        self.left -= 1
        return self.left < 0


@dataclass
class Formula(Runner):
    """A curve that rises to a height decided by the learning rate; very large ones fail."""

    generation: int = 4
    name: str = "formula"
    trained: list = field(default_factory=list)
    raises: bool = False

    def keep_only(self, numbers):
        pass

    def run(self, trials, wanted, watch):
        pruner, lengths = watch.pruner, {one.number: one.params.get("epochs", 4) for one in trials}
        curves = dict.fromkeys(lengths, ())
        rungs = sorted({rung for length in lengths.values() for rung in pruner.rungs(length)})
        stopped = {}
        heights = {one.number: 1 - abs(math.log10(one.params.get("learning_rate", 0.1)) + 1) / 5 for one in trials}
        for epoch in range(1, max(lengths.values()) + 1):
            for number in lengths:
                if epoch <= lengths[number] and number not in stopped:
                    curves[number] += (heights[number] * (1 - 0.5**epoch),)
                    if number in wanted:
                        watch.emit(EpochEnded(number, epoch, {"val_accuracy": curves[number][-1]}))
                    if watch.stopping():
                        return
            if epoch in rungs:
                values = {number: curve[-1] for number, curve in curves.items() if len(curve) == epoch}
                values = {number: value for number, value in values.items() if epoch in pruner.rungs(lengths[number])}
                stopped |= dict.fromkeys(pruner.rung(epoch, values), epoch)
            if all(number in stopped or epoch >= lengths[number] for number in wanted):
                break  # nobody needs what the others do from here on, as with lanes
        for one in reversed(trials):  # not in order, as lanes end
            if one.number in wanted:
                self.trained.append(one.number)
                if self.raises:
                    yield Result(one, TrialState.FAIL, None, reason="ValueError: no", traceback="Traceback: no")
                elif one.params.get("learning_rate", 0.1) > 0.5:
                    curve = {"val_accuracy": curves[one.number]}
                    yield Result(one, TrialState.FAIL, None, curve=curve, reason="diverged")
                else:
                    state = TrialState.PRUNED if one.number in stopped else TrialState.COMPLETE
                    curve = curves[one.number]
                    yield Result(one, state, curve[-1], curve={"val_accuracy": curve}, epoch=len(curve))


def plain(results):
    """What must not depend on interruptions."""
    return [
        (one.number, one.suggestion.generation, dict(one.params), one.state, one.value, one.curve) for one in results
    ]
