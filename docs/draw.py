"""Makes the sample from a finished sweep: `python docs/draw.py [NAME]` writes reports/NAME/ and its pictures.

The summary and the board are SVG; page.png is the top of the report, as headless Chromium shows it.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from terminal_svg import progress_at, record_svg

from keras_sweep.api.report import write_report
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import find
from keras_sweep.sweep.events import EndReason, SweepEnded, SweepStarted
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.winner import last_look
from keras_sweep.views.running.live import draw_board
from keras_sweep.views.summary import print_summary


def draw(name: str) -> None:
    """The summary as it was printed, and the board as it was two thirds through."""
    folder = find(name)
    sweep = RecordedSweep.read(folder)
    facts, results, objective = sweep.facts, sweep.results, sweep.objective
    total = facts.trials or 0
    place = Path(__file__).parents[1] / "reports" / name
    picture(write_report(OpenSweep(folder), place), place / "page.png")
    looked = last_look(facts)
    model = f"sweeps/{name}/best.keras"
    ended = SweepEnded(name, EndReason.DONE, tuple(results), facts.seconds, model, comparison=sweep.comparison)
    title = f"sweep run search_spaces/{name}.yaml"
    record_svg(
        lambda console: print_summary(console, ended, objective, test=looked),
        place / "summary.svg",
        title=title,
        width=100,
    )
    started = SweepStarted(
        name=name,
        folder=f"sweeps/{name}",
        engine=results[0].engine,
        runner=results[0].runner,
        total=total,
        finished=(),
        objective=objective,
        space_size=float("inf"),
        parameters=tuple(name for name in results[0].params if len({one.params.get(name) for one in results}) > 1),
    )
    done = 2 * total // 3
    search = [replace(result, finalists=(), final=False) for result in results]  # finalists come after it
    progress = progress_at(started, search, done=done, elapsed=sum(facts.seconds.values()) * done / total)
    record_svg(
        lambda console: console.print(draw_board(progress, console)), place / "board.svg", title=title, width=100
    )


def picture(page: Path, file: Path) -> None:
    """The top of a page as a PNG of modest size."""
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1240,1160"]
    words += ["--force-device-scale-factor=0.75", f"--screenshot={file.resolve()}", page.resolve().as_uri()]
    subprocess.run(words, check=True, capture_output=True)


draw(sys.argv[1] if len(sys.argv) > 1 else "dense")
