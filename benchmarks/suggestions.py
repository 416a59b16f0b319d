"""A suggestion costs the same after 1,000 and after 10,000 trials.

    python benchmarks/suggestions.py [SAMPLER ...] [--trials 250 1000 4000 10000] [--quick]

Each engine learns random trials of `spaces/wide.yaml`, then suggests a generation of 16. The table has seconds of CPU.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
from printed import print_machine, print_table

from keras_sweep.search.engines import make_engine
from keras_sweep.space_file.read import read_space_file
from keras_sweep.trial.result import Result, Suggestion, TrialState

SPACE = Path(__file__).parent / "spaces" / "wide.yaml"
GENERATION = 16


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("samplers", nargs="*", default=["tpe"], metavar="SAMPLER", help="Optuna's, by default tpe")
    parser.add_argument("--trials", nargs="*", type=int, default=[250, 1_000, 2_000, 4_000, 10_000])
    parser.add_argument("--quick", action="store_true", help="tpe after 250 and 1,000 trials")
    options = parser.parse_args()
    if options.quick:
        options.samplers, options.trials = ["tpe"], [250, 1_000]
    print_machine()
    rows = [
        [sampler, f"{trials:,}", *(f"{seconds:.3f}" for seconds in measure(sampler, trials))]
        for sampler in options.samplers
        for trials in options.trials
    ]
    head = ["sampler", "trials", "learn all", f"suggest {GENERATION}", f"learn {GENERATION}"]
    print_table("Seconds of CPU of an engine", head, rows)
    print_machine("at the end")


def measure(sampler: str, trials: int) -> tuple[float, float, float]:
    """Return the seconds of CPU for learning all trials, suggesting a generation, and learning it."""
    spec = read_space_file(SPACE, sets=[f"search.sampler={sampler}"])
    engine, random = make_engine(spec), np.random.default_rng(0)

    def score(suggestions: list[Suggestion]) -> list[Result]:
        # The best learning rate is 0.05; noise hides the rest.
        rates = [float(str(suggestion.params["learning_rate"])) for suggestion in suggestions]
        values = [random.normal(0.85, 0.02) - 0.1 * abs(np.log10(rate / 0.05)) for rate in rates]
        return [
            Result(suggestion, TrialState.COMPLETE, float(value), engine=engine.name)
            for suggestion, value in zip(suggestions, values, strict=True)
        ]

    points = (spec.space.at(iter(random.random(len(spec.space.parameters)).tolist())) for _ in range(trials))
    earlier = score([Suggestion(number, point, number // GENERATION) for number, point in enumerate(points)])
    times = [time.process_time()]
    engine.replay([earlier[first : first + GENERATION] for first in range(0, trials, GENERATION)])
    times.append(time.process_time())
    suggestions = engine.ask(GENERATION)
    times.append(time.process_time())
    engine.tell(score(suggestions))
    times.append(time.process_time())
    return times[1] - times[0], times[2] - times[1], times[3] - times[2]


if __name__ == "__main__":
    main()
