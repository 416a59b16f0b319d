"""Records that the tests share, and any result that a runner may give."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from keras_sweep.record.saved import list_numbered_files
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.distributions import Value
from keras_sweep.trial.result import Result, Seconds, Suggestion, TrialState, Weights
from tests.helpers.factory import EPOCHS, LEARNING_RATE, MOMENTUM, OPTIMIZER, make_spec
from tests.helpers.results import dense_sweep

ROOT = Path(__file__).parents[2]  # programs that import `tests` run here
SPEC = make_spec(
    (OPTIMIZER, LEARNING_RATE, EPOCHS, MOMENTUM), constants={"batch_size": 32}, name="dense", text="data: x\n"
)
DENSE: Weights = (np.random.default_rng(0).normal(size=(784, 10)).astype(np.float32), np.zeros(10, np.float32))


def new_study(sweeps: Path, results: Sequence[Result] = ()) -> StudyFile:
    """An open record `dense` with some trials."""
    study = StudyFile.create(
        SweepFolder(sweeps / "dense"), SPEC, {"fingerprint": "abc", "versions": {"keras": "3.15.1"}}
    )
    study.add(*results)
    return study


def new_folder(sweeps: Path, trials: int = 12) -> SweepFolder:
    """The folder of a closed record `dense`."""
    with new_study(sweeps, dense_sweep(trials)) as study:
        return study.folder


def change(folder: SweepFolder, sql: str, *values: object) -> None:
    """Alter a record as another program might."""
    with closing(sqlite3.connect(folder.study)) as connection, connection:
        connection.execute(sql, values)


def saved_trials(folder: SweepFolder) -> list[int]:
    return sorted(list_numbered_files(folder.weights))


def same(a: object, b: object) -> bool:
    """Equal to the last digit and type, NaN included."""
    return repr(a) == repr(b)


def identical(a: Weights, b: Weights) -> bool:
    """Equal bit for bit, type and shape included."""
    return [(x.dtype, x.shape, x.tobytes()) for x in a] == [(y.dtype, y.shape, y.tobytes()) for y in b]


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


floats = st.floats(allow_nan=True, allow_infinity=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}(\.[a-z0-9_]{1,8})?", fullmatch=True)
values: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts,
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=5,
)
params = st.dictionaries(names, values, max_size=5) | st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(["sgd", "rmsprop", "adam"]),
        "learning_rate": st.floats(1e-4, 1.0),
        "epochs": st.integers(1, 4),
        "batch_size": st.just(32),
    }
)


@st.composite
def results(draw: st.DrawFn, number: int = 0) -> Result:
    """Any result that a runner may give."""
    state = draw(st.sampled_from(TrialState))
    some_value = st.floats(allow_nan=False).map(lambda value: value + 0.0)  # SQLite knows no -0.0
    value = {
        TrialState.COMPLETE: some_value,
        TrialState.PRUNED: st.none() | some_value,
        TrialState.FAIL: st.none(),
    }[state]
    suggestion = Suggestion(
        number,
        draw(params),
        generation=draw(st.integers(0, 10**6)),
        continues=draw(st.none() | st.integers(0, 10**6)),
        sampler_seconds=draw(floats),
    )
    curve_names = names | st.just("val_accuracy")
    return Result(
        suggestion,
        state,
        draw(value),
        curve=draw(st.dictionaries(curve_names, st.lists(floats, max_size=5).map(tuple), max_size=4)),
        epoch=draw(st.none() | st.integers(1, 100)),
        seconds=Seconds(*(draw(floats) for _ in range(4))),
        reason=draw(st.none() | texts),
        traceback=draw(st.none() | texts),
        engine=draw(texts),
        runner=draw(texts),
        stderr=draw(st.none() | floats),
        rows_value=draw(st.none() | floats),
    )
