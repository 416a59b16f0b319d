"""A sweep's record for others to look at: as a folder of a page and two tables, and as runs of a tracker.

Both may follow a sweep that runs. The record is read alone: no fault of a tracker's touches a sweep.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from keras_sweep.api.events import TrialsLogged
from keras_sweep.api.trackers import MLflow, TensorBoard, Tracker, WandB, run_of
from keras_sweep.errors import MissingPackage, SweepError, UsageError
from keras_sweep.files.atomic import check_place, write_folder, write_text
from keras_sweep.record.lock import living_owner
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder, last_change
from keras_sweep.space.plugins import Plugins, member_of
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
EVERY = 2.0  # seconds between two looks at a record that may have grown
SHARE = 5  # of the time that writing took is waited


def write_report(opened: OpenSweep, place: Path | None = None, *, watch: bool = False) -> Path:
    """Write the report of a sweep, by default into `reports/NAME`; with `watch` until it has ended; returns the page.

    Where code that the record names is not trusted, the page does not say what its winner gets wrong. Raises UsageError
    where something stands there that this program did not write, and RecordError.
    """
    place = Path("reports") / opened.folder.name if place is None else place
    check_place(place, PAGE, MARK)
    for _ in looks(opened.folder, share=SHARE):  # a large sweep is read for long: the sweep itself comes first
        facts = PageContent.read(opened)
        tables = {"leaderboard.md": leaderboard_markdown(facts.ranking), "leaderboard.csv": leaderboard_csv(facts.rows)}
        write_folder(place, {**tables, PAGE: page_of(facts, datetime.now(UTC))})
        if not watch:
            break
    return place / PAGE


def looks(folder: SweepFolder, *, share: int = 0) -> Iterator[bool]:
    """When to look at a sweep: now, after each change while it runs, and when it has ended; gives whether it runs.

    Between two looks is at least EVERY, or so many times as long as the look took.
    """
    running = True
    while running:
        running, changed, began = living_owner(folder) is not None, last_change(folder), time.monotonic()
        yield running
        time.sleep(max(EVERY, share * (time.monotonic() - began)) if running else 0.0)
        while running and last_change(folder) == changed and living_owner(folder) is not None:
            time.sleep(EVERY)


def log_sweep(opened: OpenSweep, to: str, *, output: Path | None = None, follow: bool = False) -> str:
    """Log the trials that the tracker does not have, or has otherwise; returns where.

    With `follow` this goes on until the sweep has ended. The winner's model and page are logged once nobody runs it.

    Raises UsageError: there is no such tracker, or its package is missing; SweepError: it fails; RecordError.
    """
    if output is not None and to != "tensorboard":
        raise UsageError(f"`--output` is for tensorboard, but got it for {to}", hint="Variables of its own say where")
    with plain_faults(to):
        tracker = member_of(TRACKERS, "tracker", to)(opened.folder.name, output)
        marks = dict(tracker.marks())
    for running in looks(opened.folder):
        sweep, new = RecordedSweep.read(opened.folder), 0
        best = None if running else sweep.best
        for result in sweep.results:
            run = run_of(sweep, result, is_winner=result is best)
            if marks.get(run.id) == run.mark:
                continue
            with tempfile.TemporaryDirectory() as place:
                files = winner_files(opened, Path(place)) if result is best else []
                with plain_faults(to):
                    tracker.log(run, files)
            marks[run.id] = run.mark
            new += 1
        if new or not running:
            opened.emit(TrialsLogged(new, len(sweep.results)))
        if not follow:
            break
    return tracker.place


def winner_files(opened: OpenSweep, place: Path) -> list[Path]:
    """The winner's model and card, if the sweep has written them, and its page, which is written into `place`."""
    content, page, folder = PageContent.read(opened), place / PAGE, opened.folder
    write_text(page, page_of(content, datetime.now(UTC)))
    sweep = content.sweep
    is_kept = is_card_of(read_kept_card(folder, sweep.facts), sweep.training(None), sweep.facts.seed)
    return [folder.best, folder.card, page] if is_kept else [page]


@contextmanager
def plain_faults(to: str) -> Iterator[None]:
    """Raise SweepError for what a tracker's package raises."""
    try:
        yield
    except SweepError:
        raise
    except ModuleNotFoundError as error:
        raise MissingPackage(f"{error.name} is not installed", hint=f"pip install 'keras-sweep[{to}]'") from None
    except Exception as error:  # of a connection, a name that is refused, a full disk: any class of any package
        hint = "What was logged before stays there; the same call logs the rest"
        raise SweepError(f"{to} failed: {' '.join(error_lines(error)).removesuffix('.')}", hint=hint) from error
