"""What 1 to 64 cores bring to a search, by the trials of a generation and the pace at which generations begin.

    python benchmarks/scaling.py [--trials 512] [--seeds 5] [--quick]

The dense model's search by TPE on the table of trained curves (`generation_size.py`), with rungs (`dense_fast.yaml`)
and without (`dense.yaml`), by the sweep's own engines and generations. What a program takes an epoch is measured here
on one core, for 1, 2 and 4 lanes. From that the wall time is simulated on 1 to 64 cores, packed and scheduled as a
sweep does: a core that is free trains an epoch of the program with the most left to do, lanes wait at a rung for their
generation, and a generation begins once the trials that its sampler must know have ended (without a pace: all trials).
Compiling, the sampler and the record are left out. A core's worth is the time on one core divided by the time.
Regret is the best accuracy of the table less the best found, in points (hundredths).

Printout (2026-12-01, two cores of an Intel Xeon, other programs running; two seeds)

    rungs: seconds that 512 trials train; an epoch takes 58 ms of 1, 75 ms of 2, 119 ms of 4
    gen., pace      1      2      4      8     16     32     64  worth        regret
           16, -  119.3   77.8   63.4   63.4   63.4   63.4   63.4    1.9  0.062 ±0.054
           64, -  102.8   54.3   31.3   21.3   18.6   18.6   18.6    5.5  0.022 ±0.019
          256, -  111.0   56.0   28.5   14.8    8.5    5.5    4.8   23.3  0.004 ±0.001
           16, 1  128.1   64.2   32.2   16.8   10.0    8.1    8.1   15.8  0.010 ±0.007
           64, 2  100.8   50.5   25.7   13.5    7.1    4.8    4.1   24.7  0.006 ±0.004

    no rungs: seconds that 512 trials train; an epoch takes 58 ms of 1, 75 ms of 2, 119 ms of 4
    gen., pace      1      2      4      8     16     32     64  worth        regret
           16, -  229.4  115.3   70.0   70.0   70.0   70.0   70.0    3.3  0.000 ±0.000
           64, -  220.1  110.2   55.2   27.8   18.9   18.9   18.9   11.6  0.001 ±0.001
          256, -  189.7   94.9   47.5   23.8   11.9    6.0    4.8   39.7  0.032 ±0.009
           64, 3  131.8   66.0   33.1   16.6    8.6    5.4    4.7   27.9  0.034 ±0.001

Without rungs, a pace tells the sampler of short trials first, so that it prefers them: set a larger generation there.
"""

from __future__ import annotations

import argparse
import heapq
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from generation_size import OPTIMIZERS, RATES, SPACE, TABLE, mean_and_error
from lanes import program
from printed import print_machine, print_table

from keras_sweep.process.wall_time import WallTime
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.loop import Generations
from keras_sweep.training.lanes.packing import LANE_LIMIT, Job, pack, round_lane_count
from keras_sweep.training.outcome import find_scored_epoch
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import DIVERGED, Result, Suggestion, TrialState

SPACES = {"rungs": SPACE.with_name("dense_fast.yaml"), "no rungs": SPACE}
ARMS = {  # space -> (trials a generation, pace)
    "rungs": ((16, 0), (64, 0), (256, 0), (16, 1), (64, 2)),
    "no rungs": ((16, 0), (64, 0), (256, 0), (64, 3)),
}
CORES = (1, 2, 4, 8, 16, 32, 64)

Times = dict[int, float]  # lanes -> seconds that an epoch of such a program takes


@dataclass
class Trial:
    """A trial of a simulated search."""

    asked: Suggestion
    length: int  # epochs that it trains unless it stops
    rungs: tuple[int, ...]
    curve: tuple[float, ...]
    done: int = 0  # epochs that are trained; at the end, all that it trains
    ended: str | None = None


Search = list[list[Trial]]  # the trials of each generation


def main() -> None:
    """Measure, simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=512)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two seeds, 64 trials")
    options = parser.parse_args()
    if options.quick:
        options.trials, options.seeds = 64, 2
    print_machine()
    times = measured()
    table = np.load(TABLE, allow_pickle=False)["val_accuracy"]
    head = ["generation, pace", *(f"{cores} core{'s' if cores > 1 else ''}" for cores in CORES), "worth", "regret"]
    for name, path in SPACES.items():
        rows = []
        for size, pace in ARMS[name]:
            if size <= options.trials:
                rows.append([f"{size}, {pace or '-'}", *measured_arm(path, table, times, size, pace, options)])
        print_table(f"{name}: seconds that {options.trials} trials train; {pair(times)}", head, rows)
    print_machine("at the end")


def pair(times: Times) -> str:
    """The measured seconds of an epoch."""
    return "an epoch takes " + ", ".join(f"{1000 * seconds:.0f} ms of {lanes}" for lanes, seconds in times.items())


def measured_arm(path: Any, table: np.ndarray, times: Times, size: int, pace: int, options: Any) -> list[str]:
    """Seconds on each number of cores, what the most are worth, and the regret."""
    walls, best = [], []
    for seed in range(options.seeds):
        spec = read_space_file(path)
        spec = replace(spec, search=replace(spec.search, seed=seed, trials=options.trials))
        search, found = searched(spec, table, size, pace)
        walls.append([scheduled(search, pace, times, cores) for cores in CORES])
        best.append(found)
    mean = np.mean(walls, axis=0)
    regret = mean_and_error(100 * (np.nanmax(table) - np.array(best)))
    return [*(f"{wall:.1f}" for wall in mean), f"{mean[0] / mean[-1]:.1f}", regret]


def measured() -> Times:
    """Seconds of computing that an epoch takes, validation included. The first call compiles."""
    from keras_sweep.data.catalog import load_search_data
    from keras_sweep.training.lanes.programs import Programs

    spec = read_space_file(SPACE)
    programs = Programs(spec, load_search_data(spec))
    counts = [count for count in (1, 2, 4) if count <= LANE_LIMIT]
    times = {}
    for lanes in counts:
        for epochs in (0, 9):
            started = time.process_time()
            program(spec, programs, "all", 1, lanes, epochs + 1)
            times[lanes] = (time.process_time() - started) / (epochs + 2)
    return times


def curve_of(table: np.ndarray, params: Any) -> tuple[float, ...]:
    """A trial's accuracy after each epoch, straight between its two neighbours in log(learning rate)."""
    place = float(np.interp(math.log(params["learning_rate"]), np.log(RATES), np.arange(len(RATES))))
    left = min(int(place), len(RATES) - 2)
    curves = table[OPTIMIZERS.index(params["optimizer"]), left : left + 2]
    return tuple((curves[0] + (place - left) * (curves[1] - curves[0])).tolist())


def searched(spec: SweepSpec, table: np.ndarray, size: int, pace: int) -> tuple[Search, float]:
    """The trials of a search, and the best value. Its generations train side by side, an epoch at a time."""
    found: Search = []
    finished: list[Result] = []
    spec = replace(spec, search=replace(spec.search, pace=pace))
    generations = Generations(spec, size, finished, WallTime())

    def begin(suggestions: Sequence[Suggestion]) -> list[Trial]:
        trials = []
        for one in suggestions:
            length = training_plan(spec, one.params).epochs
            trials.append(Trial(one, length, generations.engine.rungs(length), curve_of(table, one.params)))
        return trials

    while len(finished) < spec.search.trials:
        generation = generations.next()
        running = [begin(generation.suggestions)]
        found.append(running[0])
        while any(trial.ended is None for trials in running for trial in trials):
            for trials in running:
                step(generations.engine, trials)
            ended = [trial for trials in running for trial in trials if trial.ended is not None]
            results = {trial.asked.number: result_of(spec, trial) for trial in ended}
            generation.ended += results.values()
            generation.recorded += results.values()
            running = [[trial for trial in trials if trial.ended is None] for trials in running]
            while sum(map(len, found)) < spec.search.trials and (
                more := generations.join([(trial.asked.generation, trial.done) for part in running for trial in part])
            ):
                found.append(begin(more.suggestions))
                running.append(list(found[-1]))
        finished += sorted(generation.recorded, key=lambda result: result.number)
        generation.recorded = finished[-len(generation.recorded) :]
        generations.close(generation, finished)
    return found, max(result.value for result in finished if result.value is not None and result.is_whole)


def step(engine: Any, trials: Sequence[Trial]) -> None:
    """Train an epoch of the trials of a generation that still train, and compare them if it is a rung."""
    values = {}
    for trial in trials:
        trial.done += 1
        if math.isnan(trial.curve[trial.done - 1]):
            trial.ended = DIVERGED
        else:
            trial.ended = "done" if trial.done == trial.length else None
            if trial.done in trial.rungs:
                values[trial.asked.number] = trial.curve[trial.done - 1]
    stopped = engine.rung(trials[0].done, values) if values else ()
    for trial in trials:
        if trial.asked.number in stopped:
            trial.ended = "pruned"


def result_of(spec: SweepSpec, trial: Trial) -> Result:
    """The result of a trial that has ended."""
    values = trial.curve[: trial.done]
    curve = {spec.objective.name: values}
    if trial.ended == DIVERGED:
        return Result(trial.asked, TrialState.FAIL, None, curve, reason=DIVERGED)
    epoch = find_scored_epoch(spec.objective, values)
    state = TrialState.PRUNED if trial.ended == "pruned" else TrialState.COMPLETE
    return Result(trial.asked, state, values[epoch - 1], curve, epoch, reads_epochs=spec.objective.epochs_from > 0)


class Schedule:
    """What trains, and what waits."""

    def __init__(self, search: Search, pace: int) -> None:
        self._search, self._pace = search, pace
        self.begun = 0  # generations
        self.groups: dict[int, list[list[Trial]]] = {}  # generation -> programs
        self._epochs: dict[int, int] = {}  # trial -> epochs that are trained
        self._passed: dict[int, int] = {}  # generation -> its last rung that is passed

    def epoch(self, group: Sequence[Trial]) -> int:
        """Epochs that a program has trained."""
        return max(self._epochs[trial.asked.number] for trial in group)

    def active(self, group: Sequence[Trial]) -> list[Trial]:
        """The trials that still train."""
        return [trial for trial in group if self._epochs[trial.asked.number] < trial.done]

    def left(self, group: Sequence[Trial]) -> int:
        """Epochs that are left, as far as the program knows."""
        return sum(trial.length - self._epochs[trial.asked.number] for trial in self.active(group))

    def train(self, group: Sequence[Trial]) -> None:
        """Note an epoch."""
        for trial in self.active(group):
            self._epochs[trial.asked.number] += 1

    def waits(self, place: int, group: Sequence[Trial]) -> bool:
        """Whether a program is at a rung that its generation has not passed."""
        return self.epoch(group) > self._passed[place] and self.epoch(group) in group[0].rungs

    def go_on(self) -> None:
        """Pass rungs, and begin the generations that may begin."""
        for place, groups in self.groups.items():
            trials = [trial for group in groups for trial in self.active(group)]
            for rung in trials[0].rungs if trials else ():
                before = self.groups.get(place - 1)
                late = before and self._passed[place - 1] < rung and any(map(self.active, before))
                if rung > self._passed[place] and not late:
                    if any(self._epochs[trial.asked.number] < rung for trial in trials):
                        break
                    self._passed[place] = rung
                    self.groups[place] = self._pack(trials)
        while self.begun < len(self._search) and self._may_begin():
            trials = self._search[self.begun]
            self._epochs |= {trial.asked.number: 0 for trial in trials}
            self.groups[self.begun], self._passed[self.begun] = self._pack(trials), 0
            self.begun += 1

    def _may_begin(self) -> bool:
        for place, groups in self.groups.items():
            age = (self.begun - place) * self._pace if self._pace else math.inf
            for trial in (trial for group in groups for trial in self.active(group)):
                at = self._epochs[trial.asked.number]
                if at < age or (at in trial.rungs and at > self._passed[place]):
                    return False
        return True

    def _pack(self, trials: Sequence[Trial]) -> list[list[Trial]]:
        by_number = {trial.asked.number: trial for trial in trials}
        jobs = [Job(number, "", trial.length - self._epochs[number]) for number, trial in by_number.items()]
        return [[by_number[number] for number in numbers] for numbers in pack(jobs, {"": LANE_LIMIT})]


def scheduled(search: Search, pace: int, times: Times, cores: int) -> float:
    """When the last program ends: a core that is free trains an epoch of the idle program with the most left to do."""
    schedule, now = Schedule(search, pace), 0.0
    running: list[tuple[float, int, list[Trial]]] = []
    while True:
        schedule.go_on()
        busy = {id(group) for _, _, group in running}
        idle = [
            group
            for place, groups in schedule.groups.items()
            for group in groups
            if id(group) not in busy and schedule.active(group) and not schedule.waits(place, group)
        ]
        idle.sort(key=schedule.left, reverse=True)
        for group in idle[: cores - len(running)]:
            seconds = times[round_lane_count(len(schedule.active(group)))]
            heapq.heappush(running, (now + seconds, id(group), group))
        if not running:
            return now
        now, _, group = heapq.heappop(running)
        schedule.train(group)
        for place in [place for place, groups in schedule.groups.items() if not any(map(schedule.active, groups))]:
            if place < schedule.begun - 1:
                del schedule.groups[place]


if __name__ == "__main__":
    main()
