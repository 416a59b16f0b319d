"""Draw the best set of a sweep: `python docs/draw_best_set.py` writes docs/pictures/best-set.svg.

It runs search_spaces/digits.yaml without finalists. The picture shows how far each trial is behind the best trial on
the same rows, with 1.96 standard errors, and which trials are in the best set.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras_sweep as ks
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import sweep_folder
from keras_sweep.views.leaderboard.rows import LeaderboardRow, rows_of

ROOT = Path(__file__).parents[1]
MOST = 8.0  # points behind the best; trials further behind are left out
WIDTH, ROW, LEFT, TOP, RIGHT, BOTTOM = 720, 15, 70, 62, 30, 46  # pixels
IN_SET, OUT, TEXT, LINE = "#2f5bd0", "#9aa1aa", "#24292f", "#e1e4e8"


def main() -> None:
    """Run the sweep and write the picture."""
    with TemporaryDirectory() as folder:
        space = ROOT / "search_spaces" / "digits.yaml"
        ks.run(space, name="digits", sweeps_dir=folder, set=["finalists=none"], test=False)
        rows = rows_of(RecordedSweep.read(sweep_folder("digits", folder)))
    (ROOT / "docs" / "pictures" / "best-set.svg").write_text(draw(rows))


def draw(rows: Sequence[LeaderboardRow]) -> str:
    """Draw a line for each trial, the best at the top, on a light ground that any page can show."""
    shown = [row for row in rows if row.behind is not None and 100 * row.behind <= MOST]
    shown.sort(key=lambda row: row.behind or 0.0)
    height = TOP + ROW * len(shown) + BOTTOM

    def x(points: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (min(max(points, -2), MOST + 2) + 2) / (MOST + 4)

    members, total = sum(row.tie for row in rows), len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        '<rect width="100%" height="100%" rx="6" fill="#fafaf8"/>',
        f'<text x="{LEFT}" y="24" font-weight="600" fill="{TEXT}">'
        f"The best of all is among the {members} blue trials of {total} (95 %)</text>",
        f'<text x="{LEFT}" y="43" fill="#57606a">points behind the best trial on the same rows, '
        "with 1.96 standard errors</text>",
    ]
    for points in range(-2, math.floor(MOST) + 3, 2):
        parts.append(f'<path d="M{x(points):.1f} {TOP - 6}V{height - BOTTOM + 6}" stroke="{LINE}"/>')
        parts.append(f'<text x="{x(points):.1f}" y="{height - 20}" text-anchor="middle" fill="#57606a">{points}</text>')
    for place, row in enumerate(shown):
        y, color = TOP + ROW * (place + 0.5), IN_SET if row.tie else OUT
        points, error = 100 * (row.behind or 0.0), 196 * (row.behind_stderr or 0.0)
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#57606a">{row.number}</text>')
        if error:
            parts.append(f'<path d="M{x(points - error):.1f} {y}H{x(points + error):.1f}" stroke="{color}"/>')
        parts.append(f'<circle cx="{x(points):.1f}" cy="{y}" r="4" fill="{color}"/>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    main()
