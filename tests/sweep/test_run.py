"""`sweep run` as a function: begun, gone on with, made longer, begun anew, stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_sweep.errors import ChangedSweep, Interrupted, SweepBusy, SweepError, UsageError
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record import reader
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.weights import kept
from keras_sweep.space_file.options import Overrides
from keras_sweep.space_file.yaml_file import read_space_file
from keras_sweep.sweep.run import RunOptions, run_sweep
from keras_sweep.sweep.wall_time import WallTime
from keras_sweep.trial.events import Event, Noticed, SweepEnded, SweepStarted, TrialEnded
from tests.helpers.whole_spaces import SPACES


class Ran:
    """One call of `run_sweep`: its events, and how it ended."""

    def __init__(self, folder: Path, *, trials: int | None = 4, seed: int | None = None, **options: object) -> None:
        (folder / "plain.yaml").write_text(SPACES["plain"])
        self.spec = read_space_file(folder / "plain.yaml", overrides=Overrides(trials=trials, seed=seed))
        self.sweep = SweepFolder(folder / "sweeps" / "plain")
        self.events: list[Event] = []
        self.stop = StopRequest(options.get("seconds"))  # type: ignore[arg-type]
        self.options = RunOptions(**options)  # type: ignore[arg-type]

    def __call__(self) -> SweepEnded:
        return run_sweep(self.spec, self.sweep, self.options, self.events.append, WallTime(), self.stop)

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def test_begun_gone_on_with_and_made_longer(tmp_path: Path) -> None:
    first = Ran(tmp_path)
    ended = first()
    assert (ended.reason, len(ended.results)) == ("done", 4)
    assert len(first.of(TrialEnded)) == 4
    assert all(one.weights is None for one in ended.results)  # memory would not hold thousands
    again = Ran(tmp_path)
    assert again().reason == "done"
    assert again.of(TrialEnded) == []
    more = Ran(tmp_path, more=3)
    assert len(more().results) == 7
    (started,) = more.of(SweepStarted)
    assert isinstance(started, SweepStarted)
    assert (started.total, len(started.finished)) == (7, 4)
    assert 1 <= len(kept(more.sweep)) <= 7
    assert not more.sweep.owner.exists()


def test_begun_anew_the_older_one_is_kept(tmp_path: Path) -> None:
    Ran(tmp_path)()
    with pytest.raises(ChangedSweep, match="--fresh"):
        Ran(tmp_path, seed=7)()
    fresh = Ran(tmp_path, seed=7, fresh=True)
    fresh()
    assert any(isinstance(event, Noticed) and "plain~1" in event.message for event in fresh.events)
    assert len(reader.read_results(SweepFolder(tmp_path / "sweeps" / "plain~1"))) == 4
    assert not fresh.sweep.owner.exists()


def test_a_sweep_that_another_runs_is_left_alone(tmp_path: Path) -> None:
    ran = Ran(tmp_path, fresh=True)
    with SweepLock(ran.sweep), pytest.raises(SweepBusy, match="is being run by process"):
        ran()
    assert not ran.sweep.exists()


def test_a_signal_before_the_first_trial_leaves_nothing_to_finish(tmp_path: Path) -> None:
    ran = Ran(tmp_path)
    ran.stop.signalled = True
    ended = ran()
    assert (ended.reason, ended.results, ended.model) == ("interrupted", (), None)
    assert not ran.sweep.best.exists()
    assert Ran(tmp_path)().reason == "done"


def test_when_the_time_is_up_the_winner_so_far_is_finished(tmp_path: Path) -> None:
    ran = Ran(tmp_path, trials=100_000, seconds=4.0)
    ended = ran()
    assert ended.reason == "time is up"
    assert 0 < len(ended.results) < 100_000
    assert ran.sweep.best.exists()


def test_a_total_below_what_is_there_changes_nothing(tmp_path: Path) -> None:
    Ran(tmp_path)()
    assert len(Ran(tmp_path, trials=2)().results) == 4


def test_errors_have_the_exit_codes_that_are_documented() -> None:
    codes = {SweepError: 1, UsageError: 2, ChangedSweep: 2, SweepBusy: 3, Interrupted: 130}
    assert {error: error.exit_code for error in codes} == codes
