"""The leaderboard as rows: ranked, with ties marked."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Objective, Params
from keras_sweep.trial.comparison import Comparison, known_error, marginal
from keras_sweep.trial.ranking import SeedScores, comparable, front, has_value, imported, order_key, seed_scores, winner
from keras_sweep.trial.result import Result, TrialState


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
    behind, among = (comparison or marginal(ranked, objective)).behind, front(ranked, objective)
    return [
        LeaderboardRow(
            rank=rank,
            number=result.number,
            state=result.state,
            value=result.value if has_value(result) else None,
            stderr=known_error(result),
            tie=own is not None and own.tie,
            behind=None if own is None else own.behind,
            behind_stderr=None if own is None else own.stderr,
            params=result.params,
            metrics={name: value if math.isfinite(value) else None for name, value in _metrics(result, objective)},
            epochs=result.epochs,
            seconds=round(result.seconds.training, 6),
            engine=result.engine,
            seed=_seed(result, seed),
            reason=result.reason,
            curve=tuple(result.curve.get(objective.name, ())),
            winner=best is not None and result.number == best.number,
            imported=imported(result),
            comparable=comparable(result, objective),
            seeds=seed_scores(result),
            final=result.final,
            reads_epochs=result.reads_epochs,
            rows_value=result.rows_value,
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
    usual = None if imported(result) else default  # another program had its own
    seed = result.params.get("seed", usual)
    return seed if isinstance(seed, int) else usual
