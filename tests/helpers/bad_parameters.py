"""Bad parameters and conditions, and the fault that each is told by."""

from __future__ import annotations

from collections.abc import Mapping

from tests.helpers.bad_files import BadFile
from tests.helpers.space_texts import dense, with_parameters

P = "parameters."
LR = "parameters.learning_rate"

BAD_PARAMETERS: Mapping[str, BadFile] = {
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
    "optimizer twice": (dense(optimizer="  optimizer: {values: [sgd, SGD]}"), 8, P + "optimizer.values", "must differ"),
    "optimizer a range": (dense(optimizer="  optimizer: {min: 1, max: 2}"), 8, P + "optimizer", "not a range"),
    "optimizer a number": (dense(optimizer="  optimizer: 3"), 8, P + "optimizer", "an optimizer of Keras, but got 3"),
    "unknown parameter": (
        with_parameters("learnin_rate: 0.1"),
        8,
        P + "learnin_rate",
        "(did you mean `learning_rate`?)",
    ),
    "W&B's lr": (with_parameters("lr: 0.1"), 8, P + "lr", "(did you mean `learning_rate`?)"),
    "another's decay": (with_parameters("decay: 0.1"), 8, P + "decay", "'decay' (arguments of the model are written"),
    "a key of elsewhere": (with_parameters("loss: 0.1"), 8, P + "loss", "'loss' (arguments of the model are written"),
    "class weights": (with_parameters("class_weight: 2"), 8, P + "class_weight", "may weigh classes in `compute_loss`"),
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
}  # by what is bad in it
