"""Imports Keras and KerasTuner without loading what they take along only to draw, to serve scikit-learn, notebooks and
networks, and to solve equations: half of their import. All of it loads when it is used."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keras_sweep.process.lazy_modules import loaded_later

LATER = frozenset(
    {
        *("keras.visualization", "keras.src.visualization"),  # which import matplotlib
        "keras.wrappers",  # scikit-learn
        *("requests", "psutil"),
        "jax.experimental.sparse.linalg",  # SciPy
        # what KerasTuner imports for its Bayesian search, for models of scikit-learn, and for searches on many machines
        *("sklearn", "sklearn.exceptions", "sklearn.gaussian_process", "sklearn.model_selection", "sklearn.pipeline"),
        *("scipy.optimize", "grpc"),
    }
)
OF_NOTEBOOKS = frozenset({"IPython", "IPython.display"})


@contextmanager
def spared() -> Iterator[None]:
    """Inside, `import keras` and `import keras_tuner` in this thread take along no more than is used."""
    known = {"IPython": {"get_ipython": _get_ipython}}  # KerasTuner asks for it, and for `display`, at once
    with loaded_later(LATER), loaded_later(OF_NOTEBOOKS, hollow=True, known=known):
        yield


def import_keras() -> None:
    """Import Keras in this thread."""
    with spared():
        import keras  # noqa: F401


def _get_ipython() -> Any:
    """The shell that runs this code, as IPython's own function says: none where its shells are not even imported."""
    if "IPython.core.interactiveshell" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    return get_ipython()
