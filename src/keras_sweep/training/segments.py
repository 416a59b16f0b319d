"""Which group trains next, and what came of it: always the one with the most left to do, by whatever trains segments.

That decides when a group trains, never how.
"""

from __future__ import annotations

import math
import pickle
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.packing import Device
from keras_sweep.training.workers.pool import error_of
from keras_sweep.training.workers.task import LOOK_SECONDS, Task

if TYPE_CHECKING:  # a worker that is sent `train_segment` imports this before it knows its backend
    from keras_sweep.training.group import Group, Segment


@dataclass(eq=False)
class Segments:
    """Has groups trained, so many at once; none before `set`. One is idle while no segment of it is being trained."""

    train: Callable[[Group], Future[Segment]]  # the group's next; a future that failed says that it was lost, and why
    at_once: int  # 0: in this thread, while it waits for the next
    can_go_on: Callable[[Group], bool]  # whether a group may train its next epoch; called under the lock of this

    def __post_init__(self) -> None:
        self._ended: queue.SimpleQueue[tuple[Group, Future[Segment]]] = queue.SimpleQueue()
        self._groups: list[Group] = []
        self._busy: set[Group] = set()
        self._lost: set[Group] = set()  # whose segment was lost, until `set` has it trained again
        self._changed = threading.Condition()
        self._paused = False

    def set(self, groups: Sequence[Group]) -> None:
        """Train these groups, those that are finished left out, and look again which may go on, after a pause too."""
        with self._changed:
            self._paused = False
            self._lost.clear()
            self._groups = [group for group in groups if group.training]
            self._begin()

    @property
    def is_working(self) -> bool:
        """Whether there is a group to train, or a segment to read."""
        with self._changed:
            return bool(self._groups or self._busy) or not self._ended.empty()

    def next(self) -> list[tuple[Group, Future[Segment]]]:
        """The next segment that has ended; none if there is none for a moment. Without threads it trains now."""
        if not self.at_once:
            group = next((group for group in self._groups if group.training and self.can_go_on(group)), None)
            return [] if group is None else [(group, self.train(group))]
        with suppress(queue.Empty):
            return [self._ended.get(timeout=LOOK_SECONDS)]
        return []

    def pause(self, meanwhile: Callable[[], None]) -> list[tuple[Group, Future[Segment]]]:
        """Return all that have ended and wait to be read, once no group is being trained; none begins until `set`.

        That may take an epoch, and the compiling before it: `meanwhile` is called a few times a second.
        """
        with self._changed:
            self._paused = True
        while True:
            meanwhile()
            with self._changed:
                if self._changed.wait_for(lambda: not self._busy, LOOK_SECONDS):
                    return [self._ended.get() for _ in range(self._ended.qsize())]

    def hold(self) -> AbstractContextManager[bool]:
        """Inside, no group takes up what its segment came to, so that all stand where they did."""
        return self._changed

    def _begin(self) -> None:
        """Under the lock: have trained what may be."""
        while not self._paused and len(self._busy) < self.at_once:
            unavailable = self._busy | self._lost
            idle = [
                candidate
                for candidate in self._groups
                if candidate not in unavailable and candidate.training and self.can_go_on(candidate)
            ]
            if not idle:
                return
            group = max(idle, key=lambda candidate: candidate.remaining)
            self._busy.add(group)
            self.train(group).add_done_callback(partial(self._end, group))

    def _end(self, group: Group, segment: Future[Segment]) -> None:
        """In the thread that trained it: take up what it came to, so that the group's next segment need not wait."""
        with self._changed:
            self._busy.remove(group)
            if error_of(segment) is None:
                group.take(segment.result().group)
            else:
                self._lost.add(group)
            self._ended.put((group, segment))
            self._begin()
            self._changed.notify_all()


def train_segment(task: Task, device: Device | None, pickled: bytes, until: int, seconds: float = math.inf) -> Segment:
    """On a worker: train a group from where it stands to that epoch, or to an earlier one where it is asked to stop,
    or others may go on after so many seconds.

    What comes back depends on nothing else: by whom, where and how often it is trained moves no bit of it, where the
    processors are alike. The group is pickled, so that nobody who shares its memory sees it half-way. Without a device
    it is one of `fit`.
    """
    programs = task.tool(device, partial(_make_programs, device))
    group: Group = pickle.loads(pickled)
    end = time.monotonic() + seconds

    def stopping() -> bool:
        return task.stopping() or (group.moves and time.monotonic() >= end)

    ended = group.attach(programs).train(until, stopping)
    return replace(ended, group=ended.group.at_rest())


def _make_programs(device: Device | None, spec: SweepSpec, data: SearchData) -> Any:
    if device is None:
        from keras_sweep.training.fit.programs import FitPrograms

        return FitPrograms(spec, data)
    from keras_sweep.training.lanes.programs import Programs

    return Programs(spec, data, device)
