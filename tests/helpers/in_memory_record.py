"""A record that is gone with the process."""

from dataclasses import dataclass, field

from keras_sweep.process.stop_request import StopRequest
from keras_sweep.search.engines import make_engine
from keras_sweep.sweep.loop import Limits, search
from keras_sweep.trial.wall_time import WallTime


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
    search(
        lambda: make_engine(spec), runner, record, Limits(trials), emit=lambda event: None, stop=stop, wall=WallTime()
    )
    return record
