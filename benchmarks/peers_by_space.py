"""On spaces that vary more than numbers of the optimizer a sweep takes no more time than any peer on the same trials.

    python benchmarks/peers_by_space.py [SPACE ...] [--trials 16] [--rounds 3] [--peers NAME ...] [--peer-python PATH]

Whole processes from start to exit, one after the other in each round; ours with empty caches, without finalists and the
test. Every peer trains the very trials that `sweep run` asks for first: the same rows, points, epochs and batches.
SPACE is table, deep_table, mlp or cnn, by default each of them. "Of ours" is how many times our time it takes, the
median of the rounds; "differ" is in how many trials the peer's value is another than ours, which on JAX should be none.

results.md has the printout: `table` 6.6 to 7.5 times ours, `deep_table` 8.3 to 9.5, `cnn` 3.4 to 5.1, `mlp` 2.8 to 7.3;
Ray Tune on `table` 8.5 and 9.1, on `cnn` 4.2 and 7.0.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from contenders import HERE, OURS, PEER_PROGRAMS, Run, empty_caches, missing, run_ours, run_peer
from printed import print_machine, print_table

SPACES = {
    **{name: HERE / "spaces" / f"{name}.yaml" for name in ("table", "deep_table", "mlp")},
    "cnn": HERE.parent / "search_spaces" / "cnn.yaml",
}
PEERS = [name for name in PEER_PROGRAMS if "50 steps" not in name]
SAME = ("--set", "finalists=none", "--no-test", "--backend", "jax")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("spaces", nargs="*", default=list(SPACES), metavar="SPACE", help=", ".join(SPACES))
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=PEERS, help="which peers, by name")
    parser.add_argument("--peer-python", type=Path, default=Path(sys.executable), help="interpreter of the peers")
    parser.add_argument("--quick", action="store_true", help="one round of 3 trials of one space and 1 peer")
    options = parser.parse_args()
    if options.quick:
        options.spaces, options.trials, options.rounds, options.peers = ["table"], 3, 1, ["Optuna + Keras, JAX"]
    notes = [note for name in options.peers if (note := missing(name, options.peer_python))]
    peers = [name for name in options.peers if missing(name, options.peer_python) is None]
    print_machine("at the start")
    rows = []
    for space in options.spaces:
        rows += measured(space, options.trials, options.rounds, peers, options.peer_python)
    head = ["space", "whole process", "trials", "epochs", "seconds (from-to)", "of ours", "CPU, s", "of ours", "differ"]
    print_table(f"the same trials, median of {options.rounds} rounds", head, rows, notes)
    print_machine("at the end")


def measured(space: str, trials: int, rounds: int, peers: Sequence[str], python: Path) -> list[list[str]]:
    """A row for us and for each peer."""
    runs: dict[str, list[Run]] = {name: [] for name in (OURS, *peers)}
    for number in range(1, rounds + 1):
        for name, found in runs.items():
            if name == OURS:
                with empty_caches():
                    found.append(run_ours(["--trials", str(trials), *SAME], space=SPACES[space]))
            else:
                points = [dict(trial.params) for trial in runs[OURS][0].trials]
                found.append(run_peer(name, python, task=space, points=points))
            load = os.getloadavg()[0]
            times = f"{found[-1].seconds:.1f} s, {found[-1].cpu:.1f} s of CPU"
            print(f"{space}, round {number}: {name}: {times}, load {load:.1f}", file=sys.stderr, flush=True)
    return [row(space, name, found, runs[OURS]) for name, found in runs.items()]


def row(space: str, name: str, runs: Sequence[Run], ours: Sequence[Run]) -> list[str]:
    """What a contender took."""
    values = {trial.params["learning_rate"]: trial.value for trial in ours[0].trials}
    differ = sum(trial.value != values[trial.params["learning_rate"]] for trial in runs[0].trials)
    pairs = list(zip(runs, ours, strict=True))
    of_wall = statistics.median(run.seconds / our.seconds for run, our in pairs)
    of_cpu = statistics.median(run.cpu / our.cpu for run, our in pairs)
    wall = [run.seconds for run in runs]
    spread = f"{statistics.median(wall):.1f} ({min(wall):.1f}-{max(wall):.1f})"
    cpu = [f"{statistics.median(run.cpu for run in runs):.1f}", f"{of_cpu:.1f}"]
    if name != OURS and PEER_PROGRAMS[name].workers:
        cpu = ["-", "-"]
    counts = [str(len(runs[0].trials)), str(runs[0].epochs)]
    return [space, name, *counts, spread, f"{of_wall:.1f}", *cpu, str(differ)]


if __name__ == "__main__":
    main()
