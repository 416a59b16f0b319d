import math
import sqlite3
import stat
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_sweep.errors import RecordError
from keras_sweep.record import encoding, reader
from keras_sweep.record import optuna_tables as schema
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile, read_empty_tables
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.trial.ranking import winner
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.calls import calls_of
from tests.helpers.factory import make_spec
from tests.helpers.records import SPEC, integrity, new_folder, new_study, results, same
from tests.helpers.results import dense_sweep, result


@settings(max_examples=25, deadline=None)
@given(st.lists(results(), min_size=1, max_size=12))
def test_any_results_come_back_by_every_way(some: list[Result]) -> None:
    wanted = [replace(one, suggestion=replace(one.suggestion, number=n)) for n, one in enumerate(some)]
    with tempfile.TemporaryDirectory() as sweeps, new_study(Path(sweeps), wanted) as study:
        assert same(study.results(), wanted)
        with StudyFile.open(study.folder) as again:
            assert (again.next_number, again.facts) == (len(wanted), study.facts)
        assert same(RecordedSweep.read(study.folder).results, wanted)
        assert integrity(study.folder.study) == "ok"
        optuna_study = optuna.load_study(study_name="dense", storage=f"sqlite:///{study.folder.study}")
        trials = optuna_study.get_trials()
        assert [(trial.state.name, trial.value) for trial in trials] == [(one.state, one.value) for one in wanted]


def test_rows_are_those_that_optuna_writes(tmp_path: Path) -> None:
    """The plain form beside the fast one: `Study.add_trial`, for the same trials."""
    wanted = [*dense_sweep(40), *_unusual(40)]
    with new_study(tmp_path, wanted) as study:
        path = study.folder.study
    other = tmp_path / "optuna.db"
    storage = optuna.storages.RDBStorage(f"sqlite:///{other}")
    plain = optuna.create_study(storage=storage, study_name="dense", direction="maximize")
    written = optuna.load_study(study_name="dense", storage=f"sqlite:///{path}")
    for one, trial in zip(wanted, written.get_trials(), strict=True):
        texts = encoding.encode(one, SPEC.search.seed)
        plain.add_trial(
            optuna.trial.create_trial(
                state=optuna.trial.TrialState[one.state],
                value=one.value,
                params=trial.params,
                distributions=trial.distributions,
                user_attrs={key: encoding.json.loads(text) for key, text in texts.items()},
                intermediate_values=dict(enumerate(one.curve.get("val_accuracy", ()), start=1)),
            )
        )
    storage.engine.dispose()
    for table, columns in {
        "trials": "trial_id, number, study_id, state",
        "trial_values": "trial_id, objective, value, value_type",
        "trial_params": "trial_id, param_name, param_value, distribution_json",
        "trial_intermediate_values": "trial_id, step, intermediate_value, intermediate_value_type",
        "trial_user_attributes": "trial_id, key, value_json",
        "study_directions": "study_id, objective, direction",
        "studies": "study_id, study_name",
        "version_info": "*",
        "alembic_version": "*",
    }.items():
        assert _rows(path, table, columns) == _rows(other, table, columns), table
    kinds = "SELECT group_concat(DISTINCT typeof(datetime_start) || length(datetime_start)) FROM trials"
    with closing(sqlite3.connect(path)) as ours, closing(sqlite3.connect(other)) as theirs:
        assert ours.execute(kinds).fetchall() == theirs.execute(kinds).fetchall()


def _unusual(first: int) -> list[Result]:
    nan = {"val_accuracy": (0.1, math.nan, math.inf, -math.inf)}
    return [
        Result(Suggestion(first, {"optimizer": "sgd"}), TrialState.COMPLETE, math.inf, curve=nan),
        Result(Suggestion(first + 1, {"optimizer": "adam", "units": 3}), TrialState.PRUNED, None, curve=nan),
        Result(Suggestion(first + 2, {"layers": (64, (3, 3)), "on": True}), TrialState.COMPLETE, -math.inf),
        Result(Suggestion(first + 3, {}), TrialState.FAIL, None, reason="ungültig \x00 \U0001f600", traceback="x"),
    ]


def _rows(path: Path, table: str, columns: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute(f"SELECT {columns} FROM {table}"), key=repr)


def test_optuna_finds_the_winner_and_its_parameters(tmp_path: Path) -> None:
    wanted = dense_sweep(64)
    folder = new_folder(tmp_path, 64)
    study = optuna.load_study(study_name="dense", storage=f"sqlite:///{folder.study}")
    best = winner(RecordedSweep.read(folder).results, SPEC.objective)
    assert best is not None and study.best_trial.number == best.number
    assert study.best_params == dict(best.params)
    assert study.user_attrs["fingerprint"] == "abc"
    for trial, one in zip(study.get_trials(), wanted, strict=True):
        assert trial.params == dict(one.params)
        assert trial.intermediate_values == dict(enumerate(one.curve["val_accuracy"], 1)) or one.value is None
        assert trial.user_attrs["engine"] == one.engine
        assert trial.duration.total_seconds() == pytest.approx(one.seconds.total, abs=1e-5)


def test_optuna_gets_the_searched_distributions(tmp_path: Path) -> None:
    parameters = (
        Parameter("model.layers", Categorical(((64,), (64, 32)))),
        Parameter("rate", Float(0.0, 1.0, step=0.3)),
        Parameter("units", Int(1, 10, step=4)),
        Parameter("seed", Int(0, 2**62)),
        Parameter("flag", Categorical((True, 0, "1", None))),
    )
    spec = make_spec(parameters, objective=Objective("val_loss", Goal.MINIMIZE), constants={"batch_size": 32})
    params = {"model.layers": (64, 32), "rate": 0.9, "units": 5, "seed": 2**61 + 1, "flag": "1", "batch_size": 32}
    with StudyFile.create(SweepFolder(tmp_path / "x"), spec, {}) as study:
        study.add(result(0, 0.5, params=params))
        assert same(dict(study.results()[0].params), params)
    loaded = optuna.load_study(study_name="digits", storage=f"sqlite:///{study.folder.study}")
    assert loaded.direction.name == "MINIMIZE"
    trial = loaded.get_trials()[0]
    assert trial.distributions == {
        "model.layers": optuna.distributions.CategoricalDistribution(["[64]", "[64, 32]"]),
        "rate": optuna.distributions.FloatDistribution(0.0, 0.9, step=0.3),
        "units": optuna.distributions.IntDistribution(1, 9, step=4),
        "seed": optuna.distributions.IntDistribution(0, 2**62),
        "flag": optuna.distributions.CategoricalDistribution([True, 0, "1", None]),
        "batch_size": optuna.distributions.CategoricalDistribution([32]),
    }
    assert trial.params["model.layers"] == "[64, 32]"


OUT_OF_TURN = [(result(number), RecordError, "trial 7 is next") for number in (0, 6, 8, 400)]
CONTRADICTORY = [
    (wrong, ValueError, "trial 7: .* does not allow the value")
    for wrong in (result(7, math.nan), result(7, None), result(7, 0.5, state=TrialState.FAIL))
]


@pytest.mark.parametrize(("wrong", "error", "words"), [*OUT_OF_TURN, *CONTRADICTORY])
def test_of_trials_of_which_one_is_out_of_turn_or_contradicts_itself_none_is_written(
    tmp_path: Path, wrong: Result, error: type[Exception], words: str
) -> None:
    with new_study(tmp_path, dense_sweep(6)) as study:
        with pytest.raises(error, match=words):
            study.add(result(6), wrong)
        assert len(study.results()) == 6
        study.add(result(6))


def test_a_trial_is_read_once_until_another_program_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, decode = list[int](), encoding.decode

    def count(number: int, *rest: Any) -> Result:
        numbers.append(number)
        return decode(number, *rest)

    wanted = dense_sweep(4)
    with new_study(tmp_path, wanted[:3]) as study:
        monkeypatch.setattr(encoding, "decode", count)
        assert same(study.results(), wanted[:3])
        study.add(wanted[3])
        assert same(study.load_results(), wanted) and same(study.results(), wanted)
        assert numbers == [0, 1, 2, 3]
        with closing(sqlite3.connect(study.folder.study)) as other, other:
            other.execute("UPDATE trial_values SET value = 0.5 WHERE trial_id = 1")
        with pytest.raises(RecordError, match="trial 0 is damaged"):
            study.results()


def test_attributes_are_kept_and_replaced(tmp_path: Path) -> None:
    with new_study(tmp_path) as study:
        study.set_attributes({"test_looks": 1, "origin": "größer", "of_another_program": 1})
        study.set_attributes({"test_looks": 2})
        kept = study.facts
        assert kept == reader.read_facts(study.folder)
    assert (kept.test_looks, kept.origin) == (2, "größer")
    assert kept.fingerprint == "abc"
    assert kept.space == SPEC.text
    assert (kept.metric, kept.goal, kept.seed) == ("val_accuracy", "maximize", 42)


def test_a_record_is_never_made_over_another(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    before = folder.study.read_bytes()
    with pytest.raises(RecordError, match="already"):
        StudyFile.create(folder, SPEC, {})
    assert folder.study.read_bytes() == before


@pytest.mark.posix
def test_the_record_is_its_owners_alone(tmp_path: Path) -> None:
    with new_study(tmp_path, dense_sweep(3)) as study:
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in study.folder.path.iterdir()}
        assert stat.S_IMODE(study.folder.path.stat().st_mode) == 0o700
    assert modes
    assert set(modes.values()) == {0o600}
    study.folder.study.chmod(0o666)
    StudyFile.open(study.folder).close()
    assert stat.S_IMODE(study.folder.study.stat().st_mode) == 0o600


def test_commits_are_flushed_to_the_disk_and_a_closed_record_is_one_file(tmp_path: Path) -> None:
    with new_study(tmp_path) as study:
        pragmas = [study._connection.execute(f"PRAGMA {it}").fetchone()[0] for it in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]
    assert [path.name for path in study.folder.path.iterdir()] == ["study.db"]


def test_a_half_made_record_is_no_record(tmp_path: Path) -> None:
    folder = SweepFolder(tmp_path / "dense")
    folder.make()
    (folder.path / ".study.123.part.db").write_bytes(b"SQLite format 3\0 and no more")
    assert not folder.exists()
    StudyFile.create(folder, SPEC, {}).close()


def test_the_log_of_a_lost_record_is_not_played_into_a_new_one(tmp_path: Path) -> None:
    with new_study(tmp_path, dense_sweep(5)) as study:
        log = study.folder.path / "study.db-wal"
        stray = log.read_bytes()
    study.folder.study.unlink()
    log.write_bytes(stray)
    with StudyFile.create(study.folder, SPEC, {}) as new:
        assert new.results() == []
    assert (study.folder.path / "study.db-wal~1").read_bytes() == stray


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_record_that_is_no_longer_there_takes_no_trial(tmp_path: Path, how: str) -> None:
    folder = new_folder(tmp_path)
    with StudyFile.open(folder) as study:
        trials = dense_sweep(study.next_number + 1)
        copy = folder.study.read_bytes()
        folder.study.unlink()
        if how == "replaced":
            folder.study.write_bytes(copy)
        with pytest.raises(RecordError, match=r"study\.db"):
            study.add(trials[-1])


def test_the_tables_of_optuna_are_kept_for_the_next_sweep_and_made_anew_where_they_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEP_CACHE_DIR", str(tmp_path))
    made = read_empty_tables()
    (kept,) = (tmp_path / "records").iterdir()
    for content in (made, made[:4096], b"no database"):
        kept.write_bytes(content)
        assert read_empty_tables() == made == kept.read_bytes()
    monkeypatch.setattr(schema, "REVISION", "v10.0.0.a")
    with pytest.raises(RecordError, match=r"writes database format v3\.2\.0\.a, but keras-sweep reads v10\.0\.0\.a"):
        read_empty_tables()


@pytest.mark.soak
@pytest.mark.parametrize("count", [8_000, 20_000])
def test_thousands_of_trials_are_no_burden_and_come_back(tmp_path: Path, count: int) -> None:
    results = dense_sweep(count)
    with new_study(tmp_path) as study:
        for first in range(0, len(results), 200):
            study.add(*results[first : first + 200])
    folder = study.folder
    assert same(RecordedSweep.read(folder).results, results)
    with StudyFile.open(folder) as again:
        assert again.next_number == count
    assert calls_of(lambda: StudyFile.open(folder).close()) < count // 3  # calls: nothing is done trial by trial
    assert calls_of(lambda: RecordedSweep.read(folder).results) < 300 * count
    assert folder.study.stat().st_size < count * 4096
