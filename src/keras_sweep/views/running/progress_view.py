"""The protocol of what shows a sweep while it runs, and a view whose output may go away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

from keras_sweep.trial.events import Event


class ProgressView(Protocol):
    """A listener to be entered before the sweep and left after it."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        return

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        ...


class OutputMayVanish:
    """Stands before another view, whose terminal, pipe or log may go away: then nothing more is shown."""

    def __init__(self, view: ProgressView) -> None:
        self._view: ProgressView | None = view

    def __enter__(self) -> Self:
        with self._taken():
            if self._view is not None:
                self._view.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._taken():
            if self._view is not None:
                self._view.__exit__(kind, error, trace)

    def __call__(self, event: Event) -> None:
        """Pass the event on, while there is somewhere to show it."""
        with self._taken():
            if self._view is not None:
                self._view(event)

    @contextmanager
    def _taken(self) -> Iterator[None]:
        try:
            yield
        except OSError:  # EPIPE: the reader has gone; EIO: the terminal was closed; ENOSPC: the disk is full
            self._view = None
