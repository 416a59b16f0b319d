"""Imports Keras without loading what it takes along only to draw, to serve scikit-learn, notebooks and networks, and to
solve sparse equations: half of its import. All of it loads when it is used."""

from __future__ import annotations

from keras_sweep.process.lazy_modules import loaded_later

LATER = frozenset(
    {
        *("keras.visualization", "keras.src.visualization"),  # which import matplotlib
        "keras.wrappers",  # scikit-learn
        *("IPython", "requests", "psutil"),
        "jax.experimental.sparse.linalg",  # SciPy
    }
)

OF_KERAS_TUNER = frozenset(
    {
        *("sklearn", "sklearn.exceptions", "sklearn.gaussian_process", "sklearn.model_selection", "sklearn.pipeline"),
        "scipy.optimize",
    }
)  # which it imports for its Bayesian search and for models of scikit-learn


def import_keras() -> None:
    """Import Keras in this thread."""
    with loaded_later(LATER):
        import keras  # noqa: F401
