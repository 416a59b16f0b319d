"""Parameters of the data: `data.window` decides which rows a trial has. A variant is one set of their values."""

from dataclasses import replace
from typing import TypeAlias

from keras_sweep.space.data_spec import PythonOptions
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Params, SearchSpace, identity
from keras_sweep.space.sweep_spec import DATA_PREFIX, SweepSpec

Variant: TypeAlias = tuple[tuple[str, Value], ...]  # the parameters of the data with their values, by name


def variant_of(params: Params) -> Variant:
    """The variant that a trial of these parameters has; () where there are none of the data."""
    return identity(data_values(params))


def data_values(params: Params) -> dict[str, Value]:
    """Of a trial's parameters those of its data."""
    return {name: value for name, value in params.items() if name.startswith(DATA_PREFIX)}


def data_space(space: SearchSpace) -> SearchSpace:
    """The parameters of the data alone, each point of which is a variant. Without any it has one, empty point."""
    parameters = tuple(one for one in space.parameters if one.name.startswith(DATA_PREFIX))
    return SearchSpace(parameters, data_values(space.constants))


def variant_spec(spec: SweepSpec, params: Params) -> SweepSpec:
    """The sweep, whose data are read as for a trial of these parameters."""
    values = {name.removeprefix(DATA_PREFIX): value for name, value in data_values(params).items()}
    if not values:
        return spec
    options = spec.data.options
    given = {"arguments": {**options.arguments, **values}} if isinstance(options, PythonOptions) else values
    return replace(spec, data=spec.data.with_options(**given))
