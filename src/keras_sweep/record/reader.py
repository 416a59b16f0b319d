"""Reads a record by plain SQLite: it takes no lock, writes nothing, imports no Optuna, and works beside a sweep."""

import contextlib
import gc
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from keras_sweep.errors import RecordError
from keras_sweep.files import disk
from keras_sweep.files.plain import kind_of, plain_errors
from keras_sweep.record import encoding
from keras_sweep.record import optuna_tables as schema
from keras_sweep.record.facts import Choice, Facts, parse_record
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.constraint import constraint
from keras_sweep.space.text import join
from keras_sweep.trial.result import Result

# What ends the names of further studies in a record; no sweep's name holds a blank. Studies of other names are let be.
FINALISTS = " finalists"
FOREIGN = " from Optuna"  # of the trials that Optuna wrote into the sweep's study
FORMAT = 1  # of the attributes; a later one is refused, not guessed at
OF_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_SCHEMA", "SQLITE_MISMATCH")
DAMAGED_HINT = "Nothing was changed. `sweep run SPACE --fresh` moves it aside and begins anew"


@dataclass(frozen=True, slots=True)
class RecordedStudy:
    """The study of a sweep in its record, or that of its finalists, as a connection sees it."""

    connection: sqlite3.Connection
    id: int
    name: str
    facts: Facts

    def rank_results(self) -> list[Result]:
        """Every finished trial in order of number, with the finalists of its recipe, by which it may rank."""
        results, study = self.results_in(self.id), self.finalists()
        if study is None:
            return results
        return add_finalists(results, self.results_in(study), self.facts.choice, len(results))

    def results_in(self, study: int) -> list[Result]:
        """The results of that study, in order of number. Raises ValueError where one is damaged, or was deleted."""
        results: list[Result] = []
        objective, collecting = self.facts.objective, gc.isenabled()
        gc.disable()  # a hundred thousand new objects and no cycle: a third of the time saved
        try:
            for number, state, value, rows in schema.trials(self.connection, study):
                try:
                    texts = {key: text for key, (text,) in rows["trial_user_attributes"].items()}
                    results.append(encoding.decode(number, state, value, texts))
                    schema.check_rows(results[-1], objective, rows)
                except (ValueError, LookupError) as error:
                    raise ValueError(f"trial {number} is damaged, or was not written by a sweep: {error}") from error
        finally:
            if collecting:
                gc.enable()
        return results

    def finalists(self) -> int | None:
        """The id of the study of finalists, where there is one beside it."""
        wanted = self.name + FINALISTS
        return next((study for study, name, _ in schema.studies(self.connection) if name == wanted), None)


def add_finalists(results: Sequence[Result], trained: Sequence[Result], choice: Choice, trials: int) -> list[Result]:
    """Give trials of the search, `trials` in all, the trainings of their recipes with other seeds.

    These decide once all that were chosen among so many trials are there.
    """
    by_pair = {(one.recipe, one.finalist_seed): one for one in trained}
    decided = choice.trials == trials and len(choice) > 0 and all(pair in by_pair for pair in choice)
    of_recipe: dict[int, list[Result]] = {}
    for one in trained:
        if not decided or one.recipe not in choice.recipes or one.finalist_seed in choice.seeds:
            of_recipe.setdefault(one.recipe, []).append(one)
    return [
        replace(one, finalists=tuple(of_recipe[one.number]), final=decided and one.number in choice.recipes)
        if one.number in of_recipe
        else one
        for one in results
    ]


def read_facts(folder: SweepFolder) -> Facts:
    """What is known of the whole sweep. Raises RecordError."""
    with reading(folder) as study:
        return study.facts


@contextmanager
def reading(folder: SweepFolder) -> Iterator[RecordedStudy]:
    """The study at one moment, by a connection that can't write. Raises RecordError."""
    with name_damage(folder):
        check_file(folder)
        # In a folder that can't be written to, SQLite can't make the side files by which readers and writer agree.
        closed = not os.access(folder.path, os.W_OK, effective_ids=True)
        alone = closed and not folder.study.with_name("study.db-wal").exists()
        with closing(disk.connect(folder.study, options="mode=ro&immutable=1" if alone else "mode=ro")) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it sees this moment
            yield the_study(connection, folder)


@contextmanager
def name_damage(folder: SweepFolder) -> Iterator[None]:
    """Raise RecordError for what goes wrong with a record; damage is named as such."""
    with plain_errors("read", folder.study):
        try:
            yield
        except (sqlite3.DatabaseError, ValueError, RecursionError) as error:  # the last of deep JSON
            kind = str(getattr(error, "sqlite_errorname", ""))
            if isinstance(error, sqlite3.Error) and not kind.startswith(OF_DAMAGE):  # but of the disk, or a lock
                raise
            raise RecordError(f"the record {folder.study} is damaged: {error}", hint=DAMAGED_HINT) from error


def check_file(folder: SweepFolder) -> None:
    """Refuse what can't be a database before SQLite looks at it. Raises RecordError."""
    path = folder.study
    if not folder.exists():
        raise RecordError(f"there is no record {path}", hint="`sweep list` says which sweeps there are")
    for each in (path, *(path.with_name(path.name + suffix) for suffix in schema.SIDE_FILES)):
        with contextlib.suppress(FileNotFoundError):  # SQLite writes to its side files even where it only reads
            kind = kind_of(each.lstat().st_mode)
            if kind is not None:
                raise RecordError(f"{each} is not a file, but {kind}", hint=DAMAGED_HINT)


def the_study(connection: sqlite3.Connection, folder: SweepFolder) -> RecordedStudy:
    """Raises RecordError where a sweep did not write it, ValueError where an attribute is not what it should be."""
    path = folder.study
    revision = schema.revision(connection)
    if revision is None:
        raise RecordError(f"the record {path} is not a sweep's", hint=DAMAGED_HINT)
    if revision != schema.REVISION:
        message = f"{path} has tables of Optuna's revision {revision}, but this version reads {schema.REVISION}"
        raise RecordError(message, hint="Use the version of keras-sweep that wrote it")
    found = schema.studies(connection)
    if not found:
        raise RecordError(f"{path} holds 0 studies, but a sweep's record holds one", hint=DAMAGED_HINT)
    study, name, directions = found[0]
    if strange := [other for _, other, _ in found if other.endswith(FINALISTS) and other != name + FINALISTS]:
        raise RecordError(f"{path} holds the study {strange[0]!r}, which is of another sweep", hint=DAMAGED_HINT)
    attributes = schema.study_attributes(connection, study)
    form = attributes.get("format")
    if type(form) is not int:
        raise RecordError(f"{path} holds an Optuna study that no sweep wrote", hint=DAMAGED_HINT)
    if form != FORMAT:
        message = f"{path} was written in format {form}, but this version reads format {FORMAT}"
        raise RecordError(message, hint="Use the version of keras-sweep that wrote it")
    facts = replace(parse_record(Facts, attributes), foreign=schema.foreign_trials(connection, study))
    if facts.choose:
        constraint(facts.choose)  # which raises
    if directions != list(facts.objective.directions):
        raise ValueError(f"its direction is {join(directions, 'and')!r}")
    return RecordedStudy(connection, study, name, facts)
