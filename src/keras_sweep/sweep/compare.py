"""Compares sweeps of the same rows and metric, side by side: whether their winners differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keras_sweep.errors import UsageError
from keras_sweep.record.candidates import load_seeds, pair_scores
from keras_sweep.record.facts import Facts, TestScores
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Objective
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
    """One of the sweeps, as its record had it at one moment."""

    name: str
    facts: Facts
    results: Sequence[Result]
    best: Result
    estimate: Estimate | None  # None without the scores of rows
    over_seeds: SeedScores | None  # of the best, where finalists decided
    scores: Sequence[RowScores]  # of the best on the validation rows, a seed each; () where they are not kept
    improvements: Sequence[Result]  # the trials that were the best when they ended
    spent: Mapping[int, float]  # trial -> seconds that it and all before it took

    @property
    def failed(self) -> int:
        """How many trials failed."""
        return sum(result.state is TrialState.FAIL for result in self.results)

    @property
    def epochs(self) -> int:
        """The epochs that were trained in all."""
        return count_epochs(self.results)

    @property
    def seconds(self) -> float:
        """What all trials took, one after the other."""
        return max(self.spent.values(), default=0.0)

    @property
    def test(self) -> TestScores | None:
        """The last look at the test rows, if it was at the winner."""
        return self.facts.test_of(best_training(self.best, self.facts.objective))

    def seconds_until(self, value: float, objective: Objective) -> float | None:
        """When a trial was as good as this; None where none was."""
        near = (one for one in self.improvements if one.value is not None and not objective.better(value, one.value))
        return next((self.spent[result.number] for result in near), None)


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The sweeps in the order in which they were named."""

    objective: Objective
    sides: Sequence[Side]
    behind: Mapping[str, Behind]  # sweep -> how far its winner is behind the best one; {} where rows can't be compared
    rows: int | None  # validation rows that were compared

    @property
    def by_mean(self) -> bool:
        """Whether winners compare by their means over seeds: where finalists decided in every sweep."""
        return all(side.over_seeds is not None for side in self.sides)

    def score(self, side: Side) -> tuple[float, float | None]:
        """That by which its winner compares, and the standard error."""
        value, stderr = score(side.best) if self.by_mean else (side.best.value, side.best.stderr)
        return value or 0.0, stderr

    @property
    def first(self) -> Side:
        """The one with the best winner; the first of equals."""
        return min(self.sides, key=lambda side: self.objective.key(self.score(side)[0]))

    @property
    def within(self) -> float:
        """The value one standard error below the best that any search found with its own seed."""
        best = min((side.improvements[-1] for side in self.sides), key=lambda one: self.objective.key(one.value or 0.0))
        step = best.stderr or 0.0
        return (best.value or 0.0) - (step if self.objective.better(1.0, 0.0) else -step)


def compare_sweeps(folders: Sequence[SweepFolder]) -> SideBySide:
    """Read the sweeps and compare their winners, row by row where the scores of rows are kept of all."""
    names = [folder.name for folder in folders]
    if len(set(names)) < max(len(names), 2):
        raise UsageError(f"two different sweeps or more are needed, but got {', '.join(names) or 'none'}")
    sides = []
    for folder in folders:
        sweep = RecordedSweep.read(folder)
        best = sweep.require_winner()
        results = [one for one in sweep.results if not is_imported(one)]
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
    if differences := _differences(sides):
        raise UsageError(
            f"{', '.join(names)} can't be compared: {'; '.join(differences)}",
            hint="Compare sweeps of one metric on the same rows",
        )
    objective = sides[0].facts.objective
    found = SideBySide(objective, sides, {}, None)
    behind, rows = _behind(found)
    return replace(found, behind=behind, rows=rows)


def _differences(sides: Sequence[Side]) -> list[str]:
    """What must be the same and is not."""
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


def _behind(found: SideBySide) -> tuple[dict[str, Behind], int | None]:
    """Paired differences between the winners; nothing where their scores are not of the same rows in the same form."""
    sides, objective = found.sides, found.objective
    kept = [side.scores if found.by_mean else side.scores[:1] for side in sides]
    forms = {(one.rows, one.kind is Kind.OUTPUTS) for scores in kept for one in scores}
    if not all(kept) or len(forms) > 1 or len({side.best.rows for side in sides}) > 1:
        return {}, None
    best = next(index for index, side in enumerate(sides) if side is found.first)
    away, errors, ties = pair_scores(kept, best, objective, sides[0].facts.seed % 2**64)
    behind = {
        side.name: Behind(float(away[index]), None if index == best else float(errors[index]), bool(ties[index]))
        for index, side in enumerate(sides)
    }
    return behind, kept[0][0].rows
