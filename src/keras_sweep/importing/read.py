"""Reads a search that another program ran, a KerasTuner project or an Optuna storage, as results of a sweep."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.importing.imported import Imported
from keras_sweep.space.distributions import Distribution, Float, Int, Value
from keras_sweep.space.search_space import Params, SearchSpace
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import counted
from keras_sweep.trial.result import Result

UNNAMED = ("value", "default_objective")  # what an objective is called where its program knows no name
WAYS = "a KerasTuner project folder, an Optuna SQLite or journal file, or an Optuna storage URL"


def read_trials(source: str, *, study: str | None = None, metric: str | None = None) -> Imported:
    """The finished trials of another program's search. Nothing is written, not even there.

    Args:
        source: a KerasTuner project folder (it holds `oracle.json`), an Optuna database or journal file, or the URL of
            an Optuna storage ("postgresql://...").
        study: which one, where an Optuna storage holds several.
        metric: which one ranks, where the source does not say: KerasTuner writes no name, Optuna a value without one.

    Raises:
        UsageError: there is no such source, it can't be read, or it is not clear which study or metric is meant.
        MissingPackage: the driver for a database is not installed.
    """
    if "://" in source:
        from keras_sweep.importing.optuna_storage import read_optuna_url

        return read_optuna_url(source, study=study, metric=metric)
    path = Path(source).expanduser()
    if path.is_dir():
        from keras_sweep.importing.keras_tuner_project import read_keras_tuner_project

        return read_keras_tuner_project(path, metric=metric)
    if path.is_file():
        from keras_sweep.importing.optuna_storage import read_optuna_file

        return read_optuna_file(path, study=study, metric=metric)
    raise UsageError(f"there is no file or folder {path}", hint=f"`sweep import` reads {WAYS}")


def fitted(imported: Imported, spec: SweepSpec) -> Imported:
    """Those trials that could be trials of the sweep, as such: they can stand in its record, and its engine goes on.

    Names stay as they are, or get `model.` before them where the sweep's space knows them so. Constants of the space
    that the source says nothing of are taken to have held. Trials with values outside of the space, with parameters
    that it does not know, or without some that it has, are left out, and the notes say how many and why.

    Raises:
        UsageError: the metric or its direction is another one, or no trial fits.
    """
    ours, theirs = spec.objective, imported.objective
    if theirs.goal is not ours.goal or theirs.name not in (ours.name, *UNNAMED):
        raise UsageError(
            f"{imported.source} was run to {theirs.goal} {theirs.name}, but this sweep is to {ours.goal} {ours.name}",
            hint="Name another metric of it with `--metric`, or change the space file's `metric`",
        )
    kept: list[Result] = []
    numbers: dict[int, int] = {}
    left_out: Counter[str] = Counter()
    for result in imported.results:
        params, misfit = _params_in(spec.space, result.params)
        if params is None:
            left_out[misfit] += 1
            continue
        numbers[result.number] = len(kept)
        past = result.suggestion.continues
        suggestion = replace(
            result.suggestion,
            number=len(kept),
            params=params,
            continues=None if past is None else numbers.get(past),
        )
        curve = {ours.name if name in UNNAMED else name: values for name, values in result.curve.items()}
        kept.append(replace(result, suggestion=suggestion, curve=curve))
    notes = [f"left out: {counted(count, 'trial')}, since {misfit}" for misfit, count in sorted(left_out.items())]
    if not kept:
        raise UsageError(f"no trial of {imported.source} fits the sweep's space", hint="; ".join(notes))
    return replace(imported, objective=ours, space=spec.space, results=tuple(kept), notes=(*imported.notes, *notes))


def _params_in(space: SearchSpace, given: Params) -> tuple[Params | None, str]:
    """A trial's values as the space has them; or None and why not."""
    known = {*space.constants, *(parameter.name for parameter in space.parameters)}
    renamed = {
        name if name in known or f"model.{name}" not in known else f"model.{name}": given[name] for name in given
    }
    params: dict[str, Value] = {}
    for name, constant in space.constants.items():
        if renamed.setdefault(name, constant) != constant:
            return None, f"`{name}` is {renamed[name]!r}, not {constant!r}"
        params[name] = constant
    for parameter in space.parameters:
        if not parameter.active(params):
            continue
        if parameter.name not in renamed:
            return None, f"there is no `{parameter.name}`"
        value = _as_kind(parameter.distribution, renamed[parameter.name])
        if not parameter.distribution.contains(value):
            return None, f"`{parameter.name}` is outside of the space"
        params[parameter.name] = value
    unknown = sorted(set(renamed) - set(params))
    return (None, f"the space has no `{unknown[0]}`") if unknown else (params, "")


def _as_kind(distribution: Distribution, value: Value) -> Value:
    """Programs write 1.0 for 1 and 1 for 1.0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(distribution, Float):
        return float(value)
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if isinstance(distribution, Int) and whole else value
