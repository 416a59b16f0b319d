"""Imports Keras without what it takes along only to draw and to dress models for scikit-learn: half of its import."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Any

SPARED = frozenset({"matplotlib", "sklearn"})  # Keras does without them where they are not installed


class _NotInstalled(MetaPathFinder):
    """Says to one thread that these packages are not installed. Every other thread finds them."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, *_where: Any) -> None:
        """Raises ModuleNotFoundError, or leaves the search to the other finders."""
        if name in SPARED and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextmanager
def without_drawing() -> Iterator[None]:
    """Inside, this thread's `import keras` leaves out matplotlib and scikit-learn, unless they are imported already.

    `keras.visualization` and `keras.wrappers` then say that these are missing as long as the process lives: only for a
    process that runs no code of the user's.
    """
    finder = _NotInstalled()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
