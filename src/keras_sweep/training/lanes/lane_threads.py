"""Threads that train groups, always the one with the most left to do. They decide when a group trains, never how."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

from keras_sweep.training.lanes.group import Group, Report

LOOK_SECONDS = 0.2  # how often something else is looked at while no group reports


class LaneThreads:
    """Trains groups on so many threads and reports each epoch. A group that is idle is one that no thread touches."""

    def __init__(self, threads: int, may_go_on: Callable[[Group], bool]) -> None:
        """`may_go_on` says whether a group may train its next epoch; it is called under the lock of the threads."""
        import keras

        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._may_go_on = may_go_on
        self._groups: list[Group] = []
        self._busy: set[Group] = set()
        self._changed = threading.Condition()
        self._open = True
        self._paused = False
        self._policy = keras.config.dtype_policy()  # of this thread: each has its own, and models may be built in all
        self._threads = [threading.Thread(target=self._work, name=f"lanes-{i}", daemon=True) for i in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """End after the epochs that are being trained."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def set(self, groups: Sequence[Group]) -> None:
        """Train these groups, those that are finished left out, and look again which may go on, after a pause too."""
        with self._changed:
            self._paused = False
            self._groups = [group for group in groups if group.training]
            self._changed.notify_all()

    @property
    def working(self) -> bool:
        """Whether there is a group to train, or a report to read."""
        with self._changed:
            return bool(self._groups or self._busy) or not self._reports.empty()

    def next_report(self) -> list[Report]:
        """The next report; none if there is none for a moment."""
        with suppress(queue.Empty):
            return [self._reports.get(timeout=LOOK_SECONDS)]
        return []

    def pause(self, meanwhile: Callable[[], None]) -> list[Report]:
        """Return all reports that wait to be read, once no group is being trained; nothing begins until `set`.

        That may take an epoch, and the compiling before it: `meanwhile` is called a few times a second.
        """
        with self._changed:
            self._paused = True
        while True:
            meanwhile()
            with self._changed:
                if self._changed.wait_for(lambda: not self._busy, LOOK_SECONDS):
                    return [self._reports.get() for _ in range(self._reports.qsize())]

    def _next(self) -> Group | None:
        if self._paused:
            return None
        ready = [
            group for group in self._groups if group not in self._busy and group.training and self._may_go_on(group)
        ]
        return max(ready, key=lambda group: group.remaining, default=None)

    def _work(self) -> None:
        import keras

        keras.config.set_dtype_policy(self._policy)
        while True:
            with self._changed:
                group = None
                while self._open and (group := self._next()) is None:
                    self._changed.wait()
                if not self._open or group is None:
                    return
                self._busy.add(group)
            try:
                report = group.advance()
            except BaseException as error:  # a user's model may raise anything when it is traced, `sys.exit` does too
                report = Report(group, error=error)
            with self._changed:
                self._busy.remove(group)
                if report.error is not None:
                    group.finished = True
                self._reports.put(report)
                self._changed.notify_all()
