"""A board in a notebook: one output that is drawn anew while the sweep runs, and stays as it ended."""

from __future__ import annotations

import threading
import time
import warnings
from html import escape
from typing import Any, Self

from keras_sweep.space.text import escaped
from keras_sweep.trial.events import Event, Noticed, SweepEnded
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.notebook import leaderboard_html
from keras_sweep.views.running.sweep_progress import SweepProgress
from keras_sweep.views.terminal.text import count_text, seconds_text

TOP = 5  # rows of the leaderboard
SECONDS = 0.5  # between two drawings, at least


class NotebookBoard:
    """A listener and context manager."""

    def __init__(self) -> None:
        self._progress = SweepProgress(keep=TOP)
        self._notices: list[str] = []
        self._handle: Any = None
        self._drawn = 0.0
        self._began = time.monotonic()
        self._ended: SweepEnded | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        from IPython.display import HTML, display

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's bar asks for ipywidgets, which this board does without
            import tqdm.auto  # noqa: F401
        self._handle = display(HTML(self.html()), display_id=True)
        return self

    def __exit__(self, *raised: object) -> None:
        self._draw()

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        with self._lock:
            self._progress(event)
            if isinstance(event, Noticed):
                self._notices.append(event.message)
            if isinstance(event, SweepEnded):
                self._ended = event
            if time.monotonic() - self._drawn > SECONDS:
                self._draw()

    def html(self) -> str:
        """The board as it stands."""
        progress = self._progress
        total = progress.started.total if progress.started else 0
        seconds = seconds_text(time.monotonic() - self._began)
        name = progress.started.name if progress.started else "sweep"
        words = f"{name}: {progress.done} of {count_text(total, 'trial')}, {seconds}"
        bar = f'<progress max="{total or 1}" value="{progress.done}" aria-label="{escape(escaped(words))}"></progress>'
        table = self._table()
        notices = "".join(f"<p>{escape(escaped(text))}</p>" for text in self._notices)
        ended = f": {escape(escaped(self._ended.reason))}" if self._ended else ""
        return f'<div class="keras-sweep">{bar} {escape(escaped(words))}{ended}{notices}</div>{table}'

    def _table(self) -> str:
        """The best so far; at the end with what is to be said of them."""
        objective, ended = self._progress.objective, self._ended
        if ended is None:
            rows = leaderboard_rows(self._progress.best, objective)
            return leaderboard_html(rows, objective, of=rows, notes=False) if rows else ""
        rows = leaderboard_rows(ended.results, objective, ended.comparison)
        return leaderboard_html(rows[:TOP], objective, comparison=ended.comparison, of=rows) if rows else ""

    def _draw(self) -> None:
        from IPython.display import HTML

        self._drawn = time.monotonic()
        if self._handle is not None:
            self._handle.update(HTML(self.html()))
