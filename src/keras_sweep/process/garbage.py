"""Python's garbage collector, kept from what lives as long as the process."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def only_new_garbage() -> Iterator[None]:
    """Collect only what is created inside: Keras has all be collected before each model, imported modules too."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def skip_teardown_at_exit() -> None:
    """At the end of the process take nothing apart: after a search with JAX that takes most of a second."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
