"""Spares the JAX and PyTorch backends the import of TensorFlow, which takes seconds and changes no number.

Keras imports TensorFlow wherever it is installed to seed it and to recognise its types. This file holds the one private
name of Keras that is needed to say no: the lazy module whose `available` flag those places ask (Keras 3.15).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Inside, Keras takes TensorFlow for not installed, unless it has been imported already or is the backend."""
    import keras

    try:
        from keras.src.utils.module_utils import tensorflow as lazy

        known = "_available" in vars(lazy)  # Keras 3.15: what `available` answers
    except ImportError:  # another Keras imports TensorFlow, which only takes longer
        known = False
    if not known or keras.backend.backend() == "tensorflow" or "tensorflow" in sys.modules:
        yield
        return
    before = lazy._available  # noqa: SLF001  # Keras 3.15
    lazy._available = False  # noqa: SLF001  # Keras 3.15
    try:
        yield
    finally:
        lazy._available = before  # noqa: SLF001  # Keras 3.15
