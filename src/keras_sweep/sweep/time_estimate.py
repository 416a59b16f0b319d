"""Estimate how long a sweep will take, and whether `fit` on TensorFlow is faster: train a little, and measure."""

import hashlib
import math
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from keras_sweep.data.search_data import SearchData
from keras_sweep.files import atomic
from keras_sweep.models.build import model_code
from keras_sweep.process.backend import can_import, get_versions
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.wall_time import WallTime
from keras_sweep.search.engines import find_sampler, make_engine
from keras_sweep.search.pruning import epochs_read_from, estimate_epochs
from keras_sweep.space.sweep_spec import EarlyTerminate, SweepSpec
from keras_sweep.space.variants import get_data_space
from keras_sweep.sweep.earlier import load_earlier_trials
from keras_sweep.sweep.finalists import SHARE, afford_finalists
from keras_sweep.sweep.open_sweep import load_for_run
from keras_sweep.system.processes import list_cores
from keras_sweep.training.choose import why_no_pace
from keras_sweep.training.fit.training import time_step
from keras_sweep.training.runner import Runner, Watch
from keras_sweep.training.workers.task import Client
from keras_sweep.trial.comparison import find_doubts
from keras_sweep.trial.events import EpochEnded, Event, Listener, Noticed, PhaseBegan
from keras_sweep.trial.plan import DEFAULT_EPOCHS, training_plan
from keras_sweep.trial.result import Seconds, Suggestion, TrialState

PROBE_SECONDS = 20.0  # limit of the probe, which then uses the programs compiled until then
# Rungs to recommend (benchmarks/results.md): HALVING to samplers that learn from random trials, RUNGS to others.
HALVING = EarlyTerminate("halving", min_iter=1, eta=2, first=32)
RUNGS = EarlyTerminate("successive_halving", min_iter=2, eta=3)
STEP_SECONDS, FIT_SECONDS, FASTER = 5.0, 60.0, 1.2  # limits to time steps in lanes and of `fit`; least factor to tell
PROBE_TRIALS = 4  # minimum: the first trial warms up the process, and later trials compile faster


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """The estimated time and epochs of a sweep, without start-up and test evaluation."""

    runner: str
    epoch_seconds: float  # wall time of a trial's epoch, while other trials train beside it
    trial_epochs: float  # expected epochs of all trials, with rungs
    programs: float  # expected number of compiled programs
    compile_seconds: float  # of all programs, with building models
    generation: int = 1  # trials suggested together
    at_once: int = 1  # programs or trials of a generation that train in parallel
    whole_epochs: float = 0.0  # expected epochs without rungs
    offer: EarlyTerminate | None = None  # rungs to recommend; None if the sweep has rungs or can't have them
    offered_epochs: float = 0.0  # expected epochs with the rungs of `offer`
    trials: int = 0  # trials of the search
    paces: bool = False  # whether the search can have `search.pace`, and gains by it
    learns: bool = True  # whether each generation waits for the results of the previous generation
    finalists: tuple[int, int] = (0, 0)  # likely number of configurations, and of new seeds for each
    finalist_epochs: float = 0.0  # expected epochs of all finalists
    refit_epochs: float = 0.0  # expected epochs of the winner on all rows

    @property
    def seconds(self) -> float:
        """The expected time of the search, without finalists."""
        return self.compile_seconds + self.epoch_seconds * self.trial_epochs


def estimate_time(spec: SweepSpec, runner: Runner, emit: Listener) -> TimeEstimate | None:
    """Estimate a sweep's time from a generation that trains for two epochs. If all trials fail, return None."""
    engine = make_engine(spec)
    suggestions = engine.ask(max(runner.generation, PROBE_TRIALS))
    trials = min(spec.search.trials, spec.sampler_space.size)
    numbers = frozenset(suggestion.number for suggestion in suggestions if suggestion.number < trials)
    lengths = [training_plan(spec, suggestion.params).epochs for suggestion in suggestions]
    end = time.monotonic() + PROBE_SECONDS
    counts = runner.programs(suggestions, numbers, emit)
    short = [replace(trial, params={**trial.params, "epochs": min(max(lengths), 2)}) for trial in suggestions]
    ended_epochs: list[Event] = []
    watch = Watch(
        emit=lambda event: (ended_epochs.append if isinstance(event, EpochEnded) else emit)(event),
        stopping=lambda: bool(ended_epochs) and time.monotonic() > end,
    )
    results = list(runner.run(short, numbers, watch))
    for words in find_doubts(spec.objective.name, results):
        emit(Noticed(words))
    if not ended_epochs or (results and all(result.state is not TrialState.COMPLETE for result in results)):
        return None
    # Later trials need a new program as often as a trial of this generation has a program of its own.
    unshared = sum(programs for programs, of_trials in counts if of_trials == 1)
    later = unshared / len(suggestions) * max(trials - len(numbers), 0)
    programs = (sum(programs for programs, _ in counts) + later) * get_data_space(spec.space).size  # for each variant
    spent = Counter(runner.spent)
    # The program that scores a trial is compiled, too, on its first use.
    program_seconds = (spent["compile"] + spent["score"]) / max(runner.compiled, 1)
    length = sum(lengths) / len(lengths)
    rule, offer, all_lengths = spec.early_terminate, _offer_rungs(spec), list(islice(cycle(lengths), int(trials)))
    least, most = spec.space.get_bounds("epochs", DEFAULT_EPOCHS)
    is_read = rule is not None and spec.objective.epochs_from  # without rungs, the sampler would draw `epochs`
    whole = len(all_lengths) * (least + most) / 2 if is_read else float(sum(all_lengths))
    trained = whole if rule is None else estimate_epochs(spec, rule, all_lengths, runner.generation)
    offered = 0.0 if offer is None else estimate_epochs(spec, offer, [most] * len(all_lengths), runner.generation)
    finalists = (0, 0)  # estimated as if all trials had the same length
    if (section := spec.finalists) is not None:
        most_epochs = math.inf if spec.finalists_asked else SHARE * trained
        finalists = afford_finalists([length] * min(section.top, int(trials)), section.seeds, most_epochs)
    return TimeEstimate(
        runner.name,
        epoch_seconds=(spent["train"] + spent["validate"]) / len(ended_epochs),
        trial_epochs=trained,
        whole_epochs=whole,
        offer=offer,
        offered_epochs=offered,
        programs=programs,
        generation=runner.generation,
        at_once=runner.at_once,
        trials=int(trials),
        paces=spec.early_terminate is not None and why_no_pace(spec, runner) is None,
        learns=engine.learns,
        compile_seconds=program_seconds * programs + spent["build"] * (1 + later / len(suggestions)),
        finalists=finalists,
        finalist_epochs=math.prod(finalists) * length,
        refit_epochs=length if spec.needs_refit else 0.0,
    )


def _offer_rungs(spec: SweepSpec) -> EarlyTerminate | None:
    """Return the rungs to recommend for a sweep. Return None if it has rungs, or can't have them."""
    sampler = find_sampler(spec.search)
    least = epochs_read_from(replace(spec, early_terminate=RUNGS))  # earlier epochs have no rung
    is_refused = sampler.sets_epochs or spec.objective.further or get_data_space(spec.space).size > 1
    if spec.early_terminate is not None or is_refused or not least:
        return None
    has_trials = min(spec.search.trials, spec.sampler_space.size) >= 2 * HALVING.first  # some after the first bracket
    if sampler.learns and sampler.learns_others and least == HALVING.min_iter and has_trials:
        return HALVING
    return replace(RUNGS, min_iter=max(RUNGS.min_iter, least))


def probe_time(
    spec: SweepSpec, emit: Listener, *, runner: str | None = None, sweeps: Path | None = None
) -> tuple[SearchData, TimeEstimate | None]:
    """Load the data, and estimate how long the sweep will take. Only the user's cache is written.

    Emits the notices of a run about the model, the runner and the earlier trials. `sweeps` is the folder with earlier
    sweeps. If all probed trials fail, the estimate is None. Raises as `load_for_run` and `load_earlier_trials`.
    """
    wall = WallTime()
    wall.tell = lambda phase: emit(PhaseBegan(phase))
    spec, data, chosen = load_for_run(spec, None, runner, emit, wall, StopRequest(ends_process=False))
    load_earlier_trials(spec, data.fingerprint, sweeps, emit)
    estimate = estimate_time(spec, chosen, emit)
    tell_faster_fit(spec, data, chosen, emit, measure=estimate is not None and can_import("tensorflow"))
    return data, estimate


def tell_faster_fit(spec: SweepSpec, data: SearchData, runner: Runner, emit: Listener, *, measure: bool) -> None:
    """Emit a notice if `fit` on TensorFlow trains the user's model faster than lanes do on this CPU. Without `measure`,
    only the times that an earlier call wrote to the user's cache count."""
    if spec.model.kind == "dense" or data.folds or data.variants or runner.device is None or not runner.device.is_cpu:
        return
    trial, lanes, fit = Suggestion(0, {**spec.space.make_example(0.5), "epochs": 1}), 0.0, 0.0
    plan = training_plan(spec, trial.params)
    kind = (spec.model.source, model_code(spec, now=True), plan.model_arguments, plan.batch_size, data.row_shape)
    with suppress(Exception):  # there is no cache, or the model does not run on TensorFlow
        file = atomic.user_cache("steps") / hashlib.sha256(repr((kind, get_versions())).encode()).hexdigest()
        if measure:
            from keras_sweep.training.workers.processes import ProcessPool

            lanes = _time_lane_epoch(runner, trial) / math.ceil(len(data.train) / plan.batch_size) / spec.search.seeds
            with closing(ProcessPool("1", KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1")) as pool:
                client = Client(pool, spec, data, lambda _: None)
                fit = client.submit(time_step, trial, FIT_SECONDS).result()
            atomic.write_text(file, f"{lanes} {fit}")
        lanes, fit = map(float, file.read_text().split())
    if lanes > FASTER * fit > 0:
        times = f"{1000 * fit:.1f} and {1000 * lanes:.1f} ms of CPU a step"
        text = f"`fit` on TensorFlow trains this model {lanes / fit:.1f} times as fast as lanes ({times})"
        emit(Noticed(f"{text}; to use it: `--backend tensorflow --workers {len(list_cores())}`"))


def _time_lane_epoch(runner: Runner, trial: Suggestion) -> float:
    """Return the CPU seconds of a trial's training steps in an epoch, while equal trials train beside it."""
    trials = [replace(trial, number=number) for number in range(runner.generation)]
    seconds, ended, started, cpu = Seconds(), 0, time.monotonic(), time.process_time()
    watch = Watch(stopping=lambda: ended > 0 and time.monotonic() - started > STEP_SECONDS)
    for result in runner.run(trials, frozenset(range(len(trials))), watch):
        seconds, ended = seconds + result.seconds, ended + 1
    # A busy machine lengthens the seconds, and the CPU time has more than training. So the smaller number counts.
    return seconds.train / ended * min((time.process_time() - cpu) / seconds.total, 1.0)
