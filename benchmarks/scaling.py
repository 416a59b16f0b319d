"""Sixteen trials a generation keep about four cores busy, 64 sixteen: what more cores and larger generations bring.

    python benchmarks/scaling.py [--trials 256] [--seeds 20] [--quick]

The dense model's search by TPE on the table of trained curves (`generation_size.py`), in generations of 16 to 256. What
each of its programs takes an epoch is measured here on one core, for 1, 2 and 4 lanes of each optimizer. From that the
wall time is simulated on 1 to 64 cores, packed and scheduled as a sweep does: a core that is free trains an epoch of
the program with the most left to do, and a generation begins when the one before has ended. Beside it the bound that no
schedule of the same programs can beat: of each generation its work shared by all cores, or its longest program.
Compiling, the sampler and the record are left out. Regret is the best accuracy of the table less the best found.

Printout (2026-11-27, one of two cores of an Intel Xeon, nothing else running; ten seeds): seconds (the bound), and the
mean regret with its standard error, in points (hundredths) of validation accuracy

    generation         1 core      2 cores      4 cores      8 cores     16 cores     32 cores        regret
            16  187.2 (187.2)  93.9 (93.6)  50.6 (50.5)  50.3 (50.3)  50.3 (50.3)  50.3 (50.3)  0.002 ±0.000
            32  162.5 (162.5)  81.4 (81.3)  40.8 (40.6)  25.7 (25.7)  25.7 (25.7)  25.7 (25.7)  0.007 ±0.001
            64  148.8 (148.8)  74.5 (74.4)  37.3 (37.2)  18.7 (18.6)  13.2 (13.2)  13.2 (13.2)  0.027 ±0.006
           128  127.1 (127.1)  63.6 (63.5)  31.8 (31.8)  16.0 (15.9)    8.1 (8.0)    6.7 (6.7)  0.060 ±0.010
           256  102.9 (102.9)  51.5 (51.4)  25.7 (25.7)  12.9 (12.9)    6.5 (6.4)    3.4 (3.4)  0.126 ±0.018

Larger generations are cheaper on one core, too: more of their programs are full, and later trials of a search by small
generations are longer. After 64 trials generations of 32 cost 0.05 points more than those of 16, one of 64 about 0.1
(`generation_size.py`).
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from generation_size import OPTIMIZERS, SPACE, TABLE, Curves, mean_and_error, told
from lanes import program
from printed import print_machine, print_table

from keras_sweep.space_file.read import read_space_file
from keras_sweep.training.lanes.packing import LANE_LIMIT, Job, pack, round_lane_count

SIZES = (16, 32, 64, 128, 256)
CORES = (1, 2, 4, 8, 16, 32, 64)

Times = dict[tuple[str, int], float]  # (optimizer, lanes) -> seconds that an epoch of such a program takes


def main() -> None:
    """Measure, simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="two seeds, 64 trials")
    options = parser.parse_args()
    if options.quick:
        options.trials, options.seeds = 64, 2
    print_machine()
    times = measured()
    curves = Curves(np.load(TABLE, allow_pickle=False)["val_accuracy"])
    walls, regrets = [], []
    for size in (size for size in SIZES if size <= options.trials):
        searches = [list(searched(curves, size, seed, options.trials)) for seed in range(options.seeds)]
        found = [max(curves.value(trial) or 0.0 for each in search for trial in each) for search in searches]
        regrets.append([str(size), mean_and_error(100 * (curves.best - np.array(found)))])
        row = [str(size)]
        for cores in CORES:
            pairs = [simulated(search, times, cores) for search in searches]
            row.append("{:.1f} ({:.1f})".format(*np.mean(pairs, axis=0)))
        walls.append(row)
    head = ["trials a generation", *(f"{cores} core{'s' if cores > 1 else ''}" for cores in CORES)]
    print_table(f"seconds that {options.trials} trials train (the bound that no schedule beats)", head, walls)
    print_table(f"regret after {options.trials} trials, points of accuracy", ["trials a generation", "regret"], regrets)
    print_machine("at the end")


def measured() -> Times:
    """Seconds that an epoch takes on one core, validation included."""
    from keras_sweep.data.catalog import load_search_data
    from keras_sweep.training.lanes.programs import Programs

    spec = read_space_file(SPACE)
    programs = Programs(spec, load_search_data(spec))
    counts = [count for count in (1, 2, 4) if count <= LANE_LIMIT]
    return {
        (name, lanes): lanes * sum(program(spec, programs, name, 1, lanes, 3)) / 1000
        for name in OPTIMIZERS
        for lanes in counts
    }


def searched(curves: Curves, size: int, seed: int, trials: int) -> Iterator[list[dict[str, Any]]]:
    """The parameters of the trials of each generation of a search."""
    from keras_sweep.search.engines import make_engine

    spec = read_space_file(SPACE)
    engine = make_engine(replace(spec, search=replace(spec.search, seed=seed, trials=trials)))
    for _ in range(math.ceil(trials / size)):
        asked = engine.ask(size)
        yield [dict(one.params) for one in asked]
        engine.tell([told(one, curves.value(dict(one.params))) for one in asked])


def simulated(search: Sequence[Sequence[dict[str, Any]]], times: Times, cores: int) -> tuple[float, float]:
    """Seconds that the search trains on so many cores, and the bound."""
    wall, bound = 0.0, 0.0
    for generation in search:
        groups = [epochs_of(group, generation, times) for group in packed(generation)]
        wall += scheduled(groups, cores)
        bound += max(sum(map(sum, groups)) / cores, max(map(sum, groups)))
    return wall, bound


def packed(generation: Sequence[dict[str, Any]]) -> list[tuple[int, ...]]:
    """Which trials share a program, as a sweep packs them."""
    jobs = [Job(number, trial["optimizer"], trial["epochs"]) for number, trial in enumerate(generation)]
    return pack(jobs, dict.fromkeys(OPTIMIZERS, LANE_LIMIT))


def epochs_of(group: Sequence[int], generation: Sequence[dict[str, Any]], times: Times) -> list[float]:
    """Seconds of each epoch of a group, whose programs shrink as trials end."""
    lengths, optimizer = [generation[number]["epochs"] for number in group], generation[group[0]]["optimizer"]
    placed = [sum(length > epoch for length in lengths) for epoch in range(max(lengths))]
    return [times[optimizer, round_lane_count(count)] for count in placed]


def scheduled(groups: Sequence[Sequence[float]], cores: int) -> float:
    """When the last group ends: a core that is free trains an epoch of the idle group that has the most left to do."""
    left = {place: list(epochs) for place, epochs in enumerate(groups)}
    idle, running, now = set(left), list[tuple[float, int]](), 0.0
    while idle or running:
        while idle and len(running) < cores:
            place = max(idle, key=lambda place: sum(left[place]))
            idle.remove(place)
            heapq.heappush(running, (now + left[place].pop(0), place))
        now, place = heapq.heappop(running)
        if left[place]:
            idle.add(place)
    return now


if __name__ == "__main__":
    main()
