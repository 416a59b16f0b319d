"""The leaderboard as rows: ranked, ties marked, filtered and sorted. Drawing them is other files' work."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from keras_sweep.errors import UsageError
from keras_sweep.space.distributions import Scalar, Value
from keras_sweep.space.search_space import Objective, Params
from keras_sweep.space.text import nearest
from keras_sweep.trial.comparison import Comparison
from keras_sweep.trial.finalists import SeedScores, seed_scores
from keras_sweep.trial.marginal_ties import known_error, marginal
from keras_sweep.trial.ranking import comparable, has_value, imported, order_key, winner
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.views.terminal.text import safe, value_text


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One trial on the leaderboard."""

    rank: int  # counted from 1 over all trials of the sweep, whatever is shown
    number: int
    state: TrialState
    value: float | None  # finite, or None
    stderr: float | None  # standard error of `value`
    tie: bool  # one of at least two that the validation rows can't tell from the best
    behind: float | None  # how far behind the best, in the metric's unit; None for a trial that could not have won
    behind_stderr: float | None  # of that difference, by pairs of scores on the same rows; None without them
    params: Params
    metrics: Mapping[str, float | None]  # at the scored epoch; None for a number that is not finite
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
    rows_value: float | None = None  # what its outputs on the rows give, where that contradicts `value`


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A score that is no trial's, to compare with: what a plain model reaches on the same rows."""

    name: str  # "baseline"
    value: float  # of the objective's metric
    detail: str  # which model


def reference_rows(attributes: Mapping[str, Any], objective: Objective) -> list[ReferenceRow]:
    """The baseline that `sweep baseline` put into a record, if it was scored by the objective's metric."""
    baseline = attributes.get("baseline")
    if not isinstance(baseline, dict):
        return []
    value = baseline.get("validation", {}).get(objective.name)
    return [] if value is None else [ReferenceRow("baseline", value, str(baseline.get("model", "")))]


def leaderboard_rows(
    results: Iterable[Result],
    objective: Objective,
    comparison: Comparison | None = None,
    *,
    seed: int | None = None,
    where: Sequence[str] = (),
    sort: str | None = None,
    top: int | None = None,
) -> list[LeaderboardRow]:
    """The rows in order of rank, or those that `chosen_rows` chooses of them.

    Args:
        results: all of a sweep.
        objective: ranks them.
        comparison: of these very trials; without one they are compared by their values alone.
        seed: what trials without a parameter of that name were trained with.
        where, sort, top: as `chosen_rows` takes them, which says what is raised.
    """
    ranked = sorted(results, key=lambda result: order_key(result, objective))
    return chosen_rows(_ranked_rows(ranked, objective, comparison, seed), objective, where=where, sort=sort, top=top)


def chosen_rows(
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
    conditions = [parsed_condition(text) for text in where]
    chosen = list(rows)
    if not chosen:
        return []
    keys = row_keys(chosen)
    for condition in conditions:
        condition = replace(condition, key=_known_key(condition.key, keys, "--where"))
        chosen = [row for row in chosen if condition.holds(row)]
    if sort is not None:
        chosen = _sorted_rows(chosen, sort, keys, objective)
    return chosen[:top]


def why_none(rows: Sequence[LeaderboardRow], where: Sequence[str]) -> str:
    """Why no row meets all of `where`: which values there are, of the first key of which none fits."""
    for text in where:
        condition = parsed_condition(text)
        key = _known_key(condition.key, row_keys(rows), "--where")
        if not any(replace(condition, key=key).holds(row) for row in rows):
            return f"no trial has {safe(text.strip())}; {safe(condition.key)} is {_values_text(rows, key)}"
    return "each of the conditions holds for some trial, but no trial meets all of them"


def _values_text(rows: Sequence[LeaderboardRow], key: str) -> str:
    """`adam, rmsprop or sgd`; `between 0.0001 and 0.98`."""
    values = [value for row in rows if (value := cell(row, key)) is not None]
    numbers = sorted(value for value in values if isinstance(value, int | float) and not isinstance(value, bool))
    whole = numbers if len(numbers) == len(values) else sorted(values, key=value_text)
    texts = list(dict.fromkeys(value_text(value) for value in whole))
    if len(texts) > MOST_VALUES:
        if numbers:
            return f"between {value_text(numbers[0])} and {value_text(numbers[-1])}"
        texts = [*texts[: MOST_VALUES - 1], f"{len(texts) - MOST_VALUES + 1} others"]
    return f"{', '.join(texts[:-1])} or {texts[-1]}" if len(texts) > 1 else "".join(texts) or "in none"


def varying_names(rows: Iterable[LeaderboardRow]) -> tuple[str, ...]:
    """The parameters that not all rows share, in the order in which they first come up."""
    first: Params | None = None
    names: dict[str, bool] = {}  # name -> varies
    for row in rows:
        if first is None:
            first = row.params
        for name in (*row.params, *first):
            varies = name not in first or name not in row.params or not _same(first[name], row.params[name])
            names[name] = names.get(name, False) or varies
    return tuple(name for name, varies in names.items() if varies)


def common_params(rows: Sequence[LeaderboardRow]) -> dict[str, Value]:
    """The parameters that all rows share."""
    varying = set(varying_names(rows))
    return {name: value for row in rows[:1] for name, value in row.params.items() if name not in varying}


def ties(rows: Iterable[LeaderboardRow]) -> int:
    """How many of the rows are marked as ties."""
    return sum(row.tie for row in rows)


# Sorting and filtering ------------------------------------------------------------------------------------------------

SEEDS_KEYS = ("seeds", "seeds_mean", "seeds_stderr", "unstable")
# a row's own, before and after its parameters and metrics
FIRST_KEYS = (
    "rank",
    "number",
    "state",
    "value",
    "stderr",
    "tie",
    "behind",
    "behind_stderr",
    *SEEDS_KEYS,
)
LAST_KEYS = ("epochs", "seconds", "engine", "seed", "reason")
ROW_KEYS: tuple[str, ...] = (*FIRST_KEYS, *LAST_KEYS)
HEADS = {
    "#": "rank",
    "trial": "number",
    "time": "seconds",
    "curve": "value",
}  # a column's head, where it is not the key
MOST_VALUES = 8  # of a key that are listed
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"\s*([^=<>!]+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RowCondition:
    """One `--where`: a key, an operator and what it is compared with."""

    key: str
    operator: str  # a key of OPERATORS
    value: Scalar
    text: str  # as it was written

    def holds(self, row: LeaderboardRow) -> bool:
        """Whether the row meets it. A row without the key meets `!=` alone."""
        found = cell(row, self.key)
        if self.operator in ("=", "!="):
            same = found is not None and _equal(found, self.value, self.text)
            if self.value is None:
                same = found is None
            return same is (self.operator == "=")
        if not _is_number(found):
            return False
        return OPERATORS[self.operator](found, self.value)


def parsed_condition(text: str) -> RowCondition:
    """`optimizer=adam` as a condition. Raises UsageError."""
    match = _CONDITION.fullmatch(text)
    if match is None or not match[3]:
        raise UsageError(
            f"`--where` takes KEY, one of {' '.join(OPERATORS)}, and a value, but got {text!r}",
            hint="For example: --where 'optimizer=adam'",
        )
    key, sign, written = match[1], match[2].replace("==", "="), match[3]
    value = _scalar(written)
    if sign not in ("=", "!=") and not _is_number(value):
        raise UsageError(f"`{sign}` compares numbers, but got {text!r}")
    return RowCondition(key, sign, value, written)


def row_keys(rows: Sequence[LeaderboardRow]) -> tuple[str, ...]:
    """Every key that `--where` and `--sort` know: the row's own, then parameters, then metrics."""
    params = {name: None for row in rows for name in row.params}
    metrics = {name: None for row in rows for name in row.metrics}
    prefixed = [*(f"params.{name}" for name in params), *(f"metrics.{name}" for name in metrics)]
    return tuple(dict.fromkeys([*ROW_KEYS, *params, *metrics, *prefixed]))


def cell(row: LeaderboardRow, key: str) -> Value:
    """A row's value of a key; None where it has none. `params.` and `metrics.` say which, where two bear one name."""
    if key in SEEDS_KEYS:
        return seeds_record(row.seeds)[key]
    if key in ROW_KEYS:
        value: Value = getattr(row, key)
        return value
    if key in row.params:
        return row.params[key]
    if key in row.metrics:
        return row.metrics[key]
    kind, _, name = key.partition(".")
    if kind == "params":
        return row.params.get(name)
    if kind == "metrics":
        return row.metrics.get(name)
    return None


def seeds_record(seeds: SeedScores | None) -> dict[str, Scalar]:
    """How often a recipe was trained with another seed, its own included, and what that came to."""
    facts = (1, None, None, None) if seeds is None else (seeds.count, seeds.mean, seeds.stderr, seeds.unstable)
    return dict(zip(SEEDS_KEYS, facts, strict=True))


def _sorted_rows(
    rows: list[LeaderboardRow], sort: str, keys: tuple[str, ...], objective: Objective
) -> list[LeaderboardRow]:
    descending = sort.startswith("-") and sort not in keys
    key = sort[1:] if descending else sort
    key = _known_key(key, keys, "--sort")
    if key == "value" or key == objective.name:
        rows = sorted(rows, key=lambda row: row.rank)  # best first, whichever way the objective goes
        return rows[::-1] if descending else rows

    def order(row: LeaderboardRow) -> tuple[int, float, str, int]:
        value = cell(row, key)
        sign = -1 if descending else 1
        if value is None:
            return 2, 0.0, "", row.rank
        if isinstance(value, bool | int | float):
            return 0, sign * float(value), "", row.rank
        return 1, 0.0, str(value), row.rank

    ordered = sorted(rows, key=order)
    if descending:  # text descends too, while rows without a value stay last and equals stay in order of rank
        text = [row for row in ordered if order(row)[0] == 1]
        text = sorted(text, key=lambda row: str(cell(row, key)), reverse=True)
        ordered = [*(r for r in ordered if order(r)[0] == 0), *text, *(r for r in ordered if order(r)[0] == 2)]
    return ordered


def _known_key(key: str, keys: tuple[str, ...], option: str) -> str:
    """The key, which may be written as the table's head has it. Raises UsageError for an unknown one."""
    if key in keys:
        return key
    if key in HEADS:
        return HEADS[key]
    near = nearest(key, keys)
    known = ", ".join(name for name in keys if "." not in name or not name.startswith(("params.", "metrics.")))
    hint = f"Did you mean `{near}`? Known: {known}" if near else f"Known: {known}"
    raise UsageError(f"`{option}`: no trial has {key!r}", hint=hint)


def _ranked_rows(
    ranked: Sequence[Result], objective: Objective, comparison: Comparison | None, seed: int | None
) -> list[LeaderboardRow]:
    best = winner(ranked, objective)
    behind = (comparison or marginal(ranked, objective)).behind
    seeds = {result.number: seed_scores(result) for result in ranked if result.finalists}
    return [
        LeaderboardRow(
            rank=rank,
            number=result.number,
            state=result.state,
            value=result.value if has_value(result) else None,
            stderr=known_error(result),
            tie=result.number in behind and behind[result.number].tie,
            behind=behind[result.number].behind if result.number in behind else None,
            behind_stderr=behind[result.number].stderr if result.number in behind else None,
            params=result.params,
            metrics={name: value if math.isfinite(value) else None for name, value in result.metrics.items()},
            epochs=result.epochs,
            seconds=round(result.seconds.training, 6),
            engine=result.engine,
            seed=_seed(result, seed),
            reason=result.reason,
            curve=tuple(result.curve.get(objective.name, ())),
            winner=best is not None and result.number == best.number,
            imported=imported(result),
            comparable=comparable(result, objective),
            seeds=seeds.get(result.number),
            final=result.final,
            rows_value=result.rows_value,
        )
        for rank, result in enumerate(ranked, start=1)
    ]


def _seed(result: Result, default: int | None) -> int | None:
    seed = result.params.get("seed", None if imported(result) else default)  # another program had its own
    return seed if isinstance(seed, int) else None if imported(result) else default


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scalar(text: str) -> Scalar:
    words: Mapping[str, Scalar] = {"true": True, "false": False, "null": None, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip("'\"") if text[0] == text[-1] and text[0] in "'\"" else text


def _equal(found: Value, value: Scalar, text: str) -> bool:
    if _is_number(found) and _is_number(value):
        return math.isclose(found, value, rel_tol=1e-9, abs_tol=0.0)  # type: ignore[arg-type]
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    if isinstance(found, TrialState):
        return found == text.upper()
    return text in (found, str(found)) or found == value


def _same(a: Value, b: Value) -> bool:
    return type(a) is type(b) and a == b
