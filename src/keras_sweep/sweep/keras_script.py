"""Write a trial as a short script of plain Keras, which imports nothing of this project.

A name from a record becomes code only if it is an identifier. A value becomes code only by `repr`.
"""

import keyword
from collections.abc import Mapping
from dataclasses import asdict
from inspect import getsource
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.array_sources import name_arrays
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.files.atomic import replacing
from keras_sweep.models.build import dense
from keras_sweep.models.hyper_model import is_hyper_model
from keras_sweep.process.backend import DEFAULTS, DISTRIBUTION, LIMITS, USUAL, keras_config, without_tensorflow
from keras_sweep.process.user_code import load_python, select_accepted
from keras_sweep.process.user_objects import display_name, is_object_name
from keras_sweep.space.sweep_spec import WATCHING, SweepSpec, is_user_function
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.training.build_trial import brings_optimizer, fits_itself, keras_schedule, make_optimizer
from keras_sweep.training.losses import class_weights, compile_arguments, make_from_source
from keras_sweep.trial.plan import CallbackTrial, TrainingPlan, training_plan
from keras_sweep.trial.result import Result


def trial_script(sweep: OpenSweep, number: int | None, *, rows: Path | None = None) -> str:
    """Return a script that trains a trial, and write the training and validation rows to the `.npz` file `rows`.

    `number` is the trial's; None: the winner's. Raises UsageError if `rows` is None, or no script can repeat the
    training. Also raises as `OpenSweep.training` and `OpenSweep.load`.
    """
    trial = sweep.training(number)
    spec, data = sweep.load(trial)
    if data.folds or spec.search.seeds > 1:
        message = f"{trial.name} was trained once per fold or seed, which a script can't repeat"
        raise UsageError(message, hint="`sweep replay` without `--script` trains all of these models again")
    obstacles = {
        f"by the `fit` of {display_name(spec.model.source)}": fits_itself(spec),
        "under `keras.distribution`": DISTRIBUTION in keras_config(),
        "on a dataset": data.stream is not None,
        "with its target transformed": spec.scale is not None,
        "on texts, or with layers that adapt": spec.training.adapt or data.has_texts,
        "by an objective function": bool(spec.function),
        "on several inputs or outputs": not all(isinstance(array, np.ndarray) for array in data.train.arrays),
        "without labels": data.train.labels is None,
    }
    for obstacle in (words for words, is_so in obstacles.items() if is_so):
        message = f"{trial.name} was trained {obstacle}, which a script can't repeat"
        raise UsageError(message, hint="`sweep replay` without `--script` trains it again")
    if rows is None:
        raise UsageError("the script needs a file for its rows", hint="Add `--rows rows.npz`: `sweep` writes this file")
    import keras

    text = keras_script(spec, trial, data, backend=keras.backend.backend(), rows=rows)
    train, validation = data.train, data.validation
    with replacing(rows, option="--rows") as file:
        np.savez(file, allow_pickle=False, **name_arrays(train.arrays, ""), **name_arrays(validation.arrays, "_val"))
    return text


def keras_script(spec: SweepSpec, result: Result, data: SearchData, *, backend: str, rows: Path) -> str:
    """Return a script that reads the file `rows`, trains the trial and prints the objective of each epoch. Raises
    UsageError if a Python program passed the model to the sweep as a function, which a script can't import."""
    plan = training_plan(spec, result.params)
    objective = spec.objective.name
    value = str(result.state) if result.value is None else f"{objective} {result.value!r}"
    end = f" ({result.reason})" if result.reason else ""
    head = [
        f"{result.name.capitalize()} of the sweep {spec.name} by plain Keras.",
        f"Recorded: {value} at epoch {result.epoch}{end}.",
    ]
    definitions, rate_lines = _import_lines(spec), []
    if spec.model.kind == "dense":
        model_arguments: Any = plan.model_arguments
        network = dense(data, spec.loss, spec.loss_arguments, **model_arguments)
        with without_tensorflow():  # Keras would import TensorFlow to write a dtype
            layers = [f"    {_layer_code(layer)}," for layer in network.layers]
        model = ["model = keras.Sequential([", "    keras.layers.Input(x.shape[1:]),", *layers, "])"]
    else:
        model = _model_lines(spec, plan, data)
    optimizer = f"keras.optimizers.{type(make_optimizer(plan)).__name__}({_arguments(plan.optimizer_arguments)})"
    if brings_optimizer(spec, data):
        optimizer = "type(model.optimizer).from_config(model.optimizer.get_config())  # the model's own"
        if "learning_rate" in plan.optimizer_arguments:
            rate_lines = [f"optimizer.learning_rate = {plan.optimizer_arguments['learning_rate']!r}"]
    if plan.schedule is not None:
        definitions += ["from typing import Any", "", "", *getsource(keras_schedule).splitlines(), ""]
        rate_arguments = ", ".join(map(repr, plan.schedule.over(len(data.train))))
        rate_lines.append(f"optimizer.learning_rate = keras_schedule(float(optimizer.learning_rate), {rate_arguments})")
    epochs = min(result.epochs, plan.epochs) or plan.epochs
    remark = f"  # of {plan.epochs}: the trial was stopped here" if epochs < plan.epochs else ""
    size = f"batch_size={plan.batch_size}, validation_batch_size={plan.batch_size}"
    compiled = compile_arguments(spec, plan.loss_arguments, data)
    kind = "weighted_metrics" if data.weighs else "metrics"
    own_loss: dict[str, Any] = {"python": spec.loss} if is_user_function(spec.loss) else {}
    compiling = ["optimizer=optimizer"]  # Keras keeps the model's own loss and metrics
    if "loss" not in spec.own:
        compiling.append(f"loss={_call_code(spec, compiled['loss'], 'losses', {**plan.loss_arguments, **own_loss})}")
    if "metrics" not in spec.own:
        pairs = zip(spec.metrics, compiled[kind], strict=True)
        metrics = [_call_code(spec, metric, "metrics", spec.metric_arguments.get(name, {})) for name, metric in pairs]
        compiling.append(f"{kind}=[{', '.join(metrics)}]")
    callbacks = _callback_codes(spec, plan, result)
    fit_options = f", callbacks=[{', '.join(callbacks)}]" if callbacks else ""
    if (weights := class_weights(plan.training.class_weight, data)) is not None:
        fit_options += f", class_weight={weights!r}"
    fit_options += ", sample_weight=rows['sample_weight']" if data.weighs else ""
    held_out = "(x_val, y_val)" if data.validation.weights is None else "(x_val, y_val, rows['sample_weight_val'])"
    settings = [(name, value) for name, value in keras_config().items() if value != USUAL[name]]
    set_in_code = (*DEFAULTS, *LIMITS)  # Keras reads the other settings from the environment
    lines = [
        *(f"# {ascii(line)[1:-1]}" for line in head),
        "import os",
        "",
        f'os.environ["KERAS_BACKEND"] = "{backend}"  # before Keras is imported',
        *(f"os.environ[{name.upper()!r}] = {str(value)!r}" for name, value in settings if name not in set_in_code),
        "",
        *(["from types import SimpleNamespace", ""] if any("SimpleNamespace" in code for code in callbacks) else []),
        "import keras",
        "import numpy as np",
        "",
        *(f"keras.config.set_{name}({value!r})" for name, value in settings if name in set_in_code),
        f"rows = np.load({str(rows)!r})",
        'x, y, x_val, y_val = (rows[name] for name in ("x", "y", "x_val", "y_val"))',
        "",
        *definitions,
        f"keras.utils.set_random_seed({plan.seed})",
        *model,
        f"optimizer = {optimizer}",
        *rate_lines,
        f"model.compile({', '.join(compiling)})",
        f"epochs = {epochs}{remark}",
        f"validation = {held_out}",
        f"log = model.fit(x, y, epochs=epochs, {size}, validation_data=validation, verbose=0{fit_options})",
        f"for epoch, value in enumerate(log.history[{objective!r}], start=1):",
        f"    print(epoch, {objective!r}, value)",
    ]
    return "\n".join(lines) + "\n"


def _call_code(spec: SweepSpec, function: Any, module: str, arguments: Mapping[str, Any]) -> str:
    """Return a loss or metric as code: its quoted name, or a call with `arguments`. `module`: "losses" or "metrics"."""
    if isinstance(function, str):
        return repr(function)
    name_argument = {"name": function.name} if module == "metrics" else {}
    if "python" not in arguments:
        return f"keras.{module}.{type(function).__name__}({_arguments({**arguments, **name_argument})})"
    source, options = str(arguments["python"]), {name: value for name, value in arguments.items() if name != "python"}
    code = source.partition(":")[2]
    if make_from_source(source, options, spec.folder) is not load_python(source, spec.folder):
        code += f"({_arguments(options)})"
    is_wrapped = module == "metrics" and type(function).__name__ == "MeanMetricWrapper"
    return f"keras.metrics.MeanMetricWrapper({code}, {_arguments(name_argument)})" if is_wrapped else code


def _callback_codes(spec: SweepSpec, plan: TrainingPlan, result: Result) -> list[str]:
    trial = CallbackTrial.from_suggestion(result.suggestion)
    known = f"trial=SimpleNamespace(number={trial.number}, params={dict(trial.params)!r}, name={trial.name!r})"
    calls = ["keras.callbacks.SwapEMAWeights()"] if plan.optimizer_arguments.get("use_ema") else []
    for source in (callback.python for callback in spec.training.callbacks):
        function: Any = load_python(source, spec.folder)
        calls.append(f"{source.partition(':')[2]}({known if select_accepted(function, {'trial': trial}) else ''})")
    for section, form in WATCHING.items():
        if (watching := getattr(plan.training, section)) is not None:
            arguments = {name: value for name, value in asdict(watching).items() if value is not None}
            calls.append(f"keras.callbacks.{form.__name__}({_arguments(arguments)})")
    return calls


def _import_lines(spec: SweepSpec) -> list[str]:
    lines = ["import sys", f"sys.path.insert(0, {str(spec.folder.resolve())!r})"]
    for source in spec.training_code:
        if is_object_name(source):
            raise UsageError(
                f"{display_name(source)} is a function of the program that ran the sweep: a script can't import it",
                hint="Move it into a module, and name it in a space file: `{python: module:function}`",
            )
        module, _, attribute = source.partition(":")
        lines.append(f"from {module} import {attribute.split('.')[0]}")
    return lines if len(lines) > 2 else []


def _layer_code(layer: Any) -> str:
    kind, config = type(layer).__name__, layer.get_config()
    if kind == "Dropout":
        return f"keras.layers.Dropout({config['rate']!r})"
    if kind != "Dense":
        return f"keras.layers.{kind}()"
    arguments = [repr(config["units"]), f"activation={config['activation']!r}"]
    if not config["use_bias"]:
        arguments.append("use_bias=False")
    if config["kernel_regularizer"] is not None:
        arguments.append(f"kernel_regularizer=keras.regularizers.L2({float(layer.kernel_regularizer.l2)!r})")
    return f"keras.layers.Dense({', '.join(arguments)})"


def _model_lines(spec: SweepSpec, plan: TrainingPlan, data: SearchData) -> list[str]:
    builder: Any = load_python(spec.model.source, spec.folder)
    attribute = spec.model.source.partition(":")[2]
    known = {"input_shape": data.input_shape, "classes": data.classes}
    if is_hyper_model(builder):
        lines = [
            "import keras_tuner",
            "hp = keras_tuner.HyperParameters()",
            f"hp.values = {dict(plan.model_arguments)!r}",
        ]
        build = attribute
        if isinstance(builder, type):
            lines.append(f"tuned = {attribute}({_arguments(select_accepted(builder, known))})")
            build, builder = "tuned.build", getattr(builder, "build", None)
        elif not callable(builder):
            build, builder = f"{attribute}.build", type(builder).build  # an instance hides the arguments of `build`
        lines.append(f"model = {build}({', '.join(filter(None, ('hp', _arguments(select_accepted(builder, known)))))})")
    else:
        lines = [f"model = {attribute}({_arguments({**select_accepted(builder, known), **plan.model_arguments})})"]
    return [
        *lines,
        "if not model.built:",
        f"    model(keras.KerasTensor({(None, *data.input_shape)!r}, dtype={str(data.train.x.dtype)!r}))",
    ]


def _arguments(values: Mapping[str, Any]) -> str:
    """Return keyword arguments as code. A name that is no Python identifier goes into `**{...}`."""
    values = {
        name: list(value) if isinstance(value, tuple) and name != "input_shape" else value
        for name, value in values.items()
    }
    plain = [name for name in values if name.isidentifier() and not keyword.iskeyword(name)]
    others = {name: value for name, value in values.items() if name not in plain}
    return ", ".join([*(f"{name}={values[name]!r}" for name in plain), *([f"**{others!r}"] if others else [])])
