"""The contract of runners over all that are registered."""

import pytest

from keras_sweep.testing.runners import RunnerContract
from keras_sweep.training.choose import RUNNERS


@pytest.mark.parametrize("name", RUNNERS)
class TestEveryRunner(RunnerContract):
    @pytest.fixture(autouse=True)
    def _runner_name(self, name: str) -> None:
        self.runner_name = name
