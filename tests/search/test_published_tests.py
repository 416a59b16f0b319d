"""Optuna's own tests of samplers, as it publishes them in `optuna.testing`, over this package's samplers.

Those samplers know a space before they draw. So each of Optuna's calls makes one for the space of that call, which
learns the trials of the study first. An engine is left out, since it repeats no point, as Optuna's tests do on purpose.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.study import Study, StudyDirection
from optuna.testing import pytest_samplers as published
from optuna.trial import FrozenTrial

from keras_sweep.search.engines import SAMPLERS
from keras_sweep.space.distributions import Categorical, Distribution, Float, Int
from keras_sweep.space.search_space import Goal, Objective, Parameter, SearchSpace
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.factory import make_spec

LEARN_GOALS = [name for name in SAMPLERS.own if SAMPLERS[name].learns_goals or not SAMPLERS[name].learns]
SLOW = ("tpe", "nsgaii", "gp")  # which are Optuna's own
MEMBERS = [pytest.param(name, marks=[pytest.mark.soak] * (name in SLOW)) for name in SAMPLERS.own]


class Adapted(optuna.samplers.BaseSampler):
    """A sampler of this package that Optuna can ask."""

    def __init__(self, name: str) -> None:
        self._sampler = SAMPLERS[name]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]) -> Any:
        goals = [Goal.MAXIMIZE if one is StudyDirection.MAXIMIZE else Goal.MINIMIZE for one in study.directions]
        if len(goals) > 1 and self._sampler.learns and not self._sampler.learns_goals:
            raise ValueError("the reader of a space file refuses several goals")
        objectives = [Objective(f"goal_{place}", goal) for place, goal in enumerate(goals)]
        objective = Objective(objectives[0].name, goals[0], further=tuple(objectives[1:]))
        space = SearchSpace(tuple(Parameter(name, distribution(one)) for name, one in search_space.items()))
        sampler = self._sampler(make_spec(space=space, objective=objective))
        for before in study.get_trials(deepcopy=False):
            if before.state.is_finished() and search_space.keys() <= before.params.keys():
                params = {name: before.params[name] for name in search_space}
                complete = before.state is optuna.trial.TrialState.COMPLETE
                state = TrialState.COMPLETE if complete else TrialState.FAIL
                values = before.values if complete else [None] * len(goals)
                measured = {one.name: value for one, value in zip(objectives[1:], values[1:], strict=True) if complete}
                sampler.learn(Result(Suggestion(before.number, params), state, values[0], measured=measured))
        generator = np.random.default_rng(trial.number)
        sampler.begin(int(generator.integers(2**31)), generator)
        return sampler.draw(trial.number)

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, one: BaseDistribution) -> Any:
        return self.sample_relative(study, trial, {name: one})[name]


def distribution(one: Any) -> Distribution:
    """Optuna's distribution as this package has it."""
    if isinstance(one, CategoricalDistribution):
        return Categorical(tuple(one.choices))
    kind = Float if isinstance(one, FloatDistribution) else Int
    return kind(one.low, one.high, log=one.log, step=one.step)


class TestBasic(published.BasicSamplerTestCase):
    @pytest.fixture(params=MEMBERS)
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], optuna.samplers.BaseSampler]:
        return lambda: Adapted(request.param)


class TestRelative(published.RelativeSamplerTestCase):
    @pytest.fixture(params=MEMBERS)
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], optuna.samplers.BaseSampler]:
        return lambda: Adapted(request.param)


class TestSeveralGoals(published.MultiObjectiveSamplerTestCase):
    @pytest.fixture(params=[one for one in MEMBERS if one.values[0] in LEARN_GOALS])
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], optuna.samplers.BaseSampler]:
        return lambda: Adapted(request.param)


class TestOneGoal(published.SingleOnlySamplerTestCase):
    @pytest.fixture(params=[name for name in SAMPLERS.own if name not in LEARN_GOALS])
    def sampler(self, request: pytest.FixtureRequest) -> Callable[[], optuna.samplers.BaseSampler]:
        return lambda: Adapted(request.param)
