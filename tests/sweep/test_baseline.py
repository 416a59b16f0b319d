"""scikit-learn's linear model as the yardstick."""

from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.search_data import Rows
from keras_sweep.errors import DataError
from keras_sweep.sweep.named_data import fit_baseline
from tests.helpers.data_specs import named


@pytest.mark.soak
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


def test_labels_in_a_column_have_the_baseline_of_those_that_are_not() -> None:
    spec = named("diabetes")
    flat = load_search_data(spec)
    in_column = {
        part: Rows(rows.x, rows.y[:, None]) for part, rows in (("train", flat.train), ("validation", flat.validation))
    }
    found = [fit_baseline(spec, data) for data in (flat, replace(flat, **in_column))]
    assert found[0].fold_scores == found[1].fold_scores
    assert found[0].validation == found[1].validation


def test_several_targets_and_fewer_rows_than_folds_are_refused_in_one_sentence() -> None:
    spec = named("diabetes")
    data = load_search_data(spec)
    x, y = data.train.x, data.train.y
    rows = Rows(x, np.stack([y, y], axis=1))
    with pytest.raises(DataError, match="2 columns"):
        fit_baseline(spec, replace(data, train=rows, validation=rows))
    with pytest.raises(DataError, match=r"the number of samples: n_samples=4\. Add more rows$"):
        fit_baseline(spec, replace(data, train=Rows(x[:3], y[:3]), validation=Rows(x[:1], y[:1])))
