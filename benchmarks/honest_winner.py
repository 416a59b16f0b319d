"""The winner's estimate is unbiased, its interval holds, the truly best is among the ties, finalists choose better.

    python benchmarks/honest_winner.py [--quick] [--repetitions 400] [--train]

Trials: the recipes of TPE sweeps of 64 trials, each recipe trained with six seeds by the compiled runner: the dense
model on 20,000 of Fashion-MNIST's 60,000 training rows (two splits), a small network on 300 of digits' 1,437 (four
splits). Which of the held-out rows each trained model gets right is kept under build/; no test row is read.

A repetition draws validation rows from the held-out ones, and a seed as the search's. The winner, its estimate and
the ties are then what the sweep's own functions make of those rows; the truth is the accuracy on the held-out rows
that were not drawn. Digits has too few for that: there, rows are drawn with replacement, and all held-out rows are the
truth. Where the truth has an error of its own, it is added to the interval's. The luck of a draw, by how much all
trials together are better on it than in truth, is taken off the bias, not off anything else.

Regret is how much better, in truth and over the two seeds that the repetition does not use, the best recipe is than
the one that is exported: with finalists the five best recipes have three new seeds each. The best recipe of 64 is
itself picked by those two seeds, which adds the same to both columns. Among equal values the loss is not known here,
so fewer epochs decide; how steady a curve is, by which finalists are chosen, is known from all held-out rows. TPE saw
all held-out rows, too: a repetition chooses among the trials that it led to. The estimate is that of the search's
winner; in the last two columns that of the mean over the seeds of the finalists' winner, as a sweep then has it.

Machine: two shared cores of an Intel Xeon, 2026-12-07; 400 repetitions each, three minutes, after three of training

    validation rows           bias, SE   naive, SE  covered  best tied  ties        regret  with finalists
    Fashion-MNIST, 300      0.03 ±0.03  0.90 ±0.02   96.5 %    100.0 %    51  0.852 ±0.060    0.403 ±0.019
    Fashion-MNIST, 1,000   -0.03 ±0.03  0.76 ±0.02   96.0 %    100.0 %    43  0.450 ±0.029    0.275 ±0.013
    Fashion-MNIST, 12,000  -0.08 ±0.03  0.37 ±0.03   95.5 %     99.5 %    17  0.267 ±0.012    0.121 ±0.008
    digits, 300             0.06 ±0.03  0.80 ±0.03   96.8 %    100.0 %    41  1.173 ±0.113    0.735 ±0.103
    digits, 1,000          -0.09 ±0.03  0.54 ±0.03   96.8 %    100.0 %    28  1.202 ±0.124    0.696 ±0.114
    digits, 12,000         -0.02 ±0.03  0.23 ±0.03   95.0 %     99.8 %     4  1.058 ±0.106    0.664 ±0.104

After finalists, in the same order: bias 0.04, 0.05, -0.03, 0.08, -0.01, -0.07 (each ±0.02 or 0.03), covered in 96.2,
95.0, 95.8, 95.2, 95.2 and 95.8 %. Less a quarter of the luck of the search's winner instead (2026-11-26): -0.13, -0.12,
-0.10, -0.04, -0.09, -0.03.

    64 models all alike, 200 tables each: true share, rows
    0.5, 20: -0.03 ±0.05   0.7, 20: 0.08 ±0.06   0.8, 20: 0.04 ±0.04   0.9, 20: -0.00 ±0.01   covered: 95.0 to 100 %
    0.5, 100: -0.16 ±0.05  0.7, 100: 0.08 ±0.06  0.8, 100: -0.11 ±0.05  0.9, 100: -0.11 ±0.05  covered: 97.5 to 100 %

Biases in standard errors of the winner's value, regret in points (hundredths) of accuracy. With bags of as many rows
as there are, instead of twice as many, the biases were -0.07, -0.08, -0.14, -0.11, -0.20 and -0.06.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads wait for each other on a busy machine

import numpy as np
from printed import print_machine, print_table

from keras_sweep.honest.best_set import find_best_set
from keras_sweep.honest.estimate import FirstChoice, estimate_winner
from keras_sweep.honest.scores import MeanScores
from keras_sweep.record.reader import add_finalists
from keras_sweep.space.sweep_spec import Finalists, SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.finalists import choose_finalists
from keras_sweep.training.runner import Watch
from keras_sweep.trial.comparison import Estimate
from keras_sweep.trial.ranking import unsteadiness, winner
from keras_sweep.trial.result import Result, Suggestion, TrialState
from keras_sweep.trial.units import Units

HERE = Path(__file__).parent
SPACES = HERE.parent / "search_spaces"
CACHE = HERE.parent / "build" / "honest_winner"
TRIALS, SEEDS, GENERATION = 64, 6, 16
NEW_SEEDS = 3  # of a finalist
ALIKE = 200  # tables of models that are all alike
Z = 1.96


@dataclass(frozen=True)
class Kind:
    """A data set with a space to search."""

    name: str
    space: str
    sets: tuple[str, ...]  # changes of it
    train: int  # rows
    splits: int
    sizes: tuple[int, ...]  # validation rows that are drawn
    replaced: bool = False  # rows are drawn with replacement


KINDS = (
    Kind("Fashion-MNIST", "dense.yaml", (), 20_000, 2, (300, 1000, 12_000)),
    Kind(
        "digits",
        "digits.yaml",
        ("batch_size=32", "model.dropout=0.0", "model.hidden.values=[[], [32]]"),
        300,
        4,
        (300, 1000, 12_000),
        replaced=True,
    ),
)


@dataclass(frozen=True)
class Table:
    """The trained trials of one split: R recipes with S seeds each, N held-out rows."""

    spec: SweepSpec
    right: np.ndarray  # [S, R, N] uint8
    curves: np.ndarray  # [S, R, E] validation accuracy on all held-out rows, NaN after the last epoch
    epochs: np.ndarray  # [R]

    @cached_property
    def count(self) -> np.ndarray:
        """[S, R] how many of the held-out rows are right."""
        return self.right.sum(2, dtype=np.float64)


@dataclass(frozen=True)
class Repetition:
    """What one draw of validation rows says, beside the truth. Accuracies."""

    bias: float  # of the estimate, in standard errors
    naive: float  # of the winner's value, likewise
    covered: bool
    tied: bool  # the truly best trial is among the ties
    ties: int
    regret: float  # of the winner's recipe
    finalists: float  # of the recipe that finalists choose
    final_bias: float  # of the estimate after finalists: of the mean over the winner's seeds
    final_covered: bool


def main() -> None:
    """Train what is missing, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="one split of digits, 40 repetitions")
    parser.add_argument("--repetitions", type=int, default=400, help="of each number of rows, over all splits")
    parser.add_argument("--train", action="store_true", help="train the trials anew")
    options = parser.parse_args()
    kinds = [replace(KINDS[1], splits=1, sizes=KINDS[1].sizes[:2])] if options.quick else KINDS
    count = 40 if options.quick else options.repetitions
    print_machine("at the start")
    rows = []
    for kind in kinds:
        tables = [table_of(kind, split, anew=options.train) for split in range(kind.splits)]
        for size in kind.sizes:
            found = list(repetitions(tables, size, count, kind))
            rows.append([f"{kind.name}, {size:,}", *cells(found)])
    print_table(
        f"{count} repetitions each, sweeps of {TRIALS} trials: mean ± standard error",
        HEADS,
        rows,
        [
            "Biases in standard errors of the winner's value, regret in points (hundredths) of accuracy.",
            "Claimed: a bias of at most 0.1, 93 to 98 % covered, the best among the ties in at least 98 %.",
        ],
    )
    print_table(
        f"{ALIKE} tables each of {TRIALS} models that are all alike, each right in a row by chance",
        ["true share, rows", "bias, SE", "naive, SE", "covered"],
        [alike(share, size) for size in (20, 100) for share in (0.5, 0.7, 0.8, 0.9)],
        [],
    )
    print_machine("at the end")


def alike(share: float, size: int) -> list[str]:
    """A row of the table of models that differ by chance alone."""
    error, found, lucky = math.sqrt(share * (1 - share) / size), [], []
    for index in range(ALIKE):
        rng = np.random.default_rng([int(100 * share), size, index])
        right = (rng.random((TRIALS, size)) < share).astype(np.float32)
        values = right.mean(1)
        best = int(values.argmax())
        units = Units.from_rows(size)
        estimate = estimate_winner(MeanScores(right), best, units, index, naive=float(values[best]), share=True)
        assert estimate is not None
        found.append(estimate)
        lucky.append((float(values[best]) - share) / error)
    biases = np.array([(one.value - share) / error for one in found])
    covered = f"{100 * np.mean([one.low <= share <= one.high for one in found]):.1f} %"
    spread = f"±{biases.std(ddof=1) / math.sqrt(ALIKE):.2f}"
    return [f"{share}, {size}", f"{biases.mean():.2f} {spread}", f"{np.mean(lucky):.2f}", covered]


# --- trained trials


def table_of(kind: Kind, split: int, *, anew: bool) -> Table:
    """The trials of a split, from the cache where they are there."""
    spec = spec_of(kind, split)
    path = CACHE / f"{kind.name}-{split}.npz"
    if anew or not path.exists():
        started = time.perf_counter()
        arrays = trained(kind, spec, split)
        CACHE.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **arrays)
        shape = arrays["curves"].shape
        print(
            f"{path.name}: {shape[1]} recipes with {shape[0]} seeds, {time.perf_counter() - started:.0f} s", flush=True
        )
    with np.load(path, allow_pickle=False) as read:
        right = np.unpackbits(read["bits"], axis=-1, count=int(read["rows"]))
        return Table(spec, right, read["curves"], read["epochs"])


def spec_of(kind: Kind, split: int) -> SweepSpec:
    """The space, with the search's seed of that split."""
    spec = read_space_file(SPACES / kind.space, sets=kind.sets)
    return replace(spec, search=replace(spec.search, trials=TRIALS, seed=split + 1))


def trained(kind: Kind, spec: SweepSpec, split: int) -> dict[str, np.ndarray]:
    """A sweep by TPE, and its recipes once more with each further seed."""
    from keras_sweep.data.catalog import load_search_data
    from keras_sweep.data.search_data import Rows
    from keras_sweep.search.engines import make_engine
    from keras_sweep.training.lanes.runner import CompiledRunner

    data = load_search_data(spec)
    parts = (data.train, data.validation)
    x, y = np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts])
    order = np.random.default_rng(split).permutation(len(x))
    train, held_out = order[: kind.train], order[kind.train :]
    own = replace(data, train=Rows(x[train], y[train]), validation=Rows(x[held_out], y[held_out]))
    runner = CompiledRunner(spec, own)
    engine = make_engine(spec)
    first: list[Result] = []
    while len(first) < TRIALS:
        results = run(runner, engine.ask(GENERATION))
        engine.tell(results)
        first += results
    seeds = [first]
    for seed in range(spec.search.seed + 1, spec.search.seed + SEEDS):
        again = [Suggestion(one.number, {**one.params, "seed": 1000 * seed}) for one in first]
        seeds.append(run(runner, again))
    whole = [place for place, each in enumerate(zip(*seeds, strict=True)) if all(one.scores for one in each)]
    kept = [[results[place] for place in whole] for results in seeds]
    name = spec.objective.name
    longest = max(one.epochs for results in kept for one in results)
    curves = [[[*one.curve[name], *[math.nan] * (longest - one.epochs)] for one in results] for results in kept]
    return {
        "bits": np.stack([[one.scores.arrays[0] for one in results if one.scores] for results in kept]),
        "rows": np.array(len(held_out)),
        "curves": np.array(curves, np.float32),
        "epochs": np.array([one.epochs for one in kept[0]]),
    }


def run(runner: Any, asked: Sequence[Suggestion]) -> list[Result]:
    """Results in the order of their numbers."""
    numbers = frozenset(one.number for one in asked)
    return sorted(runner.run(asked, numbers, Watch()), key=lambda result: result.number)


# --- repetitions


def repetitions(tables: Sequence[Table], size: int, count: int, kind: Kind) -> Iterator[Repetition]:
    """Draws of `size` validation rows, from one split after the other."""
    for index in range(count):
        rng = np.random.default_rng([size, index])
        yield repetition(tables[index % len(tables)], size, rng, replaced=kind.replaced)


def repetition(table: Table, size: int, rng: np.random.Generator, *, replaced: bool) -> Repetition:
    """One draw: choose by its rows, and look at the truth."""
    total = table.right.shape[2]
    rows = rng.choice(total, size, replace=replaced)
    drawn = table.right[:, :, rows].astype(np.float32)  # [S, R, n]
    others = total if replaced else total - size
    truth = (table.count - (0.0 if replaced else drawn.sum(2, dtype=np.float64))) / others  # [S, R]
    seed, *more = (int(one) for one in rng.permutation(len(table.right)))
    new, unused = more[:NEW_SEEDS], more[NEW_SEEDS:]
    search = [result(table, seed, recipe, drawn) for recipe in range(drawn.shape[1])]
    best = winner(search, table.spec.objective)
    assert best is not None and best.value is not None
    place, true = best.number, float(truth[seed, best.number])
    scores, draw = MeanScores(drawn[seed]), int(rng.integers(2**32))
    units = Units.from_rows(size)
    estimate = estimate_winner(scores, place, units, draw, naive=best.value, share=True)
    assert estimate is not None
    ties = find_best_set(scores, place, draw, share=True).members
    error = math.sqrt(true * (1 - true) / size)
    luck = float(drawn[seed].mean() - truth[seed].mean())
    recipes = truth[unused].mean(0)
    finals = after_finalists(table, search, seed, new, drawn)
    final = winner(finals, table.spec.objective)
    assert final is not None
    seeds = [seed, *new]
    recipes_again = [one.number for one in finals if one.final]
    errors = np.array([one.stderr or 0.0 for one in search])
    unsteady = np.array([unsteadiness(one, table.spec.objective) for one in search])
    first = FirstChoice(scores, errors, unsteady, recipes_again, len(seeds))
    after = final_estimate(recipes_again, final.number, drawn[seeds], first, draw)
    true_after = float(truth[seeds, final.number].mean())
    luck_after = float(drawn[seeds].mean() - truth[seeds].mean())
    return Repetition(
        bias=(estimate.value - true - luck) / error,
        naive=(best.value - true - luck) / error,
        covered=covers(estimate, true, 0 if replaced else others),
        tied=bool(ties[truth[seed].argmax()]),
        ties=int(ties.sum()),
        regret=float(recipes.max() - recipes[place]),
        finalists=float(recipes.max() - recipes[final.number]),
        final_bias=(after.value - true_after - luck_after) / math.sqrt(true_after * (1 - true_after) / size),
        final_covered=covers(after, true_after, 0 if replaced else others),
    )


def covers(estimate: Estimate, true: float, others: int) -> bool:
    """Whether the interval holds the truth, which has an error of its own where it is of so many other rows."""
    own = Z * math.sqrt(true * (1 - true) / others) if others else 0.0
    low = estimate.value - math.hypot(estimate.value - estimate.low, own)
    return low <= true <= estimate.value + math.hypot(estimate.high - estimate.value, own)


def final_estimate(recipes: Sequence[int], best: int, drawn: np.ndarray, first: FirstChoice, draw: int) -> Estimate:
    """The estimate of the mean over seeds [S, R, n], as a sweep has it after finalists."""
    means = drawn[:, recipes].mean(0)
    place = list(recipes).index(best)
    naive = float(means[place].mean())
    units = Units.from_rows(means.shape[1])
    estimate = estimate_winner(MeanScores(means), place, units, draw, naive=naive, share=True, after=first)
    assert estimate is not None
    return estimate


def result(table: Table, seed: int, recipe: int, drawn: np.ndarray, asked: Suggestion | None = None) -> Result:
    """A recipe trained with one of the seeds, scored on the drawn rows."""
    value = float(drawn[seed, recipe].mean())
    stderr = math.sqrt(value * (1 - value) / drawn.shape[2])
    epochs = int(table.epochs[recipe])
    curve = {table.spec.objective.name: tuple(table.curves[seed, recipe][:epochs].tolist())}
    return Result(asked or Suggestion(recipe, {}), TrialState.COMPLETE, value, curve, epochs, stderr=stderr)


def after_finalists(
    table: Table, search: Sequence[Result], seed: int, new: Sequence[int], drawn: np.ndarray
) -> list[Result]:
    """The trials of the search, the best recipes with the seeds `new` beside their own."""

    spec = replace(table.spec, finalists=Finalists(seeds=len(new)), finalists_asked=True)
    choice = replace(choose_finalists(spec, search), seeds=tuple(new))
    again = [
        result(table, own, recipe, drawn, Suggestion(number, {"seed": own}, recipe=recipe))
        for number, (recipe, own) in enumerate(choice)
    ]
    return add_finalists(search, again, choice, len(search))


# --- the table

HEADS = ["validation rows", "bias, SE", "naive, SE", "covered", "best tied", "ties", "regret", "with finalists"]
HEADS += ["bias after", "covered"]


def cells(found: Sequence[Repetition]) -> list[str]:
    """A row of the table."""

    def mean(name: str, digits: int, factor: float = 1.0) -> str:
        values = np.array([getattr(one, name) for one in found]) * factor
        return f"{values.mean():.{digits}f} ±{values.std(ddof=1) / math.sqrt(len(values)):.{digits}f}"

    shares = [f"{100 * np.mean([getattr(one, name) for one in found]):.1f} %" for name in ("covered", "tied")]
    ties = f"{np.mean([one.ties for one in found]):.0f}"
    after = f"{100 * np.mean([one.final_covered for one in found]):.1f} %"
    regrets = [mean("regret", 3, 100), mean("finalists", 3, 100)]
    return [mean("bias", 2), mean("naive", 2), *shares, ties, *regrets, mean("final_bias", 2), after]


if __name__ == "__main__":
    main()
