"""Where trials ended, kept for those that continue them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from keras_sweep.training import checkpoint
from keras_sweep.training.lanes.lane import LaneEnd, LaneProgress
from keras_sweep.training.training_state import TrainingState


class EndStates:
    """End states by trial number: in files `trial-N.npz`, or in memory without a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory: dict[int, tuple[list[dict[str, float]], TrainingState, TrainingState | None]] = {}

    def has(self, number: int) -> bool:
        """Whether a usable end of that trial is kept."""
        return self._kept(number) is not None

    def keep_only(self, numbers: Collection[int]) -> None:
        """Forget the ends of all other trials."""
        self._memory = {number: kept for number, kept in self._memory.items() if number in numbers}
        for path in self._folder.glob("trial-*.npz") if self._folder is not None else ():
            number = path.stem.removeprefix("trial-")
            if number.isdecimal() and int(number) not in numbers:
                with contextlib.suppress(OSError):  # what stays costs room, and nothing else
                    path.unlink()

    def keep(self, lane: LaneProgress) -> None:
        """Keep where a trial ended, before its result is known to anyone. One that failed or was pruned is not kept.

        Neither is a finalist: no trial continues it.
        """
        if lane.last is None or lane.end is not LaneEnd.DONE or lane.spec.suggestion.recipe is not None:
            return
        if self._folder is None:
            self._memory[lane.number] = (list(lane.rows), lane.last, lane.best)
        else:
            checkpoint.write(self._path(lane.number), {"rows": lane.rows}, [lane.last, lane.best])

    def take_up(self, lane: LaneProgress) -> TrainingState | None:
        """Give the lane the curve of the trial that it continues, and return the state that it begins from.

        Returns None, and leaves the lane at its start, where nothing usable is kept: trained from there its numbers are
        the same but for their last digits.
        """
        kept = self._kept(lane.spec.suggestion.continues)
        if kept is None or len(kept[0]) > lane.spec.epochs:
            return None
        lane.go_on_from(*kept)
        return lane.last

    def _kept(self, number: int | None) -> tuple[list[dict[str, float]], TrainingState, TrainingState | None] | None:
        if number is None:
            return None
        if self._folder is None:
            return self._memory.get(number)
        try:
            facts, (last, best) = checkpoint.read(self._path(number))
        except (FileNotFoundError, checkpoint.Damaged):
            return None
        assert last is not None
        return facts["rows"], last, best

    def _path(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"trial-{number}.npz"
