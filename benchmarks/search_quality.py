"""What a search finds per trained epoch: rungs find after 100 epochs what drawn lengths of training find after 400.

    python benchmarks/search_quality.py [TABLE ...] [--seeds 50] [--only TEXT] [--quick] [--make NAME]

Every search runs as a sweep does, by the same engines, generations and pruning rules; only the runner is replaced by a
table of really trained curves (`curve_tables.py`): a suggestion is trained as the recipe nearest to it that was not yet
trained for so many epochs, and the engine is told that recipe. Beside them Optuna's TPE and HyperbandPruner by Optuna
alone, trial by trial (it is told what it asked), and KerasTuner's Hyperband as an engine of ours.
Trials of a generation train side by side, as lanes do. Regret is the best of the table less what is best so far by the
search's rows; in truth it is that of the same choice on other rows, trained with other seeds, without finalists.

`--make NAME` trains a table anew.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from multiprocessing import get_context
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from curve_tables import KINDS, LONGEST, Table, load, made, make
from printed import print_machine, print_table

from keras_sweep.process.wall_time import WallTime
from keras_sweep.space.distributions import Categorical, Float, Value, to_scalar
from keras_sweep.space.search_space import Parameter
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.loop import Generations
from keras_sweep.training.outcome import find_scored_epoch
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.result import DIVERGED, Result, Suggestion, TrialState

BUDGETS = (100, 200, 400, 800, 1600)  # trained epochs after which regret is looked at
MOST = 3  # of these a recipe of the table: with more a search has tried nearly all of them
OPTUNA, KERAS_TUNER = "Optuna, TPE and HyperbandPruner", "KerasTuner, Hyperband"
CAP = "the same, rungs at 2, 6, 18"  # `epochs` is drawn, as before it was read off curves
RUNGS = "early_terminate={type: successive_halving, min_iter: 2, eta: 3}"
BEST = "epochs={max: 20, take: best}"
SEARCHES: dict[str, tuple[str, ...]] = {  # name -> changes of the space
    "TPE, `epochs` drawn": (),
    CAP: (RUNGS,),
    "the same rungs, `epochs` read off the curve": (RUNGS,),
    "Hyperband's brackets over these rungs": ("early_terminate={type: hyperband, min_iter: 2, eta: 3}",),
    "first 32 at random halved, then as above": ("early_terminate={type: halving, first: 32, eta: 2}",),
    OPTUNA: (),
    KERAS_TUNER: ("search.engine=keras-tuner", "search.sampler=hyperband", "search.generation=1", BEST),
}

Step = list[tuple[int, int, bool]]  # recipes trained for one more epoch at once: which, the epoch, whether it counts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("tables", nargs="*", default=made(), metavar="TABLE", help=", ".join(made()))
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--only", default="", metavar="TEXT", help="searches whose name has it")
    parser.add_argument("--quick", action="store_true", help="four seeds on one table")
    parser.add_argument("--make", metavar="NAME", choices=list(KINDS), help="train the table anew, and stop")
    options = parser.parse_args()
    if options.make:
        make(options.make)
        return
    if options.quick:
        options.tables, options.seeds = ["dense"], 4
    print_machine()
    names = [name for name in SEARCHES if options.only in name]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        for table in options.tables:
            jobs = list(product([table], names, range(options.seeds)))
            found = list(pool.map(regrets_of, jobs, chunksize=5))
            print_regrets(load(table), names, np.array(found).reshape(len(names), options.seeds, -1, 2))
    print_machine("at the end")


def print_regrets(table: Table, names: Sequence[str], found: np.ndarray) -> None:
    """Two tables of [searches, seeds, budgets, 2]."""
    of, seeds = table.spec().objective.name, found.shape[1]
    best = table.search[choice(table, table.search)]
    for place, where in enumerate(("by the search's rows", "in truth")):
        rows = [[name, *map(mean_and_error, each[:, :, place].T)] for name, each in zip(names, found, strict=True)]
        print_table(
            f"{table.name}, regret {where}, hundredths of {of}: mean ± standard error, {seeds} seeds",
            ["search", *(f"{budget} epochs" for budget in budgets(table))],
            rows,
            [f"{len(table.search)} recipes; the best of the table: {best:.4f}."] if place == 0 else [],
        )


def budgets(table: Table) -> list[int]:
    """The budgets that leave a search something to choose from."""
    return [budget for budget in BUDGETS if budget <= MOST * len(table.search)]


def mean_and_error(values: np.ndarray) -> str:
    """In hundredths."""
    return f"{100 * values.mean():.3f} ±{100 * values.std(ddof=1) / math.sqrt(len(values)):.3f}"


def choice(table: Table, values: np.ndarray) -> tuple[int, int]:
    """(recipe, epoch counted from 0) of the best of [N, E]."""
    recipe, epoch = np.unravel_index(np.nanargmax(table.sign * values), values.shape)
    return int(recipe), int(epoch)


# --- searches

read = cache(load)


def regrets_of(job: tuple[str, str, int]) -> list[tuple[float, float]]:
    """[budgets, 2] regret by the rows and in truth, of one search."""
    table, name, seed = job
    # KerasTuner draws with seed, seed + 1, ...: searches of neighbouring seeds would try the same recipes.
    spec = read(table).spec(*SEARCHES[name], f"search.seed={1000 * seed if name == KERAS_TUNER else seed}")
    if name == CAP:
        spec = replace(spec, objective=replace(spec.objective, take_best=False, epochs_from=0))
    return regrets(read(table), (by_optuna if name == OPTUNA else by_engine)(read(table), spec))


def regrets(table: Table, steps: Iterator[Step]) -> list[tuple[float, float]]:
    """Regret at each budget. Before any trial counts it is that of a recipe that learns nothing."""
    search, truth = table.sign * table.search, table.sign * table.truth
    first = np.argsort(search[:, 0])[np.isfinite(search[:, 0]).sum() // 2], 0  # the median after one epoch
    best, trained, found, marks = first, 0, [], budgets(table)
    for step in steps:
        for recipe, epoch, counts in step:
            if counts and search[recipe, epoch - 1] > search[best]:
                best = recipe, epoch - 1
            trained += 1
            if trained in marks:
                found.append((np.nanmax(search) - search[best], np.nanmax(truth) - truth[best]))
        if trained >= marks[-1]:
            return found
    return found + found[-1:] * (len(marks) - len(found))  # every recipe was trained


@dataclass
class Lane:
    """A trial that trains."""

    asked: Suggestion
    recipe: int
    length: int  # epochs that it trains to, unless it stops
    counts_from: int  # the first epoch whose value it may have
    done: int = 0  # epochs that are trained
    ended: str | None = None  # why, before its length


class Untrained:
    """Recipes, and for how many epochs each was trained on purpose."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._free = np.ones((len(table.search), LONGEST + 1), bool)

    def nearest(self, params: Any, length: int) -> int | None:
        """Takes the nearest recipe that was not trained to this length; None: all were."""
        away = ((self._table.points - np.array(self._table.point(params))) ** 2).sum(1)
        away[~self._free[:, length]] = np.inf
        recipe = int(away.argmin())
        self._free[recipe, length] = False
        return recipe if np.isfinite(away[recipe]) else None


def by_engine(table: Table, spec: SweepSpec) -> Iterator[Step]:
    """As `sweep run` searches, generation by generation."""
    finished: list[Result] = []
    generations = Generations(spec, spec.search.generation or 16, finished, WallTime())
    untrained, lanes = Untrained(table), dict[int, Lane]()
    while (generation := generations.next()).suggestions:
        engine, begun = generations.engine, list[Lane]()
        for one in generation.suggestions:
            length = training_plan(spec, one.params).epochs
            before = lanes.get(-1 if one.continues is None else one.continues)
            recipe = untrained.nearest(one.params, length) if before is None else before.recipe
            if recipe is None:
                return
            counts_from = max(spec.objective.epochs_from, 1) if spec.objective.take_best else length
            lanes[one.number] = Lane(one, recipe, length, counts_from, before.done if before else 0)
            begun.append(lanes[one.number])
        for epoch in range(1, LONGEST + 1):
            due = [one for one in begun if one.done < epoch <= one.length and not one.ended]
            yield [(one.recipe, epoch, epoch >= one.counts_from) for one in due]
            values = {}
            for one in due:
                one.done, value = epoch, float(table.search[one.recipe, epoch - 1])
                if math.isnan(value):
                    one.ended = DIVERGED
                elif epoch in engine.rungs(one.length):
                    values[one.asked.number] = value
            for number in engine.rung(epoch, values) if values else ():
                lanes[number].ended = f"pruned at epoch {epoch}"
        for one in begun:
            generation.recorded.append(told(table, spec, one, engine.name))
        finished += generation.recorded
        generation.ended += generation.recorded
        generations.close(generation, finished)


def told(table: Table, spec: SweepSpec, lane: Lane, engine: str) -> Result:
    """The result of a trial, with the parameters of its recipe."""
    given = {name: lane.asked.params[name] for name in ("epochs", "seed") if name in lane.asked.params}
    asked = replace(lane.asked, params={**table.recipes[lane.recipe], **given})
    values = tuple(table.search[lane.recipe, : lane.done].tolist())
    curve = {spec.objective.name: values}
    if lane.ended == DIVERGED:
        return Result(asked, TrialState.FAIL, None, curve, reason=DIVERGED, engine=engine)
    epoch = find_scored_epoch(spec.objective, values)
    state = TrialState.PRUNED if lane.ended else TrialState.COMPLETE
    reads = spec.objective.epochs_from > 0
    return Result(asked, state, values[epoch - 1], curve, epoch, reason=lane.ended, engine=engine, reads_epochs=reads)


def by_optuna(table: Table, spec: SweepSpec) -> Iterator[Step]:
    """As Optuna's users search: each trial reports its epochs, and its best one is its value."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction=spec.objective.goal.value,
        sampler=optuna.samplers.TPESampler(seed=spec.search.seed),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=LONGEST, reduction_factor=3),
        study_name=f"seed {spec.search.seed}",  # deals trials to brackets
    )
    untrained = Untrained(table)
    while True:
        trial = study.ask()
        params = spec.space.assign_values(lambda one, trial=trial: suggested(trial, one))
        recipe = untrained.nearest(params, LONGEST)
        if recipe is None:
            return
        state, best = optuna.trial.TrialState.COMPLETE, -math.inf
        for epoch in range(1, LONGEST + 1):
            value = float(table.search[recipe, epoch - 1])
            yield [(recipe, epoch, True)]
            if math.isnan(value):
                state = optuna.trial.TrialState.FAIL
                break
            best = max(best, table.sign * value)
            trial.report(value, epoch)
            if epoch < LONGEST and trial.should_prune():
                state = optuna.trial.TrialState.PRUNED
                break
        complete = state is optuna.trial.TrialState.COMPLETE
        study.tell(trial, table.sign * best if complete else None, state)


def suggested(trial: Any, parameter: Parameter) -> Value:
    """What Optuna suggests for a parameter; of `epochs` nothing, since each trial may train to the end."""
    name, one = parameter.name, parameter.distribution
    if name == "epochs":
        return LONGEST
    if isinstance(one, Categorical):
        scalars = [to_scalar(choice) for choice in one.choices]
        return one.choices[scalars.index(trial.suggest_categorical(name, scalars))]
    suggest = trial.suggest_float if isinstance(one, Float) else trial.suggest_int
    return suggest(name, one.low, one.high, log=one.log)


if __name__ == "__main__":
    main()
