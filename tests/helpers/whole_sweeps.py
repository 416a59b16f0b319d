"""Runs small sweeps, with and without faults, and says what came out of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.files.arrays import read_arrays
from keras_sweep.record import reader
from keras_sweep.record.saved import load_scores, saved_trials, scores_file, weights_file, with_scores
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.trial.result import Result
from keras_sweep.trial.row_scores import RowScores
from tests.helpers.fault_driver import Ended, forked
from tests.helpers.outcomes import model_arrays
from tests.helpers.records import integrity
from tests.helpers.whole_spaces import arguments, whole_text


class Driver:
    """Runs `sweep` commands and their faults, one after the other."""

    def sweep(self, folder: Path, words: list[str], **fault: Any) -> Ended:
        """Run `sweep` with these words in a folder. `fault`: as fault_driver.py says."""
        return forked(words, folder, **fault)

    def run(self, folder: Path, space: str, *more: str, **fault: Any) -> Ended:
        """Run one of SPACES in a folder, which is made if there is none."""
        folder.mkdir(exist_ok=True)
        (folder / f"{space}.yaml").write_text(whole_text(space))
        return self.sweep(folder, arguments(space, *more), **fault)


def folder_of(folder: Path, space: str) -> SweepFolder:
    """The sweep that was run in a folder."""
    return SweepFolder(folder / "sweeps" / space)


def outcome(sweep: SweepFolder) -> dict[str, Any]:
    """All that must not depend on what befell a sweep, to the last bit; times and counts of looks left out."""
    results = reader.read_results(sweep)
    card = json.loads(sweep.card.read_text())
    card.pop("created")
    card.pop("sha256")
    if card["test"] is not None:
        card["test"].pop("looks")
    return {
        "trials": [_trial(one) for one in results],
        "finalists": {one.number: [one.final, *map(_trial, one.finalists)] for one in results if one.finalists},
        "weights": _weights(sweep),
        "weights of finalists": _weights(sweep.finalists),
        "weights of the refit": _weights(sweep.refit),
        "scores": {one.number: _scores(sweep, one).digest for one in _with_scores(sweep)},
        "comparison": sweep.comparison.read_bytes() if sweep.comparison.exists() else None,
        "best": model_bits(sweep.best),
        "card": card,
        "test": reader.read_facts(sweep).test,
        "space": sweep.space.read_bytes(),
        "files": sorted(path.name for path in sweep.path.iterdir() if not path.name.startswith("study.db-")),
    }


def check_sound(sweep: SweepFolder) -> None:
    """What holds at every moment: the record is whole, and so is every file beside it."""
    if not sweep.exists():
        return
    assert integrity(sweep.study) == "ok"
    results = reader.read_results(sweep)
    assert [one.number for one in results] == list(range(len(results)))
    for part in (sweep, sweep.finalists, sweep.refit):
        _weights(part)  # which raises where a file is damaged
    for one in _with_scores(sweep):
        _scores(sweep, one)
    if sweep.best.exists():
        model_bits(sweep.best)
    if sweep.card.exists():
        assert json.loads(sweep.card.read_text())["trial"] < len(results)


def _with_scores(sweep: SweepFolder) -> list[Result]:
    objective = reader.read_facts(sweep).objective
    return with_scores(reader.read_results(sweep), objective)


def _scores(sweep: SweepFolder, result: Result) -> RowScores:
    return load_scores(scores_file(sweep, result.number), result.scores_digest or "")


def looks_to_come(sweep: SweepFolder) -> int:
    """How many looks at the test set are counted once the sweep is done: one more than now if there is no score yet."""
    facts = reader.read_facts(sweep) if sweep.exists() else None
    return 1 if facts is None else facts.test_looks + (facts.test is None)


def looks(sweep: SweepFolder) -> int:
    """How many are counted."""
    return reader.read_facts(sweep).test_looks


def model_bits(path: Path) -> dict[str, Any]:
    """Every array of a `.keras` file by its place in it."""
    return {place: _bits(array) for place, array in model_arrays(path).items()}


def _weights(sweep: SweepFolder) -> dict[int, Any]:
    return {
        number: [_bits(array) for array in read_arrays(weights_file(sweep, number))] for number in saved_trials(sweep)
    }


def _trial(result: Any) -> tuple[Any, ...]:
    suggestion = result.suggestion
    asked = (suggestion.number, dict(suggestion.params), suggestion.generation, suggestion.continues, suggestion.recipe)
    ended = (str(result.state), result.value, dict(result.curve), result.epoch, result.reason, result.stderr)
    return (*asked, *ended, result.engine, result.runner)


def _bits(array: Any) -> tuple[str, tuple[int, ...], bytes]:
    array = np.asarray(array)
    return str(array.dtype), array.shape, array.tobytes()
