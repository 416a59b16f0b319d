"""The contract of pruning rules over all that are registered."""

import pytest

from keras_sweep.search.pruning import PRUNING_RULES
from keras_sweep.testing.pruning_rules import PruningRuleContract


@pytest.mark.parametrize("name", PRUNING_RULES)
class TestEveryPruningRule(PruningRuleContract):
    @pytest.fixture(autouse=True)
    def _rule(self, name: str) -> None:
        self.rule = name
