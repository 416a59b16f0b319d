"""Read a record by plain SQLite, without a lock, writes or Optuna, so that reading works while a sweep runs."""

import contextlib
import gc
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from keras_sweep.errors import RecordError
from keras_sweep.files.plain import kind_of, plain_errors
from keras_sweep.record import encoding
from keras_sweep.record import optuna_tables as schema
from keras_sweep.record.facts import ChosenFinalists, Facts, parse_record
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.constraint import parse_constraint
from keras_sweep.space.text import join
from keras_sweep.system import disk
from keras_sweep.trial.result import Result

# Suffixes of the further studies in a record; no sweep's name contains a blank. Studies of other names are ignored.
FINALISTS = " finalists"
FOREIGN = " from Optuna"  # trials that Optuna wrote into the sweep's study
FORMAT = 1  # of the attributes; a later format is refused
OF_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_SCHEMA", "SQLITE_MISMATCH")
DAMAGED_HINT = "Nothing was changed. `sweep run SPACE --fresh` moves it aside and starts again"


@dataclass(frozen=True, slots=True)
class RecordedStudy:
    """A sweep's Optuna study, read over an open connection."""

    connection: sqlite3.Connection
    id: int
    name: str
    facts: Facts

    def load_results(self, known: Sequence[Result] = ()) -> list[Result]:
        """Return all finished trials, ordered by number, each with its finalists (trainings with other seeds).
        `known` is as in `read_results`."""
        results, study = self.read_results(self.id, known), self.finalists()
        trained = [] if study is None else self.read_results(study)
        return add_finalists(results, trained, self.facts.choice, len(results))

    def read_results(self, study: int, known: Sequence[Result] = ()) -> list[Result]:
        """Return the trials of the study with id `study`, ordered by number. The first trials, `known`, are not read.
        Raises ValueError if a trial is damaged or was deleted."""
        results = list(known)
        objective, collecting = self.facts.objective, gc.isenabled()
        gc.disable()  # a hundred thousand new objects have no cycle: this saves a third of the time
        try:
            for number, state, value, rows in schema.read_trial_rows(self.connection, study, len(known)):
                try:
                    texts = {key: text for key, (text,) in rows["trial_user_attributes"].items()}
                    results.append(encoding.decode(number, state, value, texts))
                    schema.check_rows(results[-1], objective, rows)
                except (ValueError, LookupError) as error:
                    raise ValueError(f"trial {number} is damaged, or `sweep` did not write it: {error}") from error
        finally:
            if collecting:
                gc.enable()
        return results

    def finalists(self) -> int | None:
        """Return the id of the Optuna study that has the sweep's finalists, or None if the sweep has no finalists."""
        finalists_name = self.name + FINALISTS
        return next((study for study, name, _ in schema.read_studies(self.connection) if name == finalists_name), None)


def add_finalists(
    results: Sequence[Result], trained: Sequence[Result], choice: ChosenFinalists, trials: int
) -> list[Result]:
    """Return the search's trials `results`, each with its finalists from `trained`: other seeds of its configuration.
    `choice` says which finalists to train, and `trials` is the number of trials in the search now. If every training of
    `choice` has ended and no trial was added since, finalists decide the winner, and `Result.final` is true."""
    by_pair = {(training.recipe, training.finalist_seed): training for training in trained}
    is_decided = choice.trials == trials and len(choice) > 0 and all(pair in by_pair for pair in choice)
    by_recipe: dict[int, list[Result]] = {}
    for training in trained:
        if not is_decided or training.recipe not in choice.recipes or training.finalist_seed in choice.seeds:
            by_recipe.setdefault(training.recipe, []).append(training)
    return [
        replace(trial, finalists=tuple(by_recipe[trial.number]), final=is_decided and trial.number in choice.recipes)
        if trial.number in by_recipe
        else trial
        for trial in results
    ]


def read_facts(folder: SweepFolder) -> Facts:
    with reading(folder) as study:
        return study.facts


@contextmanager
def reading(folder: SweepFolder) -> Iterator[RecordedStudy]:
    """Yield a read-only snapshot of the sweep's study. Raises RecordError if the record is missing or damaged."""
    with name_damage(folder):
        check_file(folder)
        # In a folder without write permission, SQLite can't create the side files that readers and the writer share.
        is_read_only = not os.access(folder.path, os.W_OK, effective_ids=True)
        fixed = is_read_only and not folder.study.with_name("study.db-wal").exists()
        with closing(disk.connect(folder.study, options="mode=ro&immutable=1" if fixed else "mode=ro")) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the snapshot begins here
            yield require_study(connection, folder)


@contextmanager
def name_damage(folder: SweepFolder) -> Iterator[None]:
    """Convert errors that a damaged record causes inside the block to a RecordError that says what is damaged."""
    with plain_errors("read", folder.study):
        try:
            yield
        except (sqlite3.DatabaseError, ValueError, RecursionError) as error:  # deep JSON raises RecursionError
            kind = str(getattr(error, "sqlite_errorname", ""))
            if isinstance(error, sqlite3.Error) and not kind.startswith(OF_DAMAGE):  # the disk or a lock failed
                raise
            raise RecordError(f"the record {folder.study} is damaged: {error}", hint=DAMAGED_HINT) from error


def check_file(folder: SweepFolder) -> None:
    """Raise RecordError if the record is missing, or one of its files is a link, folder, pipe, socket or device."""
    path = folder.study
    if not folder.exists():
        raise RecordError(f"there is no record {path}", hint="`sweep list` shows all sweeps")
    for file in (path, *(path.with_name(path.name + suffix) for suffix in schema.SIDE_FILES)):
        with contextlib.suppress(FileNotFoundError):  # SQLite writes to its side files even when it only reads
            if (kind := kind_of(file.lstat().st_mode)) is not None:
                raise RecordError(f"{file} is {kind}, not a file", hint=DAMAGED_HINT)


def require_study(connection: sqlite3.Connection, folder: SweepFolder) -> RecordedStudy:
    """Return the sweep's study from an open database; errors name `folder`.
    Raises RecordError if this version of keras-sweep can't read the tables, ValueError if the study is damaged."""
    path = folder.study
    if (revision := schema.read_revision(connection)) is None:
        raise RecordError(f"this is not the record of a sweep: {path}", hint=DAMAGED_HINT)
    if revision != schema.REVISION:
        message = f"{path} has Optuna tables of revision {revision}, but this keras-sweep reads {schema.REVISION}"
        raise RecordError(message, hint="Use the version of keras-sweep that wrote it")
    studies = schema.read_studies(connection)
    if not studies:
        raise RecordError(f"{path} has no study, so it is not the record of a sweep", hint=DAMAGED_HINT)
    study, name, directions = studies[0]
    if foreign_names := [title for _, title, _ in studies if title.endswith(FINALISTS) and title != name + FINALISTS]:
        raise RecordError(f"{path} has the study {foreign_names[0]!r} of another sweep", hint=DAMAGED_HINT)
    attributes = schema.read_study_attributes(connection, study)
    version = attributes.get("format")
    if type(version) is not int:
        raise RecordError(f"{path} has an Optuna study that `sweep` did not write", hint=DAMAGED_HINT)
    if version != FORMAT:
        message = f"{path} has format {version}, but this keras-sweep reads format {FORMAT}"
        raise RecordError(message, hint="Use the version of keras-sweep that wrote it")
    facts = replace(parse_record(Facts, attributes), foreign=schema.count_foreign_trials(connection, study))
    if facts.choose:
        parse_constraint(facts.choose)  # raises ValueError for a damaged condition
    if directions != list(facts.objective.directions):
        expected = join(facts.objective.directions, "and")
        raise ValueError(f"its direction must be {expected!r}, but got {join(directions, 'and')!r}")
    return RecordedStudy(connection, study, name, facts)
