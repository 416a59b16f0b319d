"""The live board: what a sweep does, drawn in place on a terminal until it ends."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from keras_sweep.space.text import escaped
from keras_sweep.trial.events import Event, FinalistsChosen, Noticed, TrialEnded
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.views.leaderboard.notes import interval_text
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.leaderboard.table import LeaderboardTable
from keras_sweep.views.running.sweep_progress import SweepProgress, phase_text
from keras_sweep.views.terminal.console import drawing_of
from keras_sweep.views.terminal.drawing import Drawing, sparkline
from keras_sweep.views.terminal.messages import print_notice
from keras_sweep.views.terminal.text import (
    count_text,
    elapsed_text,
    number_text,
    params_text,
    score_text,
    seconds_text,
    shorten,
)

TOP = 8  # rows of the leaderboard
TRAINING = 4  # trials in training that are shown
SHOWN_FAILURES = 10  # of one reason; more are only counted
HEAD_LINES = 5  # four and the one that the cursor stands on
TABLE_LINES = 4  # of the leaderboard beside its rows: a gap, a header in two lines, a rule
CURVE = 12  # cells of a curve in training
REFRESHES_PER_SECOND = 5.0


class LiveBoard:
    """A listener and context manager; leaving it takes the board away and gives the terminal back as it was.

    Events only move counters; a thread draws the board, so their number does not slow the sweep.
    """

    def __init__(self, console: Console, *, top: int = TOP) -> None:
        self.progress = SweepProgress(keep=top)
        self._console = console
        self._drawing = drawing_of(console)
        self._failures: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._ended = False
        self._live = Live(
            console=console,
            get_renderable=self._board,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended = True  # the last frame is drawn whole, whatever the terminal's height: it must be an empty one
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take in an event; failures and notices are printed above the board, where they stay."""
        with self._lock:
            self.progress(event)
        if isinstance(event, Noticed):
            print_notice(self._console, event.message)
        elif isinstance(event, FinalistsChosen) and event.note:
            print_notice(self._console, event.note)
        elif isinstance(event, TrialEnded) and event.result.state is TrialState.FAIL:
            self._failed(event.result)

    def _failed(self, result: Result) -> None:
        reason = result.reason or "failed"
        self._failures[reason] += 1
        if self._failures[reason] > SHOWN_FAILURES:
            return
        text = Text(f"trial {result.number} failed: ", style="red")
        params = {name: value for name, value in result.params.items() if name in self.progress.columns}
        text.append(f"{escaped(reason)}  ", style="red").append(params_text(params or result.params), style="dim")
        if self._failures[reason] == SHOWN_FAILURES:
            text.append("  (more of these are only counted)", style="dim")
        self._console.print(text)

    def _board(self) -> RenderableType:
        if self._ended:
            return Text()
        with self._lock:
            return board(self.progress, self._console)


def board(progress: SweepProgress, console: Console) -> RenderableType:
    """The board as it stands, for the width and height that `console` has now."""
    width, height = console.size
    drawing = drawing_of(console)
    if progress.started is None:
        return _phase_line(progress, width, drawing)
    room = TRAINING if height >= 24 else 2 if height >= 18 else 0
    training = min(len(progress.training) or len(progress.finalists_training), room)
    rows = height - HEAD_LINES - TABLE_LINES - (training + 2 if training else 0)
    parts: list[RenderableType] = [_headline(progress, width, drawing), _bar_line(progress, width, drawing)]
    parts += [_phase_line(progress, width, drawing), _counts_line(progress, width, drawing)]
    if progress.best and rows > 0:
        shown = leaderboard_rows(progress.best, progress.objective)[:rows]
        table = LeaderboardTable(
            shown, progress.objective, varying=progress.columns, notes=False, timing=False, scale=progress.scale
        )
        parts += [Text(), table]
    if training:
        parts += [Text(), *_training_lines(progress, training, width, drawing)]
    return Group(*parts)


def _headline(progress: SweepProgress, width: int, drawing: Drawing) -> Text:
    started = progress.started
    assert started is not None
    name = shorten(escaped(started.name), max(width // 3, 8), drawing.ellipsis)
    rest = f" {drawing.dot} {escaped(started.engine)} {drawing.dot} {escaped(started.runner)}"
    text = Text(name, style="bold")
    text.append(shorten(rest, width - text.cell_len, drawing.ellipsis), style="dim")
    return text


def _bar_line(progress: SweepProgress, width: int, drawing: Drawing) -> Text:
    count = f"{progress.done:,}/{progress.total:,} trials"
    times = [elapsed_text(progress.elapsed)]
    if progress.remaining is not None:
        times.append(f"about {seconds_text(progress.remaining)} left")
    words = f"  {count}  " + f" {drawing.dot} ".join(times)
    longest = f"  {progress.total:,}/{progress.total:,} trials  59m59s {drawing.dot} about 59m59s left"
    room = min(width - max(len(words), len(longest)), 40)  # so that the bar keeps its length
    text = Text()
    if room >= 8:
        whole = progress.before + progress.trained
        share = whole / progress.total if progress.total else 0.0
        filled = round(min(share, 1.0) * room)
        text.append(drawing.full * filled, style="green").append(drawing.track * (room - filled), style="dim")
    else:
        words = words.strip()
    text.append(shorten(words, width, drawing.ellipsis))
    return text


def _phase_line(progress: SweepProgress, width: int, drawing: Drawing) -> Text:
    """`⠹ compiling 3 of 8 programs  12 s`."""
    turn = drawing.spinner[int(progress.elapsed * REFRESHES_PER_SECOND) % len(drawing.spinner)]
    words = f" {phase_text(progress.phase)}  {elapsed_text(progress.phase_seconds)}"
    return Text.assemble((turn, "cyan"), shorten(words, max(width - 1, 1), drawing.ellipsis))


def _counts_line(progress: SweepProgress, width: int, drawing: Drawing) -> Text:
    parts = [count_text(progress.epochs, "epoch")]
    if progress.elapsed >= 1 and progress.epochs:
        parts[0] += f" ({number_text(progress.epochs / progress.elapsed, 2)}/s)"
    if (chosen := progress.finalists) is not None:
        total = len(chosen.recipes) * len(chosen.seeds)
        so_far = f"{len(progress.finalists_ended)} of {count_text(total, 'finalist')} trained"
        parts = [
            so_far,
            *([f"expected: {interval_text(chosen.estimate)}"] if chosen.estimate is not None else []),
            *parts,
        ]
    elif progress.generation is not None:
        parts.append(f"generation {progress.generation + 1}")
    if pruned := progress.counts[TrialState.PRUNED]:
        parts.append(f"{pruned:,} pruned")
    if failed := progress.counts[TrialState.FAIL]:
        parts.append(f"{failed:,} failed")
    return Text(shorten(f" {drawing.dot} ".join(parts), width, drawing.ellipsis), style="dim")


def _training_lines(progress: SweepProgress, count: int, width: int, drawing: Drawing) -> list[Text]:
    """Those furthest on; one line each."""
    if progress.finalists_training:
        return _finalist_lines(progress, count, width, drawing)
    order = sorted(progress.training, key=lambda number: (-len(progress.training[number].values), number))
    shown = sorted(order[:count])
    scale = progress.scale
    digits = max(len(str(number)) for number in shown)
    lines = []
    for number in shown:
        trial = progress.training[number]
        done = f"{len(trial.values)}/{trial.epochs}" if trial.epochs else f"{len(trial.values)}"
        last = score_text(trial.values[-1]) if trial.values else ""
        line = f"trial {number:>{digits}}  {done:>7}  {last:>6}  "
        line += f"{sparkline(trial.values, drawing, width=CURVE, scale=scale):{CURVE}}  "
        params = {name: value for name, value in trial.params.items() if name != "epochs" and name in progress.columns}
        text = Text(shorten(line + params_text(params), width, drawing.ellipsis), style="dim")
        lines.append(text)
    heading = f"training {count_text(len(progress.training), 'trial')}"
    return [Text(heading, style="bold"), *lines]


def _finalist_lines(progress: SweepProgress, count: int, width: int, drawing: Drawing) -> list[Text]:
    training = progress.finalists_training
    asked = {result.number: result.epochs for result in progress.leading}
    lines = [Text(f"training {count_text(len(training), 'finalist')}", style="bold")]
    for (recipe, seed), epochs in sorted(training.items())[:count]:
        done = f"{epochs}/{asked[recipe]}" if recipe in asked else f"{epochs}"
        lines.append(Text(shorten(f"trial {recipe}  seed {seed}  {done:>7}", width, drawing.ellipsis), style="dim"))
    return lines
