"""Compare the winners of sweeps that have the same rows and the same metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from keras_sweep.errors import UsageError
from keras_sweep.record.candidates import compare_models, load_seeds
from keras_sweep.record.facts import Facts, TestScores
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Objective, identity
from keras_sweep.space.spec_diff import describe_computation
from keras_sweep.trial.comparison import Behind, Estimate
from keras_sweep.trial.ranking import (
    SeedScores,
    best_training,
    count_epochs,
    improvements,
    is_imported,
    score,
    seed_scores,
    sum_seconds,
)
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.trial.row_scores import Kind, RowScores


@dataclass(frozen=True, slots=True)
class Side:
    name: str
    facts: Facts
    results: Sequence[Result]
    best: Result
    estimate: Estimate | None  # None without scores of single rows
    over_seeds: SeedScores | None  # scores of `best`; None if no finalists decided
    scores: Sequence[RowScores]  # row scores of `best`, an item per seed; () if not saved
    improvements: Sequence[Result]  # trials that were the best when they ended
    spent: Mapping[int, float]  # trial -> seconds since the search began

    @property
    def trials(self) -> frozenset[object]:
        """A key of each trial with a value: its parameters, seed and value."""
        return frozenset(
            (identity({"seed": self.facts.seed, **trial.params}), trial.value)
            for trial in self.results
            if trial.value is not None
        )

    @property
    def failed(self) -> int:
        return sum(result.state is TrialState.FAIL for result in self.results)

    @property
    def epochs(self) -> int:
        return count_epochs(self.results)

    @property
    def seconds(self) -> float:
        return max(self.spent.values(), default=0.0)

    @property
    def test(self) -> TestScores | None:
        """The winner's scores on the test rows. None if no model was evaluated, or another model was evaluated last."""
        return self.facts.test_of(best_training(self.best, self.facts.objective))

    def seconds_until(self, value: float, objective: Objective) -> float | None:
        """Return the seconds of the search until a trial reached `value` or better. If no trial did, return None."""
        near = (r for r in self.improvements if r.value is not None and not objective.is_better(value, r.value))
        return next((self.spent[result.number] for result in near), None)


@dataclass(frozen=True, slots=True)
class SideBySide:
    objective: Objective
    sides: Sequence[Side]  # in the order of the command line
    behind: Mapping[str, Behind]  # sweep -> distance to the best winner; {} if rows can't be compared
    rows: int | None  # number of compared validation rows

    @property
    def same_trials(self) -> Mapping[tuple[str, str], int]:
        """Names of two sweeps -> the number of trials that both have: equal parameters, seed and value."""
        pairs = ((one.name, other.name, one.trials & other.trials) for one, other in combinations(self.sides, 2))
        return {(name, other): len(trials) for name, other, trials in pairs if trials}

    @property
    def by_mean(self) -> bool:
        """Whether winners are compared by their means over seeds. This needs finalists in every sweep."""
        return all(side.over_seeds is not None for side in self.sides)

    def score(self, side: Side) -> tuple[float, float | None]:
        """Return a winner's (value, standard error or None): the mean over seeds if `by_mean`, else the trial's own."""
        value, stderr = score(side.best) if self.by_mean else (side.best.value, side.best.stderr)
        return value or 0.0, stderr

    @property
    def first(self) -> Side:
        """The sweep with the best winner. If several winners are equal, the first of their sweeps."""
        return min(self.sides, key=lambda side: self.objective.key(self.score(side)[0]))

    @property
    def within(self) -> float:
        """The best trial value of all sweeps, made worse by its standard error. Values of finalists do not count."""
        best = min((side.improvements[-1] for side in self.sides), key=lambda r: self.objective.key(r.value or 0.0))
        step = best.stderr or 0.0
        return (best.value or 0.0) - (step if self.objective.is_better(1.0, 0.0) else -step)


def compare_sweeps(folders: Sequence[SweepFolder]) -> SideBySide:
    """Compare the winners of recorded sweeps. If all sweeps have saved scores of rows, compare row by row.

    Raises UsageError if fewer than two sweeps are named, or if the sweeps differ in metric or rows. Raises RecordError
    if a record can't be read or has no winner.
    """
    names = [folder.name for folder in folders]
    if len(set(names)) < max(len(names), 2):
        raise UsageError(f"a comparison needs at least two different sweeps, but got {', '.join(names) or 'none'}")
    sides = []
    for folder in folders:
        sweep = RecordedSweep.read(folder)
        best = sweep.require_winner()
        results = [trial for trial in sweep.results if not is_imported(trial)]
        side = Side(
            name=folder.name,
            facts=sweep.facts,
            results=results,
            best=best,
            estimate=sweep.comparison.estimate,
            over_seeds=seed_scores(best) if best.final else None,
            scores=load_seeds(folder, best) or (),
            improvements=improvements(results, sweep.objective),
            spent=sum_seconds(results),
        )
        sides.append(side)
    if differences := _find_differences(sides):
        message = f"{', '.join(names)} can't be compared: {'; '.join(differences)}"
        raise UsageError(message, hint="Compare sweeps with the same metric and the same rows")
    objective = sides[0].facts.objective
    comparison = SideBySide(objective, sides, {}, None)
    behind, rows = _pair_winners(comparison)
    return replace(comparison, behind=behind, rows=rows)


def _find_differences(sides: Sequence[Side]) -> list[str]:
    metrics, data = {}, {}
    for side in sides:
        spec = side.facts.spec or {}
        name = spec.get("data")
        metrics[side.name] = f"{side.facts.metric}{describe_computation(spec, side.facts.metric)}, to {side.facts.goal}"
        data[side.name] = f"{name or 'unknown'} (rows {str(side.facts.fingerprint)[:8]})"
    return [
        f"{words} of {', '.join(f'{name} is {value}' for name, value in values.items())}"
        for words, values in (("the metric", metrics), ("the data", data))
        if len(set(values.values())) > 1
    ]


def _pair_winners(comparison: SideBySide) -> tuple[dict[str, Behind], int | None]:
    """Return ({sweep's name: distance to the best winner}, number of rows), or ({}, None) if rows can't be compared."""
    sides, objective = comparison.sides, comparison.objective
    row_scores = [side.scores if comparison.by_mean else side.scores[:1] for side in sides]
    forms = {(seed_rows.rows, seed_rows.kind is Kind.OUTPUTS) for scores in row_scores for seed_rows in scores}
    if not all(row_scores) or len(forms) > 1 or len({side.best.rows for side in sides}) > 1:
        return {}, None
    best = next(index for index, side in enumerate(sides) if side is comparison.first)
    found = compare_models(row_scores, best, objective, sides[0].facts.seed % 2**64)
    distances = zip(found.behind.tolist(), found.stderr.tolist(), found.members.tolist(), strict=True)
    behind = {
        side.name: Behind(distance, None if index == best else error, is_member)
        for index, (side, (distance, error, is_member)) in enumerate(zip(sides, distances, strict=True))
    }
    return behind, row_scores[0][0].rows
