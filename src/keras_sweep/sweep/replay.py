"""Train a recorded trial or finalist again: in its compiled programs, bit for bit, or by plain `fit`.

`weights_of` restores lost weights. `replay` compares the new training with the record, epoch by epoch.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from keras_sweep.data.arrays import Array
from keras_sweep.errors import Interrupted, RecordError, UsageError
from keras_sweep.models.inspect_model import find_cancelled_biases
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.saved import load_weights_of, weights_file_of
from keras_sweep.search.engines import make_engine
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.variants import get_variant
from keras_sweep.sweep.finalists import suggest_finalists
from keras_sweep.sweep.loop import Generations
from keras_sweep.sweep.open_sweep import OpenSweep, backend_of
from keras_sweep.training.choose import RUNNERS
from keras_sweep.training.folds import build_first_model
from keras_sweep.training.runner import Runner, StopsAt, Watch, find_ends
from keras_sweep.training.workers.pool import workers_of
from keras_sweep.trial.events import EpochEnded, Event, Listener, Noticed, PhaseBegan
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import Result, Suggestion, TrialState, Weights

# Differences that count as rounding.
RELATIVE = 1e-5  # float32 sums in another order
ABSOLUTE = 1e-7  # numbers near zero
ROWS = 1.01  # rows: a single row may change its class
WHOLE = 0.01  # rows: distance to a whole number of rows, as float32 rounds a share of 100,000 rows
STDERR = 1e-4  # relative difference of two standard errors
# Rounding grows from step to step, but it starts small. A larger relative gap in the first epoch has another cause.
FIRST = 0.1


class Match(StrEnum):
    EQUAL = "equal"
    ROUNDING = "equal to rounding"
    PARTED = "parted"


@dataclass(frozen=True, slots=True)
class Gap:
    match: Match
    relative: float  # |ours - theirs| / |theirs|; infinite if they differ and are not both finite


def gap(
    metric: str, ours: float, theirs: float, rows: int, weights: Array | None = None, *, tolerance: float = RELATIVE
) -> Gap:
    """Compare `ours` with `theirs`, two values of a metric over `rows` rows, and return how far apart they are.

    Two accuracies are equal to rounding if a single row explains the difference, or with row `weights` the heaviest
    row. Values of other metrics are equal to rounding if their relative difference is at most `tolerance`.
    """
    if ours == theirs or (math.isnan(ours) and math.isnan(theirs)):
        return Gap(Match.EQUAL, 0.0)
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return Gap(Match.PARTED, math.inf)
    is_close = math.isclose(ours, theirs, rel_tol=tolerance, abs_tol=ABSOLUTE)
    if rows and (metric.endswith("accuracy") or metric.removeprefix("val_") == "acc"):
        apart = abs(ours - theirs) * (rows if weights is None else float(weights.sum(dtype=float) / weights.max()))
        is_close = apart <= ROWS and (weights is not None or abs(apart - round(apart)) <= WHOLE * max(1.0, rows / 1e5))
    relative = abs(ours - theirs) / abs(theirs) if theirs else math.inf
    return Gap(Match.ROUNDING if is_close else Match.PARTED, relative)


def widest(gaps: Iterable[Gap]) -> Gap:
    """Return the gap that is furthest from equal. Without gaps return an equal gap."""
    return max(gaps, key=lambda gap: (list(Match).index(gap.match), gap.relative), default=Gap(Match.EQUAL, 0.0))


@dataclass(frozen=True, slots=True)
class CurveMatch:
    again: Result  # the new training
    runner: str  # of the new training: "fit/jax"
    gaps: Mapping[str, tuple[Gap, ...]]  # metric -> a gap per epoch of both trainings
    differences: tuple[str, ...]  # sentences about differences beside the curves

    @property
    def epochs(self) -> tuple[Match, ...]:
        """The worst match of all metrics, for each epoch."""
        length = min((len(gaps) for gaps in self.gaps.values()), default=0)
        return tuple(widest(gaps[epoch] for gaps in self.gaps.values()).match for epoch in range(length))

    @property
    def match(self) -> Match:
        """The worst match of all epochs, or PARTED if anything beside the curves differs."""
        return Match.PARTED if self.differences else max(self.epochs, key=list(Match).index, default=Match.EQUAL)

    @property
    def parted_at(self) -> int | None:
        """The first epoch, counted from 1, that differs from the record by more than rounding. None: no epoch does."""
        return next((epoch for epoch, match in enumerate(self.epochs, start=1) if match is Match.PARTED), None)

    @property
    def starts_small(self) -> bool:
        """Whether the gaps can be rounding that grew: none is large in the first epoch."""
        first = [gaps[0] for gaps in self.gaps.values() if gaps]
        return all(gap.match is not Match.PARTED or gap.relative <= FIRST for gap in first)


@dataclass(frozen=True, slots=True)
class Replay:
    sweep: str
    objective: Objective
    recorded: Result
    plain: CurveMatch  # by the requested runner, by default plain `fit`
    own: CurveMatch | None  # by the recorded runner, if `plain` differs from the record
    biases: Sequence[str] = ()  # layers whose bias a batch normalization cancels, if `plain` differs from the record

    @property
    def matches(self) -> bool:
        """Whether a new training repeats the record: `plain` to rounding, or `own` (the recorded runner) exactly while
        the gaps of `plain` can be rounding that grew."""
        if self.plain.match is not Match.PARTED:
            return True
        return self.own is not None and self.own.match is Match.EQUAL and self.plain.starts_small


def replay(
    sweep: OpenSweep, number: int | None, *, runner: str | None = None, workers: str | int | Executor | None = None
) -> Replay:
    """Train a trial again on its backend, and compare the curves with the record, epoch by epoch.

    If `number` is None, the trial is the winner. `runner` is `fit` by default; "compiled" uses the programs in which
    the trial was recorded. If the curves differ, the recorded runner trains the trial, too. `workers` (a number,
    address or executor) train instead of this process. Raises UsageError for an unknown runner or workers, SweepError
    if workers fail. Also raises as `OpenSweep.load`.
    """
    make_workers, options = workers_of(workers), dict[str, Any]()
    sweep.emit(PhaseBegan("data"))
    recorded = sweep.training(number)
    spec, data = sweep.load(recorded)
    seeds = spec.search.seeds

    def compare(with_runner: Runner) -> CurveMatch:
        again, gaps = train_again(sweep, recorded, with_runner), {}
        for metric in (name for name in recorded.curve if name in again.curve):
            rows = data.validation if metric.startswith("val_") else data.train
            pairs = zip(recorded.curve[metric], again.curve[metric], strict=False)
            gaps[metric] = tuple(gap(metric, old, new, len(rows) * seeds, rows.weights) for old, new in pairs)
        return CurveMatch(again, with_runner.name, gaps, tuple(_find_differences(recorded, again, spec.objective)))

    with ExitStack() as stack:
        if make_workers is not None:
            options["workers"] = stack.enter_context(closing(make_workers()))
            options["notice"] = lambda text: sweep.emit(Noticed(text))
        plain, by_recorded = compare(RUNNERS.find(runner or "fit")(spec, data.with_seeds(seeds), **options)), None
        kind, _, backend = recorded.runner.partition("/")
        is_other_runner = kind in RUNNERS and recorded.runner != plain.runner and sweep.backend in (None, backend)
        if is_other_runner and (epoch := plain.parted_at) is not None:
            text = (
                f"the values by {plain.runner} differ from epoch {epoch} on, so {recorded.runner} trains the trial, too"
            )
            sweep.emit(Noticed(text))
            by_recorded = compare(RUNNERS.find(kind)(spec, data.with_seeds(seeds), **options))
    biases: Sequence[str] = ()
    plan = training_plan(spec, recorded.params)
    if plain.parted_at is not None and plan.optimizer != "sgd" and plain.again.weights is not None:
        model = build_first_model(spec, recorded.params, plain.again.weights, data, recorded.name)
        biases = find_cancelled_biases(model)
    return Replay(sweep.folder.name, spec.objective, recorded, plain, by_recorded, biases)


def _find_differences(recorded: Result, again: Result, objective: Objective) -> list[str]:
    """List what differs between `recorded` and `again`, except curves. Contradictions in `recorded` come first."""
    lines = []
    score = recorded.metrics.get(objective.name)
    if recorded.epoch is not None and recorded.value != score:
        lines.append(f"the record contradicts itself: value {recorded.value}, but {score} at epoch {recorded.epoch}")
    pairs: dict[str, tuple[object, ...]] = {
        "the end": tuple(f"{end.state} ({end.reason})" if end.reason else str(end.state) for end in (recorded, again)),
        "the number of epochs": (recorded.epochs, again.epochs),
        "the scored epoch": (recorded.epoch, again.epoch),
        "the number of parameters": tuple(result.measured.get("parameters") for result in (recorded, again)),
        "the metrics": (", ".join(sorted(recorded.curve)), ", ".join(sorted(again.curve))),
    }
    error, new_error = recorded.stderr, again.stderr
    if error is not None and new_error is not None and recorded.value == again.value:
        pairs["the standard error"] = (error, error if math.isclose(error, new_error, rel_tol=STDERR) else new_error)
    for subject, (old, new) in pairs.items():
        if old != new:
            lines.append(f"{subject}: the record has {old}, but the new training has {new}")
    return lines


def weights_of(sweep: OpenSweep, trial: Result) -> Weights:
    """Return the weights at the scored epoch of a trial or finalist. If no file has them, train the trial again.

    Saved weights work on every backend. On another backend a notice says that scores may differ in the last digits.
    Raises Interrupted if the user asked to stop, UsageError if a new training needs another backend. Raises RecordError
    if the trial failed or now gets another value, as after a change of packages. Also raises as `OpenSweep.load`.
    """
    if sweep.load(trial)[0].function:
        hint = "A function can write its model into the folder that its argument `folder` names"
        raise UsageError(f"the sweep {sweep.study.name!r} has an objective function, and no models", hint=hint)
    import keras  # after the backend is chosen

    backend, former = keras.backend.backend(), backend_of(trial.runner)
    reason = "only the best trials keep their weights" if not sweep.is_running else "its weights are missing"
    if weights_file_of(sweep.folder, trial).exists():
        try:
            weights = load_weights_of(sweep.folder, trial)
        except RecordError as error:
            reason = error.message
        else:
            if former != backend:
                text = f"{trial.name} was trained on {former}: on {backend} its numbers may differ in the last digits"
                sweep.emit(Noticed(text))
            return weights
    if trial.state is TrialState.FAIL:
        raise RecordError(f"{trial.name} failed ({trial.reason}), so it has no weights", hint="Choose another trial")
    if not sweep.is_running and former != backend:
        message = f"{trial.name} must be trained again on {former}, since {reason}, but the backend is {backend}"
        raise UsageError(message, hint=f"Add `--backend {former}`")
    sweep.emit(Noticed(f"{trial.name} is trained again, since {reason}"))
    again = train_again(sweep, trial, sweep.runner_for(trial))
    if again.value == trial.value and again.weights is not None:
        return again.weights
    gives = again.reason if again.value is None else again.value
    message = f"the record has {trial.value} for {trial.name}, but the new training has {gives}"
    raise RecordError(message, hint="Use the packages and the backend of the sweep. `sweep show` lists them")


def train_again(sweep: OpenSweep, trial: Result, runner: Runner) -> Result:
    """Train a recorded trial or finalist again with this runner. Return the new result, with weights.

    A pruned trial stops at its last recorded epoch. If trials of its generation resume earlier trials, the earlier
    trials are trained first. Progress is emitted as `PhaseBegan`. Checkpoints of the sweep stay as they are. Raises
    Interrupted if the user asked to stop, RecordError if the record does not say which finalists were trained together.
    """
    study, (spec, _), runner = sweep.study, sweep.load(trial), runner.without_checkpoints()
    variant = get_variant(trial.params)  # trials with other data trained in other programs
    results, index, numbers = study.results(), trial.suggestion.generation, frozenset({trial.number})
    tell = tell_as_phases(sweep.emit, f"training {trial.name} again")
    generations = {number: list(group) for number, group in groupby(results, key=lambda r: r.suggestion.generation)}

    def train_searched(number: int, numbers: frozenset[int]) -> Iterator[Result]:
        """Train the trials `numbers` of generation `number`, after the earlier trials that these trials resume."""
        earlier_results = [result for result in results if result.suggestion.generation < number]
        suggestions = _complete_generation(spec, runner.generation, earlier_results, generations[number])
        suggestions = [trial for trial in suggestions if get_variant(trial.params) == variant]
        missing = runner.missing(suggestions)
        for earlier in sorted({result.suggestion.generation for result in results if result.number in missing}):
            for _ in train_searched(earlier, missing.intersection(result.number for result in generations[earlier])):
                pass
        ends = {result.number: result.epochs for result in generations[number] if result.state is TrialState.PRUNED}
        watch = Watch(StopsAt(ends), tell, lambda: sweep.stop.signalled, ends=find_ends(generations[number]))
        yield from runner.run(suggestions, numbers, watch)

    if trial.suggestion.recipe is None:
        trained = train_searched(index, numbers)
    else:
        search, choices = {result.number: result for result in results}, study.facts.finalists
        if trial.finalist_seed is None or trial.recipe not in search or index >= len(choices):
            reason = f"the record does not say which finalists trained with {trial.name}, so it can't train again"
            raise RecordError(reason, hint="Choose another trial")
        finalists = suggest_finalists(choices[index], index, [trial.finalist_seed], search, study.finalists().results())
        finalists = [finalist for finalist in finalists if get_variant(finalist.params) == variant]
        watch = Watch(emit=tell, stopping=lambda: sweep.stop.signalled, ends=find_ends(study.finalists().results()))
        trained = runner.run(finalists, numbers, watch)
    for result in trained:
        return result
    raise Interrupted(f"the new training of {trial.name} was stopped", hint="The same command starts it again")


def _complete_generation(spec: SweepSpec, size: int, earlier: list[Result], results: list[Result]) -> list[Suggestion]:
    """Return all suggestions of the generation that `results` began, also for trials that the sweep has not trained.
    `size` is the number of trials suggested together. `earlier` has the trials of all earlier generations."""
    suggestions = [result.suggestion for result in results]
    if make_engine(spec).generation_size(suggestions[0].generation, size) <= len(suggestions):
        return suggestions
    incomplete = Generations(spec, size, [*earlier, *results], WallTime()).incomplete
    return suggestions if incomplete is None else incomplete.suggestions


def tell_as_phases(emit: Listener, words: str) -> Listener:
    """Return a listener that sends `emit` only phases. The end of an epoch becomes a phase that begins with `words`."""

    def tell(event: Event) -> None:
        if isinstance(event, EpochEnded):
            emit(PhaseBegan(f"{words}, epoch {event.epoch} is done"))
        elif isinstance(event, PhaseBegan):
            emit(event)

    return tell
