"""A trial-epoch of a sweep costs 60 times less than with plain Optuna and Keras on TensorFlow, 15 times less on JAX.

    python benchmarks/trial_epoch_cost.py [--quick] [--trials 8] [--rounds 3] [--peer-python PATH] [--plot FILE]

Whole processes from start to exit, one after the other in each round, so that all meet the same load. `sweep run` does
the 64 trials of search_spaces/dense.yaml, test and export included, without finalists; then it and every peer train the
same few trials: the first that it asks for. "Training alone" leaves out start-up, compiling and validation. Peers are
described in peers/, and run by the interpreter given.

Machine: two shared cores of an AMD EPYC, nothing else running, 2026-11-25; medians of three rounds

    whole process                                   trials  epochs  seconds (from-to)     ms     x  training     x
    sweep run, 64 trials, test, export, no caches       64     856  17.2                20.1   1.3      11.8   1.1
    sweep run, 64 trials, test and export               64     856  13.4 (13.3-14.6)    15.6   1.0      11.0   1.0
    sweep run, 8 trials                                  8      94   4.5 (4.4-5.0)      48.0   3.1      10.9   1.0
    Optuna + Keras, TensorFlow                           8      94  98.5 (98.4-98.8)  1047.7  67.1     851.0  77.2
    Optuna + Keras, JAX                                  8      94  25.2 (22.7-25.9)   268.0  17.2     151.8  13.8
    KerasTuner, JAX                                      8      94  23.2 (23.1-24.0)   246.8  15.8     145.3  13.2
    Optuna + Keras, JAX, 50 steps per execution          8      94  16.1 (15.9-19.1)   171.5  11.0      70.6   6.4

    First finished trial 4.2 s after the start of 'sweep run, 64 trials, test and export'.

On another host, 2026-11-26, nothing else running, two rounds, four trials a peer:

    sweep run, 64 trials, test, export, no caches       64     856  26.7                31.2   1.2      18.3   1.0
    sweep run, 64 trials, test and export               64     856  22.3 (22.0-22.7)    26.1   1.0      18.7   1.0
    Optuna + Keras, TensorFlow                           4      53 114.6 (112.8-116.5) 2163.1 82.9    1744.1  93.4
    Optuna + Keras, JAX                                  4      53  29.6 (28.7-30.5)   559.0  21.4     338.5  18.1

There, since softmax has its rows last and imports are spared, nothing else running, two rounds:

    sweep run, 64 trials, test, export, no caches       64     856  25.6                29.9   1.3      16.6   1.0
    sweep run, 64 trials, test and export               64     856  19.2 (19.0-19.4)    22.4   1.0      16.6   1.0
    sweep run, 4 trials                                  4      53   4.7 (4.6-4.8)      88.0   3.9      15.8   0.9
    Optuna + Keras, TensorFlow                           4      53 106.7 (105.8-107.7) 2014.1 89.9    1641.3  99.0
    Optuna + Keras, JAX                                  4      53  27.1 (26.5-27.7)   512.1  22.9     312.1  18.8

And since optimizers pass over their own lanes alone, nothing else running, three rounds:

    sweep run, 64 trials, test, export, no caches       64     856  27.3                31.9   1.3      19.1   1.1
    sweep run, 64 trials, test and export               64     856  20.4 (19.8-21.2)    23.8   1.0      16.9   1.0
    sweep run, 4 trials                                  4      53   5.6 (4.6-5.8)     105.8   4.4      16.5   1.0
    Optuna + Keras, TensorFlow                           4      53 117.2 (102.5-124.8) 2211.1 92.8    1872.2 110.5
    Optuna + Keras, JAX                                  4      53  28.9 (28.8-31.1)   545.1  22.9     335.2  19.8

    First finished trial 4.2 s after the start. The host was slower that hour: in turn with the code before, the main
    job took 17.7 s for 18.6.

An hour before the first, with a `sweep run` of 15.3 s: KerasTuner, TensorFlow 99.2 s (1055 ms); Optuna + Keras,
TensorFlow, 50 steps per execution 37.2 s (396 ms). Ray Tune was not measured on this space.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from contenders import OURS, PEER_PROGRAMS, Run, empty_caches, missing, run_ours, run_peer
from printed import print_machine, print_table, write_plot

MAIN = f"{OURS}, 64 trials, test and export"
TARGETS = {"Optuna + Keras, TensorFlow": 60, "Optuna + Keras, JAX": 15}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="one round of 16 short trials and 2 peers")
    parser.add_argument("--trials", type=int, default=8, help="how many trials each peer trains")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=list(PEER_PROGRAMS), help="which peers, by name")
    parser.add_argument("--peer-python", type=Path, default=Path(sys.executable), help="interpreter of the peers")
    parser.add_argument("--plot", type=Path, help="write a plot: .html, or .svg with kaleido")
    options = parser.parse_args()
    whole = ["--set", "finalists=none"]  # which no peer trains
    if options.quick:
        options.trials, options.rounds, options.peers = 3, 1, list(TARGETS)
        whole += ["--set", "epochs.max=4", "--trials", "16"]
    notes = [note for name in options.peers if (note := missing(name, options.peer_python))]
    peers = [name for name in options.peers if missing(name, options.peer_python) is None]
    print_machine("at the start")
    few = [*whole, "--trials", str(options.trials)]
    with empty_caches():
        first_day = run_ours(whole)
    points = [dict(trial.params) for trial in run_ours(few).trials]
    contenders: dict[str, Callable[[], Run]] = {
        MAIN: partial(run_ours, whole),
        f"{OURS}, {options.trials} trials": partial(run_ours, few),
        **{name: partial(run_peer, name, options.peer_python, points=points) for name in peers},
    }
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for number in range(1, options.rounds + 1):
        for name, run in contenders.items():
            found = run()
            runs[name].append(found)
            load = os.getloadavg()[0]
            print(f"round {number}: {name}: {found.seconds:.1f} s, load {load:.1f}", file=sys.stderr, flush=True)
    print_runs({f"{MAIN}, caches empty": [first_day], **runs}, notes)
    print_machine("at the end")
    if options.plot:
        write_plot(options.plot, figure(runs))


def print_runs(runs: Mapping[str, list[Run]], notes: list[str]) -> None:
    """A row a contender: medians over the rounds, and how many times the main row's cost."""
    ours = median(runs[MAIN], "whole"), median(runs[MAIN], "training")
    rows = []
    for name, found in runs.items():
        whole, training = median(found, "whole"), median(found, "training")
        spread = f"{min(run.seconds for run in found):.1f}-{max(run.seconds for run in found):.1f}"
        rows.append(
            [
                name,
                str(len(found[0].trials)),
                str(found[0].epochs),
                f"{statistics.median(run.seconds for run in found):.1f} ({spread})",
                f"{whole:.1f}",
                f"{whole / ours[0]:.1f}",
                f"{training:.1f}",
                f"{training / ours[1]:.1f}",
            ]
        )
    first = statistics.median(run.trials[0].at for run in runs[MAIN])
    for name, target in TARGETS.items():
        if name in runs:
            times = median(runs[name], "whole") / ours[0]
            verdict = "reached" if times >= target else "MISSED"
            notes.append(f"{name}: {times:.0f} times the cost of {OURS}; the target of {target} is {verdict}.")
    print_table(
        f"Cost of a trial-epoch, median of {len(runs[MAIN])} rounds; x = times the cost of {MAIN!r}",
        ["whole process", "trials", "epochs", "seconds (from-to)", "ms", "x", "training alone, ms", "x"],
        rows,
        [f"First finished trial {first:.1f} s after the start of {MAIN!r}.", *notes],
    )


def median(runs: list[Run], what: str) -> float:
    """The median of one property."""
    return statistics.median(getattr(run, what) for run in runs)


def figure(runs: Mapping[str, list[Run]]) -> Any:
    """Bars of both costs."""
    import plotly.graph_objects as go

    names = list(runs)[::-1]
    plot = go.Figure(layout={"xaxis_title": "ms a trial-epoch", "barmode": "group"})
    for what, label in (("training", "training alone"), ("whole", "whole process")):
        plot.add_bar(y=names, x=[median(runs[name], what) for name in names], name=label, orientation="h")
    plot.update_xaxes(type="log")
    return plot


if __name__ == "__main__":
    main()
