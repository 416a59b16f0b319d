"""What a result says of a score that its rows contradict."""

from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.comparison import doubts
from tests.helpers.factory import digits
from tests.helpers.lane_trials import fitted, lanes, suggestions, user_spec


@pytest.mark.parametrize("train", [lanes, fitted])
def test_a_metric_that_the_model_never_updates_is_said_to_contradict_its_rows(train):
    data = digits(64, 32)
    train_rows, rows = (Rows(part.x, (1 + part.y).astype(np.float32)) for part in (data.train, data.validation))
    data = replace(data, train=train_rows, validation=rows, classes=None)
    objective = Objective("val_mae", Goal.MINIMIZE)
    spec = user_spec("own_metrics", loss="mean_squared_error", metrics=("mae",), objective=objective)
    (result,) = train(spec, data, suggestions({"optimizer": "sgd", "learning_rate": 1e-3, "epochs": 1})).values()
    outputs = data.validation.x @ result.weights[0] + result.weights[1]
    assert result.value == 0 and result.stderr is None and result.scores is None
    assert result.rows_value == pytest.approx(np.abs(outputs[:, 0] - data.validation.y).mean(), rel=1e-5)
    (words,) = doubts("val_mae", [result])
    assert words.startswith("val_mae contradicts its rows: trial 0 has 0.0000, its outputs on those rows give ")
