"""A bad value of any section but `parameters` is told by line, key and rule, never by a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space_file.yaml_file import read_space_text
from keras_sweep.space_file.yaml_tree import tree_of_text
from tests.helpers.json_schema import schema_errors
from tests.helpers.space_faults import BadFile, BadFiles, check_told
from tests.helpers.space_texts import DENSE, dense

BAD: BadFiles = {
    # data
    "unknown data": (dense(data="data: fashion-mnist"), 1, "data", "(did you mean `fashion_mnist`?)"),
    "data a number": (dense(data="data: 7"), 1, "data", "must be a name (fashion_mnist, mnist"),
    "a missing file": (dense(data="data: {csv: nowhere.csv, target: y}"), 1, "data.csv", "no file 'nowhere.csv'"),
    "a folder as data": (dense(data="data: {csv: ., target: y}"), 1, "data.csv", "is a folder"),
    "no target": (dense(data="data: {csv: there.csv}"), 1, "data.target", "`target` is missing (the column"),
    "two sources": (dense(data="data: {csv: a, npz: b}"), 1, "data", "only one of csv, npz may be given"),
    "no source": (dense(data="data: {cvs: a.csv, target: y}"), 1, "data", "(did you mean `csv`?)"),
    "a misspelt target": (dense(data="data: {csv: there.csv, traget: y}"), 1, "data.traget", "`target`?"),
    "no function": (dense(data="data: {python: rows}"), 1, "data.python", "must be `module:function`, but got 'rows'"),
    "no such module": (dense(data="data: {python: no_rows_at_all:get}"), 1, "data.python", "no module 'no_rows"),
    "a share of 1": (DENSE + "split: {validation: 1}\n", 12, "split.validation", "above 0 and below 1, but got 1"),
    "a share in percent": (DENSE + "split: {test: 20}\n", 12, "split.test", "below 1, but got 20"),
    "a negative seed": (DENSE + "split: {seed: -1}\n", 12, "split.seed", "from 0 to 4,294,967,295, but got -1"),
    "one fold": (DENSE + "split: {folds: 1}\n", 12, "split.folds", "must be 0, for none, or at least 2, but got 1"),
    "folds beside a share": (
        DENSE + "split: {folds: 5, validation: 0.2}\n",
        12,
        "split.validation",
        "with `folds` every row is a validation row of one fold, so there is no share of them",
    ),
    "folds without a refit": (
        DENSE + "split: {folds: 5}\nfinish: {refit: false}\n",
        13,
        "finish.refit",
        "must be true with `folds`",
    ),
    "two splits": (
        dense(data="data: {csv: there.csv, target: y, split: {test: 0.1}}") + "split: {test: 0.2}\n",
        12,
        "split",
        "there twice",
    ),
    # model
    "unknown model": (dense(model="model: dnse", dense=""), 2, "model", "(did you mean `dense`?)"),
    "units outside": (dense(dense="  units: 10"), 2, "model", "must be `dense`, {dense: {units: 10}} or"),
    "units beside dense": (dense(dense="  {dense: {}, units: 10}"), 3, "model.units", "put it inside"),
    "no units": (dense(dense="  dense: {units: 0}"), 3, "model.dense.units", "a whole number of at least 1, but got 0"),
    "units as text": (dense(dense="  dense: {units: '10'}"), 3, "model.dense.units", "but got '10'"),
    "unknown activation": (dense(dense="  dense: {activation: sofmax}"), 3, "model.dense.activation", "`softmax`?"),
    "unknown argument": (dense(dense="  dense: {unit: 10}"), 3, "model.dense.unit", "(did you mean `units`?)"),
    "a layer of words": (dense(dense="  dense: {hidden: [a]}"), 3, "model.dense.hidden", "must be whole numbers"),
    "dropout of 1": (dense(dense="  dense: {dropout: 1}"), 3, "model.dense.dropout", "below 1, but got 1"),
    "no model module": (dense(dense="  python: no_such_model:build"), 3, "model.python", "no module 'no_such_model'"),
    "a path as module": (dense(dense="  python: ../model.py:build"), 3, "model.python", "must be `module:function`"),
    # loss, metrics, metric
    "unknown loss": (dense(loss="loss: sparse_crossentropy"), 4, "loss", "must be a loss of Keras"),
    "a loss in capitals": (dense(loss="loss: MSE"), 4, "loss", "(did you mean `mse`?)"),
    "no loss": (dense(loss="loss:"), 4, "loss", "must be a loss of Keras, but got nothing"),
    "a list of losses": (dense(loss="loss: [mse, mae]"), 4, "loss", "but got ['mse', 'mae']"),
    "unknown metric": (dense(metrics="metrics: [acuracy]"), 5, "metrics.0", "(did you mean `accuracy`?)"),
    "one metric": (dense(metrics="metrics: accuracy"), 5, "metrics", "must be a list, but got 'accuracy'"),
    "a metric twice": (dense(metrics="metrics: [mae, mae]"), 5, "metrics.1", "there twice"),
    "not recorded": (dense(metric="metric: {name: val_auc}"), 6, "metric.name", "(add `auc` to `metrics`)"),
    "without val_": (dense(metric="metric: {name: accuracy}"), 6, "metric.name", "(did you mean `val_accuracy`?)"),
    "a metric as text": (dense(metric="metric: val_loss"), 6, "metric", "must be a map with `name`, `goal`"),
    "an unknown goal": (dense(metric="metric: {name: val_loss, goal: minimise}"), 6, "metric.goal", "`minimize`?"),
    "a target": (dense(metric="metric: {name: val_loss, target: 0.9}"), 6, "metric.target", "(leave it out)"),
    # search, early_terminate, finalists
    "unknown engine": (dense(search="search: {engine: optunah}"), 11, "search.engine", "(did you mean `optuna`?)"),
    "unknown sampler": (dense(search="search: {sampler: tpee}"), 11, "search.sampler", "(did you mean `tpe`?)"),
    "the other's sampler": (
        dense(search="search: {engine: keras-tuner, sampler: tpe}"),
        11,
        "search.sampler",
        "one of random, bayesian, hyperband, grid with keras-tuner, but got 'tpe' (`engine: optuna` has it)",
    ),
    "no trials": (dense(search="search: {trials: 0}"), 11, "search.trials", "from 1 to 1,000,000, but got 0"),
    "trials as text": (dense(search="search: {trials: many}"), 11, "search.trials", "but got 'many'"),
    "a search of words": (dense(search="search: optuna"), 11, "search", "must be a map with `engine`"),
    "unknown stop": (DENSE + "early_terminate: {type: hyperbnd}\n", 12, "early_terminate.type", "`hyperband`?"),
    "no stop": (DENSE + "early_terminate: {min_iter: 1}\n", 12, "early_terminate.type", "`type` is missing"),
    "finalists of a number": (DENSE + "finalists: 5\n", 12, "finalists", "must be a map with `top`, `seeds`"),
    "other finalists": (DENSE + "finalists: all\n", 12, "finalists", "or none, but got 'all'"),
    "one finalist": (DENSE + "finalists: {top: 1}\n", 12, "finalists.top", "from 2 to 1,000, but got 1"),
    "no seeds": (DENSE + "finalists: {seeds: 0}\n", 12, "finalists.seeds", "from 1 to 1,000, but got 0"),
    "a refit that is no yes or no": (DENSE + "finish: {refit: 5}\n", 12, "finish.refit", "but got 5"),
    "finalists by another key": (DENSE + "finalists: {seed: 3}\n", 12, "finalists.seed", "did you mean `seeds`?"),
    "eta of 1": (DENSE + "early_terminate: {type: hyperband, eta: 1}\n", 12, "early_terminate.eta", "at least 2"),
    "max_iter alone": (DENSE + "early_terminate: {type: hyperband, max_iter: 9}\n", 12, "early_terminate", "with `s`"),
    "max_iter below epochs": (
        DENSE + "early_terminate: {type: hyperband, max_iter: 9, s: 2}\n",
        12,
        "early_terminate.max_iter",
        "must not be below the most epochs, 20, but got 9",
    ),
    "odd max_iter": (
        DENSE + "early_terminate: {type: hyperband, max_iter: 20, s: 2}\n",
        12,
        "early_terminate.max_iter",
        "a multiple of eta**s = 9, but got 20",
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_fault_names_line_key_and_rule(bad: BadFile, tmp_path: Path) -> None:
    check_told(bad, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "unknown data",
        "no target",
        "two sources",
        "a share of 1",
        "unknown activation",
        "no units",
        "unknown loss",
        "unknown metric",
        "one metric",
        "an unknown goal",
        "unknown engine",
        "no trials",
        "unknown stop",
        "eta of 1",
    ],
)
def test_an_editor_marks_it_by_the_schema(name: str) -> None:
    assert schema_errors(tree_of_text(BAD[name][0]).plain) != []


@pytest.mark.parametrize("name", ["unknown loss", "a metric twice", "no trials"])
def test_a_bad_file_has_only_the_fault_that_was_put_in(name: str, tmp_path: Path) -> None:
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(BAD[name][0], path=tmp_path / "space.yaml")
    assert len(caught.value.faults) == 1, caught.value.faults
