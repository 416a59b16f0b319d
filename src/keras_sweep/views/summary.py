"""The end of a sweep: the leaderboard, the test evaluation, where the time went, the model, what to do next."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from keras_sweep.space.sweep_spec import Objective
from keras_sweep.trial.events import SweepEnded, TestEvaluated
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.rows import LeaderboardRow, leaderboard_rows
from keras_sweep.views.leaderboard.table import LeaderboardTable
from keras_sweep.views.terminal.console import glyphs_of
from keras_sweep.views.terminal.drawing import Glyphs, bar
from keras_sweep.views.terminal.text import count_text, safe, score_text, seconds_text

TOP = 10  # rows of the leaderboard
BAR = 20  # cells of a bar


@dataclass(frozen=True, slots=True)
class TimePart:
    """One part of the wall time."""

    name: str
    seconds: float
    share: float  # of the whole, in [0, 1]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said at the end."""

    name: str
    reason: str
    objective: Objective
    rows: tuple[LeaderboardRow, ...]  # all of them
    parts: tuple[TimePart, ...]  # they add up to the wall time
    seconds: float  # the wall time
    test: TestEvaluated | None
    model: str | None
    next_commands: tuple[tuple[str, str], ...]  # command, what it does


def summary(ended: SweepEnded, objective: Objective, *, test: TestEvaluated | None = None) -> Summary:
    """Everything the end says, before any of it is drawn."""
    rows = tuple(leaderboard_rows(ended.results, objective))
    parts, total = time_parts(ended.seconds)
    return Summary(
        name=ended.name,
        reason=ended.reason,
        objective=objective,
        rows=rows,
        parts=parts,
        seconds=total,
        test=test,
        model=ended.model,
        next_commands=next_commands(ended.name, rows),
    )


def time_parts(seconds: Mapping[str, float]) -> tuple[tuple[TimePart, ...], float]:
    """Largest first, and their sum. Where a `total` is given, what it holds beyond the parts is called `other`."""
    parts = {name: max(value, 0.0) for name, value in seconds.items() if name != "total" and math.isfinite(value)}
    known = sum(parts.values())
    total = max(seconds.get("total", known), known)
    if total - known > 0.0005:
        parts["other"] = parts.get("other", 0.0) + total - known
    ordered = sorted(parts.items(), key=lambda part: (part[0] == "other", -part[1]))
    return tuple(TimePart(name, value, value / total if total else 0.0) for name, value in ordered), total


def next_commands(name: str, rows: Sequence[LeaderboardRow]) -> tuple[tuple[str, str], ...]:
    """What one would want to do after a sweep, as commands that can be pasted into a shell."""
    quoted = shlex.quote(name)
    if not rows:
        return ()
    winner = rows[0]
    commands = [
        (f"sweep leaderboard {quoted}", "all trials"),
        (f"sweep show {quoted} {winner.number}", "one trial: its curve, its time"),
    ]
    if winner.state is TrialState.COMPLETE:
        commands.append((f"sweep export {quoted} -o {shlex.quote(name + '.keras')}", "the best model, with its card"))
    return tuple(commands)


def print_summary(console: Console, summary: Summary, *, top: int = TOP) -> None:
    """Print it, section by section, leaving out those there is nothing to say in."""
    glyphs = glyphs_of(console)
    rows = summary.rows
    _print(console, headline(summary))
    if rows:
        console.print()
        shown = rows[:top]
        console.print(LeaderboardTable(shown, summary.objective, of=rows))
        if len(rows) > top:
            _print(console, Text(f"{len(rows) - top:,} more: {summary.next_commands[0][0]}", style="dim"))
    if summary.test is not None:
        console.print()
        print_test(console, summary.test)
    if summary.parts:
        console.print()
        _print(console, Text.assemble(("time ", "bold"), seconds_text(summary.seconds)))
        for line in time_lines(summary.parts, glyphs):
            _print(console, line)
    if summary.model is not None:
        console.print()
        _print(console, Text.assemble(("model ", "bold"), safe(summary.model)))
    if summary.next_commands:
        console.print()
        _print(console, Text("next", style="bold"))
        width = max(len(command) for command, _ in summary.next_commands)
        for command, what in summary.next_commands:
            comment = Text(f"  {what}", style="dim") if width + len(what) + 4 <= console.width else Text()
            _print(console, Text.assemble(f"  {safe(command):{width}}", comment))


def headline(summary: Summary) -> Text:
    """`dense: 64 trials, done` with how many were pruned and how many failed."""
    counts = Counter(row.state for row in summary.rows)
    text = Text.assemble((safe(summary.name), "bold"), f": {count_text(len(summary.rows), 'trial')}")
    for state, word, style in ((TrialState.PRUNED, "pruned", "yellow"), (TrialState.FAIL, "failed", "red")):
        if counts[state]:
            text.append(f", {counts[state]:,} {word}", style=style)
    if summary.reason != "done":
        text.append(f"; {safe(summary.reason)}", style="yellow")
    if summary.rows and not counts[TrialState.COMPLETE]:
        text.append("; no trial completed", style="red")
    return text


def print_test(console: Console, test: TestEvaluated) -> None:
    """The winner's scores on the sealed test set, and how often it has been looked at."""
    glyphs = glyphs_of(console)
    for line in test_lines(test, glyphs):
        _print(console, line)


def test_lines(test: TestEvaluated, glyphs: Glyphs) -> list[Text]:
    """Trial, scores, looks; then a bar a class."""
    text = Text.assemble(("test ", "bold"), f"trial {test.number}:")
    for index, (name, value) in enumerate(test.scores.items()):
        with_error = test.stderr is not None and name != "loss"
        score = score_text(value, test.stderr if with_error else None, pm=glyphs.pm)
        text.append("  " if index else " ").append(f"{safe(name)} ").append(score, style="bold green")
    lines = [text]
    if test.looks == 1:
        lines.append(Text("  the first look at the test set", style="dim"))
    else:
        looks = f"  look {test.looks:,} at the test set: after the first it is no longer quite unseen"
        lines.append(Text(looks, style="yellow"))
    per_class = test.per_class or {}
    width = max((len(safe(name)) for name in per_class), default=0)
    for name, value in per_class.items():
        line = Text.assemble(f"  {safe(name):{width}}  ", (bar(value, BAR, glyphs), "cyan"), f"  {score_text(value)}")
        lines.append(line)
    return lines


def time_lines(parts: Sequence[TimePart], glyphs: Glyphs) -> list[Text]:
    """A bar a part."""
    width = max(len(safe(part.name)) for part in parts)
    return [
        Text.assemble(
            f"  {safe(part.name):{width}}  ",
            (bar(part.share, BAR, glyphs), "cyan"),
            f"  {100 * part.share:3.0f}%  {seconds_text(part.seconds)}",
        )
        for part in parts
    ]


def _print(console: Console, text: Text) -> None:
    console.print(text)
