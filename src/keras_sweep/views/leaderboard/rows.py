"""The leaderboard as rows: ranked, with ties marked; which of them are shown, and in which order."""

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
from keras_sweep.space.text import escape, itemize, nearest
from keras_sweep.trial.comparison import Comparison, compare_by_value, usable_error
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
# a row's own, before and after its parameters and metrics
FIRST_KEYS = ("rank", "number", "state", "value", "stderr", "tie", "behind", "behind_stderr", *SEEDS_KEYS)
FRONT = "front"  # after the first, where there are several goals
LAST_KEYS = ("epochs", "seconds", "engine", "seed", "reason")
# a column's head, where it is not the key
HEADS = {
    "#": "rank",
    "trial": "number",
    "behind (points)": "behind",
    "over seeds": "seeds_mean",
    "curve": "value",
    "time": "seconds",
}
MOST_VALUES = 8  # of a key that are listed
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
CONDITION = re.compile(r"\s*([^=<>!]+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)
# fields of a row that are its result's
OF_RESULT = ("number", "state", "params", "epochs", "engine", "reason", "final", "reads_epochs", "rows_value")


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    rank: int  # counted from 1 over all trials of the sweep, whatever is shown
    number: int
    state: TrialState
    value: float | None  # finite, or None
    stderr: float | None  # standard error of `value`
    tie: bool  # one of at least two that the validation rows can't tell from the best
    behind: float | None  # how far behind the best, in the metric's unit; None for a trial that could not have won
    behind_stderr: float | None  # of that difference, by pairs of scores on the same rows; None without them
    params: Params
    metrics: Mapping[str, float | None]  # at the scored epoch, and goals; None for a number that is not finite
    epochs: int  # trained
    seconds: float  # of training and validation: compiling is not what a trial costs
    engine: str
    seed: int | None  # that it was trained with
    reason: str | None = None  # why it ended early
    curve: tuple[float, ...] = field(default=(), repr=False)  # [E] the objective after each epoch
    winner: bool = False
    imported: bool = False  # another program trained it: it can't win
    comparable: bool = True  # its value is one that could have won, had it been better and trained here
    seeds: SeedScores | None = None  # its recipe over several seeds; None where it was trained with one
    final: bool = False  # whether these rank it, and not its value
    reads_epochs: bool = False  # its parameter `epochs` is read off its curve
    rows_value: float | None = None  # what its outputs on the rows give, where that contradicts `value`
    other_rows: bool = False  # it was scored on other validation rows than the winner
    front: bool | None = None  # of several goals, whether no other trial is as good in all and better in one


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows of a leaderboard that are shown, and the whole of it, which decides columns, scales and notes."""

    objective: Objective
    comparison: Comparison | None  # what the ties of all rows are of
    ranked: Sequence[LeaderboardRow]  # of all trials
    rows: Sequence[LeaderboardRow]  # those that are shown


def leaderboard_rows(
    results: Iterable[Result], objective: Objective, comparison: Comparison | None = None, *, seed: int | None = None
) -> list[LeaderboardRow]:
    """The rows of all results of a sweep, in order of rank.

    `comparison` is of these very trials; without one they are compared by their values alone. `seed` is what trials
    without a parameter of that name were trained with.
    """
    ranked = sorted(results, key=lambda result: order_key(result, objective))
    best = winner(ranked, objective)
    behind, among = (comparison or compare_by_value(ranked, objective)).behind, front(ranked, objective)
    return [
        LeaderboardRow(
            rank=rank,
            **{name: getattr(result, name) for name in OF_RESULT},
            value=result.value if has_value(result) else None,
            stderr=usable_error(result),
            tie=own is not None and own.tie,
            behind=None if own is None else own.behind,
            behind_stderr=None if own is None else own.stderr,
            metrics={name: value if math.isfinite(value) else None for name, value in _metrics(result, objective)},
            seconds=round(result.seconds.training, 6),
            seed=_seed(result, seed),
            curve=tuple(result.curve.get(objective.name, ())),
            winner=best is not None and result.number == best.number,
            imported=is_imported(result),
            comparable=comparable(result, objective),
            seeds=seed_scores(result),
            other_rows=best is not None and result.rows not in (None, best.rows),
            front=result.number in among if objective.further else None,
        )
        for rank, (result, own) in enumerate(((one, behind.get(one.number)) for one in ranked), start=1)
    ]


def rows_of(sweep: RecordedSweep) -> list[LeaderboardRow]:
    """The leaderboard of a sweep that was read."""
    return leaderboard_rows(sweep.results, sweep.objective, sweep.comparison, seed=sweep.facts.seed)


def winning_row(rows: Iterable[LeaderboardRow]) -> LeaderboardRow | None:
    return next((row for row in rows if row.winner), None)


def varying_names(rows: Sequence[LeaderboardRow]) -> tuple[str, ...]:
    """The parameters that not all rows share, in the order in which they first come up."""

    def varies(name: str) -> bool:
        return len({(name in row.params, type(row.params.get(name)), row.params.get(name)) for row in rows}) > 1

    return tuple(filter(varies, dict.fromkeys(name for row in rows for name in row.params)))


def distinct_params(row: LeaderboardRow, rows: Sequence[LeaderboardRow]) -> dict[str, Value]:
    """Its parameters that not all rows share; all of them where nothing differs."""
    varying = varying_names(rows)
    return {name: value for name, value in row.params.items() if name in varying} or dict(row.params)


def _metrics(result: Result, objective: Objective) -> Iterator[tuple[str, float]]:
    """What was logged at the scored epoch; then further goals, as far as there are values."""
    yield from result.metrics.items()
    if has_value(result):
        goals = ((one.name, result.goal(one.name)) for one in objective.further)
        yield from ((name, value) for name, value in goals if value is not None)


def _seed(result: Result, default: int | None) -> int | None:
    usual = None if is_imported(result) else default  # another program had its own
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
    """The rows that meet all of `where`, in order of `sort`, at most `top`. Ranks and ties stay those among all.

    Raises UsageError for an unknown key, a condition that can't be read, or `top` below 1.
    """
    if top is not None and top < 1:
        raise UsageError(f"`--top` must be at least 1, but got {top}")
    chosen, keys = list(rows), row_keys(rows)
    for text in where if rows else ():
        _, holds = parse_condition(text, keys)
        chosen = list(filter(holds, chosen))
    if sort is not None and rows:
        chosen = _sorted_rows(chosen, sort, keys, objective)
    return chosen[:top]


def why_none(rows: Sequence[LeaderboardRow], where: Sequence[str]) -> str:
    """Why no row meets all of `where`: the first condition that none meets, with some of the values that there are."""
    for text in where:
        key, holds = parse_condition(text, row_keys(rows))
        if not any(map(holds, rows)):
            values = dict.fromkeys(value for row in rows if (value := cell(row, key)) is not None)
            plain = [list(value) if isinstance(value, tuple) else value for value in values]
            known = itemize(sorted(plain, key=str), MOST_VALUES) or "in none"
            return f"no trial has {escape(text.strip())}; {escape(key)} is {known}"
    return "each of the conditions holds for some trial, but no trial meets all of them"


def parse_condition(text: str, keys: Collection[str]) -> tuple[str, Callable[[LeaderboardRow], bool]]:
    """(one of the keys, whether a row meets the condition on it: without the key `!=` alone). Raises UsageError."""
    match = CONDITION.fullmatch(text)
    if match is None or not match[3]:
        raise UsageError(
            f"`--where` takes KEY, one of {' '.join(OPERATORS)}, and a value, but got {text!r}",
            hint="For example: --where 'optimizer=adam'",
        )
    sign, written = match[2].replace("==", "="), match[3]
    key, value = _known_key(match[1], keys, "--where"), _scalar(written)
    if sign not in ("=", "!=") and not is_number(value):
        raise UsageError(f"`{sign}` compares numbers, but got {text!r}")

    def holds(row: LeaderboardRow) -> bool:
        found = cell(row, key)
        if sign in ("=", "!="):
            return _equal(found, value, written) is (sign == "=")
        return is_number(found) and OPERATORS[sign](found, value)

    return key, holds


def _equal(found: Value, value: Scalar, written: str) -> bool:
    if found is None or value is None or isinstance(found, bool) or isinstance(value, bool):
        return found is value
    if is_number(found) and is_number(value):
        return math.isclose(found, value, rel_tol=1e-9, abs_tol=0.0)
    if isinstance(found, tuple):
        return str(list(found)).replace(" ", "") == written.replace(" ", "")
    if isinstance(found, TrialState):
        return found == written.upper()
    return written in (found, str(found)) or found == value


def row_keys(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Every key that `--where` and `--sort` know: the row's own, then parameters, then metrics."""
    keys = machine_keys(rows)
    return list(dict.fromkeys([*keys, *(key.partition(".")[2] for key in keys if key not in FIRST_KEYS + LAST_KEYS)]))


def machine_keys(rows: Sequence[LeaderboardRow]) -> list[str]:
    """The columns of the leaderboard for other programs: one for every parameter and metric of any row."""
    params = dict.fromkeys(f"params.{name}" for row in rows for name in row.params)
    metrics = dict.fromkeys(f"metrics.{name}" for row in rows for name in row.metrics)
    goals = [FRONT] if any(row.front is not None for row in rows) else []
    return [*FIRST_KEYS, *goals, *params, *metrics, *LAST_KEYS]


def cell(row: LeaderboardRow, key: str) -> Value:
    """A row's value of a key; None where it has none. `params.` and `metrics.` say which, where two bear one name."""
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
    """How often a recipe was trained with another seed, its own included, and what that came to."""
    facts = (1, None, None, None) if seeds is None else (seeds.count, seeds.mean, seeds.stderr, seeds.unstable)
    return dict(zip(SEEDS_KEYS, facts, strict=True))


def _sorted_rows(
    rows: Sequence[LeaderboardRow], sort: str, keys: Collection[str], objective: Objective
) -> list[LeaderboardRow]:
    descending = sort.startswith("-") and sort not in keys
    key = _known_key(sort[1:] if descending else sort, keys, "--sort")
    ranked = sorted(rows, key=lambda row: row.rank)
    if key == "value" or key == objective.name:
        return ranked[::-1] if descending else ranked  # best first, whichever way the objective goes

    def place(row: LeaderboardRow) -> tuple[int, Any]:
        value = cell(row, key)
        if isinstance(value, bool | int | float):
            return 0, float(value)
        return (2, "") if value is None else (1, str(value))

    # Numbers come before texts, and rows without the key come last; equals stay in order of rank, either way.
    ranked.sort(key=place, reverse=descending)
    return sorted(ranked, key=lambda row: place(row)[0])


def _known_key(key: str, keys: Collection[str], option: str) -> str:
    """The key, which may be written as the table's head has it. Raises UsageError for an unknown one."""
    if key in keys or key in HEADS:
        return key if key in keys else HEADS[key]
    near = nearest(key, keys)
    known = ", ".join(name for name in keys if not name.startswith(("params.", "metrics.")))
    hint = f"Did you mean `{near}`? Known: {known}" if near else f"Known: {known}"
    raise UsageError(f"`{option}`: no trial has {key!r}", hint=hint)


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scalar(text: str) -> Scalar:
    words: Mapping[str, Scalar] = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text.strip("'\"") if text[0] == text[-1] and text[0] in "'\"" else text
