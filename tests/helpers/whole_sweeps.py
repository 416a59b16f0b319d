"""Runs small sweeps, with and without faults, and says what came out of one."""

import json
import os
from collections.abc import Callable
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any

from keras_sweep.files.arrays import read_arrays
from keras_sweep.record import reader
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import list_numbered_files, load_scores_of, select_scored
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.fault_driver import Ended, forked
from tests.helpers.outcomes import OF_A_TRIAL, model_arrays, recorded
from tests.helpers.records import integrity
from tests.helpers.whole_spaces import arguments, write_whole


def run_space(folder: Path, space: str, *more: str, **fault: Any) -> Ended:
    """Run one of SPACES in a folder, which is made if there is none. `fault`: as fault_driver.py says."""
    folder.mkdir(exist_ok=True)
    write_whole(folder, space)
    return forked(folder, *arguments(space, *more), **fault)


def made_once(name: str, fill: Callable[[Path], object]) -> Path:
    """The fixture of that name: faults/conftest.py puts it here."""
    raise NotImplementedError


@cache
def whole_folder(space: str) -> Path:
    """Where a sweep lies that nothing befell, run once for all workers; how it was driven is in driver.json."""
    return made_once(f"whole-{space}", partial(_run_whole, space=space))


def _run_whole(folder: Path, space: str) -> None:
    ended = run_space(folder, space).ok()
    assert ended.calls is not None and looks(folder_of(folder, space)) == (space != "function")  # which has no rows
    (folder / "driver.json").write_text(json.dumps([ended.calls, ended.seconds]))


@cache
def whole(space: str) -> tuple[list[str], float, dict[str, Any]]:
    """Of a sweep that nothing befell: its calls to the disk, its seconds, its outcome."""
    folder = whole_folder(space)
    calls, seconds = json.loads((folder / "driver.json").read_text())
    return calls, seconds, outcome(folder_of(folder, space))


def folder_of(folder: Path, space: str) -> SweepFolder:
    return SweepFolder(folder / "sweeps" / space)


def outcome(sweep: SweepFolder) -> dict[str, Any]:
    """All that must not depend on what befell a sweep, to the last bit; times and counts of looks left out."""
    card = json.loads(sweep.card.read_text()) if sweep.card.exists() else {}
    for key in ("created", "sha256"):
        card.pop(key, None)
    if card.get("test") is not None:
        del card["test"]["looks"]
    return {
        **recorded(sweep.path, (*OF_A_TRIAL, "generation", "continues")),
        "final": [one.number for one in RecordedSweep.read(sweep).results if one.final],
        "comparison": sweep.comparison.read_bytes() if sweep.comparison.exists() else None,
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
    results = RecordedSweep.read(sweep).results
    assert [one.number for one in results] == list(range(len(results)))
    for part in (sweep, sweep.finalists, sweep.refit):
        for path in list_numbered_files(part.weights).values():
            read_arrays(path)  # which raises where it is damaged
    for one in select_scored(results, reader.read_facts(sweep).objective):
        load_scores_of(sweep, one)
    if sweep.best.exists():
        model_arrays(sweep.best)
    if sweep.card.exists():
        assert json.loads(sweep.card.read_text())["trial"] < len(results)


def todays(every: int, calls: int) -> range:
    """Those of so many calls, counted from 1, that a long test takes today: in so many days each has its turn.

    All of them where EVERY_CALL is set in the environment.
    """
    if os.environ.get("EVERY_CALL"):
        return range(1, calls + 1)
    return range(1 + date.today().toordinal() % every, calls + 1, every)


def looks(sweep: SweepFolder) -> int:
    return reader.read_facts(sweep).test_looks


def survived(folder: Path, space: str, *faults: dict[str, Any]) -> list[Ended]:
    """How a sweep ended by each fault in turn, going on each time; at last it must end as one that nothing befell."""
    sweep = folder_of(folder, space)
    ended = []
    for fault in faults:
        ended.append(run_space(folder, space, **fault))
        check_sound(sweep)
    facts = reader.read_facts(sweep) if sweep.exists() else None
    looks_to_come = 1 if facts is None else facts.test_looks + (facts.test is None)  # a look without scores is repeated
    looks_to_come *= space != "function"
    run_space(folder, space).ok()
    assert outcome(sweep) == whole(space)[2], faults
    assert looks(sweep) == looks_to_come, faults
    return ended
