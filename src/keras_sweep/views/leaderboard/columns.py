"""The columns of the leaderboard and what each row says in them, the same wherever people read it.

Terminal, Markdown, notebook and report draw this one list. Programs read the keys of `query.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escaped
from keras_sweep.trial.finalists import SeedScores
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.query import is_number
from keras_sweep.views.leaderboard.rows import LeaderboardRow, varying_names
from keras_sweep.views.terminal.drawing import UNICODE, Drawing
from keras_sweep.views.terminal.text import decimals, score_text, seconds_text, value_text

PARAMETER = "params."  # begins the key of a parameter's column


@dataclass(frozen=True, slots=True)
class LeaderboardColumn:
    """One column, before anything is drawn."""

    key: str  # as `--sort` and `--where` know it
    head: str
    text: Callable[[LeaderboardRow], str]
    number: bool = True  # its cells are numbers

    @property
    def parameter(self) -> str | None:
        """The parameter that it shows."""
        return self.key.removeprefix(PARAMETER) if self.key.startswith(PARAMETER) else None


def leaderboard_columns(
    rows: Sequence[LeaderboardRow],
    of: Sequence[LeaderboardRow],
    objective: Objective,
    drawing: Drawing = UNICODE,
    *,
    parameters: Iterable[str] | None = None,
    errors: bool = True,
    reasons: bool = True,
    over_seeds: bool = False,
    curve: Callable[[LeaderboardRow], str] | None = None,
) -> list[LeaderboardColumn]:
    """Every column there is something to say in, left to right.

    Args:
        rows: those that are shown.
        of: the whole leaderboard.
        objective: ranks them.
        drawing: the characters to write with.
        parameters: to show; by default those that differ between all trials.
        errors: write the standard error of each value. That of `behind` is always written.
        reasons: write why a trial ended early.
        over_seeds: give the mean over seeds a column, instead of a line below its trial.
        curve: draws the curve of a row; without it there is no such column.
    """
    columns = [
        LeaderboardColumn("rank", "#", lambda row: str(row.rank)),
        LeaderboardColumn("number", "trial", lambda row: str(row.number)),
        LeaderboardColumn("value", objective.name, lambda row: _score(row, drawing, errors)),
    ]
    if over_seeds and any(row.seeds is not None for row in of):
        columns.append(LeaderboardColumn("seeds_mean", "over seeds", lambda row: _over_seeds(row, drawing)))
    if is_paired(of):
        columns.append(
            LeaderboardColumn("behind", behind_head(objective), lambda row: behind_text(row, objective, pm=drawing.pm))
        )
    names = varying_names(of) if parameters is None else parameters
    columns += [_parameter(name, of, drawing) for name in names if name != "epochs"]  # which has its own column
    if any(row.imported or row.state is not TrialState.COMPLETE for row in rows):
        columns.append(
            LeaderboardColumn(
                "state", "state", lambda row: state_text(row if reasons else replace(row, reason=None)), number=False
            )
        )
    columns.append(LeaderboardColumn("epochs", "epochs", epochs_text))
    if curve is not None and any(len(row.curve) > 1 for row in rows):
        columns.append(LeaderboardColumn("curve", "curve", curve, number=False))
    columns.append(LeaderboardColumn("seconds", "time", time_text))
    if len({row.engine for row in rows}) > 1:
        columns.append(LeaderboardColumn("engine", "engine", lambda row: escaped(row.engine), number=False))
    return columns


def _parameter(name: str, of: Sequence[LeaderboardRow], drawing: Drawing) -> LeaderboardColumn:
    def text(row: LeaderboardRow) -> str:
        return value_text(row.params[name]) if name in row.params else drawing.dash

    numbers = all(is_number(row.params[name]) for row in of if name in row.params)
    return LeaderboardColumn(PARAMETER + name, name, text, numbers)


def _score(row: LeaderboardRow, drawing: Drawing, errors: bool) -> str:
    """`0.8570 ±0.0032 ≈`."""
    if row.state is TrialState.FAIL:
        return "failed"
    tie = f" {drawing.tie}" if row.tie else ""
    return score_text(row.value, row.stderr if errors else None, pm=drawing.pm) + tie


def _over_seeds(row: LeaderboardRow, drawing: Drawing) -> str:
    """`0.8549 ±0.0009 ×4`."""
    if row.seeds is None:
        return ""
    count, score = seeds_texts(row.seeds, times=drawing.times, pm=drawing.pm)
    return f"{score} {count.removesuffix(' seeds')}"


def seeds_texts(seeds: SeedScores, *, times: str = "×", pm: str = "±") -> tuple[str, str]:
    """What stands below a trial's number and its score: `×4 seeds`, `0.8549 ±0.0009 unstable`."""
    score = score_text(seeds.mean, seeds.stderr, pm=pm) + (" unstable" if seeds.unstable else "")
    return f"{times}{seeds.count} seeds", score


def behind_head(objective: Objective) -> str:
    """The head of what trials are behind the best by, with its unit."""
    return "behind (points)" if objective.is_share else "behind"


def behind_text(row: LeaderboardRow, objective: Objective, *, pm: str = "±") -> str:
    """`0.07 ±0.15`, in points for shares, else in the metric's unit; "" for the best and where it can't be said."""
    if row.behind is None or (row.behind_stderr is None and row.behind == 0):
        return ""
    return difference_text(row.behind, objective, row.behind_stderr or None, pm=pm)


def is_ahead(row: LeaderboardRow) -> bool:
    """Whether it is better than the best on the same rows, each with the seed of the search."""
    return row.behind is not None and row.behind_stderr is not None and row.behind < 0


def difference_text(difference: float, objective: Objective, stderr: float | None = None, *, pm: str = "±") -> str:
    """A difference of two values: `0.07 ±0.15` points of a share, else as values are written."""
    if not objective.is_share:
        return score_text(difference, stderr, pm=pm)
    places = 2 if stderr is None else max(decimals(100.0, 100 * stderr), 2)
    text = f"{round(100 * difference, places) + 0.0:.{places}f}"  # no -0.00
    return text if stderr is None else f"{text} {pm}{100 * stderr:.{places}f}"


def is_paired(rows: Sequence[LeaderboardRow]) -> bool:
    """Whether trials were compared row by row."""
    return any(row.behind_stderr is not None for row in rows)


def state_text(row: LeaderboardRow) -> str:
    """`FAIL diverged`, `PRUNED`, `imported`."""
    if row.state is TrialState.COMPLETE:
        words = ["imported" if row.imported else "", escaped(row.reason or "")]
    else:
        reason = escaped(row.reason or "").removeprefix("pruned").strip()
        words = ["imported" if row.imported else "", row.state.value, reason]
    return " ".join(word for word in words if word)


def epochs_text(row: LeaderboardRow) -> str:
    """`12`, or `3/12` where fewer were trained than asked for. What another program trained is not always known."""
    asked = row.params.get("epochs")
    if row.imported and not row.epochs:
        return str(asked) if isinstance(asked, int) else "-"
    return f"{row.epochs}/{asked}" if isinstance(asked, int) and row.epochs < asked else str(row.epochs)


def time_text(row: LeaderboardRow) -> str:
    """How long its training took; a dash where another program trained it and does not say."""
    return "-" if row.imported and not row.seconds else seconds_text(row.seconds)
