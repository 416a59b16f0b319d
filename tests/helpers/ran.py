"""`sweep run` as a function, called once by a test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from keras_sweep import Sweep, run
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.events import SweepEnded
from keras_sweep.sweep.run import RunOptions, run_sweep
from keras_sweep.trial.events import Event, Noticed
from tests.helpers.whole_spaces import PLAIN

Kind = TypeVar("Kind")


def quiet(event: Event) -> None:
    pass


def ran_as(folder: Path, name: str, text: str, **options: Any) -> Sweep:
    """Run the space file NAME.yaml with this text; its sweep lies in `sweeps` beside it."""
    (folder / f"{name}.yaml").write_text(text)
    return run(folder / f"{name}.yaml", sweeps_dir=folder / "sweeps", listener=quiet, **options)


class Ran:
    """One call of `run_sweep`: its events, and how it ended."""

    def __init__(self, folder: Path, *, trials=4, seed=None, text: str = PLAIN, **options: Any) -> None:
        (folder / "plain.yaml").write_text(text)
        self.spec = read_space_file(folder / "plain.yaml", trials=trials, seed=seed)
        self.sweep = SweepFolder(folder / "sweeps" / "plain")
        self.events: list[Event] = []
        self.stop = StopRequest()
        self.time_is_up: Callable[[Event], bool] = lambda event: False
        self.options = RunOptions(**options)

    def __call__(self) -> SweepEnded:
        def emit(event: Event) -> None:
            self.events.append(event)
            if self.time_is_up(event):
                self.stop.limit(0.0)

        self.ended = run_sweep(self.spec, self.sweep, self.options, emit, WallTime(), self.stop)
        return self.ended

    @property
    def notices(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Noticed)]

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]


def finished(folder: Path, text: str = PLAIN, *, trials: int | None = None, **options: object) -> Ran:
    """A call that has ended, of as many trials as the space file says unless it is said here."""
    ran = Ran(folder, text=text, trials=trials, **options)
    ran()
    return ran
