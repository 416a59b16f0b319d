"""One look at a user's model before the search: what it lets be searched, and what it gives out."""

from __future__ import annotations

from itertools import repeat
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.models.build import build_model
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.plan import training_plan


def with_own_parameters(spec: SweepSpec, data: SearchData) -> SweepSpec:
    """The sweep with the hyperparameters of a HyperModel or `build(hp)` among its parameters; others as they are.

    Raises:
        ModelError: the model can't be imported or built.
    """
    if spec.model.kind == "dense":
        return spec
    from keras_sweep.errors import ModelError
    from keras_sweep.models.hyper_model import is_hyper_model, with_hyper_model
    from keras_sweep.process.user_code import load_python

    found = load_python(spec.model.source, spec.folder, ModelError)
    if not is_hyper_model(found):
        return spec
    return with_hyper_model(spec, found, input_shape=data.input_shape, classes=data.classes)


def first_model(spec: SweepSpec, data: SearchData) -> Any:
    """The model of the space's first point. Raises ModelError where it can't be built."""
    return build_model(spec, training_plan(spec, first_point(spec)).model_arguments, data)


def first_point(spec: SweepSpec) -> Params:
    """Every parameter at its lowest or first value."""
    return spec.space.at(repeat(0.0))
