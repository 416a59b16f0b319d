"""Write leaderboards, trials and a running sweep as HTML that suits light and dark themes of notebooks."""

import threading
import time
import warnings
from collections.abc import Container, Iterable, Sequence
from html import escape as escape_html
from typing import Any, Self

from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escape, pluralize
from keras_sweep.sweep.events import SweepEnded
from keras_sweep.trial.events import Event, Noticed
from keras_sweep.trial.ranking import seed_scores
from keras_sweep.trial.result import Result
from keras_sweep.views.leaderboard.rows import Ranking, leaderboard_rows
from keras_sweep.views.leaderboard.texts import leaderboard_columns, leaderboard_notes, lines_of, seeds_texts
from keras_sweep.views.running.sweep_progress import SweepProgress
from keras_sweep.views.terminal.table import Column
from keras_sweep.views.terminal.text import CurveScale, score_text, seconds_text, sparkline, value_text

# Only currentColor and transparency, so that the style suits every theme.
STYLE = (
    "<style>.keras-sweep table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".keras-sweep th,.keras-sweep td{padding:.2em .7em;text-align:left;border:0;background:none}"
    ".keras-sweep .n{text-align:right}"
    ".keras-sweep thead th{border-bottom:1px solid color-mix(in srgb,currentColor 40%,transparent)}"
    ".keras-sweep tr.best td{font-weight:600}"
    ".keras-sweep p,.keras-sweep caption{opacity:.75;margin:.3em 0;text-align:left;caption-side:top}</style>"
)
TOP = 5  # rows of the leaderboard while a sweep runs
SECONDS = 0.5  # between two drawings of a running sweep, at least


def leaderboard_html(ranking: Ranking, *, title: str = "", notes: bool = True) -> str:
    if not ranking.rows:
        return answer_html("", [], ["No trials."])
    columns = leaderboard_columns(ranking)
    lines = [(row.winner, texts) for row in ranking.rows for texts in lines_of(row, columns)]
    cells = zip(*(texts for _, texts in lines), strict=True)
    shown = [Column(column.head, texts, right=column.number) for column, texts in zip(columns, cells, strict=True)]
    best = [place for place, (winner, _) in enumerate(lines) if winner]
    return answer_html(title, shown, leaderboard_notes(ranking) if notes else (), best)


def trial_html(result: Result, objective: Objective) -> str:
    score = score_text(result.value, result.stderr) if result.value is not None else str(result.state)
    facts = {name: value_text(value) for name, value in result.params.items()}
    if (seeds := seed_scores(result)) is not None:
        facts |= [seeds_texts(seeds)]
    facts |= {"epochs trained": str(result.epochs), "time": seconds_text(result.seconds.total)}
    if result.reason:
        facts["ended"] = result.reason
    if len(curve := result.curve.get(objective.name, ())) > 1:
        facts["curve"] = sparkline(curve, CurveScale([curve], objective.goal))
    columns = [Column("", list(facts)), Column("", list(facts.values()))]
    return answer_html(f"{result.name}: {objective.name} {score}", columns)


def answer_html(title: str, columns: Sequence[Column], lines: Iterable[str] = (), best: Container[int] = ()) -> str:
    """Return an HTML table with the caption `title` and the paragraphs `lines` below. `best`: indices of bold rows."""
    numbers = [' class="n"' if column.right else "" for column in columns]
    names = (f'<th scope="col"{number}>{_text(c.header)}</th>' for c, number in zip(columns, numbers, strict=True))
    head = f"<thead><tr>{''.join(names)}</tr></thead>" if any(column.header for column in columns) else ""
    body = ""
    for place, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        inner = "".join(f"<td{number}>{_text(str(cell))}</td>" for cell, number in zip(cells, numbers, strict=True))
        body += f'<tr class="best">{inner}</tr>' if place in best else f"<tr>{inner}</tr>"
    table = f"<table><caption>{_text(title)}</caption>{head}<tbody>{body}</tbody></table>"
    return f'{STYLE}<div class="keras-sweep">{table}{"".join(f"<p>{_text(line)}</p>" for line in lines)}</div>'


def _text(text: str) -> str:
    return escape_html(escape(text))


class NotebookBoard:
    """Show a running sweep in a notebook. Use the board in a `with` block, and call it with each event."""

    def __init__(self) -> None:
        self._progress = SweepProgress()
        self._notices: list[str] = []
        self._handle: Any = None
        self._drawn = 0.0
        self._ended: SweepEnded | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        from IPython.display import HTML, display

        with warnings.catch_warnings():
            # Optuna's progress bar warns without ipywidgets, which this board does not need.
            warnings.simplefilter("ignore")
            import tqdm.auto  # noqa: F401
        self._handle = display(HTML(self.html()), display_id=True)
        return self

    def __exit__(self, *raised: object) -> None:
        from IPython.display import HTML, display

        # The end is an output of its own: a cell may be cleared while it runs, and some frontends ignore updates.
        if self._handle is not None:
            self._handle.update({"text/html": "", "text/plain": ""}, raw=True)
            if self._progress.started or self._notices:
                display(HTML(self.html()))

    def __call__(self, event: Event) -> None:
        from IPython.display import HTML

        with self._lock:
            self._progress(event)
            if isinstance(event, Noticed):
                self._notices.append(event.message)
            if isinstance(event, SweepEnded):
                self._ended = event
            if self._handle is not None and time.monotonic() - self._drawn > SECONDS:
                self._drawn = time.monotonic()
                self._handle.update(HTML(self.html()))

    def html(self) -> str:
        progress, ended = self._progress, self._ended
        name, total = (progress.started.name, progress.started.total) if progress.started else ("sweep", 0)
        words = f"{name}: {progress.done} of {pluralize(total, 'trial')}, {seconds_text(progress.elapsed)}"
        bar = f'<progress max="{total or 1}" value="{progress.done}" aria-label="{_text(words)}"></progress>'
        notices = "".join(f"<p>{_text(text)}</p>" for text in self._notices)
        reason = f": {_text(ended.reason)}" if ended else ""
        comparison = ended.comparison if ended else None
        rows = leaderboard_rows(ended.results if ended else progress.leading, progress.objective, comparison)
        ranking = Ranking(progress.objective, comparison, rows, rows[:TOP])
        table = leaderboard_html(ranking, notes=ended is not None) if rows else ""
        return f'<div class="keras-sweep">{bar} {_text(words)}{reason}{notices}</div>{table}'
