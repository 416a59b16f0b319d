"""Write the events of `sweep run --json`: a line of strict JSON in ASCII each, with the field `event` first.

    sweep_started     name folder engine runner total finished(count) metric goal space_size(null: very large)
                      parameters[name] rows(a sentence) goals{name: goal}(of further goals, if there are any)
    generation_asked  generation trials[{number params continues}]
    phase_began       phase done total
    trial_resumed     number epochs curve{name: [number]}
    epoch_ended       number epoch logs{name: number}
    trial_ended       number generation state value stderr params metrics epoch epochs measured{name: number}
                      seconds{sampler compile train validate total} curve{name: [number]} engine runner reason
    noticed           message
    finalists_chosen  recipes[number] seeds[number] finished(count) epochs(to train) note
                      estimate{value low high naive method}(of the search's winner)
    finalist_epoch_ended  recipe(number of the trial) seed epoch
    finalist_ended    recipe seed, and the fields of trial_ended from `state` on
    winner_refitted   the fields of the training on all rows, earlier
    test_evaluated    number seed(of the finalist; null: the trial's own) scores{name: number}
                      stderr(of the metric that ranks) stderrs{name: number} per_class{class: accuracy} looks
                      earlier(whether an earlier run evaluated it)
    sweep_ended       name reason trials{COMPLETE PRUNED FAIL: count} best{number value stderr params seeds seeds_mean
                      seeds_stderr} seconds{part: s}
                      model(path) kept{number: epoch} waiting[number] estimate{value low high naive method}

Missing and infinite values and NaN are null. `measured` has further goals. Fields may be added, never removed.
"""

import re
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, fields
from typing import Any, TextIO

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep import events
from keras_sweep.trial.events import Event, Listener, Noticed, TrialResumed
from keras_sweep.trial.ranking import seed_scores, winner
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.leaderboard.rows import seeds_record
from keras_sweep.views.terminal.console import print_notice, stderr_console


def json_lines(file: TextIO) -> AbstractContextManager[Listener]:
    """Return a context manager. Its listener writes a line to `file` for each event, but prints warnings to stderr."""
    objective = Objective("value", Goal.MAXIMIZE)

    def write(event: Event) -> None:
        nonlocal objective
        if isinstance(event, events.SweepStarted):
            objective = event.objective
        if isinstance(event, Noticed) and event.warns:
            print_notice(stderr_console(), event.message, warns=True)
            return
        file.write(strict_json(event_record(event, objective)) + "\n")
        file.flush()

    return nullcontext(write)


def event_record(event: Event, objective: Objective) -> dict[str, Any]:
    name = re.sub("(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    return {"event": name, **_fields(event, objective)}


def _fields(event: Event, objective: Objective) -> dict[str, Any]:
    match event:
        case events.SweepStarted():
            further = {goal.name: goal.goal.value for goal in event.objective.further}
            ranks: dict[str, Any] = {"metric": event.objective.name, "goal": event.objective.goal.value}
            ranks |= {"goals": further} if further else {}
            return {**_dump(event, "objective"), **ranks, "finished": len(event.finished)}
        case events.GenerationAsked():
            trials = [{"number": s.number, "params": s.params, "continues": s.continues} for s in event.suggestions]
            return {"generation": event.generation, "trials": trials}
        case TrialResumed():
            return {"number": event.number, "epochs": max(map(len, event.curve.values()), default=0), **_dump(event)}
        case events.TrialEnded():
            return result_record(event.result)
        case events.FinalistsChosen():
            rest, expected = {"finished": len(event.finished), "note": event.note or None}, event.estimate()
            return {**_dump(event), **rest, "estimate": expected and asdict(expected)}
        case events.FinalistEnded():
            result, record = event.result, result_record(event.result)
            del record["number"], record["generation"]
            return {"recipe": result.recipe, "seed": result.finalist_seed, **record}
        case events.WinnerRefitted():
            refit = asdict(event.refit)
            del refit["digest"]
            return {**refit, "earlier": event.earlier}
        case events.TestEvaluated():
            stderr = event.stderrs.get(objective.name.removeprefix("val_"))
            whose = {"number": event.number, "seed": event.seed}
            return {**whose, "scores": event.scores, "stderr": stderr, **_dump(event, "rows", "refit")}
        case events.SweepEnded():
            counts = Counter(result.state for result in event.results)
            ended = {state.value: counts[state] for state in TrialState}
            best, estimate = _best_record(event.results, objective), event.comparison and event.comparison.estimate
            about = {"name": event.name, "reason": event.reason, "trials": ended, "best": best}
            return {**about, **_dump(event, "results", "comparison"), "estimate": estimate and asdict(estimate)}
        case _:
            return _dump(event, "leak", "warns")


def _dump(event: Event, *left_out: str) -> dict[str, Any]:
    return {field.name: getattr(event, field.name) for field in fields(event) if field.name not in left_out}


def result_record(result: Result) -> dict[str, Any]:
    """Return a result as the fields of the event `trial_ended` of `sweep run --json`: field -> JSON value."""
    seconds = {**asdict(result.seconds), "total": round(result.seconds.total, 6)}
    identity = {"number": result.number, "generation": result.suggestion.generation, "state": result.state.value}
    scores = {name: getattr(result, name) for name in ("value", "stderr", "params", "metrics", "epoch", "epochs")}
    training = {name: getattr(result, name) for name in ("curve", "engine", "runner", "reason")}
    measured = {"measured": result.measured} if result.measured else {}
    return {**identity, **scores, **measured, "seconds": seconds, **training}


def _best_record(results: tuple[Result, ...], objective: Objective) -> dict[str, Any] | None:
    if (best := winner(results, objective)) is None:
        return None
    record = {name: getattr(best, name) for name in ("number", "value", "stderr", "params")}
    record |= seeds_record(seed_scores(best))
    del record["unstable"]
    return record
