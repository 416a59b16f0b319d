"""What a trial's numbers depend on beside what the record says of it."""

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from keras_sweep import __version__

PACKAGES = ("keras", "tensorflow", "torch", "jax", "optuna", "keras-tuner", "numpy", "scikit-learn")


def versions() -> dict[str, str]:
    """The versions of Python, this package and the packages that move numbers; those not installed are left out."""
    found = {"python": platform.python_version(), "keras-sweep": __version__}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
