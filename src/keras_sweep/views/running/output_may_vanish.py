"""A view whose terminal, pipe or log may go away: then it shows nothing more, and the sweep goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from keras_sweep.trial.events import Event
from keras_sweep.views.running.progress_view import ProgressView


class OutputMayVanish:
    """Stands before another view and takes its errors of input and output."""

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
