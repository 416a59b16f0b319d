"""Read and check `loss`, `metrics`, `metric` and `training` of a space file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import PositiveFloat, PositiveInt

from keras_sweep.process.user_objects import display_name
from keras_sweep.space import sweep_spec
from keras_sweep.space.constraint import parse_constraint
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import MEASURED, Goal, Objective
from keras_sweep.space.sweep_spec import TRAINING_PREFIX, WATCHING, Finish, Output, Training, is_user_function
from keras_sweep.space.text import did_you_mean, join, quote
from keras_sweep.space_file import keras_tables as tables
from keras_sweep.space_file import sections
from keras_sweep.space_file.faults import UNKNOWN_KEY, Faults, Place, Rule, get_fields, hint_at_key, hint_at_python
from keras_sweep.space_file.keras_tables import METRIC_ARGUMENTS, Kind, is_maximized, make_kind
from keras_sweep.space_file.ranges import parse_value
from keras_sweep.space_file.sources import check_source, read_function

LOSS = make_kind(sections.Loss)
LIST = make_kind(list[object])
METRIC = make_kind(sections.Metric)
ANY_METRIC = make_kind(Annotated[str, Rule("a metric of Keras", tuple(METRIC_ARGUMENTS))])
WEIGHTS = make_kind(Annotated[dict[str, PositiveFloat | PositiveInt], Rule("a map from outputs to numbers above 0")])
Arguments = dict[str, Value]
Names = tuple[str, ...] | None
CLASS_WEIGHT = make_kind(
    Annotated[
        Literal["balanced"] | dict[int | str, PositiveFloat] | None,
        Rule("`balanced`, or a map of classes to numbers above 0, as in {0: 1, 1: 5}"),
    ]
)
CALLBACKS = make_kind(
    Annotated[list[sections.PythonData], Rule("a list of your functions, as in [{python: my_callbacks:early}]")]
)
# Keras callback, or another key that users may expect in `training` -> what to use instead.
KERAS_CALLBACKS: Mapping[str, str] = {
    "EarlyStopping": "use `training: {early_stopping: {patience: 3}}`",
    "ReduceLROnPlateau": "use `training: {reduce_lr_on_plateau: {patience: 3}}`",
    "LearningRateScheduler": "use `parameters: {schedule: cosine, warmup: 0.1}`",
    "ModelCheckpoint": "use `epochs: {max: 20, take: best}` to keep each trial's best epoch",
    "TerminateOnNaN": "leave it out: a trial that diverges ends by itself",
    "CSVLogger": "leave it out: `sweep show` prints every curve",
    "TensorBoard": "leave it out: `sweep report` draws every curve",
    "SwapEMAWeights": "use `parameters: {use_ema: true}`",
    **dict.fromkeys(("schedule", "warmup"), "put it under `parameters`"),
}
# Each possible parameter -> the validator of its values.
ARGUMENTS: Mapping[str, Kind] = {
    f"{TRAINING_PREFIX}{section}.{name}": make_kind(Annotated[field.annotation, field])
    for section, form in WATCHING.items()
    for name, field in get_fields(form).items()
    if name not in ("monitor", "mode")
} | {f"{TRAINING_PREFIX}class_weight": make_kind(Annotated[Literal["balanced"] | None, Rule("`balanced` or null")])}


def list_left_to_model(faults: Faults) -> tuple[str, ...]:
    """Return which of "loss" and "metrics" the file lacks, so that the `compile` of the user's own model decides; ()
    for the dense model."""
    model = faults.root.plain.get("model")
    is_users = faults.has("objective") or (isinstance(model, dict) and "python" in model)
    return tuple(key for key in ("loss", "metrics") if is_users and key not in faults.root.plain)


def has_named_outputs(faults: Faults) -> bool:
    """Return whether `loss` maps names of outputs to losses. In contrast, a single loss with arguments is a map with
    the key `name` or `python`."""
    given = faults.root.plain.get("loss")
    of_outputs = isinstance(given, dict) and not ({"name", "python"} & set(given) or hint_at_python(given))
    return of_outputs and any(isinstance(value, str | dict) for value in given.values())


def read_outputs(faults: Faults) -> dict[str, Output]:
    """Return output -> its loss, metrics and loss weight, for each output that `loss` names; {} if `loss` is a single
    loss. Faults are added."""
    plain = faults.root.plain
    of_metrics, weights = plain.get("metrics", {}), plain.get("loss_weights", {})
    if not has_named_outputs(faults):
        for key in ("metrics", "loss_weights"):
            if isinstance(plain.get(key), dict):
                hint = "as in `loss: {price: mean_squared_error, kind: sparse_categorical_crossentropy}`"
                faults.add((key,), "names outputs, but `loss` does not", hint)
        return {}
    faults.check_value(WEIGHTS, ("loss_weights",), weights)
    if not isinstance(of_metrics, dict):
        rule = f"must be a map from outputs to lists of metrics, as `loss` has outputs, but got {quote(of_metrics)}"
        faults.add(("metrics",), rule, f"as in {{{next(iter(plain['loss']))}: [accuracy]}}")
        return {}
    for key, given in (("metrics", of_metrics), ("loss_weights", weights)):
        for name in given if isinstance(given, dict) else ():
            if name not in plain["loss"]:
                near = did_you_mean(name, list(plain["loss"]))
                faults.add((key, name), f"`loss` has no output {quote(name)}", near)
    found = {}
    for name in plain["loss"]:
        loss = read_loss(faults, ("loss", name))
        metrics = read_metrics(faults, ("metrics", name)) if name in of_metrics else {}
        if loss is not None and metrics is not None:
            arguments = {metric: values for metric, values in metrics.items() if values is not None}
            found[str(name)] = Output(*loss, tuple(metrics), arguments, dict(weights).get(name))
    return found


def read_loss(faults: Faults, path: Place = ("loss",)) -> tuple[str, Arguments] | None:
    """Return (name, arguments) of the loss at `path`; ("", {}) if the file leaves it to the user's model. If there are
    faults, add them and return None."""
    if "loss" in list_left_to_model(faults):
        return "", {}
    if not faults.has("loss"):
        return None
    if path == ("loss",) and has_named_outputs(faults):
        return sweep_spec.LOSS_OF_OUTPUTS, {}
    given = faults.root.at(*path).plain
    if isinstance(given, dict):
        return _read_with_arguments(faults, path, LOSS, tables.LOSS_ARGUMENTS)
    return (given, {}) if faults.check_value(LOSS, path, given) else None


def read_metrics(faults: Faults, place: Place = ("metrics",)) -> dict[str, Arguments | None] | None:
    """Return metric -> arguments, or None for a metric without any. If there are faults, add them and return None."""
    given, before = faults.root.at(*place).plain if faults.has("metrics") else [], len(faults.found)
    given = [given] if len(place) > 1 and isinstance(given, str | dict) else given
    found: list[tuple[str, Arguments | None]] = []
    for index, item in enumerate(given if faults.check_value(LIST, place, given) else ()):
        path = (*place, index)
        if isinstance(item, str) and item in tables.METRICS_OF_ARGUMENTS:
            example = f"as in {{name: {item}, {METRIC_ARGUMENTS[item][0]}: 0.5}}"
            faults.add(path, f"{quote(item)} needs an argument", example)
        elif not isinstance(item, dict):
            found += [(item, None)] if faults.check_value(METRIC, path, item) else []
        elif (pair := _read_with_arguments(faults, path, ANY_METRIC, METRIC_ARGUMENTS)) is not None:
            name, arguments = pair
            if is_user_function(name):
                arguments = {**arguments, "python": name}
                name = display_name(name).rpartition(":")[2].rpartition(".")[2]
                if name in METRIC_ARGUMENTS or name == "loss":
                    faults.add((*path, "python"), f"Keras already has a metric {quote(name)}", "rename your metric")
            found.append((name, arguments))
    if len(dict(found)) < len(found):
        faults.add(place, f"must not list a metric twice, but got {quote(given)}")
    return dict(found) if len(faults.found) == before else None


def _read_with_arguments(
    faults: Faults, path: Place, kind: Kind, known: Mapping[str, Sequence[str]]
) -> tuple[str, Arguments] | None:
    """Read a map with the key `name` or `python`. Return (name or "module:function", arguments), or add faults and
    return None. `kind` validates a name. `known` maps a name to its allowed arguments."""
    given, before = faults.root.at(*path).plain, len(faults.found)
    name = given.get("name")
    if "python" in given:
        return read_function(faults, sections.OwnScore, path)
    if name is None:
        near = hint_at_python(given) or "as in {name: categorical_crossentropy, label_smoothing: 0.1}"
        faults.add(path, "`name` is missing", near)
    elif faults.check_value(kind, (*path, "name"), name):
        for key in given:
            if key != "name" and key not in known[name]:
                hint = hint_at_key(key, known[name]) if known[name] else "leave it out: it takes no arguments"
                faults.add((*path, key), f"{quote(name)} has no argument {quote(key)}", hint)
    arguments = {key: parse_value(key, value) for key, value in given.items() if key != "name"}
    return (name, arguments) if len(faults.found) == before else None


def read_objective(faults: Faults, metrics: Names, outputs: Mapping[str, Output]) -> Objective | None:
    """Read `metric`. If there are faults, add them and return None. `metrics`: the recorded names, or None after a
    fault. `outputs`: as `read_outputs` returns them."""
    if not faults.has("metric"):
        return None
    given = faults.root.at("metric").plain
    places: list[Place] = [("metric", index) for index in range(len(given))] if isinstance(given, list) else []
    first, *further = [_read_goal(faults, place, metrics, outputs) for place in places or [("metric",)]]
    if first is None or None in further:
        return None
    others = tuple(goal for goal in further if goal is not None)
    if len({goal.name for goal in (first, *others)}) <= len(others):
        faults.add(("metric",), f"must not list a goal twice, but got {quote(given)}")
    return replace(first, further=others)


def add_choice(faults: Faults, objective: Objective | None, finish: Finish | None) -> Objective | None:
    """Return `objective` with `finish.choose.where`, a constraint that the winner must meet. Add faults of `choose`."""
    if objective is None or finish is None or finish.choose is None:
        return objective
    path, given, names = ("finish", "choose"), finish.choose, [goal.name for goal in (objective, *objective.further)]
    for key, value in given.items():
        if key in tuple(Goal) and (value, key) != (objective.name, objective.goal):
            first = f"`{objective.goal}: {objective.name}`"
            rule = f"must be {first}, the first goal of `metric`, but got `{key}: {quote(value)}`"
            faults.add((*path, key), rule, "put it first in `metric`, or leave it out")
        elif key not in (*Goal, "where"):
            faults.add((*path, key), UNKNOWN_KEY, hint_at_key(key, (*Goal, "where")))
    try:
        strange = [name for name in parse_constraint(given.get("where", "")).names if name not in names]
    except ValueError as error:
        rule = f"{quote(given['where'])} {error}" if "where" in given else "`where` is missing"
        faults.add((*path, "where"), rule, "as in {where: parameters <= 40000}")
    else:
        for name in strange:
            faults.add((*path, "where"), f"`metric` has no goal {quote(name)}", hint_at_key(name, names))
    return replace(objective, where=given.get("where", ""))


def _read_goal(faults: Faults, place: Place, metrics: Names, outputs: Mapping[str, Output]) -> Objective | None:
    hints = dict.fromkeys(("target", "impute", "impute_while_running"), "leave it out")
    section = faults.read_section(sections.MetricSection, place, hints)
    if section is None or metrics is None:  # the recorded metrics are not known
        return None
    name, further = section.name, place not in (("metric",), ("metric", 0))
    recorded = ("val_loss", *(f"val_{metric}" for metric in metrics), *(MEASURED if further else ()))
    if name in MEASURED and not further:
        rule = f"the first goal must have a value for each epoch, but got {quote(name)}"
        faults.add((*place, "name"), rule, f"as in [{{name: val_loss}}, {{name: {name}}}]")
        return None
    if name not in recorded and not list_left_to_model(faults):
        rule = f"must be a recorded metric ({join(recorded)}), but got {quote(name)}"
        metric = name.removeprefix("val_")
        missing = metric in tables.METRICS and f"val_{metric}" not in recorded
        hint = f"add `{metric}` to `metrics`" if missing else did_you_mean(name, recorded)
        faults.add((*place, "name"), rule, hint)
        return None
    bare = next((output for output in outputs if name.startswith(f"val_{output}_")), None)  # of an output's metric
    bare_name = name if bare is None else name.removeprefix(f"val_{bare}_")
    maximized = name not in MEASURED and is_maximized(bare_name)
    if maximized is None and section.goal is None:
        rule = f"`goal` is missing: for your own metric {quote(name)}, `sweep` can't know which values are better"
        faults.add(place, rule, f"as in {{name: {name}, goal: maximize}}")
        return None
    natural = Goal.MAXIMIZE if maximized else Goal.MINIMIZE
    goal = Goal(section.goal or natural)
    if goal is not natural and maximized is not None:
        faults.warn((*place, "goal"), f"`{name}` is usually {natural.value}d, not {goal.value}d")
    return Objective(name, goal, take_best=faults.root.at("parameters", "epochs", "take").value == "best")


def read_training(faults: Faults, metrics: Names) -> Training | None:
    """Read `training`; None if it has faults. `metrics`: all metrics of a trial, None if only the model knows them."""
    before, given = len(faults.found), faults.root.plain.get("training", {})
    section = faults.read_section(
        Training, ("training",), KERAS_CALLBACKS, apart=(*WATCHING, "class_weight", "callbacks")
    )
    if section is None:
        return None
    parts: dict[str, Any] = {
        name: _read_watcher(faults, form, name, metrics)
        for name, form in WATCHING.items()
        if given.get(name) is not None
    }
    parts["class_weight"], callbacks = given.get("class_weight"), given.get("callbacks", [])
    faults.check_value(CLASS_WEIGHT, ("training", "class_weight"), parts["class_weight"])
    if _has_no_keras_callback(faults, callbacks) and faults.check_value(
        CALLBACKS, ("training", "callbacks"), callbacks
    ):
        for index, callback in enumerate(callbacks):
            check_source(faults, ("training", "callbacks", index, "python"), callback["python"])
        parts["callbacks"] = tuple(sweep_spec.UserCallback(callback["python"]) for callback in callbacks)
    return replace(section, **parts) if len(faults.found) == before else None


def _read_watcher(faults: Faults, form: Any, name: str, metrics: Names) -> Any:
    section = faults.read_section(form, ("training", name))
    if section is None:
        return None
    recorded = [key for metric in ("loss", *(metrics or ())) for key in (metric, f"val_{metric}")]
    if metrics is not None and section.monitor not in recorded:
        rule = f"must be a recorded metric ({join(recorded)}), but got {quote(section.monitor)}"
        faults.add(("training", name, "monitor"), rule, did_you_mean(section.monitor, recorded))
        return None
    maximized = is_maximized(section.monitor)
    if section.mode == "auto" and maximized is None:
        faults.add(("training", name, "mode"), f"must be `min` or `max` for your own metric {quote(section.monitor)}")
        return None
    return replace(section, mode="max" if maximized else "min") if section.mode == "auto" else section


def _has_no_keras_callback(faults: Faults, callbacks: Any) -> bool:
    """Report each of Keras's callbacks in `callbacks`, with what to use instead. Return True if there is none."""
    before = len(faults.found)
    for index, callback in enumerate(callbacks if isinstance(callbacks, list) else ()):
        names = [callback] if isinstance(callback, str) else list(callback) if isinstance(callback, dict) else []
        for name in names:
            known = KERAS_CALLBACKS.get(str(name).rpartition(".")[2].partition("(")[0])
            if known is not None:
                faults.add(("training", "callbacks", index), f"{quote(name)} is Keras's, not your function", known)
    return len(faults.found) == before
