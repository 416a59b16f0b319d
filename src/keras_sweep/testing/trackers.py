"""What every tracker promises, as tests to derive from: `Tracker` of `api/trackers.py` in tests."""

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
    """A run as the tracker's own reader has it."""

    params: Mapping[str, object]
    metrics: Mapping[str, Sequence[tuple[int, float]]]  # curves by epoch from 1 on, and scores with one step
    files: frozenset[str]


class Unreadable(tuple[float, ...]):
    """A curve at which a tracker fails in the middle of a run."""

    def __iter__(self) -> Never:
        raise RuntimeError("the connection is gone")

    def __getitem__(self, index: Any) -> Never:
        raise RuntimeError("the connection is gone")


def agrees(tracked: Tracked, run: Run) -> bool:
    """Whether all of a run is there once. A number may be another type of number, and any value its text."""
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
    """What every tracker promises. A test class that derives from this names one, and reads what it wrote."""

    tracker: str  # the name by which it is registered

    def read(self, sweep: str) -> Mapping[str, Tracked]:
        """Every run of a sweep by its name, `trial-0`, as the tracker's own reader has it."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _stay_here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Write into an empty folder. A tracker that writes elsewhere sets its variables here, too."""
        monkeypatch.chdir(tmp_path)

    def open(self) -> Tracker:
        return TRACKERS[self.tracker]("dense", None)

    def test_runs_have_their_numbers_their_files_and_their_marks(self, tmp_path: Path) -> None:
        page, tracker = tmp_path / "index.html", self.open()
        page.write_text("<p>a sweep</p>")
        assert dict(tracker.marks()) == {} and tracker.place
        tracker.log(FIRST, [page])
        tracker.log(FAILED, [])
        runs = self.read("dense")
        assert agrees(runs["trial-0"], FIRST) and agrees(runs["trial-1"], FAILED) and len(runs) == 2
        assert "index.html" in runs["trial-0"].files and "index.html" not in runs["trial-1"].files
        assert dict(self.open().marks()) == {FIRST.id: FIRST.mark, FAILED.id: FAILED.mark}

    def test_a_run_that_is_logged_again_becomes_as_it_is_now(self) -> None:
        longer = replace(FIRST, curves={**FIRST.curves, "seed_43/loss": (2.0, 1.5)}, scores={"value": 0.75})
        for run in (FIRST, longer):
            tracker = self.open()
            tracker.marks()
            tracker.log(run, [])
            assert dict(self.open().marks()) == {FIRST.id: run.mark}
        runs = self.read("dense")
        assert list(runs) == ["trial-0"] and agrees(runs["trial-0"], longer)

    def test_a_run_of_which_a_part_was_written_has_no_mark_and_is_completed(self) -> None:
        with pytest.raises(RuntimeError, match="the connection is gone"):
            self.open().log(replace(FIRST, curves={**FIRST.curves, "lost": Unreadable((2.0, 1.0))}), [])
        tracker = self.open()
        assert FIRST.mark not in tracker.marks().values()
        tracker.log(FIRST, [])
        runs = self.read("dense")
        assert list(runs) == ["trial-0"] and agrees(runs["trial-0"], FIRST)
        assert dict(self.open().marks()) == {FIRST.id: FIRST.mark}
