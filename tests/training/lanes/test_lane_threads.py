from __future__ import annotations

import threading

from keras_sweep.training.lanes.group import Report
from keras_sweep.training.lanes.lane_threads import LaneThreads
from tests.helpers.command import PATIENCE


class LongEpoch:
    """A group in its only epoch, which ends once it is released."""

    def __init__(self) -> None:
        self.training = True
        self.remaining = 1
        self.begun, self.released = threading.Event(), threading.Event()

    def advance(self) -> Report:
        self.begun.set()
        assert self.released.wait(PATIENCE)
        self.training = False
        return Report(self)  # type: ignore[arg-type]


def test_a_pause_that_waits_for_a_long_epoch_looks_elsewhere_meanwhile() -> None:
    """Else a board would say `compiling` as long as a checkpoint, or the user's stop, waits for what came after it."""
    group = LongEpoch()
    with LaneThreads(1, lambda group: True) as threads:
        threads.set([group])  # type: ignore[list-item]
        assert group.begun.wait(PATIENCE)
        looks: list[bool] = []

        def look() -> None:
            looks.append(group.training)
            if len(looks) == 3:
                group.released.set()

        (report,) = threads.pause(look)
        assert looks[:3] == [True, True, True]
        assert not group.training
        assert report.error is None
