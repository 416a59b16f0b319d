"""Writes what came out of sweeps, to the bit, and compares it with what came out before the code was changed.

    python -m tests.helpers.outcomes write FILE      # before a change: about two minutes
    python -m tests.helpers.outcomes compare FILE    # after it: exit code 1, and a line for each difference

It runs each file of search_spaces/ with at most eight trials, and each space of whole_spaces.py, as a user does, and
reads the record by SQLite and NumPy alone, so that it stays the same while the package is rebuilt. The last bits belong
to the processor: FILE says nothing on another machine.
"""

import hashlib
import io
import json
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.helpers.whole_spaces import RUNNERS, SPACES, write_whole

SEARCH_SPACES = Path(__file__).parents[2] / "search_spaces"
OF_A_TRIAL = ("params", "curve", "epoch", "stderr", "scores", "reason", "recipe", "seed", "engine", "runner")
OF_A_CARD = ("trial", "params", "metric", "validation", "estimate", "test", "epochs", "seed", "finalists", "refit")


def main(call: str, file: str) -> int:
    """Write the outcomes, or compare them with those that were written; returns the exit code."""
    found = dict(outcomes())
    if call == "write":
        Path(file).write_text(json.dumps(found, indent=1, sort_keys=True))
        return 0
    lines = list(differences(json.loads(Path(file).read_text()), json.loads(json.dumps(found))))
    sys.stdout.write(("\n".join(lines[:40]) or f"{len(found)} sweeps are as they were, to the bit") + "\n")
    return 1 if lines else 0


def outcomes() -> Iterator[tuple[str, Any]]:
    """Run all sweeps, and give the name and the outcome of each."""
    with tempfile.TemporaryDirectory() as folder:
        calls = {path.stem: [str(path), "--trials", "8"] for path in sorted(SEARCH_SPACES.glob("*.yaml"))}
        for space in SPACES:
            path = Path(folder, f"{space}.yaml")
            write_whole(Path(folder), space)
            calls[f"whole {space}"] = [str(path), "--name", f"whole-{space}", *RUNNERS.get(space, [])]
        for name, words in calls.items():
            sys.stderr.write(f"{name}\n")
            command = [sys.executable, "-m", "keras_sweep", "run", *words, "--quiet"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name}: {done.stderr}"
            yield name, outcome(Path(folder, "sweeps", name.replace(" ", "-")))


def outcome(sweep: Path) -> dict[str, Any]:
    """Trials, finalists, winner and weights of one sweep; what tells of time and of versions is left out."""
    path = sweep / "card.json"  # a function's sweep has no model, and so no card
    card = json.loads(path.read_text()) if path.exists() else {}
    return {**recorded(sweep, OF_A_TRIAL), "card": {key: card.get(key) for key in OF_A_CARD}}


def recorded(sweep: Path, keys: Sequence[str]) -> dict[str, Any]:
    """What is on disk of a sweep's trials, under these keys, and of their weights."""
    return {
        "studies": _studies(sweep / "study.db", keys),
        "weights": {str(path.relative_to(sweep)): _digests(np.load(path)) for path in sorted(sweep.rglob("0*.npz"))},
        "best": _digests(model_arrays(path)) if (path := sweep / "best.keras").exists() else {},
    }


def differences(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """A line for each place at which two outcomes differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{place} > {key}" if place else key)
    elif old != new:
        yield f"{place}: {str(old)[:80]} -> {str(new)[:80]}"


def _studies(file: Path, keys: Sequence[str]) -> dict[str, Any]:
    """study -> number of the trial -> what is recorded of it."""
    with sqlite3.connect(file) as database:
        trials = database.execute(
            "SELECT study_name, trial_id, number, state, value FROM trials JOIN studies USING (study_id)"
            " LEFT JOIN trial_values USING (trial_id) ORDER BY trial_id"
        ).fetchall()
        attributes = database.execute("SELECT trial_id, key, value_json FROM trial_user_attributes").fetchall()
    database.close()
    found: dict[str, Any] = {}
    for study, trial, number, state, value in trials:
        known = {key: json.loads(text) for owner, key, text in attributes if owner == trial and key in keys}
        found.setdefault(study, {})[str(number)] = {"state": state, "value": value, **known}
    return found


def _digests(arrays: Any) -> dict[str, str]:
    return {
        name: f"{arrays[name].dtype} {arrays[name].shape} {hashlib.sha256(arrays[name].tobytes()).hexdigest()[:16]}"
        for name in arrays
        if arrays[name].dtype.kind in "biuf"
    }


def model_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a `.keras` file by their places in it."""
    found: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        assert archive.testzip() is None
        file.visititems(
            lambda name, item: found.update({name: np.asarray(item[()])}) if hasattr(item, "shape") else None
        )
    return found


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
