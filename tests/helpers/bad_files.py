"""Bad space files, and the fault that each is told by."""

from collections.abc import Mapping

from tests.helpers.space_texts import DENSE, dense, with_parameters

BadFile = tuple[str, int | None, str, str]  # its text; then line, key and words of a fault that it has
PARAMETERS_OF_DENSE = ("optimizer", "learning_rate", "epochs")
SECTIONS_OF_DENSE = ("data", "model", "loss", "metrics", "metric", "search")
MORE_SECTIONS = (
    "split",
    "training",
    "early_terminate",
    "finalists",
    "finish",
    "where",
    "callbacks",
    "class_weight",
    "metrik",
    "<<",
)


def bad(key: str, value: str, below: str, words: str, *before: str) -> BadFile:
    """The dense file with another value, which is faulty.

    Args:
        key: a section, or a parameter. One that the dense file does not have stands in place of all of its parameters.
        value: what the key has.
        below: where under the key the fault is told: "max", "values.0", or "" for the key itself.
        words: of the fault.
        before: lines of other parameters, or of another section, before the faulty one.
    """
    line = f"{key}: {value}" if value else f"{key}:"
    if key in MORE_SECTIONS:
        text = DENSE + "".join(f"{one}\n" for one in (*before, line))
    elif key == "model":
        text = dense(model=line, dense="")
    elif key in SECTIONS_OF_DENSE:
        text = dense(**{key: line})
    elif key in PARAMETERS_OF_DENSE and not before:
        text = dense(**{key: f"  {line}"})
    else:
        text = with_parameters(*before, line)
    section = key if key in (*MORE_SECTIONS, *SECTIONS_OF_DENSE) else f"parameters.{key}"
    number = [one.strip() for one in text.splitlines()].index(line) + 1
    return text, number, f"{section}.{below}" if below else section, words


NORMAL = "{distribution: normal, mu: 0, sigma: 1}"
NO_NORMAL = "a distribution that is known here, but got 'normal' (one of int_uniform, uniform"
MISS_ONE = "{values: [1, 2], probabilities: [0.5, 0.4]}"
SEARCHED = "optimizer: {values: [sgd, rmsprop, adam]}"
REAL = "momentum: {min: 0.1, max: 0.9}"
SGDD = "{value: 0.9, when: {optimizer: [sgdd]}}"
RATE_OF_SGD = "{when: {optimizer: sgd}, min: 0.1, max: 1.0}"
NEVER_HAD = "`optimizer` never has the value 'sgdd' (did you mean `sgd`?)"
NO_DOCUMENTS: Mapping[str, BadFile] = {
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
    "a tag": bad("data", "!!python/object/apply:os.system [ls]", "", "tags are not read"),
    "a tag of one's own": bad("loss", "!loss mse", "", "tags are not read, but got '!loss'"),
    "an unknown alias": bad("loss", "*mse", "", "no anchor `&mse`"),
    "an alias in itself": bad("data", "&a [*a]", "0", "no anchor `&a`"),
    "a number of 100 digits": bad("epochs", "9" * 100, "", "must fit 64 bits"),
    "an infinite number": bad("learning_rate", "{min: 1e-4, max: .inf}", "max", "finite"),
    "a number too large": bad("learning_rate", "{min: 1e-4, max: 1e999}", "max", "finite"),
    "not a number": bad("learning_rate", ".nan", "", "must be finite, but got '.nan'"),
    "half a character": bad("data", '"\\ud800"', "", "must be Unicode"),
    "a key twice": (DENSE + "loss: mse\n", 12, "loss", "the key `loss` is there twice, first on line 4"),
    "a parameter twice": bad("seed", "2", "", "there twice, first on line 8", "seed: 1"),
    "no data": (dense(data=""), None, "data", "`data` is missing (as in `data: fashion_mnist`)"),
    "no metric": (dense(metric=""), None, "metric", "`metric` is missing"),
    "only W&B's keys": ("parameters: {epochs: 1}\n", None, "model", "`model` is missing"),
}
BAD_SECTIONS: Mapping[str, BadFile] = {
    "an unknown key": bad("metrik", "1", "", "no such key here (did you mean `metric`?)"),
    "callbacks": bad("callbacks", "[x]", "", "`training` has `early_stopping`, `reduce_lr_on_plateau` and `callbacks`"),
    "an argument of no loss": bad(
        "loss", "{name: mse, delta: 1.0}", "delta", "'mse' has no such argument (it takes no"
    ),
    "a slip in a loss": bad("loss", "{name: huber, delte: 1.0}", "delte", "did you mean `delta`?"),
    "a loss without a name": bad("loss", "{label_smoothing: 0.1}", "", "`name` is missing"),
    "an unknown loss in a map": bad("loss", "{name: entropy}", "name", "a loss of Keras"),
    "a metric in need": bad("metrics", "[accuracy, precision_at_recall]", "1", "needs an argument (as in {name: prec"),
    "an unknown metric in a map": bad("metrics", "[{name: aucc}]", "0.name", "did you mean `auc`?"),
    "no argument of a metric": bad("metrics", "[{name: auc, k: 2}]", "0.k", "'auc' has no such argument"),
    "twice by arguments": bad("metrics", "[auc, {name: auc, curve: PR}]", "", "a metric is there twice"),
    "no source of a loss": bad("loss", "{python: mine}", "python", "must be `module:function`, but got 'mine'"),
    "no module of a loss": bad("loss", "{python: 'mein:e'}", "python", "there is no module 'mein'"),
    "no name": bad("metrics", "[{python: 'keras:f', 1: 2}]", "0.1", "an argument is a Python name, but got '1'"),
    "a metric of Keras's": bad("metrics", "[{python: 'keras:auc'}]", "0.python", "Keras has a metric 'auc'"),
    "a loss as a list": bad("loss", "[mse]", "", "a loss of Keras"),
    "no parameter of the loss": bad("loss.label_smoothing", "{min: 0.0, max: 0.2}", "", "those that may be are none"),
    "training as a list": bad("training", "[x]", "", "must be a map with `early_stopping`, `reduce_lr_on_plateau"),
    "a slip in training": bad("training", "{early_stoping: {}}", "early_stoping", "did you mean `early_stopping`?"),
    "a name of Keras's": bad("training", "{EarlyStopping: {}}", "EarlyStopping", "`training: {early_stopping: "),
    "another name of Keras's": bad(
        "training", "{LearningRateScheduler: {}}", "LearningRateScheduler", "{schedule: cosine, "
    ),
    "a schedule in training": bad("training", "{schedule: cosine}", "schedule", "put it under `parameters`"),
    "no schedule of ours": bad("schedule", "{values: [cosine, step]}", "values.1", "constant, cosine, exponential or"),
    "all steps for a warmup": bad("warmup", "1.0", "", "of at least 0 and below 1"),
    "a schedule and a plateau": bad(
        "schedule", "cosine", "", "so does `reduce_lr_on_plateau`", "training.reduce_lr_on_plateau.factor: 0.5"
    ),
    "no patience": bad("training", "{early_stopping: {patience: -1}}", "early_stopping.patience", "of at least 0"),
    "no such argument": bad("training", "{early_stopping: {wait: 1}}", "early_stopping.wait", "no such key"),
    "a plateau upwards": bad(
        "training", "{reduce_lr_on_plateau: {factor: 2.0}}", "reduce_lr_on_plateau.factor", "below 1"
    ),
    "unrecorded": bad(
        "training", "{early_stopping: {monitor: val_auc}}", "early_stopping.monitor", "one that is recorded"
    ),
    "no mode": bad(
        "training", "{early_stopping: {mode: up}}", "early_stopping.mode", "must be `auto`, `min` or `max`, but got"
    ),
    "weights of classes": bad("training", "{class_weight: heavy}", "class_weight", "`balanced`, or a map of classes"),
    "a weight of zero": bad("training", "{class_weight: {0: 0}}", "class_weight", "`balanced`, or a map of classes"),
    "Keras's callbacks": bad(
        "training", "{callbacks: [EarlyStopping]}", "callbacks.0", "{early_stopping: {patience: 3}}"
    ),
    "no callback": bad("training", "{callbacks: [halve]}", "callbacks", "a list of functions of yours"),
    "a plateau, then all rows": bad(
        "training",
        "{reduce_lr_on_plateau: {}}",
        "reduce_lr_on_plateau",
        "watches validation rows",
        "finish: {refit: true}",
    ),
    "no parameter of training": bad("training.early_stopping.mode", "{values: [min, max]}", "", "this is no parameter"),
    "a patience in quarters": bad("training.early_stopping.patience", "{min: 0.5, max: 2.0}", "min", "a whole number"),
    "class weights": bad("class_weight", "{0: 2}", "", "it is a key of `training`"),
    "a merge key": bad("<<", "{loss: mse}", "", "no such key here"),
    # data
    "unknown data": bad("data", "fashion-mnist", "", "(did you mean `fashion_mnist`?)"),
    "data a number": bad("data", "7", "", "must be a name (fashion_mnist, mnist"),
    "a missing file": bad("data", "{csv: nowhere.csv, target: y}", "csv", "no file 'nowhere.csv'"),
    "a folder as data": bad("data", "{csv: ., target: y}", "csv", "there is no file '.'"),
    "a file as a folder": bad("data", "{images: there.csv}", "images", "there is no folder 'there.csv'"),
    "a side of pictures": bad("data", "{images: ., size: [64]}", "size", "a list"),
    "pixels of 3 sides": bad("data", "{images: ., size: 64}", "size", "a list"),
    "a colour": bad("data", "{images: ., color: grey}", "color", "must be `rgb` or `grayscale`, but got 'grey'"),
    "a series without a window": bad("data", "{series: there.csv, target: y}", "window", "`window` is missing (rows"),
    "a window of none": bad("data", "{series: there.csv, target: y, window: 0}", "window", "above 0, but got 0"),
    "no target": bad("data", "{csv: there.csv}", "target", "`target` is missing (the column"),
    "two sources": bad("data", "{csv: a, npz: b}", "", "only one of csv, npz may be given"),
    "no source": bad("data", "{cvs: a.csv, target: y}", "", "(did you mean `csv`?)"),
    "a misspelt target": bad("data", "{csv: there.csv, traget: y}", "traget", "`target`?"),
    "no function": bad("data", "{python: rows}", "python", "must be `module:function`, but got 'rows'"),
    "no such module": bad("data", "{python: no_rows_at_all:get}", "python", "no module 'no_rows"),
    "a share of 1": bad("split", "{validation: 1}", "validation", "above 0 and below 1, but got 1"),
    "a negative seed": bad("split", "{seed: -1}", "seed", "from 0 to 4,294,967,295, but got -1"),
    "one fold": bad("split", "{folds: 1}", "folds", "must be 0, for none, or at least 2, but got 1"),
    "folds beside a share": bad("split", "{folds: 5, validation: 0.2}", "validation", "so there is no share of them"),
    "groups beside times": bad("split", "{groups: a, time: b}", "groups", "rows go by one of `groups`, `time` and"),
    "classes beside groups": bad("split", "{groups: a, stratify: true}", "stratify", "here `groups` says where"),
    "folds in time": bad("split", "{folds: 5, time: a}", "time", "with `folds` rows are scored by trainings on later"),
    "a group that is no name": bad("split", "{groups: 3}", "groups", "must be text, or null, but got 3"),
    "folds without a refit": bad("finish", "{refit: false}", "refit", "must be true with `folds`", "split: {folds: 5}"),
    "a split of data": bad(
        "data", "{csv: there.csv, target: y, split: {test: 0.1}}", "split", "at the top of the file"
    ),
    # model
    "unknown model": bad("model", "dnse", "", "(did you mean `dense`?)"),
    "units outside": bad("model", "{units: 10}", "", "must be `dense`, {dense: {units: 10}} or"),
    "units beside dense": bad("model", "{dense: {}, units: 10}", "units", "put it inside"),
    "no units": bad("model", "{dense: {units: 0}}", "dense.units", "a whole number of at least 1, but got 0"),
    "units as text": bad("model", "{dense: {units: '10'}}", "dense.units", "but got '10'"),
    "unknown activation": bad("model", "{dense: {activation: sofmax}}", "dense.activation", "`softmax`?"),
    "unknown argument": bad("model", "{dense: {unit: 10}}", "dense.unit", "(did you mean `units`?)"),
    "a layer of words": bad("model", "{dense: {hidden: [a]}}", "dense.hidden", "must be whole numbers"),
    "dropout of 1": bad("model", "{dense: {dropout: 1}}", "dense.dropout", "below 1, but got 1"),
    "no model module": bad("model", "{python: no_such_model:build}", "python", "no module 'no_such_model'"),
    "a path as module": bad("model", "{python: ../model.py:build}", "python", "must be `module:function`"),
    # loss, metrics, metric
    "unknown loss": bad("loss", "sparse_crossentropy", "", "must be a loss of Keras"),
    "no loss": bad("loss", "", "", "must be a loss of Keras, but got nothing"),
    "unknown metric": bad("metrics", "[acuracy]", "0", "(did you mean `accuracy`?)"),
    "one metric": bad("metrics", "accuracy", "", "must be a list, but got 'accuracy'"),
    "a metric twice": bad("metrics", "[mae, mae]", "", "there twice"),
    "not recorded": bad("metric", "{name: val_auc}", "name", "(add `auc` to `metrics`)"),
    "without val_": bad("metric", "{name: accuracy}", "name", "(did you mean `val_accuracy`?)"),
    "a metric as text": bad("metric", "val_loss", "", "must be a map with `name`, `goal`"),
    "an unknown goal": bad("metric", "{name: val_loss, goal: minimise}", "goal", "`minimize`?"),
    "a target": bad("metric", "{name: val_loss, target: 0.9}", "target", "(leave it out)"),
    # search, early_terminate, finalists
    "unknown engine": bad("search", "{engine: optunah}", "engine", "(did you mean `optuna`?)"),
    "unknown sampler": bad("search", "{sampler: tpee}", "sampler", "(did you mean `tpe`?)"),
    "the other's sampler": bad("search", "{engine: keras-tuner, sampler: tpe}", "sampler", "(`engine: optuna` has it)"),
    "no trials": bad("search", "{trials: 0}", "trials", "from 1 to 1,000,000, but got 0"),
    "trials as text": bad("search", "{trials: many}", "trials", "but got 'many'"),
    "no list to start with": bad("search", "{start: 3}", "start", "must be a list, but got 3"),
    "no point to start with": bad("search", "{start: [3]}", "start.0", "`defaults` of a KerasTuner model, but got 3"),
    "defaults of no KerasTuner model": bad("search", "{start: [defaults]}", "start.0", "must be a map of parameters"),
    "a start with a slip": bad("search", "{start: [{epoch: 3}]}", "start.0.epoch", "(did you mean `epochs`?)"),
    "a start outside": bad("search", "{start: [{}, {epochs: 99}]}", "start.1.epochs", "from 1 to 20, but got 99"),
    "a start of an own kind": bad("search", "{start: [{optimizer: ftrl}]}", "start.0.optimizer", "must be one of "),
    "no map to stop by": bad("search", "{stop: 0.86}", "stop", "must be a map with `value`, but got 0.86"),
    "nothing to stop by": bad("search", "{stop: {}}", "stop.value", "`value` is missing"),
    "a word to stop by": bad("search", "{stop: {value: good}}", "stop.value", "must be a number, but got 'good'"),
    "an unknown stop of a search": bad("search", "{stop: {value: 1, trial: 3}}", "stop.trial", "there is no such key"),
    "a search of words": bad("search", "optuna", "", "must be a map with `engine`"),
    "unknown stop": bad("early_terminate", "{type: hyperbnd}", "type", "`hyperband`?"),
    "no stop": bad("early_terminate", "{min_iter: 1}", "type", "`type` is missing"),
    "eta of 1": bad("early_terminate", "{type: hyperband, eta: 1}", "eta", "at least 2"),
    "finalists of a number": bad("finalists", "5", "", "must be a map with `top`, `seeds`"),
    "other finalists": bad("finalists", "all", "", "must be a map with `top`, `seeds`, but got 'all'"),
    "one finalist": bad("finalists", "{top: 1}", "top", "from 2 to 1,000, but got 1"),
    "no seeds": bad("finalists", "{seeds: 0}", "seeds", "from 1 to 1,000, but got 0"),
    "finalists by another key": bad("finalists", "{seed: 3}", "seed", "did you mean `seeds`?"),
    # where
    "where as text": bad("where", "epochs < 3", "", "must be a list of constraints, but got 'epochs < 3' (as in `wh"),
    "where a map": bad("where", "[{epochs: 3}]", "0", "a map of epochs is no comparison that can be"),
    "where of no parameter": bad("where", "[epoch < 3]", "0", "no parameter 'epoch' (did you mean `epochs`?)"),
    "where of a bare word": bad("where", "[optimizer != rmsprop]", "0", "'rmsprop' (text stands in quotes)"),
    "where of a number": bad("where", "[epochs * 2]", "0", "is neither true nor false: it must compare"),
    "where half written": bad("where", "[epochs <]", "0", "is no comparison that can be read"),
    "where that runs": bad("where", "['exec(\"1\") == 1']", "0", "may not have `exec('1')` in it: there are numbers"),
    "where of other kinds": bad("where", "[optimizer < 3]", "", "no point of the space meets all of it (text"),
    "where never": bad("where", "[epochs < 20, epochs >= 20]", "", "no point of the space meets all of it"),
    "what is measured as the first goal": bad("metric", "{name: parameters}", "name", "ranks trials epoch by epoch"),
    "a goal twice": bad("metric", "[{name: val_loss}, {name: val_loss}]", "", "a goal is there twice"),
    "no goal": bad("metric", "[]", "", "must be a map with `name`, `goal`"),
    "a goal that is none": bad(
        "metric", "[{name: val_loss}, {name: parameter}]", "1.name", "but got 'parameter' (did you mean `parameters`?)"
    ),
    "a choice that is no map": bad("finish", "{choose: small}", "choose", "must be a map, or null, but got 'small'"),
    "a choice without a constraint": bad("finish", "{choose: {}}", "choose.where", "must say which trials may win"),
    "a choice by another goal": bad(
        "finish",
        "{choose: {minimize: val_loss, where: val_accuracy > 0}}",
        "choose.minimize",
        "the first goal, by",
    ),
    "a choice by what is no goal": bad(
        "finish", "{choose: {where: parameters < 5}}", "choose.where", "there is no goal 'parameters'"
    ),
    "a choice with another key": bad("finish", "{choose: {when: 1 < 2}}", "choose.when", "there is no such key here"),
    "a refit that is no yes or no": bad("finish", "{refit: 5}", "refit", "but got 5"),
}
BAD_PARAMETERS: Mapping[str, BadFile] = {
    "no parameters": (with_parameters("{}"), 7, "parameters", "must be a map of parameters, but got an empty map"),
    "min above max": bad("learning_rate", "{min: 2, max: 1}", "min", "must hold, but got (min=2, max=1)"),
    "log from zero": bad("learning_rate", "{min: 0, max: 1.0, log: true}", "min", "log range"),
    "rate of zero": bad("learning_rate", "{min: 0.0, max: 1.0}", "min", "a number above 0"),
    "rate as text": bad("learning_rate", "{min: 1 e-4, max: 1}", "min", "must be a number"),
    "rate as quoted text": bad("learning_rate", "'0.1'", "", "must be a number above 0, but got"),
    "only min": bad("learning_rate", "{min: 1e-4}", "", "needs `min` and `max`, or"),
    "misspelt max": bad("learning_rate", "{min: 1, maxx: 2}", "maxx", "`max`?"),
    "value and values": bad("learning_rate", "{value: 1, values: [1]}", "values", "only one of"),
    "nothing": bad("learning_rate", "", "", "has no value"),
    "an empty map": bad("learning_rate", "{}", "", "or `values`, but got an empty map"),
    "a bare list": bad("optimizer", "[sgd]", "", "write {values: ['sgd']} or {value:"),
    "no values": bad("optimizer", "{values: []}", "values", "a list of values, but got []"),
    "values a word": bad("optimizer", "{values: sgd}", "values", "must be a list"),
    "a value twice": bad("epochs", "{values: [1, 1]}", "values", "must differ"),
    "a map as value": bad("epochs", "{values: [{a: 1}]}", "values", "a list of values"),
    "unknown optimizer": bad("optimizer", "{values: [sdg]}", "values.0", "`sgd`?"),
    "optimizer twice": bad("optimizer", "{values: [sgd, SGD]}", "values", "must differ"),
    "optimizer a range": bad("optimizer", "{min: 1, max: 2}", "", "not a range"),
    "optimizer a number": bad("optimizer", "3", "", "an optimizer of Keras, but got 3"),
    "unknown parameter": bad("learnin_rate", "0.1", "", "(did you mean `learning_rate`?)"),
    "W&B's lr": bad("lr", "0.1", "", "(did you mean `learning_rate`?)"),
    "another's decay": bad("decay", "0.1", "", "'decay' (arguments of the model are written"),
    "units as parameter": bad("units", "10", "", "is written `model.units`"),
    "unknown model argument": bad("model.unit", "1", "", "(did you mean `model.units`?)"),
    "hidden of zero": bad("model.hidden", "{values: [[0]]}", "values.0", "got [0]"),
    "units a real range": bad("model.units", "{min: 1.0, max: 9.0}", "min", "whole"),
    "epochs of zero": bad("epochs", "{min: 0, max: 3}", "min", "at least 1, but got 0"),
    "epochs and a half": bad("epochs", "1.5", "", "a whole number of at least 1, but got 1.5"),
    "epochs of true": bad("epochs", "true", "", "but got true"),
    "batch of none": bad("batch_size", "{values: [32, 0]}", "values.1", "but got 0"),
    "seed too large": bad("seed", "4294967296", "", "from 0 to 4,294,967,295"),
    "take elsewhere": bad("seed", "{max: 3, min: 1, take: best}", "take", "for `epochs` only"),
    "take what": bad("epochs", "{max: 20, take: bets}", "take", "(did you mean `best`?)"),
    "take with when": bad("epochs", "{max: 2, take: best, when: {seed: 1}}", "take", "no `when`", "seed: 1"),
    "momentum above 1": bad("momentum", "1.5", "", "from 0 to 1, but got 1.5"),
    "nesterov a number": bad("nesterov", "1", "", "true or false, but", "optimizer: sgd"),
    "for some optimizers": bad("momentum", "0.9", "", "(add `when: {optimizer: [sgd, rmsprop]}`)", SEARCHED),
    "for no optimizer": bad("momentum", "0.9", "", "an argument of muon, rmsprop, sgd, but the", "optimizer: adam"),
    "for the default optimizer": bad("beta_1", "0.9", "", "without a parameter `optimizer`"),
    # distributions
    "a distribution we lack": bad("learning_rate", NORMAL, "distribution", NO_NORMAL),
    "unknown distribution": bad("seed", "{distribution: unifrom, min: 1, max: 2}", "distribution", "`uniform`?"),
    "constant without value": bad("seed", "{distribution: constant}", "distribution", "but got 'constant'"),
    "uniform of values": bad("seed", "{distribution: uniform, values: [1]}", "distribution", "must be categorical"),
    "log twice": bad("learning_rate", "{distribution: uniform, min: 1, max: 2, log: true}", "log", "contradicts"),
    "int_uniform of reals": bad("epochs", "{distribution: int_uniform, min: 1.5, max: 2}", "", "whole"),
    "e to the 1000": bad("learning_rate", "{distribution: log_uniform, min: 1, max: 1000}", "max", "e**1000"),
    "no multiple": bad("epochs", "{min: 6, max: 9, q: 5}", "q", "no multiple of q=5"),
    "q of zero": bad("epochs", "{min: 6, max: 9, q: 0}", "q", "must be a number above 0"),
    "log with q": bad("batch_size", "{min: 16, max: 64, q: 16, log: true}", "q", "`q` of a log range must be 1"),
    "q with values": bad("epochs", "{values: [1], q: 2}", "q", "no such key here"),
    "shares that miss 1": bad("epochs", MISS_ONE, "probabilities", "must add to 1, but got [0.5, 0.4]"),
    "too few shares": bad("epochs", "{values: [1, 2], probabilities: [1.0]}", "probabilities", "as many as"),
    "nested parameters": bad("epochs", "{parameters: {a: {value: 1}}}", "parameters", "written flat"),
    # when
    "when of nothing": bad(
        "momentum", "{value: 0.9, when: {optimzer: sgd}}", "when.optimzer", "names no parameter: there is no 'optimzer'"
    ),
    "when of a value never had": bad("momentum", SGDD, "when.optimizer", NEVER_HAD, SEARCHED),
    "when of a real": bad("seed", "{value: 1, when: {momentum: 0.5}}", "when.momentum", "is continuous", REAL),
    "when in a circle": (
        with_parameters("seed: {value: 1, when: {epochs: 1}}", "epochs: {value: 1, when: {seed: 1}}"),
        8,
        "parameters.seed.when",
        "must not go in a circle, but got seed -> epochs -> seed",
    ),
    "when of itself": bad("seed", "{value: 1, when: {seed: 1}}", "when", "seed -> seed"),
    "when a word": bad("seed", "{value: 1, when: epochs}", "when", "must be a map, as in"),
    "a case without when": bad("epochs", "[{min: 1, max: 2}]", "0", "each case needs a `when`"),
    "a bad case": bad(
        "learning_rate",
        f"[{RATE_OF_SGD}, {{when: {{optimizer: adam}}, min: 0.0, max: 1}}]",
        "1.min",
        "above 0",
        SEARCHED,
    ),
    "cases of one value": bad(
        "learning_rate", f"[{RATE_OF_SGD}, {RATE_OF_SGD}]", "1.when", "together with that of case 1", SEARCHED
    ),
    "a bad when of a case": bad(
        "learning_rate", "[{when: {optimizer: sgdd}, value: 0.1}]", "0.when.optimizer", NEVER_HAD, SEARCHED
    ),
    "when of cases": bad(
        "seed",
        "{value: 1, when: {learning_rate: 0.1}}",
        "when.learning_rate",
        "has cases, on which nothing",
        SEARCHED,
        f"learning_rate: [{RATE_OF_SGD}]",
    ),
    "when empty": bad("seed", "{value: 1, when: {epochs: []}}", "when", "must be a map, as in {optimizer", "epochs: 1"),
}
BAD_FILES: Mapping[str, BadFile] = {**NO_DOCUMENTS, **BAD_SECTIONS, **BAD_PARAMETERS}  # by what is bad in it
