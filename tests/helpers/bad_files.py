"""Bad space files, and the fault that each is told by."""

from collections.abc import Mapping

from tests.helpers.space_texts import DENSE, dense, with_parameters

BadFile = tuple[str, int | None, str, str]  # its text; then line, key and words of a fault that it has
PARAMETERS_OF_DENSE = ("optimizer", "learning_rate", "epochs")
SECTIONS_OF_DENSE = ("data", "model", "loss", "metrics", "metric", "search")
MORE_SECTIONS = ("split", "training", "early_terminate", "finalists", "finish", "where", "class_weight", "metrik")


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
NO_NORMAL = "a supported distribution, but got 'normal' (one of int_uniform, uniform"
MISS_ONE = "{values: [1, 2], probabilities: [0.5, 0.4]}"
SEARCHED = "optimizer: {values: [sgd, rmsprop, adam]}"
REAL = "momentum: {min: 0.1, max: 0.9}"
SGDD = "{value: 0.9, when: {optimizer: [sgdd]}}"
RATE_OF_SGD = "{when: {optimizer: sgd}, min: 0.1, max: 1.0}"
CASES = (SEARCHED, f"learning_rate: [{RATE_OF_SGD}]")
CIRCLE = ("seed: {value: 1, when: {epochs: 1}}", "epochs: {value: 1, when: {seed: 1}}")
PLATEAU, REFIT = "training.reduce_lr_on_plateau.factor: 0.5", "finish: {refit: true}"
OTHER_GOAL = "{choose: {minimize: val_loss, where: val_accuracy > 0}}"
NEVER_HAD = "`optimizer` never has the value 'sgdd' (did you mean `sgd`?)"
FUNCTION = """\
objective: {python: "sklearn:clone"}
metric: {name: score, goal: maximize}
parameters: {x: {min: 0.0, max: 1.0}}
"""
OTHERS: Mapping[str, BadFile] = {
    "empty": ("", None, "", "the file is empty"),
    "a list": ("- data\n", 1, "", "a space file must be a map"),
    "a tab": ("data: iris\n\tmodel: dense\n", 2, "", "not valid YAML"),
    "an open bracket": (DENSE + "early_terminate: {type: [\n", 13, "", "not valid YAML"),
    "bad indentation": (dense(data="data: iris\n x: 1"), 2, "", "not valid YAML"),
    "two documents": (DENSE + "---\n" + DENSE, 12, "", "a second YAML document"),
    "old YAML": ("%YAML 1.1\n---\n" + DENSE, 2, "", "the YAML version must be 1.2, but got 1.1"),
    "a control character": (dense(data="data: ir\x07is"), 1, "", "the character 0x7 is not allowed"),
    "too deep": (dense(data="data: " + "[" * 40 + "]" * 40), 1, "data.", "at most 12 levels deep"),
    "a list as a key": ("? [a, b]\n: 1\n", 1, "", "a key must be a word"),
    "a key twice": (DENSE + "loss: mse\n", 12, "loss", "the key `loss` occurs twice, first on line 4"),
    "no data": (dense(data=""), None, "data", "`data` is missing (as in `data: fashion_mnist`)"),
    "data beside an objective": (FUNCTION + "data: iris\n", 4, "data", "the function has its own data and model"),
    "a function's refit": (FUNCTION + "finish: {refit: true}\n", 4, "finish.refit", "can't be used with `objective`"),
    "seeds of a function": (FUNCTION + "search: {seeds: 2}\n", 4, "search.seeds", "can't be used with `objective`"),
    "data of a function": (FUNCTION.replace("x:", "data.x:"), 3, "parameters.data.x", "not a parameter of this data"),
    "an objective in no form": (FUNCTION.replace("sklearn:clone", "3"), 1, "objective.python", "`module:function`"),
    "only W&B's keys": ("parameters: {epochs: 1}\n", None, "model", "`model` is missing"),
    "no parameters": (with_parameters("{}"), 7, "parameters", "must be a map of parameters, but got an empty map"),
    "when in a circle": (with_parameters(*CIRCLE), 8, "parameters.seed.when", "but got seed -> epochs -> seed"),
    "an unknown key": bad("metrik", "1", "", "not allowed here (did you mean `metric`?)"),
    "no parameter of the loss": bad("loss.label_smoothing", "{min: 0.0, max: 0.2}", "", "leave it out"),
    "no schedule of ours": bad("schedule", "{values: [cosine, step]}", "values.1", "constant, cosine, exponential or"),
    "a schedule and a plateau": bad("schedule", "cosine", "", "both set the learning rate", PLATEAU),
    "all steps for a warmup": bad("warmup", "1.0", "", "of at least 0 and below 1"),
    "no parameter of training": bad(
        "training.early_stopping.mode", "{values: [min, max]}", "", "is not a parameter of `training`"
    ),
    "class weights": bad("class_weight", "{0: 2}", "", "put it under `training`"),
    "unknown parameter": bad("learnin_rate", "0.1", "", "(did you mean `learning_rate`?)"),
    "W&B's lr": bad("lr", "0.1", "", "(did you mean `learning_rate`?)"),
    "units as parameter": bad("units", "10", "", "(write `model.units`)"),
    "unknown model argument": bad("model.unit", "1", "", "(did you mean `model.units`?)"),
    "hidden of zero": bad("model.hidden", "{values: [[0]]}", "values.0", "got [0]"),
    "units a real range": bad("model.units", "{min: 1.0, max: 9.0}", "min", "whole"),
    "for the default optimizer": bad("beta_1", "0.9", "", "(add `optimizer`: Keras uses rmsprop)"),
    "log with q": bad("batch_size", "{min: 16, max: 64, q: 16, log: true}", "q", "`q` of a log range must be 1"),
}
# section or parameter -> what is bad in it -> the value, and the rest as `bad` has it
BAD: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "data": {
        "a tag": ("!!python/object/apply:os.system [ls]", "", "tags must be left out"),
        "an alias in itself": ("&a [*a]", "0", "no anchor `&a`"),
        "half a character": ('"\\ud800"', "", "must be Unicode"),
        "unknown data": ("fashion-mnist", "", "(did you mean `fashion_mnist`?)"),
        "data a number": ("7", "", "must be a name (fashion_mnist, mnist"),
        "a missing file": ("{csv: nowhere.csv, target: y}", "csv", "no file 'nowhere.csv'"),
        "a file as a folder": ("{images: there.csv}", "images", "there is no folder 'there.csv'"),
        "a side of pictures": ("{images: ., size: [64]}", "size", "a list"),
        "a colour": ("{images: ., color: grey}", "color", "must be `rgb` or `grayscale`, but got 'grey'"),
        "a series without a window": (
            "{series: there.csv, target: y}",
            "window",
            "`window` is missing (number of past rows",
        ),
        "no target": ("{csv: there.csv}", "target", "`target` is missing (the column"),
        "two sources": ("{csv: a, npz: b}", "", "must have only one of csv, npz, but got"),
        "no source": ("{cvs: a.csv, target: y}", "", "(did you mean `csv`?)"),
        "no function": ("{python: rows}", "python", "must be `module:function`, but got 'rows'"),
        "no such module": ("{python: no_rows_at_all:get}", "python", "no module 'no_rows"),
        "a split of data": ("{csv: there.csv, target: y, split: {test: 0.1}}", "split", "at the top of the file"),
    },
    "loss": {
        "an unknown alias": ("*mse", "", "no anchor `&mse`"),
        "an argument of no loss": ("{name: mse, delta: 1.0}", "delta", "'mse' has no argument 'delta' (leave"),
        "a slip in a loss": ("{name: huber, delte: 1.0}", "delte", "did you mean `delta`?"),
        "a loss without a name": ("{label_smoothing: 0.1}", "", "`name` is missing"),
        "an unknown loss in a map": ("{name: entropy}", "name", "a loss of Keras"),
        "no module of a loss": ("{python: 'mein:e'}", "python", "there is no module 'mein'"),
        "unknown loss": ("sparse_crossentropy", "", "must be a loss of Keras"),
        "no loss": ("", "", "must be a loss of Keras, but got nothing"),
    },
    "epochs": {
        "a number of 100 digits": ("9" * 100, "", "must fit 64 bits"),
        "a map as value": ("{values: [{a: 1}]}", "values", "a list of values"),
        "epochs of zero": ("{min: 0, max: 3}", "min", "at least 1, but got 0"),
        "epochs of true": ("true", "", "but got true"),
        "take what": ("{max: 20, take: bets}", "take", "(did you mean `best`?)"),
        "take with when": (
            "{max: 2, take: best, when: {seed: 1}}",
            "take",
            "can't be used with `values` or `when`",
            "seed: 1",
        ),
        "int_uniform of reals": ("{distribution: int_uniform, min: 1.5, max: 2}", "", "whole"),
        "no multiple": ("{min: 6, max: 9, q: 5}", "q", "no multiple of q=5"),
        "q of zero": ("{min: 6, max: 9, q: 0}", "q", "must be a number above 0"),
        "q with values": ("{values: [1], q: 2}", "q", "not allowed here"),
        "shares that miss 1": (MISS_ONE, "probabilities", "sum to 1, but got [0.5, 0.4]"),
        "too few shares": (
            "{values: [1, 2], probabilities: [1.0]}",
            "probabilities",
            "a number for each value, but got 1 for 2",
        ),
        "nested parameters": ("{parameters: {a: {value: 1}}}", "parameters", "parameters flat"),
        "a case without when": ("[{min: 1, max: 2}]", "0", "each case needs a `when`"),
    },
    "learning_rate": {
        "not a number": (".nan", "", "must be finite, but got '.nan'"),
        "min above max": ("{min: 2, max: 1}", "min", "at most `max`, but got (min=2, max=1)"),
        "log from zero": ("{min: 0, max: 1.0, log: true}", "min", "log range"),
        "rate of zero": ("{min: 0.0, max: 1.0}", "min", "a number above 0"),
        "rate as quoted text": ("'0.1'", "", "must be a number above 0, but got"),
        "only min": ("{min: 1e-4}", "", "needs `min` and `max`, or"),
        "misspelt max": ("{min: 1, maxx: 2}", "maxx", "`max`?"),
        "value and values": ("{value: 1, values: [1]}", "values", "only `value`, only `values`"),
        "nothing": ("", "", "has no value"),
        "an empty map": ("{}", "", "or `values`, but got an empty map"),
        "a distribution we lack": (NORMAL, "distribution", NO_NORMAL),
        "log twice": (
            "{distribution: uniform, min: 1, max: 2, log: true}",
            "log",
            "must match `distribution: uniform`, but got true",
        ),
        "e to the 1000": ("{distribution: log_uniform, min: 1, max: 1000}", "max", "e**1000"),
        "a bad case": (f"[{RATE_OF_SGD}, {{when: {{optimizer: adam}}, value: 0}}]", "1.value", "above 0", SEARCHED),
        "cases of one value": (
            f"[{RATE_OF_SGD}, {RATE_OF_SGD}]",
            "1.when",
            "together with the `when` of case 1",
            SEARCHED,
        ),
        "a bad when of a case": ("[{when: {optimizer: sgdd}, value: 0.1}]", "0.when.optimizer", NEVER_HAD, SEARCHED),
    },
    "seed": {
        "a parameter twice": ("2", "", "occurs twice, first on line 8", "seed: 1"),
        "seed too large": ("4294967296", "", "from 0 to 4,294,967,295"),
        "take elsewhere": ("{max: 3, min: 1, take: best}", "take", "for `epochs` only"),
        "unknown distribution": ("{distribution: unifrom, min: 1, max: 2}", "distribution", "`uniform`?"),
        "uniform of values": ("{distribution: uniform, values: [1]}", "distribution", "must be categorical"),
        "when of a real": ("{value: 1, when: {momentum: 0.5}}", "when.momentum", "is continuous", REAL),
        "when of itself": ("{value: 1, when: {seed: 1}}", "when", "seed -> seed"),
        "when of cases": ("{value: 1, when: {learning_rate: 0.1}}", "when.learning_rate", "is a list of cases", *CASES),
        "when empty": ("{value: 1, when: {epochs: []}}", "when", "must be a map, as in {optimizer", "epochs: 1"),
        "when of another number": (
            "{value: 1, when: {epochs: 4}}",
            "when.epochs",
            "never has the value 4",
            "epochs: 3",
        ),
        "when of true": ("{value: 1, when: {epochs: true}}", "when.epochs", "never has the v", "epochs: {values: [1]}"),
    },
    "metrics": {
        "a metric in need": ("[accuracy, precision_at_recall]", "1", "needs an argument (as in {name: prec"),
        "no argument of a metric": ("[{name: auc, k: 2}]", "0.k", "'auc' has no argument 'k'"),
        "twice by arguments": ("[auc, {name: auc, curve: PR}]", "", "must not list a metric twice"),
        "no name": ("[{python: 'keras:f', 1: 2}]", "0.1", "an argument must be a Python name, but got '1'"),
        "a metric of Keras's": ("[{python: 'keras:auc'}]", "0.python", "Keras already has a metric 'auc'"),
        "unknown metric": ("[acuracy]", "0", "(did you mean `accuracy`?)"),
        "one metric": ("accuracy", "", "must be a list, but got 'accuracy'"),
        "a metric twice": ("[mae, mae]", "", "must not list a metric twice"),
    },
    "training": {
        "a slip in training": ("{early_stoping: {}}", "early_stoping", "did you mean `early_stopping`?"),
        "a name of Keras's": ("{EarlyStopping: {}}", "EarlyStopping", "`training: {early_stopping: "),
        "a schedule in training": ("{schedule: cosine}", "schedule", "put it under `parameters`"),
        "unrecorded": ("{early_stopping: {monitor: val_auc}}", "early_stopping.monitor", "a recorded metric"),
        "no mode": ("{early_stopping: {mode: up}}", "early_stopping.mode", "must be `auto`, `min` or `max`, but got"),
        "a weight of zero": ("{class_weight: {0: 0}}", "class_weight", "`balanced`, or a map of classes"),
        "Keras's callbacks": ("{callbacks: [EarlyStopping]}", "callbacks.0", "{early_stopping: {patience: 3}}"),
        "no seconds": ("{seconds: 0}", "seconds", "must be a number above 0, or null, but got 0"),
        "no callback": ("{callbacks: [halve]}", "callbacks", "a list of your functions"),
        "a plateau, then all rows": (
            "{reduce_lr_on_plateau: {}}",
            "reduce_lr_on_plateau",
            "has no validation rows",
            REFIT,
        ),
    },
    "split": {
        "a share of 1": ("{validation: 1}", "validation", "above 0 and below 1, but got 1"),
        "a negative seed": ("{seed: -1}", "seed", "from 0 to 4,294,967,295, but got -1"),
        "one fold": ("{folds: 1}", "folds", "must be 0 (no folds) or at least 2, but got 1"),
        "folds beside a share": ("{folds: 5, validation: 0.2}", "validation", "can't be used with `folds`"),
        "groups beside times": ("{groups: a, time: b}", "groups", "can't be used with `time`"),
        "classes beside groups": ("{groups: a, stratify: true}", "stratify", "leave out `groups` or `stratify`"),
        "folds in time": ("{folds: 5, time: a}", "time", "would also score a fold"),
        "a group that is no name": ("{groups: 3}", "groups", "must be text, or null, but got 3"),
    },
    "finish": {
        "folds without a refit": ("{refit: false}", "refit", "must be true with `folds`", "split: {folds: 5}"),
        "a choice that is no map": ("{choose: small}", "choose", "must be a map, or null, but got 'small'"),
        "a choice without a constraint": ("{choose: {}}", "choose.where", "`where` is missing"),
        "a choice by another goal": (OTHER_GOAL, "choose.minimize", "the first goal of `metric`"),
        "a choice by what is no goal": (
            "{choose: {where: parameters < 5}}",
            "choose.where",
            "`metric` has no goal 'param",
        ),
        "a choice with another key": ("{choose: {when: 1 < 2}}", "choose.when", "this key is not allowed here"),
    },
    "model": {
        "unknown model": ("dnse", "", "(did you mean `dense`?)"),
        "units outside": ("{units: 10}", "", "must be `dense`, {dense: {units: 10}} or"),
        "units beside dense": ("{dense: {}, units: 10}", "units", "write {dense: {units"),
        "no units": ("{dense: {units: 0}}", "dense.units", "a whole number of at least 1, but got 0"),
        "unknown activation": ("{dense: {activation: sofmax}}", "dense.activation", "`softmax`?"),
        "a layer of words": ("{dense: {hidden: [a]}}", "dense.hidden", "must be whole numbers"),
    },
    "metric": {
        "not recorded": ("{name: val_auc}", "name", "(add `auc` to `metrics`)"),
        "without val_": ("{name: accuracy}", "name", "(did you mean `val_accuracy`?)"),
        "a metric as text": ("val_loss", "", "must be a map with `name`, `goal`"),
        "an unknown goal": ("{name: val_loss, goal: minimise}", "goal", "`minimize`?"),
        "a target": ("{name: val_loss, target: 0.9}", "target", "(leave it out)"),
        "what is measured as the first goal": ("{name: parameters}", "name", "must have a value for each epoch"),
        "a goal twice": ("[{name: val_loss}, {name: val_loss}]", "", "must not list a goal twice"),
        "no goal": ("[]", "", "must be a map with `name`, `goal`"),
        "a goal that is none": ("[{name: val_loss}, {name: parameter}]", "1.name", "but got 'parameter' (did you mean"),
    },
    "search": {
        "unknown engine": ("{engine: optunah}", "engine", "(did you mean `optuna`?)"),
        "unknown sampler": ("{sampler: tpee}", "sampler", "(did you mean `tpe`?)"),
        "the other's sampler": (
            "{engine: keras-tuner, sampler: tpe}",
            "sampler",
            "(`engine: optuna` has this sampler)",
        ),
        "no trials": ("{trials: 0}", "trials", "from 1 to 1,000,000, but got 0"),
        "no point to start with": ("{start: [3]}", "start.0", "`defaults` of a KerasTuner model, but got 3"),
        "defaults of no KerasTuner model": ("{start: [defaults]}", "start.0", "must be a map of parameters"),
        "a start with a slip": ("{start: [{epoch: 3}]}", "start.0.epoch", "(did you mean `epochs`?)"),
        "a start outside": ("{start: [{}, {epochs: 99}]}", "start.1.epochs", "from 1 to 20, but got 99"),
        "nothing to stop by": ("{stop: {}}", "stop", "must have `value` or `patience` (as in {patience: 30})"),
        "no patience": ("{stop: {patience: 0}}", "stop.patience", "at least 1, or null, but got 0"),
        "a word to stop by": ("{stop: {value: good}}", "stop.value", "must be a number, or null, but got 'good'"),
    },
    "early_terminate": {
        "unknown stop": ("{type: hyperbnd}", "type", "`hyperband`?"),
        "no stop": ("{min_iter: 1}", "type", "`type` is missing"),
        "eta of 1": ("{type: hyperband, eta: 1}", "eta", "at least 2"),
    },
    "finalists": {
        "finalists of a number": ("5", "", "must be a map with `top`, `seeds`"),
        "one finalist": ("{top: 1}", "top", "from 2 to 1,000, but got 1"),
    },
    "where": {
        "where as text": ("epochs + 3", "0", "'epochs + 3' must be a comparison, which is true or false (as in `wh"),
        "where a number": ("3", "", "must be a list of constraints, but got 3 (as in `wh"),
        "where a map": ("[{epochs: 3}]", "0", "a map of epochs is not a valid comparison"),
        "where of no parameter": ("[epoch < 3]", "0", "no parameter 'epoch' (did you mean `epochs`?)"),
        "where of a bare word": ("[optimizer != rmsprop]", "0", "'rmsprop' (put text in quotes)"),
        "where that runs": ("['exec(\"1\") == 1']", "0", "must not contain `exec('1')`; allowed are numbers"),
        "where of other kinds": ("[optimizer < 3]", "", "no configuration meets all constraints (relax it"),
        "where never": ("[epochs < 20, epochs >= 20]", "", "no configuration meets all constraints"),
    },
    "optimizer": {
        "a bare list": ("[sgd]", "", "write {values: ['sgd']} for a choice, or {value:"),
        "no values": ("{values: []}", "values", "a list of values, but got []"),
        "unknown optimizer": ("{values: [sdg]}", "values.0", "`sgd`?"),
        "optimizer twice": ("{values: [sgd, SGD]}", "values", "must not contain a value twice"),
        "optimizer a range": ("{min: 1, max: 2}", "", "not a range"),
    },
    "momentum": {
        "momentum above 1": ("1.5", "", "from 0 to 1, but got 1.5"),
        "for some optimizers": ("0.9", "", "(add `when: {optimizer: [sgd, rmsprop]}`)", SEARCHED),
        "for no optimizer": ("0.9", "", "needs the optimizer muon, rmsprop or sgd, but its", "optimizer: adam"),
        "when of nothing": ("{value: 0.9, when: {optimzer: sgd}}", "when.optimzer", "there is no parameter 'optimzer'"),
        "when of a value never had": (SGDD, "when.optimizer", NEVER_HAD, SEARCHED),
        "for no optimizer of its when": ("{value: 0.9, when: {optimizer: adam}}", "", "muon, rmsprop or sg", SEARCHED),
    },
}
BAD_FILES: Mapping[str, BadFile] = {  # by what is bad in it
    **OTHERS,
    **{name: bad(key, *case) for key, cases in BAD.items() for name, case in cases.items()},
}
