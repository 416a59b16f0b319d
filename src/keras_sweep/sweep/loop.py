"""The loop: an engine asks for a generation, a runner trains it, the record keeps it. Only this file sees all three."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keras_sweep.errors import SweepError
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.search.engine import Engine
from keras_sweep.space.text import counted
from keras_sweep.sweep.generations import Generations
from keras_sweep.sweep.train_generation import GenerationTraining, TransientFailure
from keras_sweep.training.runner import Runner
from keras_sweep.trial.events import EndReason, GenerationAsked, Listener, Noticed, exhausted_text
from keras_sweep.trial.result import DIVERGED, Result, TrialState
from keras_sweep.trial.wall_time import WallTime

FIRST_FAILURES = 3  # in a row at the start, then the sweep stops: the model or the data are wrong, not the parameters
RETRIES = 2  # of a generation in which the machine failed a trial, not the trial's own parameters


@dataclass(frozen=True, slots=True)
class Limits:
    """When a search is done."""

    trials: int  # in total
    failures: int | None = None  # stop after so many failed trials


def search(
    make_engine: Callable[[], Engine],
    runner: Runner,
    record: TrialRecord,
    limits: Limits,
    *,
    emit: Listener,
    stop: StopRequest,
    wall: WallTime,
) -> EndReason:
    """Search until the limits are met; returns why it ended.

    The record's last generation may be incomplete: it is asked again, which gives the same suggestions; those that
    ended before their turn wait beside the record, and the runner trains what is missing. So a search that is stopped
    anywhere goes on as if it had not been. A transient failure (memory, disk, network) discards the rest of its
    generation, which is trained again, at most RETRIES times.

    Raises:
        SweepError: the first trials all failed, or more than `limits.failures` did.
    """
    finished = record.results()
    generations = Generations(make_engine, runner.generation, finished, wall)
    training = GenerationTraining(runner, record, emit=emit, stop=stop, wall=wall)
    tries = 0  # of the generation
    while len(finished) < limits.trials:
        if stop:
            return stopped(stop)
        generation = generations.next()
        if not generation.asked:
            emit(Noticed(exhausted_text(len(finished))))
            return EndReason.EXHAUSTED
        emit(GenerationAsked(generation.index, tuple(generation.asked)))
        try:
            for result in training.results(generation, generations.engine, limits.trials, retry=tries < RETRIES):
                finished.append(result)
                generation.done.append(result)
                _check_failures(finished, limits)
        except TransientFailure as failure:
            emit(Noticed(f"trial {failure.number} is trained again, since the machine failed it: {failure.reason}"))
            tries += 1
            generations.reopen(finished)
            continue
        if generation.is_recorded:
            generations.close(generation, finished)
            if not generations.has_opened:  # else some of its trials may continue others
                runner.keep_only(generations.engine.continuable())
            tries = 0
        elif len(finished) < limits.trials and not stop:
            raise SweepError(f"the runner {runner.name} left out trial {len(finished)}", hint="Please report it")
    return EndReason.DONE


def stopped(stop: StopRequest) -> EndReason:
    """Why a search ended that was asked to."""
    return EndReason.INTERRUPTED if stop.signalled else EndReason.OUT_OF_TIME


def _check_failures(finished: Sequence[Result], limits: Limits) -> None:
    """Raises SweepError where so many trials fail that the rest would too, or more than the user allows."""
    first = finished[:FIRST_FAILURES]
    if len(finished) == FIRST_FAILURES and all(
        one.state is TrialState.FAIL and one.reason != DIVERGED for one in first
    ):
        raise SweepError(
            f"the first {FIRST_FAILURES} trials all failed; trial {first[0].number}: {first[0].reason}",
            hint=f"Mend it and run with --fresh; `sweep show NAME {first[0].number}` has the traceback",
        )
    if limits.failures is None:
        return
    failed = [result for result in finished if result.state is TrialState.FAIL]
    if len(failed) > limits.failures:
        raise SweepError(
            f"{counted(len(failed), 'trial')} failed, more than --max-failures {limits.failures}; the last: "
            f"{failed[-1].reason}",
            hint="The same command with a larger --max-failures goes on",
        )
