"""Rows of a query, a function, or a registered source that makes them in memory: run and resumed as a file's."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.data.source import RawRows, SourceRows
from keras_sweep.errors import ChangedSweep, SweepWarning
from keras_sweep.space.data_spec import SOURCES, Source
from tests.helpers.command import called, script
from tests.helpers.ran import ran_as
from tests.helpers.sql import write_shop

REST = """\
split: {{stratify: {classes}}}
model: {{dense: {{hidden: [4]}}}}
loss: {loss}
metrics: [{metric}]
metric: {{name: val_{metric}}}
parameters: {{learning_rate: {{values: [0.01, 0.1]}}, epochs: 2}}
search: {{sampler: grid, trials: 2}}
"""
QUERY = 'data: {sql: "select size, sold, zone, price from houses order by id", database: %s, target: price}\n'
SQL = QUERY % "shop.db" + REST.format(classes="false", loss="mean_squared_error", metric="mean_absolute_error")
MADE = "data: {made: /in/memory}\n" + REST.format(
    classes="true", loss="sparse_categorical_crossentropy", metric="accuracy"
)
ROWS = [60]  # how many are made


def make_rows(data: Any, folder: Path) -> SourceRows:
    y = np.arange(ROWS[0]) % 3
    return SourceRows(data.source, RawRows(np.eye(3, dtype=np.float32)[y], y))


@pytest.fixture
def made() -> Iterator[None]:
    SOURCES.register("made", Source(read=make_rows))
    yield
    del SOURCES._own["made"], SOURCES.registered["made"]


def add_house(folder: Path) -> None:
    write_shop(folder / "shop.db", 1)


@pytest.mark.parametrize(
    ("text", "change"), [(SQL, add_house), (MADE, lambda _: ROWS.append(ROWS.pop() + 1))], ids=["sql", "made"]
)
def test_a_sweep_of_rows_of_no_file(
    text: str, change: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: None
) -> None:
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path / "shop.db")
    sweep = ran_as(tmp_path, "it", text)
    first = sweep.leaderboard()
    again = ran_as(tmp_path, "it", text)
    assert [row.value for row in again.leaderboard()] == [row.value for row in first] and again.test_looks == 1
    assert ks.verify(sweep.export("it.keras"), sweeps_dir=tmp_path / "sweeps").matches
    shutil.move("sweeps", "elsewhere")
    assert ks.verify("it.keras").matches
    shutil.move("elsewhere", "sweeps")
    code, out, err = called(["data", "it", "--save", "rows.npz"])
    assert (code, out.splitlines()[-1]) == (0, "rows.npz"), err
    change(tmp_path)
    with pytest.raises(ChangedSweep, match=r"the (test )?rows have changed since the sweep started"):
        ran_as(tmp_path, "it", text)


SCRIPT = """\
import keras_sweep as ks
import numpy as np
from keras_sweep.data.source import RawRows, SourceRows
from keras_sweep.space.data_spec import SOURCES, Source


def read(data, folder):
    y = np.arange(int(data.source)) % 3
    return SourceRows("made", RawRows(np.eye(3, dtype=np.float32)[y], y))


if __name__ == "__main__":
    SOURCES.register("made", Source(read=read))
    alone, shared = (ks.run("made.yaml", name=name, workers=workers) for name, workers in (("a", None), ("b", 2)))
    assert [trial.value for trial in alone.trials] == [trial.value for trial in shared.trials], shared.trials
    print(len(shared.trials), "trials")
"""


def test_workers_know_the_source_that_a_script_registers(tmp_path: Path) -> None:
    (tmp_path / "made.yaml").write_text(MADE.replace("/in/memory", "'60'"))
    (tmp_path / "script.py").write_text(SCRIPT)
    assert script("script.py", cwd=tmp_path, new=True).ok().out == "2 trials\n"


def test_a_record_or_a_card_alone_asks_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_shop(tmp_path / "shop.db")
    monkeypatch.setenv("SHOP", f"sqlite:///{tmp_path}/shop.db")
    model = ran_as(tmp_path, "it", SQL.replace("shop.db", "$SHOP")).export("it.keras")
    code, _, told = called(["data", "it"])
    assert code == 2 and "the rows of the sweep 'it' come from $SHOP, and `sweep` runs no" in " ".join(told.split())
    for act, who in ((ks.open("it").validation, "record of 'it'"), (lambda: ks.verify(model), "card")):
        with pytest.raises(ks.UsageError, match=rf"the {who} names code .*: a query at \$SHOP\. .* add `trust=True`"):
            act()
    with pytest.warns(SweepWarning, match=r"`trust=True`: imports and runs a query at \$SHOP"):
        assert len(ks.open("it", trust=True).validation()) == 20 and ks.verify(model, trust=True).matches


LOADED = "data: {python: my_rows:load}\n" + REST.format(
    classes="true", loss="sparse_categorical_crossentropy", metric="accuracy"
)
LOAD = """\
from pathlib import Path

import numpy as np
import my_shift

def load():
    x = np.load(Path(__file__).with_name("x.npy"))
    return x + my_shift.SHIFT, np.arange(60) % 3
"""


def write_loader(folder: Path) -> None:
    np.save(folder / "x.npy", np.eye(3, dtype=np.float32)[np.arange(60) % 3])
    (folder / "my_shift.py").write_text("SHIFT = 1.0\n")
    (folder / "my_rows.py").write_text(LOAD)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("x.npy", np.ones((60, 3), np.float32), "the data: the rows have changed since the sweep started"),
        ("my_shift.py", "SHIFT = 2.0\n", "the code of the data: my_shift.py (restore the old code to resume)"),
        ("my_rows.py", LOAD.replace("% 3", "% 4"), "the code of the data: my_rows.py (restore the old code to resume)"),
    ],
    ids=["a file that the function reads", "a module that it imports", "its module"],
)
def test_a_complete_sweep_sees_that_the_rows_of_a_function_have_changed(
    file: str, content: Any, said: str, tmp_path: Path
) -> None:
    write_loader(tmp_path)
    first = ran_as(tmp_path, "it", LOADED)
    (tmp_path / "my_rows.py").write_text(f"# a comment\n{LOAD}")
    assert [row.value for row in ran_as(tmp_path, "it", LOADED).leaderboard()] == [
        row.value for row in first.leaderboard()
    ]
    if isinstance(content, str):
        (tmp_path / file).write_text(content)
    else:
        np.save(tmp_path / file, content)
    with pytest.raises(ChangedSweep) as refused:
        ran_as(tmp_path, "it", LOADED)
    assert list(refused.value.changes) == [said]
    said = r"the (rows have|code of the data has) changed since the sweep 'it' started"
    with pytest.warns(SweepWarning, match="imports and runs"), pytest.raises(ChangedSweep, match=said):
        ks.open("it", trust=True, sweeps_dir=tmp_path / "sweeps").validation()
