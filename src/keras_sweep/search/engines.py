"""Every engine by library and sampler. A library is imported when its engine is made: no other command waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from keras_sweep.errors import UsageError
from keras_sweep.search.engine import Capabilities, Engine, Sampler
from keras_sweep.search.keras_tuner.oracle import ORACLES
from keras_sweep.space.plugins import Plugins, member_of

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
MISSING = "\0"  # stands for a value that there is none of
DEFAULTS = "defaults"  # stands for the point of all default values


def find_sampler(search: SearchSettings) -> type[Capabilities]:
    """The sampler that is named, which says what it can do. Raises UsageError: it is not known."""
    return member_of(member_of(ENGINES, "engine", search.engine), f"{search.engine} sampler", search.sampler)


def start_of(spec: SweepSpec) -> list[dict[str, Value]]:
    """The points to start with, as they are drawn. Raises UsageError where one is none of the space."""
    starts = (_defaults(spec.space) if given == DEFAULTS else given for given in spec.search.start)
    points = [spec.space.normalize_point(given) for given in starts]
    for index, point in enumerate(points):
        for name, rule in spec.space.misfits(point).items():
            raise UsageError(f"search.start.{f'{index}.{name}'.rstrip('.')}: {rule}")
    return points


def _defaults(space: SearchSpace) -> Params:
    """What a KerasTuner model asks for where nobody chooses. Raises UsageError: it is none."""
    whole = space.assign_values(lambda one: one.default)
    point = {name: value for name, value in whole.items() if value is not None and name not in space.constants}
    if not point:
        hint = "Write the point out, as in `start: [{learning_rate: 0.001}]`"
        raise UsageError(f"search.start: `{DEFAULTS}` are a KerasTuner model's, and none is searched here", hint=hint)
    return point


def whole_point(spec: SweepSpec, given: Params, like: Params | None = None) -> dict[str, Value]:
    """A point that the user names, constants included; what it leaves out is as in `like`, or not asked for yet (None).

    Raises UsageError with all that is wrong with it.
    """
    point = spec.space.normalize_point(given)
    faults = [f"{name} {rule}".strip() for name, rule in spec.space.misfits(point).items()]
    if not faults and like is not None:
        point = spec.space.assign_values(lambda one: like.get(one.name, MISSING), point)
        faults = [f"{name} is missing" for name, value in point.items() if value == MISSING]
        faults = faults or list(spec.space.misfits(point).values())
    if faults:
        raise UsageError(f"the point to add is none of this search: {'; '.join(faults)}")
    return point


def make_engine(spec: SweepSpec) -> Engine:
    """A fresh engine, for `replay` and then `ask`. Raises UsageError: it is not known, or can't do what is asked."""
    from keras_sweep.search.keras_tuner.engine import KerasTunerEngine
    from keras_sweep.search.pruning import PrunedEngine
    from keras_sweep.search.sampler_engine import SamplerEngine
    from keras_sweep.search.samplers import Random

    sampler, name, rule = find_sampler(spec.search), spec.search.engine_name, spec.early_terminate
    drawn = replace(spec, space=spec.sampler_space)
    read = {"epochs"} if spec.objective.epochs_from else set()
    start = [{name: value for name, value in point.items() if name not in read} for point in start_of(spec)]
    engine: Engine
    if issubclass(sampler, Sampler):
        engine = SamplerEngine(name, sampler(drawn), spec.search.seed, start)
    else:
        engine = KerasTunerEngine(drawn, start)
    if rule is None:
        return engine
    first = SamplerEngine(name, Random(drawn), spec.search.seed, start) if rule.first else None
    return PrunedEngine(engine, spec, rule, first)
