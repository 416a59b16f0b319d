"""Contract tests for members of other packages: a test class derives from one, names the member, and has its tests.

    from keras_sweep.testing import SamplerContract

    class TestAnnealing(SamplerContract):
        sampler = "annealing"

The member is found by its name, so its package is installed, or registers it before. pytest runs the tests.
"""

import pytest

CONTRACTS = ("runners", "samplers", "searching", "sources", "trackers")
pytest.register_assert_rewrite(*(f"{__name__}.{contract}" for contract in CONTRACTS))

from keras_sweep.testing.runners import RunnerContract  # noqa: E402
from keras_sweep.testing.samplers import PruningRuleContract, SamplerContract  # noqa: E402
from keras_sweep.testing.sources import SourceContract  # noqa: E402
from keras_sweep.testing.trackers import Tracked, TrackerContract  # noqa: E402

__all__ = [
    "PruningRuleContract",
    "RunnerContract",
    "SamplerContract",
    "SourceContract",
    "Tracked",
    "TrackerContract",
]
