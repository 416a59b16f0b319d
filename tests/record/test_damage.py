"""A record that is damaged, half-written or another program's is found, named, and left as it is."""

from pathlib import Path

import optuna
import pytest

from keras_sweep.errors import RecordError
from keras_sweep.record import reader
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.trial.result import Result
from tests.helpers.records import SPEC, change, new_folder, same
from tests.helpers.results import dense_sweep


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """An empty one."""
    folder = SweepFolder(tmp_path / "dense")
    folder.make()
    return folder


def refused(folder: SweepFolder, match: str) -> None:
    """Both ways of reading refuse the record, and neither changes it."""
    before = folder.study.read_bytes() if folder.study.is_file() else None
    for read in (opened, RecordedSweep.read):
        with pytest.raises(RecordError, match=match) as caught:
            read(folder)
        assert caught.value.hint
        assert str(folder.study) in caught.value.message
    assert before == (folder.study.read_bytes() if folder.study.is_file() else None)


def opened(folder: SweepFolder) -> list[Result]:
    with StudyFile.open(folder) as study:
        return study.results()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "there is no record"),
        (b"", "is not the record of a sweep"),
        (b"SQLite", "is not a database"),
        (b"trials: 3\n" * 100, "is not a database"),
        (b"\0" * 4096, "is not a database"),
        (b"SQLite format 3\0", "damaged"),
        (b"SQLite format 3\0" + b"\xff" * 8000, "damaged"),
        (b"SQLite format 3\0" + b"\0" * 8000, "damaged"),
    ],
)
def test_what_is_no_database(folder: SweepFolder, content: bytes | None, match: str) -> None:
    if content is not None:
        folder.study.write_bytes(content)
    refused(folder, match)


def test_a_folder_in_its_place(folder: SweepFolder) -> None:
    folder.study.mkdir()
    refused(folder, "not a file")


def test_a_database_of_something_else(folder: SweepFolder) -> None:
    change(folder, "CREATE TABLE trials (number INTEGER)")
    refused(folder, "is not the record of a sweep")


def test_an_optuna_study_of_somebody_else(folder: SweepFolder) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder.study}")
    refused(folder, "has no study")
    optuna.create_study(storage=storage, study_name="dense")
    storage.engine.dispose()
    refused(folder, "`sweep` did not write")


@pytest.mark.parametrize(
    ("sql", "match"),
    [
        ("UPDATE alembic_version SET version_num = 'v9.0.0.a'", "revision v9.0.0.a"),
        ("UPDATE study_user_attributes SET value_json = '99' WHERE key = 'format'", "format 99"),
        ("DELETE FROM study_user_attributes WHERE key = 'format'", "`sweep` did not write"),
        ("UPDATE study_user_attributes SET value_json = '{' WHERE key = 'space'", "damaged"),
        ("UPDATE study_directions SET direction = 'MINIMIZE'", "direction"),
        ("DELETE FROM study_directions", "has no study"),
        ("DROP TABLE trial_values", "is not the record of a sweep"),
        ("CREATE TRIGGER x AFTER INSERT ON trials BEGIN DELETE FROM trials; END", "is not the record of a sweep"),
        ("CREATE VIEW x AS SELECT * FROM trials", "is not the record of a sweep"),
        (f"UPDATE study_user_attributes SET value_json = '{'[' * 10**5}' WHERE key = 'space'", "damaged"),
        ("UPDATE trial_values SET value = value + 1e-9 WHERE trial_id = 1", "trial 0 is damaged.*checksum"),
        ("UPDATE trials SET state = 'FAIL' WHERE number = 3", "trial 3 is damaged.*checksum"),
        ("UPDATE trial_user_attributes SET value_json = '{}' WHERE key = 'params'", "trial 0 is damaged.*checksum"),
        ("DELETE FROM trial_user_attributes WHERE key = 'curve' AND trial_id = 5", "trial 4 is damaged"),
        ("DELETE FROM trial_user_attributes WHERE trial_id = 5", "trial 4 is damaged"),
        (
            "UPDATE trial_params SET param_value = 0.5 WHERE param_name = 'learning_rate' AND trial_id = 3",
            "trial 2 is damaged.*table `trial_params` was edited at param_name 'learning_rate'",
        ),
        (
            "UPDATE trial_params SET param_value = 2 - param_value WHERE param_name = 'optimizer' AND trial_id = 1",
            "trial 0 is damaged.*table `trial_params` was edited at param_name 'optimizer'",
        ),
        ("UPDATE trial_params SET param_value = NULL WHERE param_name = 'epochs'", "at param_name 'epochs'"),
        ("UPDATE trial_params SET distribution_json = '[]' WHERE param_name = 'epochs'", "at param_name 'epochs'"),
        (
            "UPDATE trial_params SET distribution_json = replace(distribution_json, '\"sgd\"', '\"lion\"')",
            "table `trial_params` was edited at param_name 'optimizer'",
        ),
        (
            "DELETE FROM trial_params WHERE trial_id = 4 AND param_name = 'epochs'",
            "trial 3 is .*at param_name 'epochs'",
        ),
        ("UPDATE trial_params SET param_name = 'depth' WHERE param_name = 'epochs'", "at param_name 'depth', 'epochs'"),
        (
            "UPDATE trial_intermediate_values SET intermediate_value = 0.99 WHERE trial_id = 1 AND step = 2",
            "trial 0 is damaged.*table `trial_intermediate_values` was edited at step 2",
        ),
        ("DELETE FROM trial_intermediate_values WHERE trial_id = 3 AND step = 1", "trial 2 is .*at step 1"),
        (
            "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) "
            "VALUES (1, 99, 0.5, 'FINITE')",
            "trial 0 is damaged.*at step 99",
        ),
        (
            "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (1, 1, 0.5, 'FINITE')",
            "trial 0 is damaged.*table `trial_values` was edited at objective 1",
        ),
        ("DELETE FROM trials WHERE number = 3", "trial 3 was deleted: 11 trials are numbered from 0 to 11"),
        ("DELETE FROM trials WHERE number = 11", r"a trial was deleted, but its attributes remain \(trial_id 12\)"),
        ("UPDATE trials SET number = -1 WHERE number = 5", "trial 5 was deleted: 12 trials are numbered from -1 to 11"),
        ("UPDATE trials SET state = 'RUNNING' WHERE number = 3", "1 of its trials are marked as running"),
    ],
)
def test_a_record_that_was_edited_is_refused_with_what_was_edited(tmp_path: Path, sql: str, match: str) -> None:
    folder = new_folder(tmp_path)
    change(folder, sql)
    refused(folder, match)


def write_as_optuna(folder: SweepFolder) -> optuna.Study:
    """Five trials: two of `optimize`, one added, one enqueued, one asked for."""
    study = optuna.load_study(study_name="dense", storage=f"sqlite:///{folder.study}")
    study.optimize(lambda trial: trial.suggest_float("learning_rate", 1e-4, 1.0, log=True), n_trials=2)
    study.add_trial(optuna.trial.create_trial(value=1.0))
    study.ask()
    study.enqueue_trial({"learning_rate": 0.5})
    return study


def test_trials_that_optuna_wrote_into_the_record_are_counted_and_left_out(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    assert reader.read_facts(folder).foreign == 0
    write_as_optuna(folder)
    before = folder.study.read_bytes()
    assert reader.read_facts(folder).foreign == 5
    assert same(RecordedSweep.read(folder).results, dense_sweep(12))
    with StudyFile.open(folder) as study:
        assert same(study.results(), dense_sweep(12))
        assert (study.next_number, study.facts.foreign) == (12, 5)
    assert folder.study.read_bytes() == before


def test_the_sweep_goes_on_and_they_get_a_study_of_their_own(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    for written in (5, 10):
        running = write_as_optuna(folder)
        with StudyFile.open(folder) as study:
            number = study.next_number
            assert study.add(dense_sweep(number + 1)[-1]) == 5
            assert study.facts.foreign == 0
            assert study.add(dense_sweep(number + 2)[-1]) == 0
            assert same(study.results(), dense_sweep(number + 2))
        theirs = optuna.load_study(study_name="dense from Optuna", storage=f"sqlite:///{folder.study}")
        trials = theirs.get_trials()
        assert [trial.number for trial in trials] == list(range(written))
        assert [trial.state.name for trial in trials[-5:]] == ["COMPLETE"] * 3 + ["RUNNING", "WAITING"]
        assert theirs.direction.name == "MAXIMIZE"
        trial = optuna.Trial(running, trials[-2]._trial_id)  # the program that asked for it goes on with it
        running.tell(trial, 0.25)
        assert theirs.get_trials()[-2].value == 0.25
    ours = optuna.load_study(study_name="dense", storage=f"sqlite:///{folder.study}")
    assert [trial.number for trial in ours.get_trials()] == list(range(16))


def test_every_truncation_is_found(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    whole = folder.study.read_bytes()
    for size in [*range(0, len(whole), len(whole) // 40), len(whole) - 1]:
        folder.study.write_bytes(whole[:size])
        with pytest.raises(RecordError):
            opened(folder)
        assert folder.study.read_bytes() == whole[:size]


def test_overwritten_bytes_are_found_or_harmless(tmp_path: Path) -> None:
    """Wherever a run of bytes is lost: an error, or the very same results."""
    folder = new_folder(tmp_path)
    wanted = dense_sweep(12)
    whole = folder.study.read_bytes()
    found = 0
    for start in range(0, len(whole), 509):
        folder.study.write_bytes(
            whole[:start] + bytes(byte ^ 0xFF for byte in whole[start : start + 16]) + whole[start + 16 :]
        )
        try:
            results = opened(folder)
        except RecordError:
            found += 1
        else:
            assert same(results, wanted), start
    assert found > 20


def test_a_torn_log_loses_whole_trials_only(tmp_path: Path) -> None:
    """What a power cut may do to the log of commits: every cut leaves the first trials, none of them changed."""
    wanted = dense_sweep(8)
    source = SweepFolder(tmp_path / "dense")
    with StudyFile.create(source, SPEC, {}) as study:
        for one in wanted:
            study.add(one)
        base, log = source.study.read_bytes(), (source.path / "study.db-wal").read_bytes()
    seen = set()
    for index, size in enumerate([*range(0, len(log), len(log) // 30), len(log)]):
        folder = SweepFolder(tmp_path / f"cut{index}")
        folder.make()
        folder.study.write_bytes(base)
        (folder.path / "study.db-wal").write_bytes(log[:size])
        results = opened(folder)
        assert same(results, wanted[: len(results)])
        seen.add(len(results))
    assert seen == set(range(9))
