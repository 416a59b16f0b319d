"""Parameters of the data: `data.window` decides which rows a trial has. A variant is one set of their values."""

from dataclasses import asdict, replace
from typing import TypeAlias

from keras_sweep.space.data_spec import PythonOptions, SeriesOptions
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Params, SearchSpace, identity
from keras_sweep.space.sweep_spec import SweepSpec

DATA_PREFIX = "data."  # of options of the source, or arguments of a function that returns rows
Variant: TypeAlias = tuple[tuple[str, Value], ...]  # names and values


def get_variant(params: Params) -> Variant:
    """The variant that a trial of these parameters has; () where none is of the data."""
    return identity({name: value for name, value in params.items() if name.startswith(DATA_PREFIX)})


def get_data_space(space: SearchSpace) -> SearchSpace:
    """The parameters of the data alone, each point of which is a variant. Without any it has one, empty point."""
    parameters = tuple(one for one in space.parameters if one.name.startswith(DATA_PREFIX))
    return SearchSpace(parameters, dict(get_variant(space.constants)))


def apply_variant(spec: SweepSpec, params: Params) -> SweepSpec:
    """The sweep, whose data are read as for a trial of these parameters."""
    values = {name.removeprefix(DATA_PREFIX): value for name, value in get_variant(params)}
    if not values or spec.data.options is None:
        return spec
    known = {name: value for name, value in asdict(spec.data.options).items() if value is not None}
    python = isinstance(spec.data.options, PythonOptions)
    given = {"arguments": {**known["arguments"], **values}} if python else values
    return replace(spec, data=replace(spec.data, options=type(spec.data.options)(**{**known, **given})))


def apply_first_variant(spec: SweepSpec) -> SweepSpec:
    """The sweep, whose data are read as its first variant has them. Windows of a series know the longest of all."""
    points = list(get_data_space(spec.space).points())
    is_series = isinstance(spec.data.options, SeriesOptions)
    windows = [point["data.window"] for point in points if is_series and "data.window" in point]
    longest = {"data.longest": max(map(int, map(str, windows)))} if len(windows) > 1 else {}
    return apply_variant(spec, {**points[0], **longest})
