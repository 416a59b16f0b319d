"""A trial as a short script of plain Keras, which imports nothing of this project.

Names that come from a record become code only where they are identifiers, values only by `repr`.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.files.atomic import SHARED, replacing
from keras_sweep.models.dense import dense
from keras_sweep.models.hyper_model import is_hyper_model
from keras_sweep.models.inspect_model import first_model
from keras_sweep.process.backend import without_tensorflow
from keras_sweep.process.given import is_given
from keras_sweep.process.keras_config import DEFAULTS, keras_config
from keras_sweep.process.user_code import load_python, taken
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.recorded import opened
from keras_sweep.sweep.replay import check_replayable
from keras_sweep.training.build_trial import brings_optimizer, make_optimizer
from keras_sweep.trial.events import Listener
from keras_sweep.trial.plan import TrainingPlan, training_plan
from keras_sweep.trial.result import Result


def trial_script(
    folder: SweepFolder,
    number: int | None,
    emit: Listener,
    *,
    rows: Path | None = None,
    spec: SweepSpec | None = None,
    trust: bool = False,
    backend: str | None = None,
) -> str:
    """The script of a trial of a sweep, or of its winner; its rows are written to `rows`.

    Raises as `replay`, and UsageError where the trial was trained in folds, or no file is named.
    """
    with opened(folder, number, emit, spec=spec, trust=trust, backend=backend, check=check_replayable) as recorded:
        spec, data, trial = recorded.spec, recorded.data, recorded.trial
    if data.folds:
        raise UsageError(
            f"{trial.name} was trained once a fold, and no script of one training is that",
            hint="`sweep replay` without `--script` trains every fold again",
        )
    if rows is None:
        raise UsageError("the script reads its rows from a file", hint="Give `--rows rows.npz`, which is written")
    import keras

    text = keras_script(spec, trial, data, backend=keras.backend.backend(), rows=rows)
    write_rows(data, rows)
    return text


def keras_script(spec: SweepSpec, result: Result, data: SearchData, *, backend: str, rows: Path) -> str:
    """The script's text. It trains the trial and prints the objective of each epoch.

    Args:
        spec: the sweep.
        result: the trial, as recorded.
        data: what it was trained on.
        backend: that it was trained on.
        rows: the file that `write_rows` writes.

    Raises:
        UsageError: the model is of a program that is no longer there.
    """
    plan = training_plan(spec, result.params)
    script = _Script()
    own = [(name, value) for name, value in keras_config().items() if value != DEFAULTS[name]]
    script.add(*(f"keras.config.set_{name}({value!r})" for name, value in own))
    script.use("import numpy as np")
    script.add(f"rows = np.load({str(rows)!r})")
    script.add('x, y, x_val, y_val = (rows[name] for name in ("x", "y", "x_val", "y_val"))', "")
    script.add(f"keras.utils.set_random_seed({plan.seed})")
    if spec.model.kind == "dense":
        _dense_model(script, dense(data, spec.loss, **plan.model_arguments))  # type: ignore[arg-type]
    else:
        _users_model(script, spec, plan, data)
    _compile(script, spec, plan, data)
    _fit(script, plan, result)
    objective = repr(spec.objective.name)
    script.add(f"for epoch, value in enumerate(log.history[{objective}], start=1):")
    script.add(f"    print(epoch, {objective}, value)")
    value = f"{spec.objective.name} {result.value!r}" if result.value is not None else str(result.state)
    end = f" ({result.reason})" if result.reason else ""
    return script.text(
        f"{result.name.capitalize()} of the sweep {spec.name} by plain Keras.",
        f"Recorded: {value} at epoch {result.epoch}{end}.",
        backend=backend,
    )


def write_rows(data: SearchData, path: Path) -> None:
    """Write training and validation rows as the model takes them, for a script: x, y, x_val, y_val. No test row.

    Raises RecordError where the disk fails.
    """
    import numpy as np

    arrays: dict[str, Any] = {
        "x": data.train.x,
        "y": data.train.y,
        "x_val": data.validation.x,
        "y_val": data.validation.y,
    }
    with replacing(path, mode=SHARED) as file:
        np.savez(file, **arrays)


class _Script:
    """Lines of a script; its imports stand first."""

    def __init__(self) -> None:
        self._system = {"import os"}
        self._imports = {"import keras"}
        self._body: list[str] = []

    def use(self, line: str, *, system: bool = False) -> None:
        """Import something."""
        (self._system if system else self._imports).add(line)

    def add(self, *lines: str) -> None:
        """Go on with these lines."""
        self._body += lines

    def text(self, *head: str, backend: str) -> str:
        """The whole script, with these sentences as comments at its head."""
        lines = [*(f"# {ascii(line)[1:-1]}" for line in head), *sorted(self._system), ""]
        lines += [f'os.environ["KERAS_BACKEND"] = "{backend}"  # before Keras is imported', ""]
        lines += [*sorted(self._imports, key=lambda line: (line.startswith("from"), line)), "", *self._body]
        return "\n".join(lines) + "\n"


def _dense_model(script: _Script, model: Any) -> None:
    script.add("model = keras.Sequential([", "    keras.layers.Input(x.shape[1:]),")
    with without_tensorflow():  # which Keras would import to write a layer's dtype
        script.add(*(f"    {_layer(layer)}," for layer in model.layers), "])")


def _layer(layer: Any) -> str:
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


def _users_model(script: _Script, spec: SweepSpec, plan: TrainingPlan, data: SearchData) -> None:
    if is_given(spec.model.source):
        raise UsageError(
            "the model was a function of a program that ran the sweep, which no script can import",
            hint="Put it into a module beside a space file: `model: {python: module:function}`",
        )
    found: Any = load_python(spec.model.source, spec.folder)
    module, _, attribute = spec.model.source.partition(":")
    known = {"input_shape": data.input_shape, "classes": data.classes}
    script.use("import sys", system=True)
    script.add(f"sys.path.insert(0, {str(spec.folder.resolve())!r})")
    script.add(f"from {module} import {attribute.split('.')[0]}")
    if not is_hyper_model(found):
        script.add(f"model = {attribute}({_arguments({**taken(found, known), **plan.model_arguments})})")
    else:
        script.use("import keras_tuner")
        script.add("hp = keras_tuner.HyperParameters()", f"hp.values = {dict(plan.model_arguments)!r}")
        if isinstance(found, type):
            script.add(f"tuned = {attribute}({_arguments(taken(found, known))})")
            attribute, found = "tuned.build", getattr(found, "build", None)
        elif not callable(found):
            attribute, found = f"{attribute}.build", getattr(found, "_build", None)  # `build` wraps the user's method
        script.add(f"model = {attribute}({', '.join(filter(None, ('hp', _arguments(taken(found, known)))))})")
    script.add("if not model.built:")
    script.add(f"    model(keras.KerasTensor({(None, *data.input_shape)!r}, dtype={str(data.train.x.dtype)!r}))")


def _compile(script: _Script, spec: SweepSpec, plan: TrainingPlan, data: SearchData) -> None:
    if spec.model.kind != "dense" and brings_optimizer(spec, first_model(spec, data)):
        script.add("optimizer = type(model.optimizer).from_config(model.optimizer.get_config())  # the model's own")
        if "learning_rate" in plan.optimizer_arguments:
            script.add(f"optimizer.learning_rate = {plan.optimizer_arguments['learning_rate']!r}")
    else:
        name = type(make_optimizer(plan)).__name__
        script.add(f"optimizer = keras.optimizers.{name}({_arguments(plan.optimizer_arguments)})")
    script.add(f"model.compile(optimizer=optimizer, loss={spec.loss!r}, metrics={list(spec.metrics)!r})")


def _fit(script: _Script, plan: TrainingPlan, result: Result) -> None:
    callbacks = ["keras.callbacks.SwapEMAWeights()"] if plan.optimizer_arguments.get("use_ema") else []
    epochs = result.epochs or plan.epochs
    if epochs < plan.epochs:
        script.add(f"epochs = {epochs}  # of {plan.epochs}: it was stopped there")
    else:
        script.add(f"epochs = {epochs}")
    size = f"batch_size={plan.batch_size}, validation_batch_size={plan.batch_size}"
    script.add("validation = (x_val, y_val)")
    more = f", callbacks=[{', '.join(callbacks)}]" if callbacks else ""
    script.add(f"log = model.fit(x, y, epochs=epochs, {size}, validation_data=validation, verbose=0{more})")


def _arguments(values: Mapping[str, Any]) -> str:
    """Keyword arguments as code; a name that is no identifier goes into a dict of its own."""
    plain = {name: value for name, value in values.items() if name.isidentifier() and not keyword.iskeyword(name)}
    parts = [f"{name}={_plain(name, value)!r}" for name, value in plain.items()]
    others = {name: _plain(name, value) for name, value in values.items() if name not in plain}
    return ", ".join([*parts, *([f"**{others!r}"] if others else [])])


def _plain(name: str, value: Any) -> Any:
    return list(value) if isinstance(value, tuple) and name != "input_shape" else value
