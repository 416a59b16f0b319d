"""The record protocol: what a search needs of the place where its finished trials are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from keras_sweep.trial.result import Result


class Record(Protocol):
    """Where finished trials are kept."""

    def results(self) -> list[Result]:
        """All trials in the order of their numbers."""
        ...

    def add(self, result: Result) -> Result:
        """Keep one trial, and its weights if they are among the best, in one commit; return it without them."""
        ...

    def wait(self, result: Result) -> Result:
        """Keep a trial that ended before its turn in the record has come; return it without its weights."""
        ...

    def waiting(self, numbers: Iterable[int]) -> dict[int, Result]:
        """Those of the trials that wait for their turn, by number."""
        ...

    def discard(self, number: int) -> None:
        """Forget a trial that waits: another one bears its number now."""
        ...
