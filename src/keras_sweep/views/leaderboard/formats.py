"""The leaderboard for other programs: JSON, CSV and Markdown, each a string that ends with a newline."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.comparison import PAIRED, Comparison, Estimate, MoreTrials, shift
from keras_sweep.trial.doubts import doubts
from keras_sweep.trial.finalists import SeedScores
from keras_sweep.trial.ranking import loss_name
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.rows import (
    FIRST_KEYS,
    LAST_KEYS,
    LeaderboardRow,
    cell,
    common_params,
    varying_names,
)
from keras_sweep.views.terminal.text import (
    count_text,
    decimals,
    params_text,
    safe,
    score_text,
    seconds_text,
    value_text,
)

CHANCE = 1.96  # standard errors
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what follows


def leaderboard_json(rows: Sequence[LeaderboardRow]) -> str:
    """A list with one object a row, one a line; strict JSON in ASCII."""
    return json_list(map(row_record, rows))


def leaderboard_csv(rows: Sequence[LeaderboardRow]) -> str:
    """A header and one line a row; columns `params.NAME` and `metrics.NAME`; nothing that a spreadsheet would run."""
    params = dict.fromkeys(f"params.{name}" for row in rows for name in row.params)
    metrics = dict.fromkeys(f"metrics.{name}" for row in rows for name in row.metrics)
    columns = [*FIRST_KEYS, *params, *metrics, *LAST_KEYS]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_csv_cell(column) for column in columns])
    writer.writerows([_csv_cell(cell(row, column)) for column in columns] for row in rows)
    return file.getvalue()


def leaderboard_markdown(
    rows: Sequence[LeaderboardRow],
    objective: Objective,
    comparison: Comparison | None = None,
    *,
    of: Sequence[LeaderboardRow] | None = None,
) -> str:
    """A table of what differs between the rows, and below it how to read it. `of` is the whole leaderboard."""
    if not rows:
        return "No trials.\n"
    names = [name for name in varying_names(of or rows) if name != "epochs"]
    ended = any(row.imported or row.state is not TrialState.COMPLETE for row in rows)
    paired = ["behind"] if is_paired(of or rows) else []
    header = ["rank", "trial", objective.name, *paired, *names, "epochs", "time", *(["state"] if ended else [])]
    lines = [_markdown_line(header), "|" + "|".join([" ---: "] * 2 + [" --- "] * (len(header) - 2)) + "|"]
    for row in rows:
        score = score_text(row.value, row.stderr) + (" ≈" if row.tie else "")
        values = [value_text(row.params[name]) if name in row.params else "" for name in names]
        behind = [behind_text(row, objective)] if paired else []
        cells = [str(row.rank), str(row.number), score, *behind, *values, epochs_text(row), time_text(row)]
        lines.append(_markdown_line([*cells, state_text(row)] if ended else cells))
        lines += [_markdown_line(["", *texts, *[""] * (len(header) - 3)]) for texts in texts_below(row)]
    notes = leaderboard_notes(of or rows, objective, comparison)
    return "\n".join([*lines, "", *(f"- {_markdown_cell(note)}" for note in notes)]) + "\n"


def leaderboard_notes(
    rows: Sequence[LeaderboardRow],
    objective: Objective,
    comparison: Comparison | None = None,
    *,
    tie: str = "≈",
    pm: str = "±",
    brief: bool = False,
) -> list[str]:
    """What must be said with a leaderboard, each in a line: shared parameters, ties, order, and what the winner is.

    `rows` is the whole leaderboard, whatever part of it is shown; `comparison` is what its ties are of. `brief` leaves
    out by what rules trials rank.
    """
    notes = []
    common = {name: value for name, value in common_params(rows).items() if len(rows) > 1 and name != "epochs"}
    if common:
        notes.append(f"in all trials: {params_text(common)}")
    tied = [row for row in rows if row.tie]
    if tied:
        notes.append(f"{tie} {_ties_text(tied, objective, comparison, pm)}")
    notes += [] if brief else _order_notes(rows, objective, pm)
    if any(row.seeds is not None and row.seeds.unstable for row in rows):
        notes.append("unstable: the seeds differ by more than chance in the validation rows explains")
    best = next((row for row in rows if row.winner), None)
    if best is not None and best.seeds is not None and any(is_ahead(row) for row in rows):
        notes.append(
            f"behind below 0: better with the seed of the search; the winner ranks by its mean over {best.seeds.count}"
        )
    if any(row.imported for row in rows):
        named = "no trial was trained here" if best is None else f"best trained here: trial {best.number}"
        notes.append(f"{named}; imported trials guide the search, but can't win")
    notes += map(safe, doubts(objective.name, rows))
    candidates = sum(row.comparable and not row.imported for row in rows)
    if best is not None and comparison is not None and comparison.estimate is not None:
        notes.append(estimate_text(comparison.estimate, candidates))
        notes += [more_text(comparison.more, objective)] if comparison.more is not None else []
    elif best is not None and candidates > 1:
        kind = "trial" if objective.take_best else "completed trial"
        notes.append(f"the winner's {safe(objective.name)} is optimistic: the best of {count_text(candidates, kind)}")
    return notes


def estimate_text(estimate: Estimate, candidates: int) -> str:
    """`estimate 0.8546 (0.8482 to 0.8608): the best of 60 trials, on new rows`: 95 %, without luck of selection."""
    best = f"the best of {candidates:,} trials" if candidates > 1 else "the trial"
    return f"{interval_text(estimate)}: {best}, on new rows"


def interval_text(estimate: Estimate) -> str:
    """`estimate 0.8546 (0.8482 to 0.8608)`."""
    value, low, high = (score_text(each) for each in (estimate.value, estimate.low, estimate.high))
    return f"estimate {value} ({low} to {high})"


def more_text(more: MoreTrials, objective: Objective) -> str:
    """`worth going on? 32 more trials: +0.05 points at most, rows resolve 0.41: no`."""
    points = " points" if objective.is_share else ""
    gain, resolved = (difference_text(each, objective) for each in (more.gain, more.resolved))
    verdict = "yes" if more.worth_it else "no"
    return f"worth going on? {more.trials} more trials: +{gain}{points} at most, rows resolve {resolved}: {verdict}"


def unlike_text(
    estimate: Estimate,
    score: float | None,
    stderr: float | None,
    objective: Objective,
    winner: LeaderboardRow | None = None,
) -> str | None:
    """That the test rows are unlike the validation rows, where the two scores differ by more than chance; else None.

    Of a winner with several seeds one is tested, which differs from the others by the chance of its seed.
    """
    if score is None or stderr is None:
        return None
    seeds = winner.seeds if winner is not None and winner.final else None
    spread = 0.0 if seeds is None or seeds.stderr is None else seeds.stderr * math.sqrt(seeds.count)
    if abs(shift(estimate, score, math.hypot(stderr, spread))) <= CHANCE:
        return None
    points = " points" if objective.is_share else ""
    better = (score > estimate.value) == (objective.goal is Goal.MAXIMIZE)
    distance = difference_text(abs(score - estimate.value), objective)
    words = f"{distance}{points} {'better' if better else 'worse'}"
    return f"test rows are unlike validation rows: {words}, not by lucky choice"


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


def _ties_text(tied: Sequence[LeaderboardRow], objective: Objective, comparison: Comparison | None, pm: str) -> str:
    best = tied[0]
    if comparison is not None and comparison.method == PAIRED:
        unit = "points behind" if objective.is_share else "behind"
        return f"{len(tied):,} ties: {unit} that {comparison.rows:,} rows can't tell from chance (paired, 95 %)"
    if best.stderr is None:
        return f"{len(tied):,} trials have the best value: they are ties"
    within = score_text(best.value, best.stderr, pm=pm).partition(" ")[2]
    return f"{len(tied):,} ties within one standard error ({within}): these data can't tell them apart"


def seeds_texts(seeds: SeedScores, *, times: str = "×", pm: str = "±") -> tuple[str, str]:
    """What stands below a trial's number and its score: `×4 seeds`, `0.8549 ±0.0009 unstable`."""
    return f"{times}{seeds.count} seeds", _seeds_score(seeds, pm)


def texts_below(row: LeaderboardRow, *, times: str = "×", pm: str = "±") -> list[tuple[str, str]]:
    """What stands below a row, a line each, in the columns of its number and its score: its seeds."""
    return [seeds_texts(row.seeds, times=times, pm=pm)] if row.seeds is not None else []


def _seeds_score(seeds: SeedScores, pm: str) -> str:
    return score_text(seeds.mean, seeds.stderr, pm=pm) + (" unstable" if seeds.unstable else "")


def _order_notes(rows: Sequence[LeaderboardRow], objective: Objective, pm: str) -> list[str]:
    """By what rules trials rank that an eye might take to be out of order."""
    notes = []
    if _equal_values(rows):
        notes.append(f"equal values rank by {loss_name(objective)}, then by fewer epochs, then by number")
    if any(row.final for row in rows):
        notes.append(f"trials trained with more seeds rank first, by the mean over all seeds ({pm} its standard error)")
    pruned = any(row.state is TrialState.PRUNED and row.value is not None for row in rows)
    if pruned and objective.take_best:
        notes.append("pruned trials rank among the others: each is scored at its best epoch")
    elif pruned:
        notes.append("pruned trials rank below complete ones: their values are of earlier epochs")
    return notes


def _equal_values(rows: Sequence[LeaderboardRow]) -> bool:
    values = [row.value for row in rows if row.value is not None and row.comparable]
    return len(set(values)) < len(values)


def row_record(row: LeaderboardRow) -> dict[str, Any]:
    """The row as the JSON format has it."""
    return {
        **{key: cell(row, key) for key in FIRST_KEYS},
        "state": str(row.state),
        "params": dict(row.params),
        "metrics": dict(row.metrics),
        **{key: cell(row, key) for key in LAST_KEYS},
    }


def json_list(records: Iterable[Mapping[str, Any]]) -> str:
    """A list with one object a record, one a line; strict JSON in ASCII."""
    lines = ",\n".join("  " + strict_json(record) for record in records)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def strict_json(record: Any) -> str:
    """One line of JSON in ASCII. Numbers that are not finite become null, since JSON has none."""
    return json.dumps(_finite(record), allow_nan=False)


def state_text(row: LeaderboardRow) -> str:
    """`FAIL diverged`, `PRUNED`, `imported`."""
    if row.state is TrialState.COMPLETE:
        words = ["imported" if row.imported else "", safe(row.reason or "")]
    else:
        reason = safe(row.reason or "").removeprefix("pruned").strip()
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


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _csv_cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | tuple):
        return strict_json(value)
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if text.startswith(FORMULA_STARTS) and not _reads_as_number(text):
        text = "'" + text
    return safe(text)


def _reads_as_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and not text.startswith(("\t", "\r"))
    except ValueError:
        return False


def _markdown_line(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {_markdown_cell(text)} " for text in cells) + "|"


def _markdown_cell(text: str) -> str:
    text = re.sub(r"([\\|`*\[\]<>&])", r"\\\1", safe(text))
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
