"""The contracts of samplers and pruning rules over all that are registered."""

import pytest

from keras_sweep.search.engines import ENGINES
from keras_sweep.search.pruning import PRUNING_RULES
from keras_sweep.testing import PruningRuleContract, SamplerContract

# A Gaussian process takes long for every point; tests/search has in short what these two promise.
SLOW = {("optuna", "gp"), ("keras-tuner", "bayesian")}
MEMBERS = [
    pytest.param((engine, sampler), marks=[pytest.mark.soak] * ((engine, sampler) in SLOW), id=f"{engine}/{sampler}")
    for engine, samplers in ENGINES.items()
    for sampler in samplers
]


@pytest.fixture(params=MEMBERS)
def member(request: pytest.FixtureRequest) -> tuple[str, str]:
    """An engine and one of its samplers."""
    engine, sampler = request.param
    return engine, sampler


class TestEveryEngine(SamplerContract):
    @pytest.fixture(autouse=True)
    def _member(self, member: tuple[str, str]) -> None:
        self.engine, self.sampler = member
        self.follows_seed = member != ("keras-tuner", "grid")  # which is in the order of the file


@pytest.mark.parametrize("name", PRUNING_RULES)
class TestEveryPruningRule(PruningRuleContract):
    @pytest.fixture(autouse=True)
    def _rule(self, name: str) -> None:
        self.rule = name
