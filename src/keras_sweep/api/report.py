"""A sweep's record into a folder of a page and two tables."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from keras_sweep.files.atomic import check_place, write_folder
from keras_sweep.record.lock import living_owner
from keras_sweep.record.sweep_folder import SweepFolder, last_change
from keras_sweep.sweep.recorded import SweepAccess
from keras_sweep.views.leaderboard.formats import leaderboard_csv, leaderboard_markdown
from keras_sweep.views.report.facts import SweepFacts
from keras_sweep.views.report.page import page_of

PAGE = "index.html"
MARK = '<meta name="generator" content="keras-sweep report">'
EVERY = 2.0  # seconds between two looks at a record that may have grown
SHARE = 5  # of the time that writing took is waited


def write_report(access: SweepAccess, place: Path | None = None) -> Path:
    """Write the report of a sweep, by default into `reports/NAME`; returns the page's path.

    Where code that the record names is not trusted, the page does not say what its winner gets wrong. Raises UsageError
    where something stands there that this program did not write, and RecordError.
    """
    place = Path("reports") / access.folder.name if place is None else place
    check_place(place, PAGE, MARK)
    facts = SweepFacts.read(access)
    tables = {"leaderboard.md": leaderboard_markdown(facts.ranking), "leaderboard.csv": leaderboard_csv(facts.rows)}
    write_folder(place, {**tables, PAGE: page_of(facts, datetime.now(UTC))})
    return place / PAGE


def watch_report(access: SweepAccess, place: Path | None = None) -> Path:
    """Write the report again and again while the sweep runs, and once more when it has ended; returns the page."""
    *_, page = (write_report(access, place) for _ in looks(access.folder))
    return page


def looks(folder: SweepFolder) -> Iterator[bool]:
    """When to look at a sweep: now, after each change while it runs, and when it has ended; gives whether it runs."""
    running = True
    while running:
        running, changed, began = living_owner(folder) is not None, last_change(folder), time.monotonic()
        yield running
        took = time.monotonic() - began  # a large sweep is read for long: the sweep itself comes first
        time.sleep(max(EVERY, SHARE * took) if running else 0.0)
        while running and last_change(folder) == changed and living_owner(folder) is not None:
            time.sleep(EVERY)
