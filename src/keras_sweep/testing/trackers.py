"""The contract of every tracker as tests. `Tracker` in `api/trackers.py` documents it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Never

import pytest

from keras_sweep.api.report import TRACKERS
from keras_sweep.api.trackers import Run, Tracker

FIRST = Run(
    id="dense-0-1f0c29ab",
    sweep="dense",
    number=0,
    params={"optimizer": "adam", "learning_rate": 1e-3, "model.units": 16, "nesterov": True, "seed": 42},
    curves={"loss": (2.0, 1.0, 0.5), "val_accuracy": (0.5, 0.75, 0.875)},
    scores={"value": 0.875, "seconds": 1.5},
    tags={"state": "COMPLETE", "engine": "optuna/tpe", "winner": "true"},
)
FAILED = Run(
    id="dense-1-0badcafe",
    sweep="dense",
    number=1,
    params={"model.hidden": [64, 32], "model.norm": None, "note": "ä" * 300},
    curves={"loss": (1.0, math.nan), "value": (3.0, 4.0)},
    scores={"trial_value": 4.0},
    tags={"state": "FAIL", "reason": "diverged", "winner": "false"},
)


@dataclass(frozen=True)
class Tracked:
    """A logged run as the tracker's own API reads it.

    Attributes:
        params: name -> value.
        metrics: name -> (step, value) pairs: a curve has its epochs from 1 on, a score has a single step.
        files: the names of the logged files.
    """

    params: Mapping[str, object]
    metrics: Mapping[str, Sequence[tuple[int, float]]]
    files: frozenset[str]


class Unreadable(tuple[float, ...]):
    """A curve that raises when it is read, so that logging fails in the middle of a run."""

    def __iter__(self) -> Never:
        raise RuntimeError("the connection is gone")

    def __getitem__(self, index: Any) -> Never:
        raise RuntimeError("the connection is gone")


def has_all_of(tracked: Tracked, run: Run) -> bool:
    """Assert that a tracker has all values of a run. Return True. A parameter may be a text or another number type."""
    assert tracked.params.keys() == run.params.keys()
    for name, value in run.params.items():
        as_logged = tracked.params[name]
        assert str(as_logged) == str(value) or (isinstance(value, int | float) and as_logged == value), name
    for name, curve in run.curves.items():
        assert [epoch for epoch, _ in tracked.metrics[name]] == list(range(1, len(curve) + 1))
        assert [value for _, value in tracked.metrics[name]] == pytest.approx(curve, nan_ok=True)
    for name, value in run.scores.items():
        assert tracked.metrics[name][-1][1] == pytest.approx(value)
    return True


class TrackerContract:
    """The tests of a tracker. A test class derives from it, sets the registered name `tracker`, and defines `read`."""

    tracker: str

    def read(self, sweep: str) -> Mapping[str, Tracked]:
        """Read all runs of a sweep with the tracker's own API. Return {name of the run, say `trial-0`: logged run}."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _stay_here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Run each test in an empty folder. Override the fixture to set environment variables of the tracker."""
        monkeypatch.chdir(tmp_path)

    def open(self) -> Tracker:
        return TRACKERS[self.tracker]("dense", None)

    def test_runs_have_their_values_files_and_marks(self, tmp_path: Path) -> None:
        page, tracker = tmp_path / "index.html", self.open()
        page.write_text("<p>a sweep</p>", "utf-8")
        assert dict(tracker.marks()) == {} and tracker.place
        tracker.log(FIRST, [page])
        tracker.log(FAILED, [])
        runs = self.read("dense")
        assert has_all_of(runs["trial-0"], FIRST) and has_all_of(runs["trial-1"], FAILED) and len(runs) == 2
        assert "index.html" in runs["trial-0"].files and "index.html" not in runs["trial-1"].files
        assert dict(self.open().marks()) == {FIRST.id: FIRST.mark, FAILED.id: FAILED.mark}

    def test_logging_a_run_again_replaces_it(self) -> None:
        longer = replace(FIRST, curves={**FIRST.curves, "seed_43/loss": (2.0, 1.5)}, scores={"value": 0.75})
        for run in (FIRST, longer):
            tracker = self.open()
            tracker.marks()
            tracker.log(run, [])
            assert dict(self.open().marks()) == {FIRST.id: run.mark}
        runs = self.read("dense")
        assert list(runs) == ["trial-0"] and has_all_of(runs["trial-0"], longer)

    def test_an_incomplete_run_has_no_mark_and_is_completed(self) -> None:
        with pytest.raises(RuntimeError, match="the connection is gone"):
            self.open().log(replace(FIRST, curves={**FIRST.curves, "lost": Unreadable((2.0, 1.0))}), [])
        tracker = self.open()
        assert FIRST.mark not in tracker.marks().values()
        tracker.log(FIRST, [])
        runs = self.read("dense")
        assert list(runs) == ["trial-0"] and has_all_of(runs["trial-0"], FIRST)
        assert dict(self.open().marks()) == {FIRST.id: FIRST.mark}
