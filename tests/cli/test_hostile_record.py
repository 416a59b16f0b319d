"""A record of somebody else: whatever stands in it, a command shows a table or says one plain line."""

import json
import shutil
import sqlite3
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from keras_sweep.record import encoding
from keras_sweep.record.facts import Facts
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.command import called
from tests.helpers.records import new_folder
from tests.helpers.results import dense_sweep

READ = (
    ["list"],
    ["list", "--format", "json"],
    *(["leaderboard", "dense", "--format", form] for form in ("table", "json", "csv", "markdown")),
    ["leaderboard", "dense", "--sort", "seed"],
    ["show", "dense", "1"],
    ["show", "dense", "1", "--format", "json"],
    ["report", "dense", "-o", "SWEEPS/page"],
    ["compare", "dense", "other"],
    ["compare", "other", "dense", "--format", "json"],
)
BUILT = (
    ["evaluate", "dense"],
    ["replay", "dense", "1"],
    ["replay", "dense", "1", "--script"],
    ["export", "dense", "--trial", "1", "-o", "nowhere/x.keras"],
)
EVIL = "\x1b]0;owned\x07\x1b[2J\u202egnp.\u2066\r\n\x9b31m\u2028\ud800"
BASELINE = {
    "model": "x",
    "metric": "r2",
    "fold_scores": [0.5],
    "validation": {"val_accuracy": 0.5},
    "seconds": 1.0,
    "mean_score": 0.5,
}
UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}

words = st.text(max_size=8) | st.sampled_from([EVIL, "", "optuna/tpe", "val_accuracy", "maximize", "1", "nan"])
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -1, 2**63, 1e308, 0])
leaves = st.none() | st.booleans() | numbers | words
json_values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


def check(arguments: list[str], sweeps: Path) -> None:
    """It shows something, or says one line that is no fault of the program; neither steers the terminal."""
    code, out, err = called([word.replace("SWEEPS", str(sweeps)) for word in arguments], sweeps)
    assert "Traceback" not in err
    assert "unexpected error (" not in err, err
    assert (code == 0 and out) or (code in (1, 2) and err.startswith("error: ") and err.count("\n") == 1), err
    for char in out + err:
        assert char == "\n" or unicodedata.category(char) not in UNSAFE, ascii(out + err)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a sweep, `dense`, of twelve trials, and of its copy `other`."""
    folder = new_folder(tmp_path_factory.mktemp("sweeps")).path
    shutil.copytree(folder, folder.with_name("other"))
    return folder.parent


@pytest.fixture(scope="module")
def changed(sweeps: Path) -> Callable[..., None]:
    """Gives the record back as it was, with changes made by SQL: a statement, and the values of each of its calls."""
    study = SweepFolder(sweeps / "dense").study
    whole = study.read_bytes()

    def change(*statements: tuple[str, list[tuple[object, ...]]]) -> None:
        for suffix in ("", "-wal", "-shm"):
            study.with_name(study.name + suffix).unlink(missing_ok=True)
        study.write_bytes(whole)
        with closing(sqlite3.connect(study)) as connection, connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for sql, calls in statements:
                for values in calls:
                    connection.execute(sql, values)

    return change


@pytest.mark.soak
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from([*Facts.__dataclass_fields__, "of_another_program"]), value=json_values)
@example(key="engine", value={})
@example(key="engine", value=EVIL)
@example(key="metric", value=EVIL)
@example(key="seed", value=EVIL)
@example(key="baseline", value={**BASELINE, "model": EVIL})
@example(key="baseline", value={**BASELINE, "validation": {"val_accuracy": [1]}})
@example(key="imported", value=EVIL)
@example(key="test", value={"number": 1, "rows": 1, "scores": {}, "stderr": None, "stderrs": [1], "per_class": None})
@example(key="origin", value="a\0b" + EVIL)
@example(key="space", value=EVIL)
@example(key="space", value="data: {python: 'a\x1b:b'}")
def test_any_json_in_an_attribute_of_the_sweep(sweeps: Path, changed, key: str, value: object) -> None:
    former = ("DELETE FROM study_user_attributes WHERE key = ?", [(key,)])
    sql = "INSERT OR REPLACE INTO study_user_attributes (study_id, key, value_json) VALUES (1, ?, ?)"
    changed(former, (sql, [(key, json.dumps(value))]))
    for arguments in (*READ, *BUILT):
        check(arguments, sweeps)


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(sorted(encoding.encode(dense_sweep(2)[1], 0))), value=json_values)
@example(key="engine", value=EVIL)
@example(key="runner", value=EVIL)
@example(key="reason", value=EVIL)
@example(key="traceback", value=EVIL)
@example(key="params", value={EVIL: EVIL, "optimizer": [EVIL], "seed": EVIL})
@example(key="params", value={"seed": 10**400})
@example(key="params", value={"epochs": 10**300})
@example(key="curve", value={EVIL: [0.1, 0.2, 0.3, 0.4], "val_accuracy": [0.1, 0.2, 0.3, 0.4]})
@example(key="curve", value={"val_accuracy": "1234"})
@example(key="epoch", value=-1)
@example(key="generation", value=1e300)
@example(key="seconds", value={"train": "inf", "compile": -1e308})
def test_any_json_in_an_attribute_of_a_trial(sweeps: Path, changed, key: str, value: object) -> None:
    result = dense_sweep(12)[1]
    texts = {**encoding.encode(result, 42), key: json.dumps(value)}
    if key != encoding.CHECKSUM:  # whoever alters a record can reckon that too
        texts[encoding.CHECKSUM] = str(encoding._checksum(1, result.state, result.value, texts))
    sql = "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (2, ?, ?)"
    changed(("DELETE FROM trial_user_attributes WHERE trial_id = 2", [()]), (sql, list(texts.items())))
    for arguments in (*READ, *BUILT):
        check(arguments, sweeps)


@pytest.mark.parametrize(
    "sql",
    [
        f"UPDATE studies SET study_name = CAST(x'{EVIL[:-1].encode().hex()}' AS TEXT)",
        "UPDATE studies SET study_name = '../../x'",
        "UPDATE trials SET number = 'one' WHERE number = 1",
        "UPDATE trials SET number = -1 WHERE number = 1",
        "UPDATE trials SET number = 0",
        "UPDATE trial_values SET value = 'high'",
        "UPDATE trial_values SET value_type = 'INF_POS', value = NULL",
        "UPDATE trial_user_attributes SET value_json = x'ff'",
        "UPDATE trial_user_attributes SET value_json = NULL",
        "UPDATE study_user_attributes SET value_json = NULL",
        "UPDATE study_user_attributes SET value_json = CAST(zeroblob(10000000) AS TEXT) WHERE key = 'space'",
        f"UPDATE study_user_attributes SET value_json = '{'9' * 5000}' WHERE key = 'trials'",
        f"UPDATE study_user_attributes SET value_json = '{'[' * 100_000}' WHERE key = 'spec'",
        "DELETE FROM study_user_attributes WHERE key = 'metric'",
        "DELETE FROM studies",
        "CREATE TABLE more (x, y AS (zeroblob(1000000000)))",
    ],
)
def test_anything_in_a_column(sweeps: Path, changed, sql: str) -> None:
    changed((sql, [()]))
    for arguments in (*READ, *BUILT[:2]):
        check(arguments, sweeps)
