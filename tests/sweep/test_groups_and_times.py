"""A sweep whose rows are held out by groups or by time: trained, exported, verified and replayed as any other."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import keras_sweep as ks
from keras_sweep.errors import UsageError
from keras_sweep.sweep.verify import verify_model
from tests.helpers.command import sweep
from tests.helpers.ran import finished, quiet
from tests.helpers.space_texts import small

SPACE = small(
    data="{csv: visits.csv, target: ill}",
    model="{dense: {hidden: [4]}}",
    loss="binary_crossentropy",
    parameters="{optimizer: adam, learning_rate: {min: 0.01, max: 0.1}, epochs: 2}",
    finalists="none",
)


def write_visits(folder: Path) -> None:
    random = np.random.default_rng(0)
    patients = np.repeat(np.arange(30), 8)
    pulse = random.normal(70, 10, 30)[patients] + random.normal(size=240)
    table = {"patient": [f"P{patient}" for patient in patients], "day": np.arange(240) // 2, "pulse": pulse}
    table |= {"age": random.normal(50, 9, 240), "ill": random.normal(70, 5, 30)[patients] < pulse}
    pl.DataFrame(table).write_csv(folder / "visits.csv")


@pytest.mark.parametrize("split", ["{time: day}", pytest.param("{groups: patient, folds: 3}", marks=pytest.mark.soak)])
def test_what_is_trained_on_groups_or_times_is_exported_verified_and_replayed(tmp_path: Path, split: str) -> None:
    write_visits(tmp_path)
    ran = finished(tmp_path, SPACE + f"split: {split}\n", trials=2)
    assert not any("split" in notice for notice in ran.notices)
    opened = ks.open("plain", sweeps_dir=tmp_path / "sweeps")
    opened.export(tmp_path / "best.keras")
    done = verify_model(tmp_path / "best.keras", quiet, sweeps=tmp_path / "sweeps", test=True)
    assert done.matches
    assert "test accuracy" in {check.name for check in done.checks}
    assert opened.replay(opened.best.number).matches
    said = json.loads((tmp_path / "best.card.json").read_text())["data"]["source"]["split"]
    assert {"patient", "day"} & set(map(str, said.values())) and None not in said.values()
    with pytest.raises(UsageError, match=r"split\.(groups|time): '?\w+'? -> not set"):
        finished(tmp_path, SPACE, trials=2)


@pytest.mark.soak
def test_the_summary_says_again_what_makes_scores_too_good(tmp_path: Path) -> None:
    write_visits(tmp_path)
    (tmp_path / "visits.yaml").write_text(SPACE)
    said = sweep("run", "visits.yaml", "--trials", "1", cwd=tmp_path).ok()
    assert "warning: column 'patient' seems to name groups, and the split cuts 29 of them" in " ".join(said.out.split())
    assert "note: column 'patient'" in said.err
