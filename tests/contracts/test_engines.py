"""The engine contract over every sampler of every library: one that is registered is tested from that day on."""

import pytest

from keras_sweep.search.engines import ENGINES
from keras_sweep.testing.samplers import SamplerContract

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
