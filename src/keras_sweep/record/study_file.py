"""The record of a sweep while it runs: an Optuna storage in which a trial stands only when it is finished.

SQLite keeps it, with a write-ahead log (readers and the writer do not wait for each other) and `synchronous=FULL`: when
`add` returns, the trial is on the disk, so that a power cut takes no trial that was shown as finished. One process
writes (record/lock.py).
"""

import contextlib
import copy
import importlib.metadata
import json
import math
import secrets
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from keras_sweep.errors import RecordError
from keras_sweep.files import atomic, disk
from keras_sweep.files.plain import plain_errors
from keras_sweep.record import encoding, reader
from keras_sweep.record import optuna_tables as schema
from keras_sweep.record.facts import Facts
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.space.distributions import Categorical, Distribution, optuna_distribution
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.result import Result, TrialState

SEEDS = json.dumps({"name": "IntDistribution", "attributes": {"log": False, "step": 1, "low": 0, "high": 2**32 - 1}})


class StudyFile:
    """An open record. Made by `create` or `open`; to be closed, or used as a context."""

    def __init__(self, folder: SweepFolder, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection
        self._inode = folder.study.stat().st_ino
        study = self._recorded()
        self._study, self.name = study.id, study.name
        self._begun = study.facts  # as they were on opening: those that never change are taken from here
        self._distributions: Mapping[str, str] = study.facts.distributions

    @classmethod
    def create(
        cls, folder: SweepFolder, spec: SweepSpec, attributes: Mapping[str, Any], results: Sequence[Result] = ()
    ) -> Self:
        """Make a new record with these trials, and the folder for it. A kill leaves it whole or absent.

        `attributes` are what is kept of the sweep beside what the spec says, or in place of it.

        Raises RecordError: there is a record already, or the disk fails.
        """
        folder.make()
        if folder.exists():
            raise RecordError(f"there is a record {folder.study} already", hint="`--fresh` moves it aside")
        for suffix in schema.SIDE_FILES:  # a stray log would be played into the new record
            stray = folder.study.with_name(folder.study.name + suffix)
            if stray.exists():
                set_aside(stray)
        further = spec.objective.further
        own: dict[str, Any] = {
            "format": reader.FORMAT,
            "identity": secrets.token_hex(8),
            "metric": spec.objective.name,
            "goal": spec.objective.goal.value,
            **({"goals": goals} if (goals := [{"name": one.name, "goal": one.goal} for one in further]) else {}),
            "seed": spec.search.seed,
            "space": spec.text,
            "distributions": optuna_texts(
                spec.space.distributions | {name: Categorical((value,)) for name, value in spec.space.constants.items()}
            ),
        }
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(empty_tables())
            study = schema.insert_study(connection, spec.name, spec.objective.directions)
            for key, value in {**own, **attributes}.items():
                schema.set_study_attribute(connection, study, key, json.dumps(value))
            for one in results:
                texts = encoding.encode(one, spec.search.seed)
                schema.insert_trial(connection, study, one, texts, spec.objective, own["distributions"])
            connection.commit()
            atomic.write_bytes(folder.study, connection.serialize())
        return cls.open(folder)

    @classmethod
    def open(cls, folder: SweepFolder) -> Self:
        """An existing record. Raises RecordError, and changes nothing, where it is not sound or of another version."""
        with reader.name_damage(folder):
            reader.check_file(folder)
            connection = disk.connect(folder.study, options="mode=rw")
            try:
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if verdict != "ok":
                    raise ValueError(verdict)
                study = cls(folder, connection)
                schema.next_number(connection, study._study)
                for pragma in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON"):
                    connection.execute(f"PRAGMA {pragma}").fetchall()
                with contextlib.suppress(OSError):  # somebody else's file, which may be written to all the same
                    folder.study.chmod(atomic.PRIVATE)
            except BaseException:
                connection.close()
                raise
            return study

    @property
    def facts(self) -> Facts:
        """What is known of the whole sweep. Raises RecordError."""
        with reader.name_damage(self.folder):
            return self._recorded().facts

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Write some attributes of the sweep, as JSON, in one commit. Raises RecordError."""
        texts = {key: json.dumps(value) for key, value in attributes.items()}
        with self._commit():
            for key, text in texts.items():
                schema.set_study_attribute(self._connection, self._study, key, text)

    @property
    def next_number(self) -> int:
        """How many trials are finished, which is the number of the next one. Raises RecordError."""
        with reader.name_damage(self.folder):
            return schema.next_number(self._connection, self._study)

    def add(self, *results: Result) -> int:
        """Write finished trials, without weights, in one commit: all of them or, where it raises, none.

        Trials that Optuna has written into the study get a study of their own before; returns how many.

        Raises RecordError: the disk fails, or a number is not the next one; ValueError: a value and a state that no
        runner may give.
        """
        objective = self._begun.objective
        for result in results:
            value, state = result.value, result.state
            goals = [result.goal(goal.name) for goal in objective.further]
            wrong = state is TrialState.COMPLETE if value is None else state is TrialState.FAIL or math.isnan(value)
            if wrong or (value is not None and None in goals):
                values = ", ".join(map(str, (value, *goals)))
                raise ValueError(f"trial {result.number}: {state} must not have the value {values}")
        texts = [encoding.encode(result, self._begun.seed) for result in results]
        with self._commit():
            if foreign := schema.foreign_trials(self._connection, self._study):
                schema.move_foreign(self._connection, self._study, self.name + reader.FOREIGN, objective.directions)
            for number, (result, text) in enumerate(zip(results, texts, strict=True), start=self.next_number):
                if result.number != number:
                    message = f"trial {result.number} can't be written to {self.folder.study}: trial {number} is next"
                    raise RecordError(message, hint="Another program wrote to the record")
                schema.insert_trial(self._connection, self._study, result, text, objective, self._distributions)
        return foreign

    def rank_results(self) -> list[Result]:
        """Every trial in order of number, with the finalists of its recipe. Raises RecordError."""
        with reader.name_damage(self.folder):
            return self._recorded().rank_results()

    def finalists(self) -> Self:
        """The finalists' trials, a study of its own in the same file, open as long as this one. Raises RecordError."""
        other = copy.copy(self)
        other.folder = self.folder.finalists
        other._distributions = {**self._distributions, "seed": SEEDS}  # noqa: SLF001  # of its own copy
        with reader.name_damage(self.folder):
            study = self._recorded().finalists()
            if study is None:
                with self._commit():
                    study = schema.insert_study(
                        self._connection, self.name + reader.FINALISTS, self._begun.objective.directions
                    )
                    schema.set_study_attribute(self._connection, study, "finalists_of", json.dumps(self.name))
            schema.next_number(self._connection, study)
        other._study = study  # noqa: SLF001  # as above
        return other

    def results(self) -> list[Result]:
        """Every trial in order of number, without weights. Raises RecordError."""
        with reader.name_damage(self.folder):
            return self._recorded().results_in(self._study)

    def close(self) -> None:
        """Let go of the file; may be called twice."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _recorded(self) -> reader.RecordedStudy:
        return reader.the_study(self._connection, self.folder)

    @contextmanager
    def _commit(self) -> Iterator[None]:
        """All statements inside are written at the end, or none. Raises RecordError where another file stands there."""
        with plain_errors("write", self.folder.study):
            if self.folder.study.stat().st_ino != self._inode:
                message = f"the record {self.folder.study} was replaced by another file while the sweep ran"
                raise RecordError(message, hint="Put the former one back, and run the same command again")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise


def empty_tables() -> bytes:
    """A database without a study, made by Optuna, which takes most of a second, and kept in the user's cache.

    Raises RecordError: the installed Optuna makes other tables than this version of keras-sweep writes.
    """
    name, folder = f"optuna-{importlib.metadata.version('optuna')}.db", None
    with contextlib.suppress(OSError):
        folder = atomic.user_cache("records")
        image = (folder / name).read_bytes()
        if _revision(image) == schema.REVISION:
            return image
    import optuna

    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place, name)
        optuna.storages.RDBStorage(f"sqlite:///{path}").engine.dispose()
        image = path.read_bytes()
        if (revision := _revision(image)) != schema.REVISION:
            message = f"Optuna {optuna.__version__} makes tables of revision {revision}, not {schema.REVISION}"
            raise RecordError(message, hint="Install the Optuna that `constraints.txt` names")
        if folder is not None:
            with contextlib.suppress(OSError):
                path.replace(folder / name)
    return image


def _revision(image: bytes) -> str | None:
    """Of the tables in a database; None where they are not Optuna's."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection, contextlib.suppress(sqlite3.Error):
        connection.deserialize(image)
        return schema.revision(connection)
    return None


def optuna_texts(distributions: Mapping[str, Distribution]) -> dict[str, str]:
    import warnings

    from optuna.distributions import distribution_to_json

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it lowers `high` to the last step, which is what we mean
        return {name: distribution_to_json(optuna_distribution(one)) for name, one in distributions.items()}
