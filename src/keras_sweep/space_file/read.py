"""Read a space file into a SweepSpec, or report all faults of the file at once."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_sweep.errors import Fault, SpaceFileError
from keras_sweep.search.engine import Capabilities
from keras_sweep.search.engines import DEFAULTS, ENGINES, find_sampler
from keras_sweep.search.pruning import epochs_read_from
from keras_sweep.space import sweep_spec
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Objective, SearchSpace
from keras_sweep.space.sweep_spec import EarlyTerminate, Finalists, Finish, ModelSpec, SearchSettings, SweepSpec
from keras_sweep.space.text import check_sweep_name, did_you_mean, escape, join, pluralize, quote
from keras_sweep.space.variants import apply_first_variant
from keras_sweep.space_file import training as trained
from keras_sweep.space_file.conditions import add_constraints
from keras_sweep.space_file.faults import UNKNOWN_KEY, Faults, hint_at_key
from keras_sweep.space_file.options import apply_options, dump_yaml
from keras_sweep.space_file.parameters import FIT_ARGUMENTS, INSTEAD, read_parameters
from keras_sweep.space_file.ranges import parse_value
from keras_sweep.space_file.sections import ENGINE, OF_A_MODEL, PRUNING_RULE, SECTIONS, SKIPPED_KEYS, WANDB_METHODS
from keras_sweep.space_file.sources import check_split, check_variants, read_data, read_model
from keras_sweep.space_file.yaml_tree import MOST_BYTES, Node, TreeError, decode_text, parse_yaml

REQUIRED = {
    "data": "as in `data: fashion_mnist`",
    "model": "as in `model: {dense: {units: 10, activation: softmax}}`",
    "loss": "as in `loss: sparse_categorical_crossentropy`",
    "metric": "as in `metric: {name: val_accuracy, goal: maximize}`",
    "parameters": "as in `parameters: {learning_rate: {min: 1e-4, max: 1.0, log: true}}`",
}
# Key that users may expect at the top of the file -> where the key belongs.
OTHER_KEYS = {
    **INSTEAD,
    **dict.fromkeys(FIT_ARGUMENTS, "put it under `parameters`"),
    **dict.fromkeys(("trials", "sampler", "engine", "seeds"), "put it under `search`"),
    "seed": "put it under `search`, or under `parameters`",
}


def read_space_file(
    path: Path | str,
    *,
    text: str | None = None,
    sets: Sequence[str] = (),
    name: str | None = None,
    **options: str | int | None,
) -> SweepSpec:
    """Read and check a space file, or `text` in its place. Raises SpaceFileError with all faults. `path`: the file;
    `python:` modules and relative paths start at its folder. `sets`: texts of `--set`, "learning_rate.max=0.1". `name`:
    the sweep's name, by default the file's stem. `options` override the keys `engine`, `sampler`, `trials` and `seed`
    of `search`; None has no effect."""
    path = Path(path)
    where = escape(str(path))
    text, root = read_yaml_file(path, text)
    if not isinstance(root.value, dict):
        rule = f"a space file must be a map with {join(REQUIRED)}, but got {quote(root.plain)}"
        raise SpaceFileError(where, [Fault(rule, line=root.line)])
    of_search = {key: value for key, value in options.items() if value is not None}
    root, of_options = apply_options(root, sets, of_search)
    faults = Faults(root, path.absolute().parent)
    faults.found.extend(of_options)
    sweep_name = path.stem if name is None else name
    broken = check_sweep_name(sweep_name)
    if broken is not None:
        faults.found.append(Fault(broken, hint="use `--name`") if name is None else Fault(broken, "--name"))
    _check_keys(faults)
    data = read_data(faults)
    check_split(faults)
    if data is not None and data.transform is not None and "loss" in trained.list_left_to_model(faults):
        faults.add(("data", "target"), "`transform` needs `loss` in this file", "as in `loss: mean_squared_error`")
    model = read_model(faults)
    own = trained.list_left_to_model(faults)
    loss = trained.read_loss(faults)
    outputs = trained.read_outputs(faults)
    found = {} if trained.has_named_outputs(faults) else trained.read_metrics(faults)
    metrics = None if found is None else (*found, *sweep_spec.list_recorded_names(outputs))
    objective = trained.read_objective(faults, metrics, outputs)
    space = add_constraints(read_parameters(faults, model) if faults.has("parameters") else None, faults)
    training = trained.read_training(faults, None if own else metrics)
    search = _read_search(faults)
    early = _read_early_terminate(faults)
    _check_search(faults, objective, search, early)
    finalists = _read_finalists(faults, space)
    if search is not None and search.seeds > 1:
        finalists, wants, folds = None, faults.root.plain.get("finalists", "none") != "none", data and data.split.folds
        for name, is_set in {"split.folds": folds, "finalists": wants, "objective": faults.has("objective")}.items():
            if is_set:
                faults.add(("search", "seeds"), f"can't be used with `{name}`", "leave out either of them")
    finish = faults.read_section(Finish, ("finish",))
    objective = trained.add_choice(faults, objective, finish)
    _check_plateau(faults, data, finish)
    check_variants(faults, space, search, rungs=early is not None)
    if space is not None and search is not None:
        if (model is None or model.kind != "python") and search.trials > space.size:
            rule = f"the space has {pluralize(int(space.size), 'configuration')}, so the search ends before "
            faults.warn(("search", "trials"), f"{rule}{pluralize(search.trials, 'trial')}")
        search = replace(search, start=_read_start_points(faults, search.start, space, model))
        _warn_of_sampler(faults, space, search, early)
    if faults.found or not (
        data and model and loss and objective and space and search and training and metrics is not None
    ):
        raise SpaceFileError(where, _sort_and_escape(faults.found))
    spec = SweepSpec(
        name=sweep_name,
        folder=faults.folder,
        text=dump_yaml(root.plain) if sets or of_search else text,
        data=data,
        model=model,
        loss=loss[0],
        loss_arguments=loss[1],
        metrics=metrics,
        metric_arguments={name: arguments for name, arguments in (found or {}).items() if arguments is not None},
        objective=objective,
        outputs=outputs,
        space=space,
        search=search,
        own=own,
        training=training,
        early_terminate=early,
        finalists=finalists,
        finalists_asked=faults.has("finalists") and finalists is not None,
        finish=finish or Finish(),
        file=where,
        warnings=faults.warnings,
    )
    spec = apply_first_variant(spec)
    least = epochs_read_from(spec)
    return replace(spec, objective=replace(objective, take_best=objective.take_best or least > 0, epochs_from=least))


def read_yaml_file(path: Path, text: str | None = None) -> tuple[str, Node]:
    """Return (text, tree) of a YAML file, or of `text` if given; `path` is then for messages. Raises SpaceFileError."""
    try:
        text = (_read_text(path) if text is None else text).replace("\r\n", "\n")
        return text, parse_yaml(text)
    except TreeError as error:
        raise SpaceFileError(escape(str(path)), _sort_and_escape(error.faults)) from None


def _read_text(path: Path) -> str:
    try:
        if path.suffix in (".csv", ".parquet", ".npz") or path.is_dir():
            raise TreeError(Fault("this is data, not a space file", hint=f"run `sweep init {path}` to write one"))
        if path.exists() and not path.is_file():  # a pipe may never end
            raise TreeError(Fault("a space file must be a regular file"))
        with path.open("rb") as file:
            return decode_text(file.read(MOST_BYTES + 1))
    except FileNotFoundError:
        near = did_you_mean(path.name, [entry.name for entry in path.parent.glob("*.y*ml")])
        raise TreeError(Fault("this file does not exist", hint=near or "`sweep init SOURCE` writes one")) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        reason = getattr(error, "strerror", None) or str(error)
        raise TreeError(Fault(f"the file can't be read: {escape(reason)}")) from None


def _sort_and_escape(faults: Sequence[Fault]) -> list[Fault]:
    return [
        Fault(escape(fault.rule), escape(fault.key), fault.line, escape(fault.hint) if fault.hint else None)
        for fault in sorted(faults, key=lambda fault: fault.line or 0)
    ]


def _check_keys(faults: Faults) -> None:
    plain = faults.root.plain
    for key, value in plain.items():
        if key in SKIPPED_KEYS:
            sampler = WANDB_METHODS.get(str(value), "tpe")
            instead = SKIPPED_KEYS[key].format(value=quote(value), sampler=sampler)
            faults.warn((key,), f"`sweep` skips this key of W&B; {instead}")
        elif key not in SECTIONS:
            faults.add((key,), UNKNOWN_KEY, OTHER_KEYS.get(key) or hint_at_key(key, SECTIONS))
    has_function, finish = faults.has("objective"), plain.get("finish")
    refits = isinstance(finish, dict) and "refit" in finish
    for path in [(key,) for key in OF_A_MODEL if key in plain] + [("finish", "refit")] * refits if has_function else ():
        faults.add(path, "can't be used with `objective`: the function has its own data and model", "leave it out")
    for key, hint in REQUIRED.items():
        if key not in (*plain, *trained.list_left_to_model(faults)) and not (has_function and key in OF_A_MODEL):
            faults.found.append(Fault(f"`{key}` is missing", key, hint=hint))


def _read_search(faults: Faults) -> SearchSettings | None:
    hints = {"method": "use `sampler`", "run_cap": "use `trials`"}
    section = faults.read_section(SearchSettings, ("search",), hints, apart=("stop",))
    if section is not None and faults.root.at("search").plain.get("stop") is not None:
        stop = faults.read_section(sweep_spec.Stop, ("search", "stop"))
        section = replace(section, stop=stop)
        if stop == sweep_spec.Stop() and not faults.root.at("search", "stop").value:
            faults.add(("search", "stop"), "must have `value` or `patience`", "as in {patience: 30}")
    if section is None or not faults.check_value(ENGINE, ("search", "engine"), section.engine):
        return None
    samplers = ENGINES[section.engine]
    if faults.root.at("search", "sampler").value != section.sampler:  # left out, or no text
        return replace(section, sampler=next(iter(samplers)))
    if section.sampler not in samplers:
        elsewhere = [engine for engine, names in ENGINES.items() if section.sampler in names]
        hint = f"`engine: {elsewhere[0]}` has this sampler" if elsewhere else did_you_mean(section.sampler, samplers)
        rule = f"must be one of {join(samplers)} with {section.engine}, but got {quote(section.sampler)}"
        faults.add(("search", "sampler"), rule, hint)
        return None
    return section


def _read_start_points(
    faults: Faults, start: Sequence[Any], space: SearchSpace, model: ModelSpec | None
) -> tuple[Any, ...]:
    """Read `search.start` into points, parameter -> value, or "defaults" of a KerasTuner model. Add faults for values
    that no trial can have."""
    points: list[Any] = []
    for index, plain in enumerate(start):
        path = ("search", "start", index)
        if not isinstance(plain, dict) and (plain != DEFAULTS or model is None or model.kind == "dense"):
            rule = f"must be a map of parameters, or `{DEFAULTS}` of a KerasTuner model, but got {quote(plain)}"
            faults.add(path, rule, "as in {learning_rate: 0.01}")
        if not isinstance(plain, dict):
            points.append(plain)
            continue
        point = space.normalize_point({name: parse_value(name, value, faults) for name, value in plain.items()})
        for name, rule in space.find_misfits(point).items():
            known = space.names
            if name in (*known, "") or model is None or model.kind != "python":  # the model may define more parameters
                at = (*path, name) if name else path
                faults.add(at, rule, None if name in (*known, "") else hint_at_key(name, known))
        points.append(point)
    return tuple(points)


FIRST = 32  # the default number of trials in the first generation of `halving`


def _read_early_terminate(faults: Faults) -> EarlyTerminate | None:
    path = ("early_terminate",)
    if not faults.has("early_terminate") or faults.root.at(*path).value is None:
        return None
    section = faults.read_section(EarlyTerminate, path, {"strict": "leave it out: poor trials always stop"})
    if section is None or not faults.check_value(PRUNING_RULE, (*path, "type"), section.type):
        return None
    if section.type == "halving":
        return replace(section, first=section.first or FIRST)
    if section.first:
        faults.add((*path, "first"), "works with `type: halving` only", "leave it out")
    return section


def _read_finalists(faults: Faults, space: SearchSpace | None) -> Finalists | None:
    """Read `finalists`. Return None (no finalists) for `none`, if `seed` is a parameter, or after a fault."""
    path, plain = ("finalists",), faults.root.plain.get("finalists", {})
    if plain == "none":
        return None
    section = faults.read_section(Finalists, path)
    if space is not None and "seed" in space.names:
        if plain:
            faults.warn(path, "`sweep` trains no finalists, since `seed` is a parameter")
        return None
    return section


def _warn_of_sampler(faults: Faults, space: SearchSpace, search: SearchSettings, early: EarlyTerminate | None) -> None:
    sampler = find_sampler(search)
    for parameter in space.parameters:
        path, drawn = ("parameters", parameter.name), parameter.distribution
        if parameter.name.startswith(sweep_spec.LOSS_PREFIX) and faults.root.at("metric", "name").value == "val_loss":
            rule = "`val_loss` can't rank trials with different losses"
            faults.add(path, rule, "rank by another metric, as in `metric: {name: val_accuracy, goal: maximize}`")
        is_choice = isinstance(drawn, Categorical)
        if (parameter.when and not sampler.learns_conditions) or (is_choice and not sampler.learns_choices):
            what = "choices and " * (not sampler.learns_choices) + "parameters with `when`"
            faults.warn(path, f"`{search.sampler}` draws {what} at random; `tpe` learns from them")
        if drawn.size == math.inf and not sampler.draws_ranges:
            faults.warn(path, "a grid cuts a continuous range into a few values; set `values` or `q`")
        if isinstance(drawn, Categorical) and drawn.probabilities is not None and not sampler.draws_probabilities:
            rule = f"{search.engine_name} ignores probabilities; only optuna/random uses them"
            faults.warn((*path, "probabilities"), rule)
    if not sampler.draws_ranges and search.trials < (points := _count_grid_points(space, search)) < math.inf:
        rule = f"the grid has {points:,.0f} points; {pluralize(search.trials, 'trial')} are the limit"
        faults.warn(("search", "trials"), f"{rule}: set `trials: {points:.0f}`")
    _, most = space.get_bounds("epochs", 0)
    if early is not None and 0 < most <= early.min_iter:
        rule = f"never stops a trial: `min_iter` must be below {pluralize(most, 'epoch')}, but got {early.min_iter}"
        faults.warn(("early_terminate",), rule)


def _count_grid_points(space: SearchSpace, search: SearchSettings) -> float:
    """Return the number of points of a grid sampler; `math.inf` if only the engine knows how it cuts ranges."""
    if space.size == math.inf and search.engine_name == "optuna/grid":
        from keras_sweep.search.samplers import grid_space

        return grid_space(space).size
    return space.size


def _check_search(
    faults: Faults, objective: Objective | None, search: SearchSettings | None, early: EarlyTerminate | None
) -> None:
    """Report a sampler or engine that does not support the file's `early_terminate` or several goals."""
    sampler = find_sampler(search) if search is not None else Capabilities
    if search is not None and early is not None and sampler.sets_epochs:
        faults.add(
            ("early_terminate",),
            f"`sampler: {search.sampler}` stops poor trials by itself",
            "leave out `early_terminate`",
        )
    elif search is not None and early is not None and early.first and not sampler.learns_others:
        rule = f"`type: halving` draws its first trials at random, but {search.engine} can't learn from them"
        faults.add(("early_terminate", "type"), rule, "use `successive_halving`, or `engine: optuna`")
    known = getattr(sampler, "options", {})
    for name in (search and search.options) or {}:
        if name not in known:
            rule = f"{quote(search and search.sampler)} has no option of this name"
            faults.add(("search", "options", name), rule, f"it has {join(known)}" if known else "leave `options` out")
    if objective is None or not objective.further:
        return
    if early is not None:
        faults.add(("early_terminate",), "works with a single goal, but `metric` has several", "leave it out")
    if search is not None and sampler.learns and not sampler.learns_goals:
        learn = [name for name, kind in ENGINES[search.engine].items() if kind.learns and kind.learns_goals]
        key, who, instead = ("sampler", search.sampler, learn) if learn else ("engine", search.engine, ["optuna"])
        rule = f"{who} works with a single goal, but `metric` has several"
        faults.add(("search", key), rule, f"use {join(instead, 'or')}")


def _check_plateau(faults: Faults, data: DataSpec | None, finish: Finish | None) -> None:
    sections = [faults.root.at(section).value for section in ("training", "parameters")]
    names = [name for section in sections if isinstance(section, dict) for name in section]
    of_all_rows = (data and data.split.folds) or (finish and finish.refit)
    falls = any("reduce_lr_on_plateau" in name for name in names)
    for name in sweep_spec.SCHEDULE.intersection(names) if falls else ():
        rule = "can't be used with `reduce_lr_on_plateau`: both set the learning rate"
        faults.add(("parameters", name), rule, "leave out either of them")
    if of_all_rows and falls:
        rule = "can't be used with `folds` or `refit`: training on all rows has no validation rows to watch"
        faults.add(("training", "reduce_lr_on_plateau"), rule, "leave out either of them")
