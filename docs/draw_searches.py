"""Draw what a search finds: `python docs/draw_searches.py` writes docs/pictures/samplers.svg and rungs.svg.

It repeats each search with many seeds over the tables of really trained trials of benchmarks/search_quality.py. A
search is a sampler with or without rungs. The pictures show the best score until now, on average over the seeds, and
the command prints the same numbers as tables.
"""

from __future__ import annotations

import argparse
import html
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from printed import print_machine, print_table  # noqa: E402
from search_quality import by_engine, read  # noqa: E402

TABLES = {  # table -> what the picture says of it
    "dense": "Fashion-MNIST, one layer, 3 parameters",
    "digits": "digits, a perceptron, 8 parameters",
}
RUNGS = "early_terminate={type: successive_halving, min_iter: 2, eta: 3}"
HALVING = "early_terminate={type: halving, first: 32, eta: 2}"
SAMPLERS = {name: (f"search.sampler={name}",) for name in ("random", "qmc", "cmaes", "tpe")}
WITH_RUNGS = {"random": SAMPLERS["random"], "tpe": (), "tpe, rungs": (RUNGS,), "tpe, halving": (HALVING,)}
TRIALS = tuple(range(16, 129, 16))
EPOCHS = tuple(range(50, 801, 50))
PRINTED = {16, 32, 64, 128, 100, 200, 400, 800}
COLORS = {
    "random": "#8a8f98",
    "qmc": "#b35900",
    "cmaes": "#0b7a75",
    "tpe": "#2f5bd0",
    "tpe, rungs": "#b35900",
    "tpe, halving": "#0b7a75",
}


@dataclass(frozen=True)
class Curve:
    """The best score of a search until now, over all seeds."""

    name: str
    budgets: Sequence[int]  # trials or epochs
    values: np.ndarray  # [seeds, budgets]; NaN while no trial has ended


def main() -> None:
    """Search, print the tables and write the pictures."""
    parser = argparse.ArgumentParser(description="Draw what a search finds.")
    parser.add_argument("--seeds", type=int, default=30)
    seeds = range(parser.parse_args().seeds)
    print_machine()
    for file, unit, budgets, searches in (
        ("samplers", "trials", TRIALS, SAMPLERS),
        ("rungs", "epochs", EPOCHS, WITH_RUNGS),
    ):
        panels = {table: search(table, searches, budgets, unit, seeds) for table in TABLES}
        for table, curves in panels.items():
            print_curves(table, curves, unit)
        picture = draw(panels, unit)
        (ROOT / "docs" / "pictures" / f"{file}.svg").write_text(picture)


def search(
    table: str, searches: Mapping[str, Sequence[str]], budgets: Sequence[int], unit: str, seeds: Sequence[int]
) -> list[Curve]:
    """Repeat each search on a table with each seed."""
    return [
        Curve(name, budgets, np.array([follow(table, changes, budgets, unit, seed) for seed in seeds]))
        for name, changes in searches.items()
    ]


def follow(table: str, changes: Sequence[str], budgets: Sequence[int], unit: str, seed: int) -> list[float]:
    """Return the best score of one search at each budget."""
    scores, best, spent, found = read(table).search, math.nan, 0, list[float]()
    for step in by_engine(read(table), read(table).spec(*changes, f"search.seed={seed}")):
        trials = sum(epoch == 1 for _, epoch, _ in step)
        # All trials of a generation begin in one step: before it, the trials that were begun have ended.
        while len(found) < len(budgets) and spent >= budgets[len(found)] and (unit == "epochs" or trials):
            found.append(best)
        if len(found) == len(budgets):
            break
        best = np.fmax(best, max((scores[recipe, epoch - 1] for recipe, epoch, counts in step if counts), default=best))
        spent += trials if unit == "trials" else len(step)
    return [float(value) for value in found + [best] * (len(budgets) - len(found))]


def print_curves(table: str, curves: Sequence[Curve], unit: str) -> None:
    """Print how many points each search is behind the best trial of the table."""
    best, rows = np.nanmax(read(table).search), []
    places = [place for place, budget in enumerate(curves[0].budgets) if budget in PRINTED]
    for curve in curves:
        behind = 100 * (best - curve.values)
        errors = behind.std(axis=0, ddof=1) / math.sqrt(len(behind))
        rows.append([curve.name, *(f"{behind[:, place].mean():.2f} ±{errors[place]:.2f}" for place in places)])
    print_table(
        f"{table}: points of accuracy behind the best trial of the table ({best:.4f}), {len(curves[0].values)} seeds",
        ["search", *(f"{curves[0].budgets[place]} {unit}" for place in places)],
        rows,
    )


# --- the picture

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 470, 330, 62, 56, 100, 48  # of a panel, pixels


def draw(panels: Mapping[str, Sequence[Curve]], unit: str) -> str:
    """Draw the panels side by side, on a light ground that any page can show."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        '<rect width="100%" height="100%" rx="6" fill="#fafaf8"/>',
    ]
    for place, (table, curves) in enumerate(panels.items()):
        parts += [f'<g transform="translate({WIDTH * place} 0)">', *draw_panel(table, curves, unit), "</g>"]
    return "\n".join([*parts, "</svg>\n"])


def draw_panel(table: str, curves: Sequence[Curve], unit: str) -> list[str]:
    """Draw axes, curves with their names, and the best trial of the table as a dashed line."""
    best = float(np.nanmax(read(table).search))
    means = [np.nanmean(curve.values, axis=0) for curve in curves]
    low = min(float(mean[1]) for mean in means)  # a first point below it is cut off
    step = next(step for step in (0.002, 0.005, 0.01, 0.02, 0.05) if (best - low) / step < 6)
    bottom, last = math.floor(low / step) * step, curves[0].budgets[-1]

    def x(budget: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * budget / last

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (best - value) / (best - bottom)

    parts = [f'<text x="{LEFT}" y="22" font-weight="600" fill="#24292f">{html.escape(TABLES[table])}</text>']
    parts += [f'<text x="{LEFT}" y="41" fill="#57606a">best val_accuracy until now; dashed: the best there is</text>']
    for tick in range(math.ceil((best - bottom) / step)):
        value = bottom + tick * step
        parts += [f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="#e1e4e8"/>']
        parts += [f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#57606a">{value:.3f}</text>']
    parts += [f'<path d="M{LEFT} {y(best)}H{WIDTH - RIGHT}" stroke="#57606a" stroke-dasharray="4 4"/>']
    for share in (0.25, 0.5, 0.75, 1):
        text = f"{last * share:.0f}"
        parts += [
            f'<text x="{x(last * share):.1f}" y="{HEIGHT - 26}" text-anchor="middle" fill="#57606a">{text}</text>'
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts += [f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle" fill="#57606a">{unit} trained</text>']
    ends = place_labels([y(float(mean[-1])) for mean in means])
    for curve, mean, end in zip(curves, means, ends, strict=True):
        color = COLORS[curve.name]
        points = [
            f"{x(budget):.1f} {min(y(float(value)), HEIGHT - BOTTOM):.1f}"
            for budget, value in zip(curve.budgets, mean, strict=True)
            if math.isfinite(value)
        ]
        parts += [f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}" stroke-width="2.2"/>']
        parts += [f'<text x="{WIDTH - RIGHT + 6}" y="{end + 4:.1f}" fill="{color}">{html.escape(curve.name)}</text>']
    return parts


def place_labels(heights: Sequence[float]) -> list[float]:
    """Move labels apart, at least 16 pixels, from the uppermost down."""
    placed, lowest = dict[int, float](), -math.inf
    for place in sorted(range(len(heights)), key=heights.__getitem__):
        lowest = placed[place] = max(heights[place], lowest + 16)
    return [placed[place] for place in range(len(heights))]


if __name__ == "__main__":
    main()
