"""Write the record of a sweep: an Optuna storage that contains only finished trials. Only the owner of a lock writes.

SQLite uses a write-ahead log, so readers and the writer do not wait for each other. With `synchronous=FULL`, a trial is
on the disk when `add` returns: a power cut loses no trial that was shown as finished.
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
from keras_sweep.files import atomic
from keras_sweep.files.plain import plain_errors
from keras_sweep.record import encoding, reader
from keras_sweep.record import optuna_tables as schema
from keras_sweep.record.facts import Facts
from keras_sweep.record.sweep_folder import SweepFolder, set_aside
from keras_sweep.space.distributions import Categorical, Distribution, to_optuna
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.system import disk
from keras_sweep.trial.result import Result, TrialState

SEEDS = json.dumps({"name": "IntDistribution", "attributes": {"log": False, "step": 1, "low": 0, "high": 2**32 - 1}})


class StudyFile:
    """A record that is open for writing, by `create` or `open`. `close`, or the end of a `with` block, closes it."""

    def __init__(self, folder: SweepFolder, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection
        self._inode = folder.study.stat().st_ino
        study = self._read_study()
        self._study, self.name = study.id, study.name
        self._initial_facts = study.facts  # read on opening, for facts that never change
        self._distributions: Mapping[str, str] = study.facts.distributions
        self._counted = (0, 0)  # (SQLite's version of the file when trials were counted, number of the next trial)
        self._known: tuple[int, list[Result]] = (0, [])  # (SQLite's version when trials were read, these trials)

    @classmethod
    def create(
        cls, folder: SweepFolder, spec: SweepSpec, attributes: Mapping[str, Any], results: Sequence[Result] = ()
    ) -> Self:
        """Create the record of `spec` with the trials `results`, and its folder. A killed process leaves no partial
        record. `attributes` (name -> value for JSON) are recorded beside the attributes from `spec`, and override them.
        Raises RecordError if the record exists, or the disk fails."""
        folder.make()
        if folder.exists():
            raise RecordError(f"the record {folder.study} already exists", hint="`--fresh` moves it aside")
        for suffix in schema.SIDE_FILES:  # SQLite would replay a stray log into the new record
            stray = folder.study.with_name(folder.study.name + suffix)
            if stray.exists():
                set_aside(stray)
        further = spec.objective.further
        spec_attributes: dict[str, Any] = {
            "format": reader.FORMAT,
            "identity": secrets.token_hex(8),
            "metric": spec.objective.name,
            "goal": spec.objective.goal.value,
            **({"goals": goals} if (goals := [{"name": goal.name, "goal": goal.goal} for goal in further]) else {}),
            "seed": spec.search.seed,
            "space": spec.text,
            "distributions": encode_distributions(
                spec.space.distributions | {name: Categorical((value,)) for name, value in spec.space.constants.items()}
            ),
        }
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(read_empty_tables())
            study = schema.insert_study(connection, spec.name, spec.objective.directions)
            for key, value in {**spec_attributes, **attributes}.items():
                schema.set_study_attribute(connection, study, key, json.dumps(value))
            for result in results:
                texts = encoding.encode(result, spec.search.seed)
                schema.insert_trial(connection, study, result, texts, spec.objective, spec_attributes["distributions"])
            connection.commit()
            atomic.write_bytes(folder.study, connection.serialize())
        return cls.open(folder)

    @classmethod
    def open(cls, folder: SweepFolder) -> Self:
        """Open a record. Raises RecordError, and changes nothing, if the record is damaged or of another version."""
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
                with contextlib.suppress(OSError):  # another user's file may still be writable
                    folder.study.chmod(atomic.PRIVATE)
            except BaseException:
                connection.close()
                raise
            return study

    @property
    def facts(self) -> Facts:
        with reader.name_damage(self.folder):
            return self._read_study().facts

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Write attributes (name -> value for JSON) of the sweep in a single commit. Raises RecordError."""
        texts = {key: json.dumps(value) for key, value in attributes.items()}
        with self._commit():
            for key, text in texts.items():
                schema.set_study_attribute(self._connection, self._study, key, text)

    @property
    def next_number(self) -> int:
        """The number of the next trial, which equals the number of finished trials. Raises RecordError."""
        with reader.name_damage(self.folder):
            return schema.next_number(self._connection, self._study)

    def add(self, *results: Result) -> int:
        """Write finished trials, without weights, in a single commit: all trials, or none if an error is raised.
        If Optuna wrote trials into the study, moves them to another study first. Returns how many were moved. Raises
        RecordError if the disk fails, or a trial's number is not the next. Raises ValueError if a value does not fit
        its trial's state."""
        objective = self._initial_facts.objective
        for result in results:
            value, state = result.value, result.state
            goals = [result.goal(goal.name) for goal in objective.further]
            is_wrong = state is TrialState.COMPLETE if value is None else state is TrialState.FAIL or math.isnan(value)
            if is_wrong or (value is not None and None in goals):
                values = ", ".join(map(str, (value, *goals)))
                raise ValueError(f"trial {result.number}: the state {state} does not allow the value {values}")
        texts = [encoding.encode(result, self._initial_facts.seed) for result in results]
        foreign, counted = 0, self._counted
        with self._commit():
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != counted[0]:  # another connection wrote, or nothing was counted
                if foreign := schema.count_foreign_trials(self._connection, self._study):
                    schema.move_foreign(self._connection, self._study, self.name + reader.FOREIGN, objective.directions)
                counted = (version, self.next_number)
            for number, (result, text) in enumerate(zip(results, texts, strict=True), start=counted[1]):
                if result.number != number:
                    message = f"can't write trial {result.number} to {self.folder.study}: trial {number} is next"
                    hint = "Another program wrote to the record. Close it, then run the same command again"
                    raise RecordError(message, hint=hint)
                schema.insert_trial(self._connection, self._study, result, text, objective, self._distributions)
        self._counted = (counted[0], counted[1] + len(results))
        return foreign

    def load_results(self) -> list[Result]:
        """Return all trials, ordered by number, each with its finalists. Raises RecordError."""
        results = self.results()
        with reader.name_damage(self.folder):
            return self._read_study().load_results(results)

    def finalists(self) -> Self:
        """Return the study of finalists in this file, created if missing. Raises RecordError.
        The two objects share a connection: `close` of either object closes it."""
        finalists = copy.copy(self)
        finalists.folder, finalists._counted, finalists._known = self.folder.finalists, (0, 0), (0, [])  # noqa: SLF001
        finalists._distributions = {**self._distributions, "seed": SEEDS}  # noqa: SLF001  # as above
        with reader.name_damage(self.folder):
            study = self._read_study().finalists()
            if study is None:
                with self._commit():
                    study = schema.insert_study(
                        self._connection, self.name + reader.FINALISTS, self._initial_facts.objective.directions
                    )
                    schema.set_study_attribute(self._connection, study, "finalists_of", json.dumps(self.name))
            schema.next_number(self._connection, study)
        finalists._study = study  # noqa: SLF001  # as above
        return finalists

    def results(self) -> list[Result]:
        """Return all trials, ordered by number, without weights and without finalists. Raises RecordError.
        Trials of an earlier call are not read again, unless another program has written to the file since."""
        with reader.name_damage(self.folder):
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            known = self._known[1] if version == self._known[0] else ()
            self._known = (version, self._read_study().read_results(self._study, known))
            return list(self._known[1])

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _read_study(self) -> reader.RecordedStudy:
        return reader.require_study(self._connection, self.folder)

    @contextmanager
    def _commit(self) -> Iterator[None]:
        """Commit all SQL statements of the block, or none. Raises RecordError if another file replaced the record."""
        with plain_errors("write", self.folder.study):
            if self.folder.study.stat().st_ino != self._inode:
                message = f"another file replaced the record {self.folder.study} while the sweep ran"
                raise RecordError(message, hint="Restore the record, then run the same command again")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.rollback()
                raise


def read_empty_tables() -> bytes:
    """Return the bytes of an SQLite file with Optuna's empty tables.
    Optuna needs most of a second to make the tables, so the user's cache keeps them. Raises RecordError if the
    installed Optuna makes other tables than this version of keras-sweep writes."""
    name, folder = f"optuna-{importlib.metadata.version('optuna')}.db", None
    with contextlib.suppress(OSError):
        folder = atomic.user_cache("records")
        image = (folder / name).read_bytes()
        if _read_revision(image) == schema.REVISION:
            return image
    import optuna

    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        path = Path(temporary, name)
        optuna.storages.RDBStorage(f"sqlite:///{path}").engine.dispose()
        image = path.read_bytes()
        if (revision := _read_revision(image)) != schema.REVISION:
            formats = f"database format {revision}, but keras-sweep reads {schema.REVISION}"
            message = f"Optuna {optuna.__version__} writes {formats}"
            raise RecordError(message, hint="pip install 'optuna>=5.0,<6'")
        if folder is not None:
            with contextlib.suppress(OSError):
                path.replace(folder / name)
    return image


def _read_revision(image: bytes) -> str | None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection, contextlib.suppress(sqlite3.Error):
        connection.deserialize(image)
        return schema.read_revision(connection)
    return None


def encode_distributions(distributions: Mapping[str, Distribution]) -> dict[str, str]:
    import warnings

    from optuna.distributions import distribution_to_json

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna warns that it lowers `high` to the last step, as intended
        return {name: distribution_to_json(to_optuna(kind)) for name, kind in distributions.items()}
