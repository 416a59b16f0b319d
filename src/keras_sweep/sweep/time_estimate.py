"""How long a sweep will take: a timed probe of one generation, for two epochs."""

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from keras_sweep.data.search_data import SearchData
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.wall_time import WallTime
from keras_sweep.search.engines import find_sampler, make_engine
from keras_sweep.search.pruning import epochs_read_from, estimate_epochs
from keras_sweep.space.sweep_spec import EarlyTerminate, SweepSpec
from keras_sweep.space.variants import data_space
from keras_sweep.sweep.earlier import earlier_trials
from keras_sweep.sweep.finalists import SHARE, afford_finalists
from keras_sweep.sweep.open_sweep import load
from keras_sweep.training.runner import Runner, Watch
from keras_sweep.trial.comparison import find_doubts
from keras_sweep.trial.events import EpochEnded, Event, Listener, Noticed, PhaseBegan
from keras_sweep.trial.plan import DEFAULT_EPOCHS, training_plan
from keras_sweep.trial.result import TrialState

PROBE_SECONDS = 20.0  # then the probe ends with the programs that are compiled by now
OFFER = EarlyTerminate("successive_halving", min_iter=2, eta=3)  # which spares most epochs of a search
PROBE_TRIALS = 4  # at least: the first warms up the process, and later ones compile in less time


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """What the probe says; start-up and the test evaluation are left out."""

    runner: str
    epoch_seconds: float  # wall time of one epoch of one trial, among as many as train at once
    trial_epochs: float  # expected of all trials, of which rungs stop some
    programs: float  # expected to be compiled
    compile_seconds: float  # of all of them, building models included
    generation: int = 1  # trials that are asked at once
    at_once: int = 1  # programs of them, or trials, each of which a core can train beside the others
    whole_epochs: float = 0.0  # the same, were no trial stopped
    offered_epochs: float = 0.0  # the same, were poor trials stopped as `OFFER` says; 0: they are, or can't be
    learns: bool = True  # whether each generation waits for the results of the one before
    finalists: tuple[int, int] = (0, 0)  # recipes that are likely to be trained again, and with how many new seeds each
    finalist_epochs: float = 0.0  # expected of all of those
    refit_epochs: float = 0.0  # expected of the winner, trained once more on all rows

    @property
    def seconds(self) -> float:
        """Expected of the search."""
        return self.compile_seconds + self.epoch_seconds * self.trial_epochs


def estimate(spec: SweepSpec, runner: Runner, emit: Listener) -> TimeEstimate | None:
    """Train one generation for two epochs, or as much of it as there is time for; None if all of its trials fail."""
    engine = make_engine(spec)
    asked = engine.ask(max(runner.generation, PROBE_TRIALS))
    trials = min(spec.search.trials, spec.sampler_space.size)
    wanted = frozenset(one.number for one in asked if one.number < trials)
    lengths = [training_plan(spec, one.params).epochs for one in asked]
    end = time.monotonic() + PROBE_SECONDS
    needed = runner.programs(asked, wanted, emit)
    short = [replace(one, params={**one.params, "epochs": min(max(lengths), 2)}) for one in asked]
    ended_epochs: list[Event] = []

    def tell(event: Event) -> None:
        if isinstance(event, EpochEnded):
            ended_epochs.append(event)
        else:
            emit(event)

    watch = Watch(emit=tell, stopping=lambda: bool(ended_epochs) and time.monotonic() > end)
    ended = list(runner.run(short, wanted, watch))
    for words in find_doubts(spec.objective.name, ended):
        emit(Noticed(words))
    if not ended_epochs or (ended and all(one.state is not TrialState.COMPLETE for one in ended)):
        return None
    # A later trial needs programs of its own as often as a trial of this generation shares them with no other.
    alone = sum(programs for programs, of_trials in needed if of_trials == 1)
    later = alone / len(asked) * max(trials - len(wanted), 0)
    programs = (sum(programs for programs, _ in needed) + later) * data_space(spec.space).size  # each has its own
    spent = Counter(runner.spent)
    # What scores a trial is compiled, too, when it is first used.
    a_program = (spent["compile"] + spent["score"]) / max(runner.compiled, 1)
    length = sum(lengths) / len(lengths)
    trained, whole, offered = _trial_epochs(spec, list(islice(cycle(lengths), int(trials))), runner.generation)
    finalists = (0, 0)  # were all trials of the same length
    if (asked_for := spec.finalists) is not None:
        most = math.inf if spec.finalists_asked else SHARE * trained
        finalists = afford_finalists([length] * min(asked_for.top, int(trials)), asked_for.seeds, most)
    return TimeEstimate(
        runner.name,
        epoch_seconds=(spent["train"] + spent["validate"]) / len(ended_epochs),
        trial_epochs=trained,
        whole_epochs=whole,
        offered_epochs=offered,
        programs=programs,
        generation=runner.generation,
        at_once=runner.at_once,
        learns=engine.learns,
        compile_seconds=a_program * programs + spent["build"] * (1 + later / len(asked)),
        finalists=finalists,
        finalist_epochs=math.prod(finalists) * length,
        refit_epochs=length if spec.refits else 0.0,
    )


def _trial_epochs(spec: SweepSpec, lengths: Sequence[int], generation: int) -> tuple[float, float, float]:
    """What trials asked for so many epochs are expected to train in all; without rungs; and with `OFFER`, or 0."""
    rule, offer, whole = spec.early_terminate, replace(spec, early_terminate=OFFER), float(sum(lengths))
    least, most = spec.space.least_and_most("epochs", DEFAULT_EPOCHS)
    if rule is not None:
        whole = len(lengths) * (least + most) / 2 if spec.objective.epochs_from else whole
        return estimate_epochs(spec, rule, lengths, generation), whole, 0.0
    if find_sampler(spec.search).sets_epochs or not epochs_read_from(offer):
        return whole, whole, 0.0
    return whole, whole, estimate_epochs(offer, OFFER, [most] * len(lengths), generation)


def probe_time(
    spec: SweepSpec, emit: Listener, *, runner: str | None = None, sweeps: Path | None = None
) -> tuple[SearchData, TimeEstimate | None]:
    """The data, and how long the sweep will take; nothing is written.

    `runner` is that of `choose_runner`. What a run would say of the model, of how it trains, and of the earlier trials,
    among those in the folder `sweeps`, that it learns from is said here too. Raises as `load` and `earlier_trials`.
    """
    wall = WallTime()
    wall.tell = lambda phase: emit(PhaseBegan(phase))
    spec, data, chosen = load(spec, None, runner, emit, wall, StopRequest(ends_process=False))
    earlier_trials(spec, data.fingerprint, sweeps, emit)
    return data, estimate(spec, chosen, emit)
