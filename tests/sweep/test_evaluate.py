"""A look at test rows gives numbers, the share of each class, and errors; `test_finish.py` shows that it is counted."""

from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.sweep.evaluate import evaluate
from tests.helpers.factory import digits, make_spec
from tests.helpers.results import result

DATA, SPEC = digits(64, 32), make_spec()


class Sure:
    """A model that says of each row its class, which the row is."""

    def evaluate(self, x, y, **given):
        assert given["return_dict"] and given["verbose"] == 0
        self.weights = given["sample_weight"]
        return {"accuracy": np.float32(0.5), "loss": 0.25, "confusion": np.zeros((2, 2))}

    def predict(self, x, **_):
        return np.eye(10)[x]


@pytest.mark.parametrize("weights", [None, np.array([1.0, 3.0, 1.0, 1.0])])
def test_scores_are_numbers_and_each_class_that_is_there_has_its_share(weights) -> None:
    rows, model = Rows(np.array([3, 4, 5, 0]), np.array([3, 3, 5, 1]), weights), Sure()
    scores = evaluate(SPEC, result(0), model, rows, DATA)
    assert model.weights is weights
    assert (scores.rows, scores.scores) == (4, {"accuracy": 0.5, "loss": 0.25})
    assert set(scores.stderrs) == {"accuracy", "loss"}
    assert scores.per_class == {"1": 0.0, "3": 0.5 if weights is None else 0.25, "5": 1.0}
    assert evaluate(SPEC, result(0), model, rows, replace(DATA, classes=None)).per_class is None
