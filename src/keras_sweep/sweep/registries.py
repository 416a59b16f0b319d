"""What others can add to, by the name of the option that takes a member."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keras_sweep.search.optuna.samplers import SAMPLERS
from keras_sweep.training.choose import RUNNERS


def registries() -> Mapping[str, Iterable[str]]:
    """Names of the members, those of other packages included: their entry points are read for it."""
    return {"sampler": SAMPLERS, "runner": RUNNERS}
