"""An Optuna storage: a SQLite file, a journal file, or the URL of a database. It is read and never written to."""

from __future__ import annotations

import itertools
import json
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from keras_sweep.errors import MissingPackage, SweepError, UsageError
from keras_sweep.importing.imported import Imported
from keras_sweep.record.optuna_tables import SIDE_FILES, TABLES
from keras_sweep.record.reader import FINALISTS
from keras_sweep.space.distributions import Categorical, Distribution, Float, Int, Value, as_value
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter, SearchSpace
from keras_sweep.space.text import counted, joined
from keras_sweep.trial.result import Result, Seconds, Suggestion, TrialState

if TYPE_CHECKING:
    import optuna

ENGINE = "import/optuna"
NOTHING = "Nothing was imported"
SQLITE_HEAD = b"SQLite format 3\0"
OPTUNA_TABLES = TABLES | {"study_system_attributes", "trial_system_attributes", "trial_heartbeats", "version_info"}
STEPS = 1_000_000  # of SQLite's machine, after which it asks whether to go on
MOST_CALLS = 20_000  # how often it may: some minutes, where a file is made so that a query never ends


def read_optuna(source: str, *, study: str | None = None, metric: str | None = None) -> Imported:
    """The finished trials of a study in a SQLite file, a journal file or the database of a URL.

    Raises:
        UsageError: it is none of them, it can't be read, or it is not clear which study is meant.
        MissingPackage: the driver of a database is not installed.
    """
    import optuna

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
        if isinstance(storage, optuna.storages.RDBStorage):  # Optuna never lets go of a database
            storage.remove_session()
            storage.engine.dispose()


def _found(source: str) -> tuple[Path | str, str, Sequence[str]]:
    """The file, or the URL of a storage; that as it may be shown; and what may never be shown."""
    if "://" not in source:
        path = Path(source).expanduser()
        return path, str(path), ()
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

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


def _opened(place: Path | str) -> optuna.storages.BaseStorage:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    if isinstance(place, str):
        return optuna.storages.RDBStorage(place)
    with place.open("rb") as file:
        head = file.read(len(SQLITE_HEAD))
    if head == SQLITE_HEAD:
        return _sqlite(place)
    if head[:1] == b"{":
        return optuna.storages.JournalStorage(JournalFileBackend(str(place)))
    raise UsageError(f"{place} is neither a SQLite database nor an Optuna journal", hint=NOTHING)


def _sqlite(path: Path) -> optuna.storages.BaseStorage:
    import optuna

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
    _check_tables(connect, path)
    return optuna.storages.RDBStorage("sqlite://", engine_kwargs={"creator": connect})


def _check_tables(connect: Callable[[], sqlite3.Connection], path: Path) -> None:
    """A view may be a query without end in place of a table. Raises UsageError, or what SQLite does."""
    with closing(connect()) as connection:
        objects = connection.execute("SELECT lower(name), type, sql FROM sqlite_master").fetchall()
    for name, kind, sql in objects:
        virtual = str(sql).lstrip().upper().startswith("CREATE VIRTUAL")
        if name in OPTUNA_TABLES and (kind == "view" or virtual):
            what = "a virtual table" if virtual else "a view"
            message = f"in {path} `{name}` is {what}, where Optuna has a table"
            raise UsageError(message, hint=NOTHING)


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
        raise UsageError(f"study {study.study_name!r} has {len(study.directions)} objectives, but a sweep has one")
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
        space=_space(finished, results),
        results=tuple(results),
        notes=(f"left out: {counted(left, 'trial')} that had not finished",) if left else (),
    )


def _result(trial: optuna.trial.FrozenTrial, number: int, metric: str) -> Result:
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


def _own_result(trial: optuna.trial.FrozenTrial) -> Result | None:
    from keras_sweep.record import encoding

    if encoding.CHECKSUM not in trial.user_attrs:
        return None
    texts = {key: json.dumps(item, allow_nan=False) for key, item in trial.user_attrs.items()}
    value = trial.value if trial.state.name != "FAIL" else None
    try:
        return encoding.decode(trial.number, trial.state.name, value, texts)
    except ValueError:
        return None


def _space(trials: Sequence[optuna.trial.FrozenTrial], results: Sequence[Result]) -> SearchSpace:
    """Optuna keeps no space: what each trial was drawn from, taken together.

    A parameter that only some trials have is conditional on the first other one whose values tell them apart.
    """
    lists = {name for result in results for name, value in result.params.items() if isinstance(value, tuple)}
    found: dict[str, Distribution] = {}
    for trial in trials:
        for name, drawn_from in trial.distributions.items():
            new = _distribution(drawn_from, lists=name in lists)
            found[name] = _united(found[name], new) if name in found else new
    constants: dict[str, Value] = {}
    everywhere: dict[str, Distribution] = {}
    for name, distribution in found.items():
        if all(name in result.params for result in results):
            if isinstance(distribution, Categorical) and distribution.size == 1:
                constants[name] = distribution.choices[0]
            else:
                everywhere[name] = distribution
    parameters = [Parameter(name, distribution) for name, distribution in everywhere.items()]
    for name, distribution in found.items():
        if name not in everywhere and name not in constants:
            parameters.append(Parameter(name, distribution, _condition(name, everywhere, results)))
    return SearchSpace(tuple(parameters), constants)


def _condition(name: str, parents: Mapping[str, Distribution], results: Sequence[Result]) -> tuple[Condition, ...]:
    for parent, distribution in parents.items():
        present = {result.params[parent] for result in results if name in result.params}
        absent = {result.params[parent] for result in results if name not in result.params}
        if isinstance(distribution, Categorical) and not present & absent:
            return (Condition(parent, tuple(choice for choice in distribution.choices if choice in present)),)
    return ()


def _distribution(distribution: optuna.distributions.BaseDistribution, *, lists: bool) -> Distribution:
    """`lists`: whether its choices are lists, which a sweep's record holds as their JSON."""
    import optuna

    if isinstance(distribution, optuna.distributions.FloatDistribution):
        return Float(distribution.low, distribution.high, log=distribution.log, step=distribution.step)
    if isinstance(distribution, optuna.distributions.IntDistribution):
        return Int(distribution.low, distribution.high, log=distribution.log, step=distribution.step)
    assert isinstance(distribution, optuna.distributions.CategoricalDistribution), distribution
    choices = [
        json.loads(choice) if lists and isinstance(choice, str) and choice.startswith("[") else choice
        for choice in distribution.choices
    ]
    return Categorical(tuple(map(as_value, choices)))


def _united(a: Distribution, b: Distribution) -> Distribution:
    """A range that holds both, where trials were drawn from different ones."""
    if a == b:
        return a
    if isinstance(a, Categorical) and isinstance(b, Categorical):
        new = (choice for choice in b.choices if not a.contains(choice))
        return Categorical((*a.choices, *new))
    if isinstance(a, Int) and isinstance(b, Int):
        step = a.step if a.step == b.step else 1
        return Int(min(a.low, b.low), max(a.high, b.high), a.log and b.log, step)
    if isinstance(a, Float) and isinstance(b, Float):
        spacing = a.step if a.step == b.step else None
        return Float(min(a.low, b.low), max(a.high, b.high), a.log and b.log, spacing)
    raise UsageError(f"a parameter was drawn both from {a} and from {b}", hint=NOTHING)
