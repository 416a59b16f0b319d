"""Contract tests for plugins: runners, samplers, pruning rules, data sources and trackers of other packages.

    from keras_sweep.testing import SamplerContract

    class TestAnnealing(SamplerContract):
        sampler = "annealing"

The test class inherits the contract's tests, and pytest runs them. The tests find the plugin by its name, so install
its package or register the plugin before.
"""

import pytest

CONTRACTS = ("runners", "samplers", "searching", "sources", "trackers")
pytest.register_assert_rewrite(*(f"{__name__}.{contract}" for contract in CONTRACTS))

from keras_sweep.testing.runners import RunnerContract  # noqa: E402
from keras_sweep.testing.samplers import PruningRuleContract, SamplerContract  # noqa: E402
from keras_sweep.testing.sources import SourceContract  # noqa: E402
from keras_sweep.testing.trackers import Tracked, TrackerContract  # noqa: E402

__all__ = ["PruningRuleContract", "RunnerContract", "SamplerContract", "SourceContract", "Tracked", "TrackerContract"]
