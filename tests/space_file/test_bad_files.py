"""Every bad file is told by line, key and rule, never by a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space_file.yaml_file import read_space_file, read_space_text
from tests.helpers.space_texts import DENSE, dense, with_parameters

P = "parameters."
LR = "parameters.learning_rate"

# name -> text, line, key, words that the fault says
BAD: dict[str, tuple[str, int | None, str, str]] = {
    # not a document
    "empty": ("", None, "", "the file is empty"),
    "only comments": ("# nothing\n", None, "", "the file is empty"),
    "a list": ("- data\n", 1, "", "a space file is a map"),
    "a word": ("hello\n", 1, "", "a space file is a map"),
    "a tab": ("data: iris\n\tmodel: dense\n", 2, "", "not YAML"),
    "an open bracket": (DENSE + "early_terminate: {type: [\n", 13, "", "not YAML"),
    "an open quote": ('data: "iris\n', 2, "", "not YAML"),
    "bad indentation": (dense(data="data: iris\n  x: 1"), 2, "", "not YAML"),
    "two documents": (DENSE + "---\n" + DENSE, 12, "", "one document"),
    "old YAML": ("%YAML 1.1\n---\n" + DENSE, 2, "", "YAML 1.2 is read, but got 1.1"),
    "a control character": (dense(data="data: ir\x07is"), 1, "", "the character 0x7 is not allowed"),
    "too deep": (dense(data="data: " + "[" * 40 + "]" * 40), 1, "data.", "at most 12 levels deep"),
    "very deep": ("[" * 20_000, 1, "0.", "at most 12 levels deep"),
    "a list as a key": ("? [a, b]\n: 1\n", 1, "", "a key must be a word"),
    "a tag": (dense(data="data: !!python/object/apply:os.system [ls]"), 1, "data", "tags are not read"),
    "a tag of one's own": (dense(loss="loss: !loss mse"), 4, "loss", "tags are not read, but got '!loss'"),
    "a standard tag": (dense(loss="loss: !!str mse"), 4, "loss", "tags are not read"),
    "an unknown alias": (dense(loss="loss: *mse"), 4, "loss", "no anchor `&mse`"),
    "an alias in itself": (dense(data="data: &a [*a]"), 1, "data.0", "no anchor `&a`"),
    "a number of 100 digits": (dense(epochs="  epochs: " + "9" * 100), 10, "parameters.epochs", "must fit 64 bits"),
    "an infinite number": (dense(learning_rate="  learning_rate: {min: 1e-4, max: .inf}"), 9, LR + ".max", "finite"),
    "a number too large": (dense(learning_rate="  learning_rate: {min: 1e-4, max: 1e999}"), 9, LR + ".max", "finite"),
    "not a number": (dense(learning_rate="  learning_rate: .nan"), 9, LR, "must be finite, but got '.nan'"),
    "half a character": (dense(data='data: "\\ud800"'), 1, "data", "must be Unicode"),
    # keys
    "a key twice": (DENSE + "loss: mse\n", 12, "loss", "the key `loss` is there twice, first on line 4"),
    "a parameter twice": (with_parameters("seed: 1", "seed: 2"), 9, "parameters.seed", "there twice, first on line 8"),
    "an unknown key": (DENSE + "metrik: 1\n", 12, "metrik", "no such key here (did you mean `metric`?)"),
    "a key of W&B": (DENSE + "method: bayes\n", 12, "method", "no such key here (here it is `search: {sampler:"),
    "a merge key": (DENSE + "<<: {loss: mse}\n", 12, "<<", "no such key here"),
    "no data": (dense(data=""), None, "data", "`data` is missing (as in `data: fashion_mnist`)"),
    "no metric": (dense(metric=""), None, "metric", "`metric` is missing"),
    "only W&B's keys": ("parameters: {epochs: 1}\n", None, "model", "`model` is missing"),
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
    # parameters
    "no parameters": (with_parameters("{}"), 7, "parameters", "must be a map of parameters, but got an empty map"),
    "min above max": (
        dense(learning_rate="  learning_rate: {min: 2, max: 1}"),
        9,
        LR + ".min",
        "`min <= max` must hold, but got (min=2, max=1)",
    ),
    "log from zero": (
        dense(learning_rate="  learning_rate: {min: 0, max: 1.0, log: true}"),
        9,
        LR + ".min",
        "log range",
    ),
    "rate of zero": (dense(learning_rate="  learning_rate: {min: 0.0, max: 1.0}"), 9, LR + ".min", "a number above 0"),
    "rate as text": (dense(learning_rate="  learning_rate: {min: 1 e-4, max: 1}"), 9, LR + ".min", "must be a number"),
    "rate as quoted text": (dense(learning_rate="  learning_rate: '0.1'"), 9, LR, "must be a number above 0, but got"),
    "rate of true": (dense(learning_rate="  learning_rate: true"), 9, LR, "must be a number above 0, but got true"),
    "only min": (dense(learning_rate="  learning_rate: {min: 1e-4}"), 9, LR + ".max", "`max` is missing"),
    "misspelt max": (dense(learning_rate="  learning_rate: {min: 1, maxx: 2}"), 9, LR + ".maxx", "`max`?"),
    "value and values": (dense(learning_rate="  learning_rate: {value: 1, values: [1]}"), 9, LR, "only one of"),
    "nothing": (dense(learning_rate="  learning_rate:"), 9, LR, "has no value"),
    "an empty map": (dense(learning_rate="  learning_rate: {}"), 9, LR, "needs `value`, `values`, or"),
    "a bare list": (dense(optimizer="  optimizer: [sgd]"), 8, P + "optimizer", "write {values: ['sgd']} or {value:"),
    "no values": (dense(optimizer="  optimizer: {values: []}"), 8, P + "optimizer.values", "must not be empty"),
    "values a word": (dense(optimizer="  optimizer: {values: sgd}"), 8, P + "optimizer.values", "must be a list"),
    "a value twice": (dense(epochs="  epochs: {values: [1, 1]}"), 10, P + "epochs.values", "must differ"),
    "a map as value": (dense(epochs="  epochs: {values: [{a: 1}]}"), 10, P + "epochs.values", "a list of values"),
    "unknown optimizer": (dense(optimizer="  optimizer: {values: [sdg]}"), 8, P + "optimizer.values.0", "`sgd`?"),
    "optimizer twice": (dense(optimizer="  optimizer: {values: [sgd, SGD]}"), 8, P + "optimizer.values.1", "twice"),
    "optimizer a range": (dense(optimizer="  optimizer: {min: 1, max: 2}"), 8, P + "optimizer", "not a range"),
    "optimizer a number": (dense(optimizer="  optimizer: 3"), 8, P + "optimizer", "an optimizer of Keras, but got 3"),
    "unknown parameter": (
        with_parameters("learnin_rate: 0.1"),
        8,
        P + "learnin_rate",
        "(did you mean `learning_rate`?)",
    ),
    "W&B's lr": (with_parameters("lr: 0.1"), 8, P + "lr", "(did you mean `learning_rate`?)"),
    "units as parameter": (with_parameters("units: 10"), 8, P + "units", "is written `model.units`"),
    "unknown model argument": (with_parameters("model.unit: 1"), 8, P + "model.unit", "(did you mean `model.units`?)"),
    "hidden of zero": (with_parameters("model.hidden: {values: [[0]]}"), 8, P + "model.hidden.values.0", "got [0]"),
    "units a real range": (with_parameters("model.units: {min: 1.0, max: 9.0}"), 8, P + "model.units.min", "whole"),
    "epochs of zero": (dense(epochs="  epochs: {min: 0, max: 3}"), 10, P + "epochs.min", "at least 1, but got 0"),
    "epochs and a half": (dense(epochs="  epochs: 1.5"), 10, P + "epochs", "a whole number of at least 1, but got 1.5"),
    "epochs of true": (dense(epochs="  epochs: true"), 10, P + "epochs", "but got true"),
    "batch of none": (with_parameters("batch_size: {values: [32, 0]}"), 8, P + "batch_size.values.1", "but got 0"),
    "seed too large": (with_parameters("seed: 4294967296"), 8, P + "seed", "from 0 to 4,294,967,295"),
    "take elsewhere": (with_parameters("seed: {max: 3, min: 1, take: best}"), 8, P + "seed.take", "for `epochs` only"),
    "take what": (dense(epochs="  epochs: {max: 20, take: bets}"), 10, P + "epochs.take", "(did you mean `best`?)"),
    "take with when": (
        with_parameters("optimizer: sgd", "epochs: {max: 2, take: best, when: {optimizer: sgd}}"),
        9,
        P + "epochs.when",
        "takes no `when`",
    ),
    "momentum above 1": (with_parameters("momentum: 1.5"), 8, P + "momentum", "from 0 to 1, but got 1.5"),
    "nesterov a number": (with_parameters("optimizer: sgd", "nesterov: 1"), 9, P + "nesterov", "true or false, but"),
    "two clips": (with_parameters("clipnorm: 1.0", "clipvalue: 1.0"), 9, P + "clipvalue", "takes only one of"),
    "for some optimizers": (
        with_parameters("optimizer: {values: [sgd, rmsprop, adam]}", "momentum: {min: 0.0, max: 0.9}"),
        9,
        P + "momentum",
        "`momentum` is not an argument of adam (add `when: {optimizer: [sgd, rmsprop]}`)",
    ),
    "for no optimizer": (
        with_parameters("optimizer: {values: [adam]}", "momentum: 0.9"),
        9,
        P + "momentum",
        "is an argument of muon, rmsprop, sgd, but the optimizer of its trials is adam",
    ),
    "for the default optimizer": (with_parameters("beta_1: 0.9"), 8, P + "beta_1", "without a parameter `optimizer`"),
    "for one optimizer in two": (
        with_parameters("optimizer: {values: [adam, lion]}", "beta_1: {values: [0, 0.9]}"),
        9,
        P + "beta_1.values.0",
        "with lion it must be a number above 0 and below 1, but got 0",
    ),
    "a distribution we lack": (
        with_parameters("learning_rate: {distribution: normal, mu: 0, sigma: 1}"),
        8,
        LR + ".distribution",
        "the distribution `normal` is not there (use `min` and `max`",
    ),
    "unknown distribution": (
        with_parameters("learning_rate: {distribution: log_unifrom, min: 1, max: 2}"),
        8,
        LR + ".distribution",
        "`log_uniform`?",
    ),
    "constant without value": (with_parameters("seed: {distribution: constant}"), 8, P + "seed", "needs `value`"),
    "uniform of values": (
        with_parameters("learning_rate: {distribution: uniform, values: [1]}"),
        8,
        LR + ".distribution",
        "`uniform` takes `min` and `max`, but got `values`",
    ),
    "log twice": (
        with_parameters("learning_rate: {distribution: uniform, min: 1, max: 2, log: true}"),
        8,
        LR + ".log",
        "contradicts",
    ),
    "int_uniform of reals": (
        with_parameters("epochs: {distribution: int_uniform, min: 1.5, max: 2}"),
        8,
        P + "epochs",
        "whole",
    ),
    "e to the 1000": (
        with_parameters("learning_rate: {distribution: log_uniform, min: 1, max: 1000}"),
        8,
        LR + ".max",
        "e**1000",
    ),
    "no multiple": (with_parameters("epochs: {min: 6, max: 9, q: 5}"), 8, P + "epochs.q", "no multiple of q=5"),
    "q of zero": (with_parameters("epochs: {min: 6, max: 9, q: 0}"), 8, P + "epochs.q", "must be a number above 0"),
    "log with q": (
        with_parameters("batch_size: {min: 16, max: 64, q: 16, log: true}"),
        8,
        P + "batch_size.q",
        "or `values: [16, 32, 48, 64]`",
    ),
    "q with values": (with_parameters("epochs: {values: [1], q: 2}"), 8, P + "epochs.q", "is for a range"),
    "shares that miss 1": (
        with_parameters("epochs: {values: [1, 2], probabilities: [0.5, 0.4]}"),
        8,
        P + "epochs.probabilities",
        "must add to 1, but got [0.5, 0.4]",
    ),
    "too few shares": (
        with_parameters("epochs: {values: [1, 2], probabilities: [1.0]}"),
        8,
        P + "epochs.probabilities",
        "as many as",
    ),
    "nested parameters": (
        with_parameters("epochs: {parameters: {a: {value: 1}}}"),
        8,
        P + "epochs.parameters",
        "written flat",
    ),
    # when
    "when of nothing": (
        with_parameters("momentum: {value: 0.9, when: {optimzer: sgd}}"),
        8,
        P + "momentum.when.optimzer",
        "`when` names no parameter: there is no 'optimzer'",
    ),
    "when of a value never had": (
        with_parameters("optimizer: {values: [sgd, adam]}", "momentum: {value: 0.9, when: {optimizer: [sgdd]}}"),
        9,
        P + "momentum.when.optimizer",
        "`optimizer` never has the value 'sgdd' (did you mean `sgd`?)",
    ),
    "when of a real": (
        with_parameters("learning_rate: {min: 0.1, max: 1.0}", "momentum: {value: 0.9, when: {learning_rate: 0.5}}"),
        9,
        P + "momentum.when.learning_rate",
        "is continuous",
    ),
    "when in a circle": (
        with_parameters("seed: {value: 1, when: {epochs: 1}}", "epochs: {value: 1, when: {seed: 1}}"),
        8,
        P + "seed.when",
        "must not go in a circle, but got seed -> epochs -> seed",
    ),
    "when of itself": (with_parameters("seed: {value: 1, when: {seed: 1}}"), 8, P + "seed.when", "seed -> seed"),
    "when a word": (with_parameters("seed: {value: 1, when: epochs}"), 8, P + "seed.when", "must be a map, as in"),
    "when empty": (
        with_parameters("epochs: 1", "seed: {value: 1, when: {epochs: []}}"),
        9,
        P + "seed.when.epochs",
        "must be a value or a list of values",
    ),
    # search, early_terminate
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


@pytest.mark.parametrize("name", BAD)
def test_a_fault_names_line_key_and_rule(name: str, tmp_path: Path) -> None:
    text, line, key, words = BAD[name]
    (tmp_path / "there.csv").write_text("x,y\n1,2\n")
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(SpaceFileError) as caught:
        read_space_file(path)
    assert caught.value.exit_code == 2
    faults = caught.value.faults
    found = [fault for fault in faults if words in fault.text(path) and (fault.line, fault.key) == (line, key)]
    if key.endswith("."):
        found = [fault for fault in faults if words in fault.text(path) and fault.key.startswith(key)]
    assert found, "\n".join(fault.text(path) for fault in faults)
    assert str(caught.value).startswith(str(path))


def test_a_bad_file_has_only_the_faults_that_were_put_in(tmp_path: Path) -> None:
    single = {"min above max", "unknown loss", "a metric twice", "when in a circle", "for some optimizers", "no trials"}
    for name in single:
        with pytest.raises(SpaceFileError) as caught:
            read_space_text(BAD[name][0], path=tmp_path / "space.yaml")
        assert len(caught.value.faults) == 1, (name, caught.value.faults)


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
data: fashion-mnist
model: {dense: {units: none, activation: sofmax}}
loss: mean_squared_eror
metrics: [accuracy, foo]
metric: {name: val_acc, goal: up}
parameters:
  optimizer: {values: [sgd, adamm]}
  learning_rate: {min: 1, max: 0.1}
  epochs: {min: 0, max: 3}
  momentun: 0.9
search: {engine: optuna, sampler: hyperband, trials: 1.5, seeds: 1}
early_terminate: {type: median, eta: 0}
"""
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(text, path=tmp_path / "space.yaml")
    keys = [fault.key for fault in caught.value.faults]
    assert keys == [
        "data",
        "model.dense.units",
        "model.dense.activation",
        "loss",
        "metrics.1",
        "metric.goal",
        "parameters.optimizer.values.1",
        "parameters.learning_rate.min",
        "parameters.epochs.min",
        "parameters.momentun",
        "search.trials",
        "search.seeds",
        "early_terminate.eta",
    ]
    assert [fault.line for fault in caught.value.faults] == [1, 2, 2, 3, 4, 5, 7, 8, 9, 10, 11, 11, 12]


def test_a_fault_of_one_key_does_not_hide_those_of_others(tmp_path: Path) -> None:
    text = """\
data: {csv: nowhere.csv, traget: y}
model: {dense: {units: none, activaton: softmax}}
loss: mse
metrics: [mae]
metric: {name: val_mse, goal: up}
parameters:
  optimizer: {values: [sgd, adamm, adam]}
  momentum: {min: 1.0, max: 0.0, log: 3, foo: 1}
  nesterov: true
  model.unit: 3
search: {sampler: bayesian, trials: 0}
"""
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(text, path=tmp_path / "space.yaml")
    assert sorted(fault.key for fault in caught.value.faults) == [
        "data.csv",
        "data.target",
        "data.traget",
        "metric.goal",
        "metric.name",
        "model.dense.activaton",
        "model.dense.units",
        "parameters.model.unit",
        "parameters.momentum.foo",
        "parameters.momentum.log",
        "parameters.momentum.min",
        "parameters.nesterov",
        "parameters.optimizer.values.1",
        "search.sampler",
        "search.trials",
    ]


def test_a_fault_shows_control_characters_as_escapes(tmp_path: Path) -> None:
    text = dense(data='data: "\\e[31mred\\r\\n\\u202e"', loss='"\\e[2J": 1')
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(text, path=tmp_path / "bad\x1b[0m.yaml")
    assert all(char.isprintable() or char == "\n" for char in str(caught.value))
    assert len(str(caught.value).splitlines()) == len(caught.value.faults)


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(dense(data="data: " + "x" * 10_000), path=tmp_path / "space.yaml")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_of_very_many_faults_the_first_are_told(tmp_path: Path) -> None:
    text = with_parameters(*(f"p{index}: 1" for index in range(199)))
    with pytest.raises(SpaceFileError) as caught:
        read_space_text(text, path=tmp_path / "space.yaml")
    assert len(caught.value.faults) == 101
    assert caught.value.faults[-1].rule == "and 99 more faults"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"data: \xff\xfe\n", "must be UTF-8 text, but got the byte 0xff"),
        (DENSE.encode("utf-16"), "UTF-16"),
        (b"data: iris\0\n", "NUL"),
        (b"\x89PNG\r\n\x1a\n\0\0", "UTF-8"),
        (b"#" * (256 * 1024 + 1), "at most 262,144 bytes"),
        (b"a: " + b"[1, " * 3, "not YAML"),
    ],
)
def test_a_file_that_is_no_text_is_told(raw: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_bytes(raw)
    with pytest.raises(SpaceFileError, match=words):
        read_space_file(path)


def test_a_path_that_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "dense.yaml").write_text(DENSE)
    with pytest.raises(SpaceFileError, match=r"there is no such file \(did you mean `dense.yaml`\?\)"):
        read_space_file(tmp_path / "dens.yaml")
    with pytest.raises(SpaceFileError, match=r"this is a folder \(its space files are dense.yaml\)"):
        read_space_file(tmp_path)
    with pytest.raises(SpaceFileError, match=r"can't be read|no such file"):
        read_space_file(tmp_path / "a\0b.yaml")
    with pytest.raises(SpaceFileError, match="can't be read"):
        read_space_file(tmp_path / ("x" * 300))


def test_a_path_through_a_loop_of_links_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "b.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")
    with pytest.raises(SpaceFileError):
        read_space_file(tmp_path / "a.yaml")


def test_aliases_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    with pytest.raises(SpaceFileError, match="at most 20,000 values"):
        read_space_text(bomb, path=tmp_path / "space.yaml")


def test_conditions_that_combine_without_end_are_refused(tmp_path: Path) -> None:
    flags = [f"model.a{n}: {{values: [1, 2]}}" for n in range(40)]
    conditions = ", ".join(f"model.a{n}: 1" for n in range(40))
    text = with_parameters(*flags, f"seed: {{values: [1, 2], when: {{{conditions}}}}}")
    text = text.replace("dense: {units: 10, activation: softmax}", "python: numpy:zeros")
    with pytest.raises(SpaceFileError, match="may combine in at most"):
        read_space_text(text, path=tmp_path / "space.yaml")
