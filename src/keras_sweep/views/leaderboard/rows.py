"""Rank the trials of a sweep as rows, mark ties, and select and sort the rows that are shown."""

import contextlib
import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from keras_sweep.errors import UsageError
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.space.distributions import Scalar, Value
from keras_sweep.space.search_space import Objective, Params
from keras_sweep.space.text import did_you_mean, escape, itemize
from keras_sweep.trial.comparison import Comparison, compare_by_value, usable_error
from keras_sweep.trial.finalists import explain_finalists
from keras_sweep.trial.ranking import (
    SeedScores,
    comparable,
    front,
    has_value,
    is_imported,
    order_key,
    seed_scores,
    winner,
)
from keras_sweep.trial.result import Result, TrialState

SEEDS_KEYS = ("seeds", "seeds_mean", "seeds_stderr", "unstable")
# Keys of every row. FIRST_KEYS come before parameters and metrics, LAST_KEYS come after them.
FIRST_KEYS = ("rank", "number", "state", "value", "stderr", "tie", "behind", "behind_stderr", *SEEDS_KEYS)
FRONT = "front"  # after the first keys, if there are several goals
LAST_KEYS = ("epochs", "seconds", "engine", "seed", "reason")
# Heads of columns that differ from the key of the column, head -> key.
HEADS = {
    "#": "rank",
    "trial": "number",
    "behind (points)": "behind",
    "over seeds": "seeds_mean",
    "curve": "value",
    "time": "seconds",
}
MOST_VALUES = 8  # of a key, in a hint
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
CONDITION = re.compile(r"\s*([^=<>!]+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)
RESULT_FIELDS = ("number", "state", "params", "epochs", "engine", "reason", "final", "reads_epochs", "rows_value")


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    rank: int  # from 1, over all trials of the sweep
    number: int
    state: TrialState
    value: float | None  # finite, or None
    stderr: float | None  # standard error of `value`
    tie: bool  # it is in the best set, with other trials: the validation rows can't tell which is the best
    behind: float | None  # distance to the best, in the metric's unit; None for a trial that could not win
    behind_stderr: float | None  # of `behind`, from pairs of scores on the same rows; None without pairs
    params: Params
    metrics: Mapping[str, float | None]  # at the scored epoch, and goals; None if not finite
    epochs: int  # trained
    seconds: float  # of training and validation, without compiling
    engine: str
    seed: int | None  # of the training
    reason: str | None = None  # why the trial ended early
    curve: tuple[float, ...] = field(default=(), repr=False)  # [E] the objective after each epoch
    winner: bool = False
    imported: bool = False  # another program trained it, so it can't win
    comparable: bool = True  # a better value could have won, if trained here
    seeds: SeedScores | None = None  # of the configuration over several seeds; None for a single seed
    final: bool = False  # `seeds` rank it instead of `value`
    again: str = ""  # the new seeds of a finalist; for another trial the reason why it was not trained again
    reads_epochs: bool = False  # the parameter `epochs` is read off the curve
    rows_value: float | None = None  # the value computed from saved scores of rows, if different from `value`
    other_rows: bool = False  # scored on other validation rows than the winner
    front: bool | None = None  # no trial is as good in all goals and better in some; None for a single goal


@dataclass(frozen=True, slots=True)
class Ranking:
    """Hold all rows of a leaderboard, and the rows to show. Columns, notes and the curves' scale depend on all rows."""

    objective: Objective
    comparison: Comparison | None  # decides the ties of all rows
    ranked: Sequence[LeaderboardRow]  # all trials
    rows: Sequence[LeaderboardRow]  # shown trials


def leaderboard_rows(
    results: Iterable[Result], objective: Objective, comparison: Comparison | None = None, *, seed: int | None = None
) -> list[LeaderboardRow]:
    """Return a row for each trial in `results`, best rank first.

    `comparison` compares exactly these trials with the winner on each validation row. If None, only the trials' values
    are compared. `seed` is the search's seed, which trains the trials without a parameter `seed`.
    """
    ranked = sorted(results, key=lambda result: order_key(result, objective))
    best = winner(ranked, objective)
    behind, front_numbers = (comparison or compare_by_value(ranked, objective)).behind, front(ranked, objective)
    again = explain_finalists(ranked, objective)
    return [
        LeaderboardRow(
            rank=rank,
            **{name: getattr(result, name) for name in RESULT_FIELDS},
            value=result.value if has_value(result) else None,
            stderr=usable_error(result),
            tie=gap is not None and gap.tie,
            behind=None if gap is None else gap.behind,
            behind_stderr=None if gap is None else gap.stderr,
            metrics={name: value if math.isfinite(value) else None for name, value in _metrics(result, objective)},
            seconds=round(result.seconds.training, 6),
            seed=_seed(result, seed),
            curve=tuple(result.curve.get(objective.name, ())),
            winner=best is not None and result.number == best.number,
            imported=is_imported(result),
            comparable=comparable(result, objective),
            seeds=seed_scores(result),
            again=again[result.number],
            other_rows=best is not None and result.rows not in (None, best.rows),
            front=result.number in front_numbers if objective.further else None,
        )
        for rank, (result, gap) in enumerate(((result, behind.get(result.number)) for result in ranked), start=1)
    ]


def rows_of(sweep: RecordedSweep) -> list[LeaderboardRow]:
    return leaderboard_rows(sweep.results, sweep.objective, sweep.comparison, seed=sweep.facts.seed)


def winning_row(rows: Iterable[LeaderboardRow]) -> LeaderboardRow | None:
    return next((row for row in rows if row.winner), None)


def varying_names(rows: Sequence[LeaderboardRow]) -> tuple[str, ...]:
    """Return the names of the parameters that differ between the rows, in the order of their first appearance."""

    def varies(name: str) -> bool:
        values = ((name in row.params, type(row.params.get(name)), row.params.get(name)) for row in rows)
        first = next(values)
        return any(value != first for value in values)

    return tuple(filter(varies, dict.fromkeys(name for row in rows for name in row.params)))


def distinct_params(row: LeaderboardRow, rows: Sequence[LeaderboardRow]) -> dict[str, Value]:
    """Return the row's values of the parameters that differ between `rows`. If none differs, return all values."""
    varying = varying_names(rows)
    return {name: value for name, value in row.params.items() if name in varying} or dict(row.params)


def _metrics(result: Result, objective: Objective) -> Iterator[tuple[str, float]]:
    """Yield (name, value) of each metric at the epoch of the trial's score, then of each goal besides the objective."""
    yield from result.metrics.items()
    if has_value(result):
        goals = ((goal.name, result.goal(goal.name)) for goal in objective.further)
        yield from ((name, value) for name, value in goals if value is not None)


def _seed(result: Result, default: int | None) -> int | None:
    # An imported trial has the default seed of another program, which is not known.
    usual = None if is_imported(result) else default
    seed = result.params.get("seed", usual)
    return seed if isinstance(seed, int) else usual


def select_rows(
    rows: Sequence[LeaderboardRow],
    objective: Objective,
    *,
    where: Sequence[str] = (),
    sort: str | None = None,
    top: int | None = None,
) -> list[LeaderboardRow]:
    """Return the rows that meet all conditions `where`, say ["optimizer=adam", "epochs>=5"]; at most `top` rows.

    `sort` is a key of `row_keys`, say "epochs", or "-epochs" for the reverse order. If None, the rows keep their order.
    Raises UsageError for an unknown key, an unreadable condition, or `top` below 1.
    """
    if top is not None and top < 1:
        raise UsageError(f"`--top` must be at least 1, but got {top}")
    chosen, keys = list(rows), row_keys(rows)
    for text in where if rows else ():
        _, holds = parse_condition(text, keys)
        chosen = list(filter(holds, chosen))
    if sort is not None and rows:
        chosen = _sort_rows(chosen, sort, keys, objective)
    return chosen[:top]


def explain_no_rows(rows: Sequence[LeaderboardRow], where: Sequence[str]) -> str:
    """Say why no row meets all conditions `where`: name the first condition that no row meets, and its key's values."""
    for text in where:
        key, holds = parse_condition(text, row_keys(rows))
        if not any(map(holds, rows)):
            values = dict.fromkeys(value for row in rows if (value := cell(row, key)) is not None)
            plain = [list(value) if isinstance(value, tuple) else value for value in values]
            known = itemize(sorted(plain, key=str), MOST_VALUES) or "none"
            return f"no trial has {escape(text.strip())}; values of {escape(key)}: {known}"
    return "each condition has trials, but no trial meets all conditions"


def parse_condition(text: str, keys: Collection[str]) -> tuple[str, Callable[[LeaderboardRow], bool]]:
    """Parse a condition, say `epochs>=5`. Return its key, which must be among `keys`, and a function that tests a row.

    A row without the key has the value `none`. Raises UsageError.
    """
    match = CONDITION.fullmatch(text)
    if match is None or not match[3]:
        raise UsageError(
            f"`--where` must be a key, an operator ({' '.join(OPERATORS)}) and a value, but got {text!r}",
            hint="For example `--where 'optimizer=adam'`",
        )
    sign, written = match[2].replace("==", "="), match[3]
    key, value = _find_key(match[1], keys, "--where"), _scalar(written)
    if sign not in ("=", "!=") and not is_number(value):
        raise UsageError(f"`{sign}` needs a number, but got {text!r}")

    def holds(row: LeaderboardRow) -> bool:
        cell_value = cell(row, key)
        if sign in ("=", "!="):
            return _is_equal(cell_value, value, written) is (sign == "=")
        return is_number(cell_value) and OPERATORS[sign](cell_value, value)

    return key, holds


def _is_equal(cell_value: Value, value: Scalar, written: str) -> bool:
    if cell_value is None or value is None or isinstance(cell_value, bool) or isinstance(value, bool):
        return cell_value is value
    if is_number(cell_value) and is_number(value):
        return math.isclose(cell_value, value, rel_tol=1e-9, abs_tol=0.0)
    if isinstance(cell_value, tuple):
        return str(list(cell_value)).replace(" ", "") == written.replace(" ", "")
    if isinstance(cell_value, TrialState):
        return cell_value == written.upper()
    return written in (cell_value, str(cell_value)) or cell_value == value


def row_keys(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Return the keys for `--where` and `--sort`: CSV columns, also without the prefix `params.` or `metrics.`."""
    keys = machine_keys(rows)
    return list(dict.fromkeys([*keys, *(key.partition(".")[2] for key in keys if key not in FIRST_KEYS + LAST_KEYS)]))


def machine_keys(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Return the columns of the CSV format: fields of a row, and `params.NAME` and `metrics.NAME` of all rows."""
    params = dict.fromkeys(f"params.{name}" for row in rows for name in row.params)
    metrics = dict.fromkeys(f"metrics.{name}" for row in rows for name in row.metrics)
    goals = [FRONT] if any(row.front is not None for row in rows) else []
    return [*FIRST_KEYS, *goals, *params, *metrics, *LAST_KEYS]


def cell(row: LeaderboardRow, key: str) -> Value:
    """Return the value of a key of `row_keys`, or None. If a parameter and a metric share a key, the parameter wins."""
    if key in SEEDS_KEYS:
        return seeds_record(row.seeds)[key]
    if key in FIRST_KEYS or key in LAST_KEYS or key == FRONT:
        value: Value = getattr(row, key)
        return value
    if key in row.params:
        return row.params[key]
    if key in row.metrics:
        return row.metrics[key]
    kind, _, name = key.partition(".")
    return row.params.get(name) if kind == "params" else row.metrics.get(name) if kind == "metrics" else None


def seeds_record(seeds: SeedScores | None) -> dict[str, Scalar]:
    """Return the CSV columns SEEDS_KEYS: number of seeds, mean, standard error, and whether the scores are unstable.

    If `seeds` is None (a single seed), the number is 1 and the other values are None.
    """
    facts = (1, None, None, None) if seeds is None else (seeds.count, seeds.mean, seeds.stderr, seeds.unstable)
    return dict(zip(SEEDS_KEYS, facts, strict=True))


def _sort_rows(
    rows: Sequence[LeaderboardRow], sort: str, keys: Collection[str], objective: Objective
) -> list[LeaderboardRow]:
    descending = sort.startswith("-") and sort not in keys
    key = _find_key(sort[1:] if descending else sort, keys, "--sort")
    ranked = sorted(rows, key=lambda row: row.rank)
    if key == "value" or key == objective.name:
        return ranked[::-1] if descending else ranked  # best first, also if lower is better

    def place(row: LeaderboardRow) -> tuple[int, Any]:
        value = cell(row, key)
        if isinstance(value, bool | int | float):
            return 0, float(value)
        return (2, "") if value is None else (1, str(value))

    # Numbers come before texts, and rows without the key come last. Equal rows stay in order of rank.
    ranked.sort(key=place, reverse=descending)
    return sorted(ranked, key=lambda row: place(row)[0])


def _find_key(key: str, keys: Collection[str], option: str) -> str:
    """Return `key`, or the key of the column with the header `key`. Else raise UsageError, which names `option`."""
    if key in keys or key in HEADS:
        return key if key in keys else HEADS[key]
    known = ", ".join(name for name in keys if not name.startswith(("params.", "metrics.")))
    hint = f"{did_you_mean(key, keys) or ''} Choose from {known}".strip()
    raise UsageError(f"`{option}`: no trial has {key!r}", hint=hint)


def is_number(value: object) -> TypeGuard[int | float]:
    """Check whether a value is an int or a float. A bool is not a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scalar(text: str) -> Scalar:
    words: Mapping[str, Scalar] = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text.strip("'\"") if text[0] == text[-1] and text[0] in "'\"" else text
