"""A model that `keras.distribution` spreads over devices trains under it, and its record says so."""

from pathlib import Path

import numpy as np
import pytest

from keras_sweep.record.reader import read_facts
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.command import sweep
from tests.helpers.whole_spaces import write_whole

DEVICES = "--xla_force_host_platform_device_count="
TWO = "<DataParallel device_mesh=<DeviceMesh shape=(2,), axis_names=['batch']>>"


@pytest.mark.soak
def test_on_two_devices_it_is_recorded_and_another_distribution_is_refused(tmp_path: Path) -> None:
    write_whole(tmp_path, "spread")
    space, rows = tmp_path / "spread.yaml", np.random.default_rng(0).normal(size=(448, 4))
    parts = {"train": rows[:256], "validation": rows[256:384], "test": rows[384:]}  # whole batches on both devices
    arrays = {f"{letter}_{part}": x if letter == "x" else x[:, 0] > 0 for part, x in parts.items() for letter in "xy"}
    np.savez(tmp_path / "rows.npz", **arrays)
    space.write_text(space.read_text().replace("data: digits", "data: {npz: rows.npz}"))
    two = {"new": True, "cwd": tmp_path, "XLA_FLAGS": f"{DEVICES}2"}
    ended = sweep("run", "spread.yaml", **two).ok()
    assert "note: trials train one by one with `fit`: only `fit` follows Keras's setting `distribution`" in ended.err
    config = read_facts(SweepFolder(tmp_path / "sweeps" / "spread")).keras_config
    assert config is not None and config["distribution"] == TWO
    assert "equal in all 2 epochs, to the last digit" in sweep("replay", "spread", "--trust", **two).ok().out
    script = sweep("replay", "spread", "--trust", "--script", "--rows", "x.npz", **two)
    assert "was trained under `keras.distribution`, which a script can't repeat" in script.err
    other = sweep("run", "spread.yaml", "--trials", "3", **{**two, "XLA_FLAGS": f"{DEVICES}1"})
    assert other.code == 2 and "keras.distribution: <DataParallel device_mesh=<DeviceMesh shape=(2,)" in other.err
    there = sweep("run", "spread.yaml", "--name", "there", "--workers", "1", **two)
    assert there.code == 1 and "its settings differ from the sweep's: keras.distribution: " in there.err
