"""Publish a sweep's record: as a folder with a page and two tables, or as runs of a tracker, for example MLflow.

Both functions can follow a running sweep. They only read the record, so a tracker's failure never stops a sweep.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from keras_sweep.api.events import TrialsLogged
from keras_sweep.api.trackers import MLflow, TensorBoard, Tracker, WandB, make_run
from keras_sweep.errors import MissingPackage, SweepError, UsageError
from keras_sweep.files.atomic import check_place, write_folder, write_text
from keras_sweep.record.lock import living_owner
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder, last_change
from keras_sweep.space.plugins import Plugins, find_member
from keras_sweep.sweep.card import is_card_of, read_kept_card
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.views.leaderboard.formats import leaderboard_csv, leaderboard_markdown
from keras_sweep.views.report.facts import PageContent
from keras_sweep.views.report.page import page_of
from keras_sweep.views.terminal.console import error_lines

TRACKERS: Plugins[type[Tracker]] = Plugins(
    "tracker", "keras_sweep.trackers", {"mlflow": MLflow, "wandb": WandB, "tensorboard": TensorBoard}
)
PAGE = "index.html"
MARK = '<meta name="generator" content="keras-sweep report">'
EVERY = 2.0  # seconds between two checks whether a record has changed
# After writing a report, wait this many times as long as writing took: a large sweep takes long to read.
SHARE = 5


def write_report(opened: OpenSweep, place: Path | None = None, *, watch: bool = False) -> Path:
    """Write the report of a sweep into the folder `place`, by default `reports/NAME`; return the path of its page.

    With `watch` the report is written again after each change of the record, until the sweep has ended. If the sweep
    was opened without `trust` and its record names code, the page does not show the rows that the winner gets wrong.

    Raises:
        UsageError: `place` has files that are not of a report.
        RecordError: the record can't be read, or the report can't be written.
    """
    place = Path("reports") / opened.folder.name if place is None else place
    check_place(place, PAGE, MARK)
    for _ in follow_record(opened.folder, share=SHARE):
        facts = PageContent.read(opened)
        tables = {"leaderboard.md": leaderboard_markdown(facts.ranking), "leaderboard.csv": leaderboard_csv(facts.rows)}
        write_folder(place, {**tables, PAGE: page_of(facts, datetime.now(UTC))})
        if not watch:
            break
    return place / PAGE


def follow_record(folder: SweepFolder, *, share: int = 0) -> Iterator[bool]:
    """Yield True while a process runs the sweep, else False: now, after each change of the record, and at the end.
    After each True, pause at least EVERY seconds and at least `share` times as long as the caller worked."""
    running = True
    while running:
        running, changed, began = living_owner(folder) is not None, last_change(folder), time.monotonic()
        yield running
        time.sleep(max(EVERY, share * (time.monotonic() - began)) if running else 0.0)
        while running and last_change(folder) == changed and living_owner(folder) is not None:
            time.sleep(EVERY)


def log_sweep(opened: OpenSweep, to: str, *, output: Path | None = None, follow: bool = False) -> str:
    """Log every trial that is missing or out of date in the tracker `to`. Return where the tracker keeps the runs.

    With `follow` new trials are logged until the sweep has ended. The winner's model and the report page are logged
    only if no process runs the sweep. `output`: the folder for the runs of "tensorboard"; None for other trackers.

    Raises:
        UsageError: no tracker has this name, or its package is missing.
        SweepError: the tracker fails, or the record can't be read.
    """
    if output is not None and to != "tensorboard":
        hint = f"Leave it out: environment variables of {to} choose the place"
        raise UsageError(f"`--output` is only for tensorboard, but got it for {to}", hint=hint)
    with raising_sweep_errors(to):
        tracker = find_member(TRACKERS, "tracker", to)(opened.folder.name, output)
        marks = dict(tracker.marks())
    for running in follow_record(opened.folder):
        sweep, new = RecordedSweep.read(opened.folder), 0
        best = None if running else sweep.best
        for result in sweep.results:
            run = make_run(sweep, result, is_winner=result is best)
            if marks.get(run.id) == run.mark:
                continue
            with tempfile.TemporaryDirectory() as place:
                files = winner_files(opened, Path(place)) if result is best else []
                with raising_sweep_errors(to):
                    tracker.log(run, files)
            marks[run.id] = run.mark
            new += 1
        if new or not running:
            opened.emit(TrialsLogged(new, len(sweep.results)))
        if not follow:
            break
    return tracker.place


def winner_files(opened: OpenSweep, place: Path) -> list[Path]:
    """Write the report page into the folder `place`. Return the files to log with the winner: [model, card, page], or
    [page] if the record has no model of this winner."""
    content, page, folder = PageContent.read(opened), place / PAGE, opened.folder
    write_text(page, page_of(content, datetime.now(UTC)))
    sweep = content.sweep
    is_kept = is_card_of(read_kept_card(folder, sweep.facts), sweep.training(None), sweep.facts.seed)
    return [folder.best, folder.card, page] if is_kept else [page]


@contextmanager
def raising_sweep_errors(to: str) -> Iterator[None]:
    try:
        yield
    except SweepError:
        raise
    except ModuleNotFoundError as error:
        raise MissingPackage(f"{error.name} is not installed", hint=f"pip install 'keras-sweep[{to}]'") from None
    # Packages raise any class of exception: for a lost connection, a refused name, a full disk.
    except Exception as error:
        hint = "Logged trials are kept. The same command logs the rest"
        raise SweepError(f"{to} failed: {' '.join(error_lines(error)).removesuffix('.')}", hint=hint) from error
