"""Show a running sweep: a live board on a terminal, elsewhere plain lines or only notices."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Self, TypeAlias

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from keras_sweep.space.text import escape, pluralize
from keras_sweep.sweep.events import FinalistsChosen, SweepStarted, TrialEnded
from keras_sweep.trial.events import Event, Listener, Noticed
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.views.leaderboard.rows import Ranking, leaderboard_rows
from keras_sweep.views.leaderboard.table import leaderboard_table
from keras_sweep.views.leaderboard.texts import interval_text
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.running.sweep_progress import SweepProgress, phase_text
from keras_sweep.views.terminal.console import print_notice, stderr_console
from keras_sweep.views.terminal.text import (
    SPINNER,
    bar,
    format_elapsed,
    number_text,
    params_text,
    score_text,
    seconds_text,
    shorten,
    sparkline,
)

TOP = 8  # rows of the leaderboard
TRAINING = 4  # trials in training that are shown
SHOWN_FAILURES = 10  # with the same reason; more are only counted
HEAD_LINES = 5  # four, and the line of the cursor
TABLE_LINES = 4  # of the leaderboard without its rows: a gap, a header in two lines, a rule
CURVE = 12  # cells of a curve in training
REFRESHES_PER_SECOND = 5.0
View: TypeAlias = AbstractContextManager[Listener]  # entered before the sweep, left after it


class LiveBoard:
    """Draw a running sweep on a terminal. Use the board in a `with` block, and call it with each event.

    A thread draws the board, so events do not slow the sweep. Failures and notices stay printed above the board.
    """

    def __init__(self, console: Console) -> None:
        self.progress = SweepProgress()
        self._console = console
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
        # Rich draws the last frame whole, even if it is higher than the terminal, so that frame must be empty.
        self._ended = True
        self._live.stop()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self.progress(event)
        if isinstance(event, SweepStarted) and event.rows:
            self._console.print(Text(event.rows, style="dim"))
        elif isinstance(event, Noticed):
            print_notice(self._console, event.message, warns=event.warns)
        elif isinstance(event, FinalistsChosen) and event.note:
            print_notice(self._console, event.note)
        elif isinstance(event, TrialEnded) and event.result.state is TrialState.FAIL:
            self._print_failure(event.result)

    def _print_failure(self, result: Result) -> None:
        reason = result.reason or "failed"
        self._failures[reason] += 1
        if self._failures[reason] > SHOWN_FAILURES:
            return
        params = {name: value for name, value in result.params.items() if name in self.progress.columns}
        text = Text(f"trial {result.number} failed: {escape(reason)}  ", style="red")
        text.append(params_text(params or result.params), style="dim")
        if self._failures[reason] == SHOWN_FAILURES:
            text.append("  (more failures like this are only counted)", style="dim")
        self._console.print(text)

    def _board(self) -> RenderableType:
        if self._ended:
            return Text()
        with self._lock:
            return draw_board(self.progress, self._console)


def draw_board(progress: SweepProgress, console: Console) -> RenderableType:
    width, height = console.size
    if progress.started is None:
        return _phase_line(progress, width)
    room = TRAINING if height >= 24 else 2 if height >= 18 else 0
    training = min(len(progress.training) or len(progress.finalists_training), room)
    rows = height - HEAD_LINES - TABLE_LINES - (training + 2 if training else 0)
    head = Text(shorten(escape(progress.started.name), max(width // 3, 8)), style="bold")
    engine_text = f" · {escape(progress.started.engine)} · {escape(progress.started.runner)}"
    head.append(shorten(engine_text, width - head.cell_len), style="dim")
    parts: list[RenderableType] = [head, _bar_line(progress, width)]
    parts += [_phase_line(progress, width), _counts_line(progress, width)]
    if progress.leading and rows > 0:
        best = leaderboard_rows(progress.leading[:TOP], progress.objective)
        ranking = Ranking(progress.objective, None, best, best[:rows])
        names, scale = progress.columns, progress.scale
        table, _ = leaderboard_table(ranking, width, parameters=names, timing=False, scale=scale)
        parts += [Text(), table]
    if training:
        lines = _finalist_lines(progress) if progress.finalists_training else _training_lines(progress, training)
        shortened = (Text(shorten(line, width), style="dim") for line in lines[1 : training + 1])
        parts += [Text(), Text(lines[0], style="bold"), *shortened]
    return Group(*parts)


def _bar_line(progress: SweepProgress, width: int) -> Text:
    words = f"  {progress.done:,}/{progress.total:,} trials  {format_elapsed(progress.elapsed)}"
    if progress.remaining is not None:
        words += f" · about {seconds_text(progress.remaining)} left"
    longest = f"  {progress.total:,}/{progress.total:,} trials  59m59s · about 59m59s left"
    room = min(width - max(len(words), len(longest)), 40)  # the bar keeps its length while times grow
    if room < 8:
        return Text(shorten(words.strip(), width))
    return Text.assemble((bar(progress.trained / max(progress.total, 1), room), "green"), words)


def _phase_line(progress: SweepProgress, width: int) -> Text:
    turn = SPINNER[int(progress.elapsed * REFRESHES_PER_SECOND) % len(SPINNER)]
    words = f" {phase_text(progress.phase)}  {format_elapsed(progress.phase_seconds)}"
    return Text.assemble((turn, "cyan"), shorten(words, max(width - 1, 1)))


def _counts_line(progress: SweepProgress, width: int) -> Text:
    parts = [pluralize(progress.epochs, "epoch")]
    if progress.elapsed >= 1 and progress.epochs:
        parts[0] += f" ({number_text(progress.epochs / progress.elapsed, 2)}/s)"
    if (chosen := progress.finalists) is not None:
        total = len(chosen.recipes) * len(chosen.seeds)
        if (estimate := chosen.estimate()) is not None:
            parts.insert(0, f"expected: {interval_text(estimate)}")
        parts.insert(0, f"{len(progress.finalists_ended)} of {pluralize(total, 'finalist')} trained")
    elif progress.generation is not None:
        parts.append(f"generation {progress.generation}")
    if pruned := progress.counts[TrialState.PRUNED]:
        parts.append(f"{pruned:,} pruned")
    if failed := progress.counts[TrialState.FAIL]:
        parts.append(f"{failed:,} failed")
    return Text(shorten(" · ".join(parts), width), style="dim")


def _training_lines(progress: SweepProgress, most: int) -> list[str]:
    by_epochs = sorted(progress.training, key=lambda number: (-len(progress.training[number].values), number))
    shown = sorted(by_epochs[:most])
    digits = max(len(str(number)) for number in shown)
    lines = [f"training {pluralize(len(progress.training), 'trial')}"]
    for number in shown:
        trial = progress.training[number]
        done = f"{len(trial.values)}/{trial.epochs}" if trial.epochs else f"{len(trial.values)}"
        last = score_text(trial.values[-1]) if trial.values else ""
        curve = sparkline(trial.values, progress.scale, width=CURVE)
        params = {name: value for name, value in trial.params.items() if name != "epochs" and name in progress.columns}
        lines.append(f"trial {number:>{digits}}  {done:>7}  {last:>6}  {curve:{CURVE}}  {params_text(params)}")
    return lines


def _finalist_lines(progress: SweepProgress) -> list[str]:
    epochs_of = {result.number: result.epochs for result in progress.leading}
    lines = [f"training {pluralize(len(progress.finalists_training), 'finalist')}"]
    for (recipe, seed), epochs in sorted(progress.finalists_training.items()):
        done = f"{epochs}/{epochs_of[recipe]}" if recipe in epochs_of else f"{epochs}"
        lines.append(f"trial {recipe}  seed {seed}  {done:>7}")
    return lines


def notices_alone(console: Console) -> View:
    def show(event: Event) -> None:
        if isinstance(event, Noticed):
            print_notice(console, event.message, warns=event.warns)

    return nullcontext(show)


class OutputMayVanish:
    """Pass events to `view` until its terminal, pipe or log disappears. Ignore later events, so the sweep continues."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._show: Listener | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._show = self._view.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        with suppress(OSError):
            if self._show is not None:
                self._view.__exit__(*raised)

    def __call__(self, event: Event) -> None:
        try:
            if self._show is not None:
                self._show(event)
        except OSError:  # EPIPE: the reader is gone; EIO: the terminal is closed; ENOSPC: the disk is full
            self._show = None


def progress_view(elsewhere: Callable[[Console], View] = PlainLines) -> View:
    """Return a live board on stderr if it is a terminal, else `elsewhere(console of stderr)`."""
    console = stderr_console()
    # `console.is_terminal` would be true for a pipe with FORCE_COLOR.
    has_board = console.file.isatty() and not console.is_dumb_terminal
    return LiveBoard(console) if has_board else elsewhere(console)
