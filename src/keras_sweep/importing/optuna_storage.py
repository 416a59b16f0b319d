"""An Optuna storage: a SQLite file, a journal file, or the URL of a database. It is read and never written to."""

import itertools
import json
import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
from optuna.distributions import CategoricalDistribution, distribution_to_json
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from keras_sweep.errors import MissingPackage, SweepError, UsageError
from keras_sweep.importing.imported import Imported
from keras_sweep.record import encoding
from keras_sweep.record.optuna_tables import SIDE_FILES, TABLES
from keras_sweep.record.reader import FINALISTS
from keras_sweep.space.distributions import as_value
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.text import counted, joined
from keras_sweep.trial.result import Result, Seconds, Suggestion, TrialState

ENGINE = "import/optuna"
NOTHING = "Nothing was imported"
OPTUNA_TABLES = TABLES | {"study_system_attributes", "trial_system_attributes", "trial_heartbeats", "version_info"}
STEPS = 1_000_000  # of SQLite's machine, after which it asks whether to go on
MOST_CALLS = 20_000  # how often it may: some minutes, where a file is made so that a query never ends


def read_optuna(source: str, *, study: str | None = None, metric: str | None = None) -> Imported:
    """The finished trials of a study in a SQLite file, a journal file or the database of a URL.

    Raises UsageError: it can't be read, or it is not clear which study is meant; MissingPackage: a database's driver.
    """
    place, shown, secrets = _found(source)
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = None
    try:
        storage = _opened(place)
        names = optuna.get_all_study_names(storage)
        searches = [one for one in names if not (one.endswith(FINALISTS) and one.removesuffix(FINALISTS) in names)]
        name = _chosen(names if study in names else searches, study, shown)
        return _imported(optuna.load_study(study_name=name, storage=storage), shown, metric)
    except SweepError:
        raise
    except ImportError as error:
        driver = error.name or "a database driver"
        raise MissingPackage(f"reading {shown} needs {driver}", hint=f"pip install {error.name or '...'}") from None
    except Exception as error:  # whatever a database, its driver or a damaged file raises
        said = f"{type(error).__name__}: {error}".split("\n")[0]
        for secret in secrets:
            said = said.replace(secret, "***")
        raise UsageError(f"the Optuna storage {shown} can't be read: {said}", hint=NOTHING) from None
    finally:
        optuna.logging.set_verbosity(level)
        if isinstance(storage, RDBStorage):  # Optuna never lets go of a database
            storage.remove_session()
            storage.engine.dispose()


def _found(source: str) -> tuple[Path | str, str, Sequence[str]]:
    """The file, or the URL of a storage; that as it may be shown; and what may never be shown."""
    if "://" not in source:
        path = Path(source).expanduser()
        return path, str(path), ()
    try:
        parsed = make_url(source)
    except (ArgumentError, ValueError):
        raise UsageError("the URL of the storage is not of the form `dialect://user:password@host/database`") from None
    if parsed.get_backend_name() == "sqlite":
        path = Path(parsed.database or "")
        if not path.is_file():
            hint = "`sqlite:///relative.db` or `sqlite:////absolute.db`"
            raise UsageError(f"there is no SQLite file {path}", hint=hint)
        return path, str(path), ()
    shown = parsed.set(query={}).render_as_string(hide_password=True)  # a query may hold secrets too
    return source, shown, [text for text in (parsed.password, *parsed.query.values()) if isinstance(text, str) and text]


def _opened(place: Path | str) -> BaseStorage:
    if isinstance(place, str):
        return RDBStorage(place)
    with place.open("rb") as file:
        is_journal = file.read(1) == b"{"
    return JournalStorage(JournalFileBackend(str(place))) if is_journal else _sqlite(place)


def _sqlite(path: Path) -> BaseStorage:
    def connect() -> sqlite3.Connection:
        uri = f"file:{quote(str(path.resolve()))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        calls = itertools.count(1)
        connection.set_progress_handler(lambda: next(calls) > MOST_CALLS, STEPS)
        return connection

    for side in SIDE_FILES:
        beside = path.with_name(path.name + side)
        if beside.exists() and not beside.is_file():
            raise UsageError(f"{beside} is not a file", hint=NOTHING)
    with closing(connect()) as connection:
        objects = connection.execute("SELECT lower(name), type, sql FROM sqlite_master").fetchall()
    for name, kind, sql in objects:
        # A view may be a query without end in place of a table.
        virtual = str(sql).lstrip().upper().startswith("CREATE VIRTUAL")
        if name in OPTUNA_TABLES and (kind == "view" or virtual):
            raise UsageError(f"in {path} `{name}` is no table, but computed as it is read", hint=NOTHING)
    return RDBStorage("sqlite://", engine_kwargs={"creator": connect})


def _chosen(names: Sequence[str], study: str | None, shown: str) -> str:
    if not names:
        raise UsageError(f"the Optuna storage {shown} holds no study", hint=NOTHING)
    if study is None and len(names) > 1:
        hint = f"Add `--study`, one of {joined(names)}"
        raise UsageError(f"the Optuna storage {shown} holds {len(names)} studies", hint=hint)
    if study is not None and study not in names:
        raise UsageError(f"the Optuna storage {shown} holds no study {study!r}", hint=f"It holds {joined(names)}")
    return study or names[0]


def _imported(study: optuna.Study, shown: str, metric: str | None) -> Imported:
    if len(study.directions) != 1:
        raise UsageError(
            f"study {study.study_name!r} has {len(study.directions)} objectives: only those of one can be read"
        )
    trials = study.get_trials(deepcopy=False)
    finished = [trial for trial in trials if trial.state.is_finished()]
    if not any(trial.state.name == "COMPLETE" for trial in finished):
        raise UsageError(f"no trial of study {study.study_name!r} is complete", hint=NOTHING)
    names = study.metric_names or []
    own = study.user_attrs.get("metric")  # a sweep's record says it
    metric = metric or (names[0] if names else own if isinstance(own, str) else "value")
    results = [_result(trial, number, metric) for number, trial in enumerate(finished)]
    left = len(trials) - len(finished)
    return Imported(
        source=shown,
        name=study.study_name,
        engine=ENGINE,
        objective=Objective(metric, Goal(study.direction.name.lower())),
        distributions=_distributions(finished),
        results=tuple(results),
        notes=(f"left out: {counted(left, 'trial')} that had not finished",) if left else (),
    )


def _result(trial: FrozenTrial, number: int, metric: str) -> Result:
    own = _own_result(trial)
    if own is not None:
        suggestion = replace(own.suggestion, number=number, generation=0, continues=None)
        return replace(own, suggestion=suggestion, engine=ENGINE)
    state = TrialState(trial.state.name)
    value = trial.value if state is not TrialState.FAIL else None
    if value is not None and math.isnan(value):
        state, value = TrialState.FAIL, None
    steps = sorted(trial.intermediate_values)
    curve = {metric: tuple(trial.intermediate_values[step] for step in steps)} if steps else {}
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    reasons = {TrialState.FAIL: "failed", TrialState.PRUNED: f"pruned at epoch {len(steps)}" if steps else "pruned"}
    return Result(
        Suggestion(number, {name: as_value(item) for name, item in trial.params.items()}),
        state,
        value,
        curve,
        len(steps) if steps and value is not None else None,
        Seconds(train=seconds),
        reason=reasons.get(state),
        engine=ENGINE,
        runner=ENGINE,
    )


def _own_result(trial: FrozenTrial) -> Result | None:
    if encoding.CHECKSUM not in trial.user_attrs:
        return None
    texts = {key: json.dumps(item, allow_nan=False) for key, item in trial.user_attrs.items()}
    value = trial.value if trial.state.name != "FAIL" else None
    try:
        return encoding.decode(trial.number, trial.state.name, value, texts)
    except ValueError:
        return None


def _distributions(trials: Sequence[FrozenTrial]) -> dict[str, str]:
    """Optuna keeps no space: what each trial was drawn from, taken together."""
    found: dict[str, Any] = {}
    for trial in trials:
        for name, new in trial.distributions.items():
            found[name] = _united(found.get(name, new), new)
    return {name: distribution_to_json(distribution) for name, distribution in found.items()}


def _united(a: Any, b: Any) -> Any:
    """A range that holds both, where trials were drawn from different ones."""
    if a == b:
        return a
    if type(a) is not type(b):
        raise UsageError(f"a parameter was drawn both from {a} and from {b}", hint=NOTHING)
    if isinstance(a, CategoricalDistribution):
        return CategoricalDistribution([*a.choices, *(choice for choice in b.choices if choice not in a.choices)])
    return type(a)(min(a.low, b.low), max(a.high, b.high), log=a.log and b.log)
