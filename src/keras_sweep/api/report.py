"""A sweep's record into a folder of a page and two tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_sweep.errors import RecordError, SweepError
from keras_sweep.files.atomic import check_place, write_folder
from keras_sweep.record.facts import Facts
from keras_sweep.record.lock import living_owner
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.card import own_card
from keras_sweep.sweep.comparison import RecordedSweep, missed_rows
from keras_sweep.sweep.recorded import SweepAccess
from keras_sweep.views.leaderboard.formats import leaderboard_csv, leaderboard_markdown
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.report.facts import SweepFacts
from keras_sweep.views.report.page import page_of

if TYPE_CHECKING:
    from keras_sweep.sweep.winner import ValidationOutputs

REPORTS_DIR = Path("reports")
PAGE = "index.html"
MARK = '<meta name="generator" content="keras-sweep report">'
EVERY = 2.0  # seconds between two looks at a record that may have grown
SHARE = 5  # of the time that writing took is waited
STILL_RUNS = "the sweep still runs"
NO_WINNER = "no trial has won"


def write_report(access: SweepAccess, place: Path | None = None) -> Path:
    """Write the report of a sweep, by default into `reports/NAME`; returns the page's path.

    Where code that the record names is not trusted, the page does not say what its winner gets wrong.

    Raises:
        UsageError: something stands there that this program did not write.
        RecordError: the record can't be read, or the disk fails.
    """
    place = REPORTS_DIR / access.folder.name if place is None else place
    check_place(place, PAGE, MARK)
    facts = sweep_facts(access.folder, lambda: _outputs(access))
    files = {
        PAGE: page_of(facts, datetime.now(UTC)),
        "leaderboard.md": leaderboard_markdown(facts.rows, facts.objective, facts.comparison),
        "leaderboard.csv": leaderboard_csv(facts.rows),
    }
    write_folder(place, files, PAGE, MARK)
    return place / PAGE


def watch_report(access: SweepAccess, place: Path | None = None) -> Path:
    """Write the report again and again while the sweep runs, and once more when it has ended; returns the page's path.

    Raises as `write_report`.
    """
    folder = access.folder
    while True:
        running, stamp, began = living_owner(folder) is not None, _stamp(folder), time.monotonic()
        page = write_report(access, place)
        if not running:
            return page
        took = time.monotonic() - began
        time.sleep(max(EVERY, SHARE * took))  # a large sweep is read for long: the sweep itself comes first
        while _stamp(folder) == stamp and living_owner(folder) is not None:
            time.sleep(EVERY)


def _stamp(folder: SweepFolder) -> list[tuple[int, int]]:
    """What changes when the record grows."""
    files = (folder.study, folder.study.with_name(folder.study.name + "-wal"))
    found = [path.stat() for path in files if path.exists()]
    return [(one.st_mtime_ns, one.st_size) for one in found]


def sweep_facts(folder: SweepFolder, outputs: Callable[[], ValidationOutputs | str]) -> SweepFacts:
    """Read a sweep's record, which may be growing. Raises RecordError.

    `outputs` gives those of the winner; it is called where there is one and the sweep does not run.
    """
    sweep = RecordedSweep.read(folder)
    running = living_owner(folder) is not None
    winner = None if sweep.best is None else sweep.best.number
    return SweepFacts(
        name=folder.name,
        objective=sweep.objective,
        record=sweep.facts,
        rows=leaderboard_rows(sweep.results, sweep.objective, sweep.comparison, seed=sweep.facts.seed),
        comparison=sweep.comparison,
        results={result.number: result for result in sweep.results},
        card=_card(folder, sweep.facts, winner),
        running=running,
        outputs=outputs() if winner is not None and not running else STILL_RUNS if running else NO_WINNER,
        missed=None if running else missed_rows(sweep),
    )


def _outputs(access: SweepAccess) -> ValidationOutputs | str:
    """Those of the winner, or why there are none: the page is right without them."""
    from keras_sweep.sweep.winner import winner_outputs

    try:
        return winner_outputs(access)
    except SweepError as error:
        return f"{error.message}. {error.hint}" if error.hint else error.message
    except Exception as error:  # weights that do not fit, a layer that is not there, code of the user's
        return f"the winner's model can't be used ({type(error).__name__}: {error})"


def _card(folder: SweepFolder, facts: Facts, winner: int | None) -> Mapping[str, Any]:
    """The card of the winner's model; {} where there is none, or it is of another trial or altered."""
    try:
        card = own_card(folder, facts)
    except RecordError:
        return {}
    return card if card.get("trial") == winner else {}
