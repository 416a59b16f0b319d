"""A sweep that a test lets happen."""

from keras_sweep.trial.events import EpochEnded, GenerationAsked, PhaseBegan, TrialEnded
from keras_sweep.views.running.sweep_progress import SweepProgress
from tests.helpers.results import result, started


class Watched(SweepProgress):
    """What a sweep has come to, by a clock that the test turns."""

    def __init__(self, **changes):
        self.now = 0.0
        super().__init__(lambda: self.now)
        if changes.pop("begun", True):
            self(started(**changes))

    def begin(self, *event, after=0.0):
        self.now += after
        self(PhaseBegan(*event))

    def ask(self, *epochs, generation=0, first=0):
        """A generation of trials that ask for so many epochs each."""
        asked = (result(number, params={"epochs": each}) for number, each in enumerate(epochs, first))
        self(GenerationAsked(generation, tuple(one.suggestion for one in asked)))

    def train(self, number, epochs, *, seconds=0.0, done=0, values=(), ends=False):
        """Epochs of a trial, each after so many seconds."""
        for epoch in range(done, done + epochs):
            self.now += seconds
            self(EpochEnded(number, epoch + 1, {"val_accuracy": values[epoch]} if values else {}))
        if ends:
            self(TrialEnded(result(number, epochs=epochs)))
