"""A sweep's record into a folder of a page and two tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keras_sweep.files.marked_folder import check_place, write_folder
from keras_sweep.files.plain_file import read_plain
from keras_sweep.record.lock import living_owner
from keras_sweep.record.reader import objective_of, read_attributes, read_results
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.views.leaderboard.formats import leaderboard_csv, leaderboard_markdown
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.report.facts import SweepFacts
from keras_sweep.views.report.page import page_of

REPORTS_DIR = Path("reports")
PAGE = "index.html"
MARK = '<meta name="generator" content="keras-sweep report">'
MOST_CARD = 2**20  # bytes


def write_report(folder: SweepFolder, place: Path | None = None) -> Path:
    """Write the report of a sweep, by default into `reports/NAME`; returns the page's path.

    Raises:
        UsageError: something stands there that this program did not write.
        RecordError: the record can't be read, or the disk fails.
    """
    place = REPORTS_DIR / folder.name if place is None else place
    check_place(place, PAGE, MARK)
    facts = read_facts(folder)
    files = {
        PAGE: page_of(facts, datetime.now(UTC)),
        "leaderboard.md": leaderboard_markdown(facts.rows, facts.objective),
        "leaderboard.csv": leaderboard_csv(facts.rows),
    }
    write_folder(place, files, PAGE, MARK)
    return place / PAGE


def read_facts(folder: SweepFolder) -> SweepFacts:
    """Read a sweep's record, which may be growing. Raises RecordError."""
    attributes = read_attributes(folder)
    results = read_results(folder)
    objective = objective_of(attributes)
    rows = leaderboard_rows(results, objective, seed=attributes.get("seed"))
    numbered = {result.number: result for result in results}
    winner = next((row.number for row in rows if row.winner), None)
    return SweepFacts(
        name=folder.name,
        objective=objective,
        attributes=attributes,
        rows=rows,
        results=numbered,
        card=_card(folder, winner),
        running=living_owner(folder) is not None,
    )


def _card(folder: SweepFolder, winner: int | None) -> Mapping[str, Any]:
    """The card of the winner's model; {} where there is none, or it is of another trial or damaged."""
    try:
        card = json.loads(read_plain(folder.card, MOST_CARD))
    except (OSError, ValueError, RecursionError):
        return {}
    return card if isinstance(card, dict) and winner is not None and card.get("trial") == winner else {}
