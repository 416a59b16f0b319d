"""The protocol of what shows a sweep while it runs."""

from __future__ import annotations

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
