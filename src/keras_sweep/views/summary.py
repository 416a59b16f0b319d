"""The end of a sweep: leaderboard, importance, time, the model; last the best point, its test and what to do next."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escaped
from keras_sweep.trial.events import EndReason, Refit, SweepEnded, TestEvaluated
from keras_sweep.trial.result import TrialState
from keras_sweep.views.importance import Importance, importances, settled
from keras_sweep.views.leaderboard.notes import unlike_text
from keras_sweep.views.leaderboard.rows import LeaderboardRow, leaderboard_rows, varying_names
from keras_sweep.views.leaderboard.table import LeaderboardTable, refit_line
from keras_sweep.views.terminal.console import drawing_of
from keras_sweep.views.terminal.drawing import Drawing, bar
from keras_sweep.views.terminal.text import count_text, params_text, score_text, seconds_text, shorten

TOP = 10  # rows of the leaderboard at most
BARS = 3  # of importance at most
WEAKEST = 3  # classes that are named
BAR = 20  # cells of a bar
IMPORTANCE_BAR = 12
IMPORTANCE_WORDS = 34  # cells that a line of importance takes beside its name and its bar
SHORTEST_NAME, LONGEST_NAME = 8, 20  # cells of a parameter's name there
LEAST_SHARE = 0.02  # of the time, with which a part is named
NAMED_PARTS = 4


@dataclass(frozen=True, slots=True)
class TimePart:
    """One part of the wall time."""

    name: str
    seconds: float
    share: float  # of the whole, in [0, 1]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is said at the end."""

    ended: SweepEnded
    objective: Objective
    rows: tuple[LeaderboardRow, ...]  # all of them
    test: TestEvaluated | None
    refit: Refit | None
    importances: tuple[Importance, ...]  # of the parameters, most important first


def summary(
    ended: SweepEnded,
    objective: Objective,
    *,
    test: TestEvaluated | None = None,
    refit: Refit | None = None,
    distributions: Mapping[str, str] | None = None,
) -> Summary:
    """Everything the end says, before any of it is drawn; importance where the record's `distributions` are given."""
    rows = tuple(leaderboard_rows(ended.results, objective, ended.comparison))
    weighed = tuple(importances(rows, objective, distributions)) if distributions is not None else ()
    return Summary(ended, objective, rows, test, refit, weighed)


def time_parts(seconds: Mapping[str, float]) -> tuple[tuple[TimePart, ...], float]:
    """Largest first, and their sum. Where a `total` is given, what it holds beyond the parts is called `other`."""
    parts = {name: max(value, 0.0) for name, value in seconds.items() if name != "total" and math.isfinite(value)}
    known = sum(parts.values())
    total = max(seconds.get("total", known), known)
    if total - known > 0.0005:
        parts["other"] = parts.get("other", 0.0) + total - known
    ordered = sorted(parts.items(), key=lambda part: (part[0] == "other", -part[1]))
    return tuple(TimePart(name, value, value / total if total else 0.0) for name, value in ordered), total


def kept_text(training: Mapping[int, int], waiting: Sequence[int] = ()) -> str:
    """`16 trials are kept at epoch 8`, what ended and waits for its turn in the record before it; "" for nothing."""
    parts = []
    if waiting:
        parts.append(f"{count_text(len(waiting), 'trial')} that ended {'is' if len(waiting) == 1 else 'are'} kept")
    if training:
        first, last = min(training.values()), max(training.values())
        epochs = f"epoch {first}" if first == last else f"epochs {first} to {last}"
        number = f"{len(training)} more" if waiting else count_text(len(training), "trial")
        parts.append(f"{number} {'is' if len(training) == 1 else 'are'} kept at {epochs}")
    return ", ".join(parts)


def next_commands(name: str, rows: Sequence[LeaderboardRow]) -> tuple[str, ...]:
    """What one would want to do after a sweep, as commands that can be pasted into a shell."""
    quoted = shlex.quote(name)
    if not rows:
        return ()
    winner = next((row for row in rows if row.winner), None)
    commands = [f"sweep report {quoted}", f"sweep show {quoted} {(winner or rows[0]).number}"]
    if winner is not None:
        commands.append(f"sweep export {quoted}")
    return tuple(commands)


def print_summary(console: Console, summary: Summary, *, times: bool = False) -> None:
    """Print it, section by section, leaving out those there is nothing to say in; `times` draws where the time went.

    The best point, its test and what to do next stand last, so that they are seen where the table scrolls away.
    """
    rows = summary.rows
    table = LeaderboardTable(rows[:TOP], summary.objective, summary.ended.comparison, of=rows)
    console.print(headline(summary, len(table.rows)))
    if rows:
        console.print(table)
        console.print()
    for line in _lines_below(summary, drawing_of(console), console.width, times=times):
        console.print(line)


def _lines_below(summary: Summary, drawing: Drawing, width: int, *, times: bool) -> list[Text]:
    lines = [refit_line(summary.refit)] if summary.refit is not None else []
    found = summary.importances
    lines += importance_lines(found[:BARS], drawing, width, settled=settled(found))
    parts, seconds = time_parts(summary.ended.seconds)
    if parts and times:
        lines.append(Text.assemble(("time ", "bold"), seconds_text(seconds)))
        lines += time_lines(parts, drawing)
    elif parts:
        lines.append(time_line(parts, seconds))
    if summary.ended.model is not None:
        lines.append(Text.assemble(("model ", "bold"), escaped(summary.ended.model)))
    if (best := best_line(summary.rows, summary.objective, drawing)) is not None:
        lines.append(best)
    if summary.test is not None:
        lines += test_lines(summary.test, drawing, classes=False)
    if (unlike := unlike_line(summary)) is not None:
        lines.append(unlike)
    return lines + _next_lines(next_commands(summary.ended.name, summary.rows), drawing, width)


def importance_lines(found: Sequence[Importance], drawing: Drawing, width: int, *, settled: bool) -> list[Text]:
    """A bar a parameter with the interval of its share, and whether the order is settled.

    `importance learning_rate ━━━━━━━━━━   0.83 (0.11 to 0.91)`; narrow terminals get no bars.
    """
    room = min(max(width - IMPORTANCE_WORDS - IMPORTANCE_BAR, SHORTEST_NAME), LONGEST_NAME)
    names = [shorten(escaped(one.name), room, drawing.ellipsis) for one in found]
    longest = max(map(len, names), default=0)
    drawn = longest + IMPORTANCE_WORDS + IMPORTANCE_BAR <= width
    lines = []
    for index, (one, name) in enumerate(zip(found, names, strict=True)):
        line = Text.assemble(("" if index else "importance", "bold"))
        line.pad_right(len("importance ") - len(line))
        line.append(f"{name:{longest}}  ")
        if drawn:
            line.append(bar(one.share, IMPORTANCE_BAR, drawing), style="cyan").append("  ")
        line.append(f"{one.share:.2f} ({one.low:.2f} to {one.high:.2f})")
        lines.append(line)
    if lines and not settled:
        lines.append(Text("           the order may change with more trials", style="yellow"))
    return lines


def unlike_line(summary: Summary) -> Text | None:
    """That the test rows differ from the validation rows, where the two scores differ by more than chance.

    Luck in choosing the winner is no part of it: the estimate is without that.
    """
    estimate = summary.ended.comparison.estimate if summary.ended.comparison is not None else None
    if summary.test is None or estimate is None or summary.refit is not None:  # which is tested is another model
        return None
    name = summary.objective.name.removeprefix("val_")
    score, stderr = summary.test.scores.get(name), summary.test.stderrs.get(name)
    winner = next((row for row in summary.rows if row.winner), None)
    words = unlike_text(estimate, score, stderr, summary.objective, winner)
    return None if words is None else Text(f"  {words}", style="yellow")


def _next_lines(commands: Sequence[str], drawing: Drawing, width: int) -> list[Text]:
    """All commands in one line where they fit, else a line each."""
    if not commands:
        return []
    each = [escaped(command) for command in commands]
    joined = f" {drawing.dot} ".join(each)
    return [Text.assemble(("next ", "bold"), words) for words in ([joined] if len(joined) + 5 <= width else each)]


def best_line(rows: Sequence[LeaderboardRow], objective: Objective, drawing: Drawing) -> Text | None:
    """`best trial 36: val_accuracy 0.8573 ±0.0032  optimizer=adam learning_rate=0.000675 epochs=17`."""
    winner = next((row for row in rows if row.winner), None)
    if winner is None:
        return None
    varying = set(varying_names(rows)) or set(winner.params)
    params = {name: value for name, value in winner.params.items() if name in varying}
    score, seeds = score_text(winner.value, winner.stderr, pm=drawing.pm), ""
    if winner.seeds is not None and winner.final:
        score = score_text(winner.seeds.mean, winner.seeds.stderr, pm=drawing.pm)
        seeds = f" over {winner.seeds.count} seeds" + (", unstable" if winner.seeds.unstable else "")
    return Text.assemble(
        ("best ", "bold"),
        f"trial {winner.number}: {escaped(objective.name)} ",
        (score, "bold green"),
        seeds,
        f"  {params_text(params)}",
    )


def headline(summary: Summary, shown: int) -> Text:
    """`dense: 64 trials, 4 failed; the best 10:` with how many were pruned and how many failed."""
    ended, counts = summary.ended, Counter(row.state for row in summary.rows)
    text = Text.assemble((escaped(ended.name), "bold"), f": {count_text(len(summary.rows), 'trial')}")
    for state, word, style in ((TrialState.PRUNED, "pruned", "yellow"), (TrialState.FAIL, "failed", "red")):
        if counts[state]:
            text.append(f", {counts[state]:,} {word}", style=style)
    if ended.reason is not EndReason.DONE:
        text.append(f"; {escaped(ended.reason)}", style="yellow")
    if kept := kept_text(ended.kept, ended.waiting):
        text.append(f": {kept}", style="yellow")
    if summary.rows and not any(row.comparable for row in summary.rows):
        text.append("; no trial completed", style="red")
    if shown < len(summary.rows):
        text.append(f"; the best {shown:,}:")
    return text


def print_test(console: Console, test: TestEvaluated) -> None:
    """The winner's scores on the sealed test set, and how often it has been looked at."""
    for line in test_lines(test, drawing_of(console)):
        console.print(line)


def test_lines(test: TestEvaluated, drawing: Drawing, *, classes: bool = True) -> list[Text]:
    """Trial, scores each with its own standard error, looks; then a bar a class, or the weakest classes in a line."""
    seed = "" if test.seed is None else f" with seed {test.seed}"
    text = Text.assemble(("test ", "bold"), f"trial {test.number}{seed}:")
    for index, (name, value) in enumerate(test.scores.items()):
        score = score_text(value, test.stderrs.get(name), pm=drawing.pm)
        text.append("  " if index else " ").append(f"{escaped(name)} ").append(score, style="bold green")
    lines = [text]
    if test.earlier:
        times = "once" if test.looks == 1 else f"{test.looks:,} times"
        text.append(f"  looked at {times}, earlier", style="dim")
    elif test.looks == 1:
        text.append("  first look", style="dim")
    else:
        looks = f"  look {test.looks:,} at the test set: after the first it is no longer quite unseen"
        lines.append(Text(looks, style="yellow"))
    per_class = test.per_class or {}
    if not classes:
        weakest = sorted(per_class.items(), key=lambda item: item[1])[:WEAKEST]
        if len(per_class) > WEAKEST:
            named = ", ".join(f"{score_text(value)} ({escaped(name)})" for name, value in weakest)
            lines.append(Text(f"  weakest of {len(per_class)} classes: {named}", style="dim"))
        return lines
    width = max((len(escaped(name)) for name in per_class), default=0)
    for name, value in per_class.items():
        line = Text.assemble(
            f"  {escaped(name):{width}}  ", (bar(value, BAR, drawing), "cyan"), f"  {score_text(value)}"
        )
        lines.append(line)
    return lines


def time_line(parts: Sequence[TimePart], seconds: float) -> Text:
    """`time 1m12s: train 71 %, compile 15 %, the rest 14 %`: the largest parts, so that it stays one line."""
    named = [part for part in parts if part.share >= LEAST_SHARE and part.name != "other"][:NAMED_PARTS]
    shares = [(escaped(part.name), part.share) for part in named]
    rest = 1 - sum(part.share for part in named)
    if named and rest >= 0.005:
        shares.append(("the rest", rest))
    words = ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares)
    return Text.assemble(("time ", "bold"), seconds_text(seconds), f": {words}" if words else "")


def time_lines(parts: Sequence[TimePart], drawing: Drawing) -> list[Text]:
    """A bar a part."""
    width = max(len(escaped(part.name)) for part in parts)
    return [
        Text.assemble(
            f"  {escaped(part.name):{width}}  ",
            (bar(part.share, BAR, drawing), "cyan"),
            f"  {100 * part.share:3.0f}%  {seconds_text(part.seconds)}",
        )
        for part in parts
    ]
