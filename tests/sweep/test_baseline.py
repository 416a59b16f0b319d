"""scikit-learn's linear model as the yardstick."""

from __future__ import annotations

import numpy as np
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.errors import DataError
from keras_sweep.sweep.baseline import fit_baseline
from tests.helpers.data_specs import named


def test_gives_the_lessons_figure_on_fashion_mnist() -> None:
    spec = named("fashion_mnist")
    baseline = fit_baseline(spec, load_search_data(spec))
    assert baseline.mean_score == 0.8194166666666666
    assert len(baseline.fold_scores) == 5
    assert baseline.model == "SGDClassifier(loss='log_loss', max_iter=5, random_state=42)"
    assert baseline.validation["val_accuracy"] == pytest.approx(0.834, abs=0.01)


def test_takes_one_hot_labels_and_is_repeatable() -> None:
    one_hot, indices = named("digits", "categorical_crossentropy"), named("digits")
    scores = [fit_baseline(spec, load_search_data(spec)).fold_scores for spec in (one_hot, indices, indices)]
    assert scores[0] == scores[1] == scores[2]
    assert np.mean(scores[0]) > 0.9


def test_regression_is_scored_by_errors() -> None:
    spec = named("diabetes")
    data = load_search_data(spec)
    baseline = fit_baseline(spec, data)
    assert baseline.metric == "r2" and baseline.mean_score > 0.4
    spread = float(((data.validation.y - data.train.y.mean()) ** 2).mean())
    assert baseline.validation["val_mean_squared_error"] < 0.8 * spread
    assert set(baseline.validation) == {"val_mean_squared_error", "val_mean_absolute_error"}


def test_several_targets_are_refused() -> None:
    from dataclasses import replace

    from keras_sweep.data.search_data import Rows

    spec = named("diabetes")
    data = load_search_data(spec)
    rows = Rows(data.train.x, np.stack([data.train.y] * 2, axis=1))
    with pytest.raises(DataError, match="2 columns"):
        fit_baseline(spec, replace(data, train=rows, validation=rows))


def test_fewer_rows_than_folds_are_refused_in_one_sentence() -> None:
    from dataclasses import replace

    from keras_sweep.data.search_data import Rows

    spec = named("diabetes")
    data = load_search_data(spec)
    few = replace(
        data, train=Rows(data.train.x[:3], data.train.y[:3]), validation=Rows(data.train.x[:1], data.train.y[:1])
    )
    with pytest.raises(DataError) as raised:
        fit_baseline(spec, few)
    assert str(raised.value).endswith("the number of samples: n_samples=4. Bring more rows")
