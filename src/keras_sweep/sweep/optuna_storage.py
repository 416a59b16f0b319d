"""Import an Optuna storage: read the trials of a study, select the trials that fit a space, and write a sweep."""

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, distribution_to_json
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from keras_sweep.errors import SweepError, UsageError
from keras_sweep.record import encoding
from keras_sweep.record.facts import is_distribution
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.reader import FINALISTS
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.distributions import to_value
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import ModelSpec, SweepSpec
from keras_sweep.space.text import join, pluralize
from keras_sweep.sweep.earlier import select_fitting
from keras_sweep.sweep.resume import open_study
from keras_sweep.trial.ranking import IMPORTED
from keras_sweep.trial.result import Result, Seconds, Suggestion, TrialState

ENGINE = f"{IMPORTED}optuna"
UNNAMED = "value"  # name of an objective without a metric name
NOTHING = "Nothing was imported"


@dataclass(frozen=True, slots=True)
class Imported:
    """The finished trials of an Optuna study, numbered from 0, all in generation 0, without weights."""

    source: str  # path, or URL without its password
    name: str
    objective: Objective
    distributions: Mapping[str, str]  # parameter -> Optuna's JSON
    results: tuple[Result, ...]
    notes: tuple[str, ...] = ()  # skipped trials and the reasons


def read_trials(source: str, *, study: str | None = None, metric: str | None = None) -> Imported:
    """Read the finished trials of an Optuna study. `source` is a file, opened read-only, or a storage's URL.

    `study` is the study's name, required if there are several (studies of finalists do not count). `metric` renames the
    objective; None: it keeps its name. Raises UsageError if no single study with a single objective can be read.
    """
    path, shown, secrets = _parse_source(source)
    if path is not None and not path.is_file():
        raise UsageError(f"there is no file {path}", hint="Name an Optuna SQLite or journal file, or a storage's URL")
    storage = None
    try:
        storage = RDBStorage(source) if path is None else _open_file(path)
        names = optuna.get_all_study_names(storage)
        searches = [name for name in names if not (name.endswith(FINALISTS) and name.removesuffix(FINALISTS) in names)]
        study = searches[0] if study is None and len(searches) == 1 else study
        if study not in names:
            count = f"{len(searches)} studies" if study is None else f"no study {study!r}"
            hint = f"Choose a study with `--study`: {join(names if study else searches)}" if names else NOTHING
            raise UsageError(f"the Optuna storage {shown} has {count}", hint=hint)
        return _read_study(optuna.load_study(study_name=study, storage=storage), shown, metric)
    except SweepError:
        raise
    except Exception as error:  # of the database, its driver, or Optuna with a damaged file
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        for secret in secrets:
            reason = reason.replace(secret, "***")
        raise UsageError(f"can't read the Optuna storage {shown}: {reason}", hint=NOTHING) from None
    finally:
        if isinstance(storage, RDBStorage):  # else the connection stays open
            storage.remove_session()
            storage.engine.dispose()


def write_sweep(imported: Imported, folder: SweepFolder, spec: SweepSpec | None = None, fingerprint: str = "") -> None:
    """Write the imported trials as a sweep. With `spec`, `sweep run` can resume the sweep. Without it, the sweep can
    only be read. `fingerprint` is the digest of the spec's rows. Raises UsageError if the sweep exists, RecordError if
    the disk fails."""
    if folder.exists():
        raise UsageError(f"the sweep {folder.name!r} already exists", hint="Choose another name with `--name`")
    source, results = imported.source, imported.results
    with SweepLock(folder):
        if spec is not None:
            open_study(folder, spec, fingerprint, learned=results).close()
            return
        data, model = DataSpec("named", source), ModelSpec("python", source)
        spec = SweepSpec(folder.name, Path(), data, "", imported.objective, model=model)
        known = {name: text for name, text in imported.distributions.items() if is_distribution(text)}
        about = {"imported": source, "trials": len(results), "engine": ENGINE, "distributions": known}
        with StudyFile.create(folder, spec, about) as study:
            study.add(*results)


def fit_to_space(imported: Imported, spec: SweepSpec) -> Imported:
    """Return `imported` with only the trials that fit the space of `spec`. Raises UsageError if no trial fits, the
    metric or its direction differs, or `spec` has several goals."""
    source, ours, theirs = imported.source, spec.objective, imported.objective
    if ours.further:
        message = f"the trials of {source} have a single goal, but this sweep has several"
        raise UsageError(message, hint="Set a single goal in `metric` of the space file")
    if theirs.goal is not ours.goal or theirs.name not in (ours.name, UNNAMED):
        message = f"{source} was run to {theirs.goal} {theirs.name}, but this sweep is run to {ours.goal} {ours.name}"
        hint = "Choose another metric of the study with `--metric`, or change `metric` in the space file"
        raise UsageError(message, hint=hint)
    fit, notes = select_fitting(spec.space, imported.results, source)
    names = {UNNAMED: ours.name}
    results = (replace(r, curve={names.get(name, name): curve for name, curve in r.curve.items()}) for r in fit)
    return replace(imported, objective=ours, results=tuple(results), notes=(*imported.notes, *notes))


def _parse_source(source: str) -> tuple[Path | None, str, list[str]]:
    """Return (file, or None for a server; the storage's name for messages; secrets that messages must hide)."""
    if "://" not in source:
        path = Path(source).expanduser()
        return path, str(path), []
    try:
        url = make_url(source)
    except (ArgumentError, ValueError):
        raise UsageError("the URL of the storage must have the form `dialect://user:password@host/database`") from None
    if url.get_backend_name() == "sqlite":
        return Path(url.database or ""), url.database or "", []
    secrets = [text for text in (url.password, *url.query.values()) if isinstance(text, str) and text]
    return None, url.set(query={}).render_as_string(hide_password=True), secrets


def _open_file(path: Path) -> BaseStorage:
    with path.open("rb") as file:
        if file.read(1) == b"{":
            return JournalStorage(JournalFileBackend(str(path)))
    return open_read_only(path)


def open_read_only(path: Path) -> RDBStorage:
    connect = partial(sqlite3.connect, f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    return RDBStorage("sqlite://", engine_kwargs={"creator": connect})


def _read_study(study: optuna.Study, shown: str, metric: str | None) -> Imported:
    name, goals = study.study_name, study.directions
    if len(goals) != 1:
        raise UsageError(f"the study {name!r} has {len(goals)} objectives, but `sweep import` needs a single objective")
    trials = study.get_trials(deepcopy=False)
    finished = [trial for trial in trials if trial.state.is_finished()]
    if not any(trial.state.name == "COMPLETE" for trial in finished):
        raise UsageError(f"no trial of the study {name!r} is complete", hint=f"{NOTHING}. Run the study first")
    metric_name = study.user_attrs.get("metric")  # written by a sweep
    metric = metric or (study.metric_names or [metric_name if isinstance(metric_name, str) else UNNAMED])[0]
    objective = Objective(metric, Goal(goals[0].name.lower()))
    results = tuple(_to_result(trial, number, metric) for number, trial in enumerate(finished))
    unfinished = len(trials) - len(finished)
    notes = (f"skipped {pluralize(unfinished, 'trial')} that had not finished",) if unfinished else ()
    return Imported(shown, name, objective, _join_distributions(finished), results, notes)


def _to_result(trial: FrozenTrial, number: int, metric: str) -> Result:
    state = TrialState(trial.state.name)
    value = trial.value if state is not TrialState.FAIL else None
    if encoding.CHECKSUM in trial.user_attrs:
        with suppress(ValueError):  # another program changed the values
            texts = {key: json.dumps(item, allow_nan=False) for key, item in trial.user_attrs.items()}
            result = encoding.decode(trial.number, state.value, value, texts)
            suggestion = replace(result.suggestion, number=number, generation=0, continues=None)
            return replace(result, suggestion=suggestion, engine=ENGINE)
    if value is not None and math.isnan(value):
        state, value = TrialState.FAIL, None
    curve = tuple(value for _, value in sorted(trial.intermediate_values.items()))
    epoch = len(curve) if curve and value is not None else None
    seconds = Seconds(train=trial.duration.total_seconds() if trial.duration else 0.0)
    pruned = f"pruned at epoch {len(curve)}" if curve else "pruned"
    reason = {TrialState.FAIL: "failed", TrialState.PRUNED: pruned}.get(state)
    suggestion = Suggestion(number, {name: to_value(item) for name, item in trial.params.items()})
    curves = {metric: curve} if curve else {}
    result = Result(suggestion, state, value, curves, epoch, seconds, reason=reason, engine=ENGINE, runner=ENGINE)
    try:  # a choice may be any JSON value
        encoding.decode(number, state.value, value, encoding.encode(result, 0))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UsageError(f"trial {trial.number} can't be recorded: {error}", hint=NOTHING) from error
    return result


def _join_distributions(trials: Iterable[FrozenTrial]) -> dict[str, str]:
    """Return {parameter: JSON of the union of all trials' distributions}. Raises UsageError if types differ."""
    unions: dict[str, Any] = {}
    new: Any
    for trial in trials:
        for name, new in trial.distributions.items():
            old, kind = unions.setdefault(name, new), type(new)
            if old == new:
                continue
            if type(old) is not kind:
                raise UsageError(f"the parameter {name!r} has two distributions: {old} and {new}", hint=NOTHING)
            if kind is CategoricalDistribution:
                unions[name] = kind([*old.choices, *(choice for choice in new.choices if choice not in old.choices)])
            else:
                unions[name] = kind(min(old.low, new.low), max(old.high, new.high), log=old.log and new.log)
    return {name: distribution_to_json(union) for name, union in unions.items()}
