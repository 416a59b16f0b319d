"""Decide when a group trains: the group with the most epochs left is next. The order never changes results."""

from __future__ import annotations

import math
import pickle
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.packing import Device
from keras_sweep.training.workers.pool import error_of
from keras_sweep.training.workers.task import LOOK_SECONDS, Task

if TYPE_CHECKING:  # a worker imports this module for `train_segment` before it chooses its backend
    from keras_sweep.training.group import Group, Segment


@dataclass(eq=False)
class Segments:
    """Trains several groups at once, a segment (some epochs of a group) at a time. Training begins with `set`."""

    train: Callable[[Group], Future[Segment]]  # trains the next segment; the future fails if a worker loses it
    at_once: int  # 0 trains in this thread, inside `next`
    can_go_on: Callable[[Group], bool]  # whether a group may train its next epoch; called under the lock

    def __post_init__(self) -> None:
        self._ended: queue.SimpleQueue[tuple[Group, Future[Segment]]] = queue.SimpleQueue()
        self._groups: list[Group] = []
        self._busy: set[Group] = set()
        self._lost: set[Group] = set()  # groups whose segment was lost; the next `set` trains it again
        self.lock = threading.Condition()  # while a caller holds it, ended segments do not change their groups
        self._paused = False

    def set(self, groups: Sequence[Group]) -> None:
        """Replace the groups to train, end a pause, and begin segments. Segments that workers lost train again."""
        with self.lock:
            self._paused = False
            self._lost.clear()
            self._groups = [group for group in groups if group.training]
            self._begin()

    @property
    def is_working(self) -> bool:
        """Whether a group still trains, or `next` has not yet returned an ended segment."""
        with self.lock:
            return bool(self._groups or self._busy) or not self._ended.empty()

    def next(self) -> list[tuple[Group, Future[Segment]]]:
        """Wait up to 0.2 s for a segment to end; return [(group, segment)] or []. If `at_once` is 0, train it here."""
        if not self.at_once:
            group = next((group for group in self._groups if group.training and self.can_go_on(group)), None)
            return [] if group is None else [(group, self.train(group))]
        with suppress(queue.Empty):
            return [self._ended.get(timeout=LOOK_SECONDS)]
        return []

    def pause(self, meanwhile: Callable[[], None]) -> list[tuple[Group, Future[Segment]]]:
        """Begin no segment until `set`. Call `meanwhile` until no group trains. Return [(group, ended segment)]."""
        with self.lock:
            self._paused = True
        while True:
            meanwhile()
            with self.lock:
                if self.lock.wait_for(lambda: not self._busy, LOOK_SECONDS):
                    return [self._ended.get() for _ in range(self._ended.qsize())]

    def _begin(self) -> None:
        """Begin the next segment of idle groups, until `at_once` groups train. The caller holds the lock."""
        while not self._paused and len(self._busy) < self.at_once:
            busy = self._busy | self._lost
            idle = [group for group in self._groups if group not in busy and group.training and self.can_go_on(group)]
            if not idle:
                return
            group = max(idle, key=lambda group: group.remaining)
            self._busy.add(group)
            self.train(group).add_done_callback(partial(self._end, group))

    def _end(self, group: Group, segment: Future[Segment]) -> None:
        """Update the group after its segment, and begin the next segment. Runs in the thread that trained the group."""
        with self.lock:
            self._busy.remove(group)
            if error_of(segment) is not None:
                self._lost.add(group)
            elif segment.result().group is not group:  # a worker has trained a copy
                group.take(segment.result().group)
            self._ended.put((group, segment))
            self._begin()
            self.lock.notify_all()


def train_segment(task: Task, device: Device | None, pickled: bytes, until: int, seconds: float = math.inf) -> Segment:
    """Train a pickled group on a worker up to epoch `until`. Stop earlier if the sweep stops, or after `seconds`.

    The limit gives other groups a turn. On equal processors, neither the worker nor the length of segments changes
    results. Without `device`, `fit` trains the group. A pickled group is a copy, so no thread sees it half-trained.
    """
    programs = task.get_programs(partial(_make_programs, device))
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
