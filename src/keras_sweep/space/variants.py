"""Parameters of the data, like `data.window`, decide a trial's rows. A variant is a set of values for all of them."""

from dataclasses import asdict, replace
from typing import TypeAlias

from keras_sweep.space.data_spec import PythonOptions, SeriesOptions
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Params, SearchSpace, identity
from keras_sweep.space.sweep_spec import SweepSpec

DATA_PREFIX = "data."  # parameters with this prefix: options of the source, or arguments of a function of rows
Variant: TypeAlias = tuple[tuple[str, Value], ...]  # (name, value) pairs, sorted


def get_variant(params: Params) -> Variant:
    """Return the parameters `data.*` of a trial as sorted (name, value) pairs; () if it has none."""
    return identity({name: value for name, value in params.items() if name.startswith(DATA_PREFIX)})


def get_data_space(space: SearchSpace) -> SearchSpace:
    """Return the space of the `data.*` parameters and constants. If there are none, its only configuration is {}."""
    parameters = tuple(parameter for parameter in space.parameters if parameter.name.startswith(DATA_PREFIX))
    return SearchSpace(parameters, dict(get_variant(space.constants)))


def apply_variant(spec: SweepSpec, params: Params) -> SweepSpec:
    """Return `spec` with the `data.*` values of `params` as options of its data."""
    values = {name.removeprefix(DATA_PREFIX): value for name, value in get_variant(params)}
    if not values or spec.data.options is None:
        return spec
    known = {name: value for name, value in asdict(spec.data.options).items() if value is not None}
    is_python = isinstance(spec.data.options, PythonOptions)
    options = {"arguments": {**known["arguments"], **values}} if is_python else values
    return replace(spec, data=replace(spec.data, options=type(spec.data.options)(**{**known, **options})))


def apply_first_variant(spec: SweepSpec) -> SweepSpec:
    """Return `spec` with the first combination of `data.*` values.
    For a series with several windows, the option `longest` becomes the longest window."""
    points = list(get_data_space(spec.space).points())
    is_series = isinstance(spec.data.options, SeriesOptions)
    windows = [point["data.window"] for point in points if is_series and "data.window" in point]
    longest = {"data.longest": max(map(int, map(str, windows)))} if len(windows) > 1 else {}
    return apply_variant(spec, {**points[0], **longest})
