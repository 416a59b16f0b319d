"""All samplers by engine. A library is imported when its engine is created, so other commands do not wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from keras_sweep.errors import UsageError
from keras_sweep.search.engine import Capabilities, Engine, Sampler
from keras_sweep.search.keras_tuner.oracle import ORACLES
from keras_sweep.space.plugins import Plugins, find_member

if TYPE_CHECKING:
    from keras_sweep.space.distributions import Value
    from keras_sweep.space.search_space import Params, SearchSpace
    from keras_sweep.space.sweep_spec import SearchSettings, SweepSpec

SAMPLERS: Plugins[type[Sampler]] = Plugins(
    "sampler",
    "keras_sweep.samplers",
    {
        "tpe": "keras_sweep.search.samplers:Tpe",
        "random": "keras_sweep.search.samplers:Random",
        "grid": "keras_sweep.search.samplers:Grid",
        "gp": "keras_sweep.search.samplers:Gp",
        "cmaes": "keras_sweep.search.samplers:CmaEs",
        "qmc": "keras_sweep.search.samplers:QuasiRandom",
        "nsgaii": "keras_sweep.search.samplers:Nsga2",
    },
)
# The first is the default.
ENGINES: Mapping[str, Mapping[str, type[Capabilities]]] = {"optuna": SAMPLERS, "keras-tuner": ORACLES}
OWN_SAMPLERS = tuple(dict.fromkeys((*SAMPLERS.own, *ORACLES)))
MISSING = "\0"  # placeholder for a missing value
DEFAULTS = "defaults"  # in place of a start point: all default values


def find_sampler(search: SearchSettings) -> type[Capabilities]:
    """Return the class of the search's sampler. Raises UsageError for an unknown engine or sampler."""
    return find_member(find_member(ENGINES, "engine", search.engine), f"{search.engine} sampler", search.sampler)


def start_points(spec: SweepSpec) -> list[dict[str, Value]]:
    """Return the start points of `search.start`: parameter -> value, 1.0 for 1 if the parameter is real. Raises
    UsageError if a point is outside the space."""
    starts = (_defaults(spec.space) if point == DEFAULTS else point for point in spec.search.start)
    points = [spec.space.normalize_point(start) for start in starts]
    for index, point in enumerate(points):
        for name, rule in spec.space.find_misfits(point).items():
            raise UsageError(f"search.start.{f'{index}.{name}'.rstrip('.')}: {rule}")
    return points


def _defaults(space: SearchSpace) -> Params:
    """Return the default values of a KerasTuner model's parameters. Raises UsageError if no parameter has a default."""
    defaults = space.assign_values(lambda parameter: parameter.default)
    point = {name: value for name, value in defaults.items() if value is not None and name not in space.constants}
    if not point:
        raise UsageError(
            f"search.start: `{DEFAULTS}` needs a KerasTuner model with default values",
            hint="Write the values, for example `start: [{learning_rate: 0.001}]`",
        )
    return point


def complete_point(spec: SweepSpec, user_point: Params, like: Params | None = None) -> dict[str, Value]:
    """Return a user's point: 1 becomes 1.0 if the parameter is real, and the point `like` supplies missing values.
    Raises UsageError if the point is outside the space, or both points lack a value."""
    point = spec.space.normalize_point(user_point)
    faults = [f"{name} {rule}".strip() for name, rule in spec.space.find_misfits(point).items()]
    if not faults and like is not None:
        point = spec.space.assign_values(lambda parameter: like.get(parameter.name, MISSING), point)
        faults = [f"{name} is missing" for name, value in point.items() if value == MISSING]
        faults = faults or list(spec.space.find_misfits(point).values())
    if faults:
        raise UsageError(f"the point is not in the search space: {'; '.join(faults)}")
    return point


def make_engine(spec: SweepSpec) -> Engine:
    """Create the engine of a search. Raises UsageError if the sampler is unknown or can't do what the search needs."""
    from keras_sweep.search.keras_tuner.engine import KerasTunerEngine
    from keras_sweep.search.pruning import PrunedEngine
    from keras_sweep.search.sampler_engine import SamplerEngine
    from keras_sweep.search.samplers import Random

    sampler, name, rule = find_sampler(spec.search), spec.search.engine_name, spec.early_terminate
    sampler_spec = replace(spec, space=spec.sampler_space)
    unsearched = {"epochs"} if spec.objective.epochs_from else set()
    start = [{name: value for name, value in point.items() if name not in unsearched} for point in start_points(spec)]
    engine: Engine
    if issubclass(sampler, Sampler):
        engine = SamplerEngine(name, sampler(sampler_spec), spec.search.seed, start)
    else:
        engine = KerasTunerEngine(sampler_spec, start)
    if rule is None:
        return engine
    first = SamplerEngine(name, Random(sampler_spec), spec.search.seed, start) if rule.first else None
    return PrunedEngine(engine, spec, rule, first)
