"""`sweep run --json`: every event as one line of strict JSON in ASCII, with the field `event` first.

    sweep_started     name folder engine runner total finished(count) metric goal space_size(null: infinite)
                      parameters[name]
    generation_asked  generation trials[{number params continues}]
    phase_began       phase done total per_trial
    trial_resumed     number epochs curve{name: [number]}
    epoch_ended       number epoch logs{name: number}
    trial_ended       number generation state value stderr params metrics epoch epochs
                      seconds{sampler compile train validate total} curve{name: [number]} engine runner reason
    noticed           message
    finalists_chosen  recipes[number] seeds[number] finished(count) epochs(to train) note
                      estimate{value low high naive method}(of the search's winner)
    finalist_epoch_ended  recipe(number of the trial) seed epoch
    finalist_ended    recipe seed, and the fields of trial_ended from state on
    winner_refitted   of the training on all rows: its fields, earlier
    test_evaluated    number seed(of the finalist; null: the trial's own) average(of what) scores{name: number}
                      stderr(of the metric that ranks) stderrs{name: number} looks per_class{class: accuracy}
                      earlier(whether that was in an earlier run)
    sweep_ended       name reason trials{COMPLETE PRUNED FAIL: count} best{number value stderr params seeds seeds_mean
                      seeds_stderr} seconds{part: s}
                      model(path) kept{number: epoch} waiting[number] estimate{value low high naive method}

What is not there is null; so is a number that is not finite. Fields may be added, none is taken away.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any, TextIO

from keras_sweep.space.objective import Goal, Objective
from keras_sweep.trial.events import (
    EpochEnded,
    Event,
    FinalistEnded,
    FinalistEpochEnded,
    FinalistsChosen,
    GenerationAsked,
    Noticed,
    PhaseBegan,
    SweepEnded,
    SweepStarted,
    TestEvaluated,
    TrialEnded,
    TrialResumed,
    WinnerRefitted,
)
from keras_sweep.trial.finalists import seed_scores
from keras_sweep.trial.ranking import winner
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.running.progress_view import ProgressView


class JsonLines(ProgressView):
    """A listener that writes to a text file and flushes each line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._objective = Objective("value", Goal.MAXIMIZE)

    def __call__(self, event: Event) -> None:
        """Write the event's line."""
        if isinstance(event, SweepStarted):
            self._objective = event.objective
        self._file.write(strict_json(event_record(event, self._objective)) + "\n")
        self._file.flush()


def event_record(event: Event, objective: Objective) -> dict[str, Any]:
    """The event as the fields of its line."""
    match event:
        case SweepStarted():
            return {
                "event": "sweep_started",
                "name": event.name,
                "folder": event.folder,
                "engine": event.engine,
                "runner": event.runner,
                "total": event.total,
                "finished": len(event.finished),
                "metric": event.metric,
                "goal": event.goal,
                "space_size": event.space_size,
                "parameters": list(event.parameters),
            }
        case GenerationAsked():
            trials = [
                {"number": s.number, "params": dict(s.params), "continues": s.continues} for s in event.suggestions
            ]
            return {"event": "generation_asked", "generation": event.generation, "trials": trials}
        case PhaseBegan():
            return {
                "event": "phase_began",
                "phase": event.phase,
                "done": event.done,
                "total": event.total,
                "per_trial": event.per_trial,
            }
        case TrialResumed():
            curve = {name: list(values) for name, values in event.curve.items()}
            epochs = max(map(len, curve.values()), default=0)
            return {"event": "trial_resumed", "number": event.number, "epochs": epochs, "curve": curve}
        case EpochEnded():
            return {"event": "epoch_ended", "number": event.number, "epoch": event.epoch, "logs": dict(event.logs)}
        case TrialEnded():
            return {"event": "trial_ended", **result_record(event.result)}
        case Noticed():
            return {"event": "noticed", "message": event.message}
        case FinalistsChosen() | FinalistEpochEnded() | FinalistEnded():
            return finalist_record(event)
        case WinnerRefitted() | TestEvaluated() | SweepEnded():
            return _end_record(event, objective)


def _end_record(event: WinnerRefitted | TestEvaluated | SweepEnded, objective: Objective) -> dict[str, Any]:
    match event:
        case WinnerRefitted():
            refit = asdict(event.refit)
            del refit["digest"]
            return {"event": "winner_refitted", **refit, "earlier": event.earlier}
        case TestEvaluated():
            return {
                "event": "test_evaluated",
                "number": event.number,
                "seed": event.seed,
                **({"average": event.average} if event.average else {}),
                "scores": dict(event.scores),
                "stderr": event.stderrs.get(objective.name.removeprefix("val_")),
                "stderrs": dict(event.stderrs),
                "looks": event.looks,
                "per_class": None if event.per_class is None else dict(event.per_class),
                "earlier": event.earlier,
            }
        case SweepEnded():
            counts = Counter(result.state for result in event.results)
            return {
                "event": "sweep_ended",
                "name": event.name,
                "reason": event.reason,
                "trials": {state.value: counts[state] for state in TrialState},
                "best": _best(event.results, objective),
                "seconds": dict(event.seconds),
                "model": event.model,
                "kept": {str(number): epoch for number, epoch in event.kept.items()},
                "waiting": list(event.waiting),
                "estimate": asdict(event.comparison.estimate)
                if event.comparison is not None and event.comparison.estimate is not None
                else None,
            }


def finalist_record(event: FinalistsChosen | FinalistEpochEnded | FinalistEnded) -> dict[str, Any]:
    """An event of the finalists as the fields of its line."""
    match event:
        case FinalistsChosen():
            return {
                "event": "finalists_chosen",
                "recipes": list(event.recipes),
                "seeds": list(event.seeds),
                "finished": len(event.finished),
                "epochs": event.epochs,
                "note": event.note or None,
                "estimate": None if event.estimate is None else asdict(event.estimate),
            }
        case FinalistEpochEnded():
            return {"event": "finalist_epoch_ended", "recipe": event.recipe, "seed": event.seed, "epoch": event.epoch}
        case FinalistEnded():
            result = event.result
            record = result_record(result)
            del record["number"], record["generation"]
            return {"event": "finalist_ended", "recipe": result.recipe, "seed": result.finalist_seed, **record}


def result_record(result: Result) -> dict[str, Any]:
    """A result with all that is known of it but its weights."""
    seconds = result.seconds
    return {
        "number": result.number,
        "generation": result.suggestion.generation,
        "state": result.state.value,
        "value": result.value,
        "stderr": result.stderr,
        "params": dict(result.params),
        "metrics": result.metrics,
        "epoch": result.epoch,
        "epochs": result.epochs,
        "seconds": {
            "sampler": seconds.sampler,
            "compile": seconds.compile,
            "train": seconds.train,
            "validate": seconds.validate,
            "total": round(seconds.total, 6),
        },
        "curve": {name: list(values) for name, values in result.curve.items()},
        "engine": result.engine,
        "runner": result.runner,
        "reason": result.reason,
    }


def _best(results: tuple[Result, ...], objective: Objective) -> dict[str, Any] | None:
    best = winner(results, objective)
    if best is None:
        return None
    record = {"number": best.number, "value": best.value, "stderr": best.stderr, "params": dict(best.params)}
    if best.average is not None:
        average = best.average
        record["averaged"] = {"of": average.suggestion.average, "value": average.value, "stderr": average.stderr}
    seeds = seed_scores(best)
    if seeds is None:
        return {**record, "seeds": 1, "seeds_mean": None, "seeds_stderr": None}
    return {**record, "seeds": seeds.count, "seeds_mean": seeds.mean, "seeds_stderr": seeds.stderr}
