"""The end of a sweep: leaderboard, importance, time, the model; last the best point, its test and what to do next."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.console import Console
from rich.text import Text

from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import counted, escaped
from keras_sweep.trial.events import EndReason, Refit, SweepEnded, TestEvaluated
from keras_sweep.trial.result import TrialState
from keras_sweep.views.importance import Importance, importances, settled
from keras_sweep.views.leaderboard.notes import unlike_text
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking, leaderboard_rows, varying_names, winning_row
from keras_sweep.views.leaderboard.table import LeaderboardTable, refit_line
from keras_sweep.views.terminal.drawing import bar
from keras_sweep.views.terminal.text import params_text, score_text, seconds_text, shorten

TOP = 10  # rows of the leaderboard at most
BARS = 3  # of importance at most
WEAKEST = 3  # classes that are named
BAR = 20  # cells of a bar
IMPORTANCE_BAR = 12
IMPORTANCE_WORDS = 34  # cells that a line of importance takes beside its name and its bar
SHORTEST_NAME, LONGEST_NAME = 8, 20  # cells of a parameter's name there
LEAST_SHARE = 0.02  # of the time, with which a part is named
NAMED_PARTS = 4


@dataclass(frozen=True)
class Summary:
    ended: SweepEnded
    objective: Objective
    test: TestEvaluated | None = None
    refit: Refit | None = None
    distributions: Mapping[str, str] | None = None  # of the record: importance is said where they are given

    @cached_property
    def rows(self) -> Sequence[LeaderboardRow]:
        return leaderboard_rows(self.ended.results, self.objective, self.ended.comparison)

    @cached_property
    def winner(self) -> LeaderboardRow | None:
        return winning_row(self.rows)


def time_parts(seconds: Mapping[str, float]) -> dict[str, float]:
    """The seconds of each part, largest first; what a given `total` holds beyond them is called `other`."""
    parts = {name: max(value, 0.0) for name, value in seconds.items() if name != "total" and math.isfinite(value)}
    other = seconds.get("total", 0.0) - sum(parts.values())
    if other > 0.0005:
        parts["other"] = parts.get("other", 0.0) + other
    return dict(sorted(parts.items(), key=lambda part: (part[0] == "other", -part[1])))


def kept_text(training: Mapping[int, int], waiting: Sequence[int] = ()) -> str:
    """`16 trials are kept at epoch 8`, what ended and waits for its turn in the record before it; "" for nothing."""
    parts = []
    if waiting:
        parts.append(f"{counted(len(waiting), 'trial')} that ended {'is' if len(waiting) == 1 else 'are'} kept")
    if training:
        first, last = min(training.values()), max(training.values())
        epochs = f"epoch {first}" if first == last else f"epochs {first} to {last}"
        number = f"{len(training)} more" if waiting else counted(len(training), "trial")
        parts.append(f"{number} {'is' if len(training) == 1 else 'are'} kept at {epochs}")
    return ", ".join(parts)


def next_commands(name: str, rows: Sequence[LeaderboardRow]) -> tuple[str, ...]:
    """What one would want to do after a sweep, as commands that can be pasted into a shell."""
    if not rows:
        return ()
    quoted, winner = shlex.quote(name), winning_row(rows)
    commands = (f"sweep report {quoted}", f"sweep show {quoted} {(winner or rows[0]).number}")
    return (*commands, f"sweep export {quoted}") if winner is not None else commands


def print_summary(console: Console, summary: Summary, *, times: bool = False) -> None:
    """Print it, section by section, leaving out those there is nothing to say in; `times` draws where the time went.

    The best point, its test and what to do next stand last, so that they are seen where the table scrolls away.
    """
    rows = summary.rows
    table = LeaderboardTable(Ranking(summary.objective, summary.ended.comparison, rows, rows[:TOP]))
    console.print(headline(summary, len(table.ranking.rows)))
    if rows:
        console.print(table)
        console.print()
    for line in _lines_below(summary, console.width, times=times):
        console.print(line)


def _lines_below(summary: Summary, width: int, *, times: bool) -> list[Text]:
    ended = summary.ended
    lines = [refit_line(summary.refit)] if summary.refit is not None else []
    if summary.distributions is not None:
        lines += importance_lines(importances(summary.rows, summary.objective, summary.distributions), width)
    parts = time_parts(ended.seconds)
    if parts and times:
        lines += [Text.assemble(("time ", "bold"), seconds_text(sum(parts.values()))), *time_lines(parts)]
    elif parts:
        lines.append(time_line(parts))
    if ended.model is not None:
        lines.append(Text.assemble(("model ", "bold"), escaped(ended.model)))
    if summary.winner is not None:
        lines.append(best_line(summary.winner, summary))
    if summary.test is not None:
        lines += look_lines(summary.test, classes=False)
        lines += unlike_lines(summary, summary.test)
    # all commands in one line where they fit, else a line each
    commands = [escaped(command) for command in next_commands(ended.name, summary.rows)]
    joined = " · ".join(commands)
    fitting = [joined] if commands and len(joined) + 5 <= width else commands
    return lines + [Text.assemble(("next ", "bold"), words) for words in fitting]


def importance_lines(found: Sequence[Importance], width: int) -> list[Text]:
    """A bar for each of the most important parameters with the interval of its share, and whether the order is settled.

    `importance learning_rate ━━━━━━━━━━   0.83 (0.11 to 0.91)`; narrow terminals get no bars.
    """
    room = min(max(width - IMPORTANCE_WORDS - IMPORTANCE_BAR, SHORTEST_NAME), LONGEST_NAME)
    names = [shorten(escaped(one.name), room) for one in found[:BARS]]
    longest = max(map(len, names), default=0)
    drawn = longest + IMPORTANCE_WORDS + IMPORTANCE_BAR <= width
    lines: list[Text] = []
    for one, name in zip(found, names, strict=False):
        line = Text.assemble((f"{'' if lines else 'importance':11}", "bold"), f"{name:{longest}}  ")
        if drawn:
            line.append(bar(one.share, IMPORTANCE_BAR), style="cyan").append("  ")
        lines.append(line.append(f"{one.share:.2f} ({one.low:.2f} to {one.high:.2f})"))
    if lines and not settled(found):
        lines.append(Text("           the order may change with more trials", style="yellow"))
    return lines


def unlike_lines(summary: Summary, test: TestEvaluated) -> list[Text]:
    """That the test rows differ from the validation rows, where the two scores differ by more than chance."""
    if summary.ended.comparison is None or summary.refit is not None:  # which is tested is another model
        return []
    estimate = summary.ended.comparison.estimate
    words = unlike_text(estimate, test.scores, test.stderrs, summary.objective, summary.winner)
    return [] if words is None else [Text(f"  {words}", style="yellow")]


def best_line(winner: LeaderboardRow, summary: Summary) -> Text:
    """`best trial 36: val_accuracy 0.8573 ±0.0032  optimizer=adam learning_rate=0.000675 epochs=17`."""
    varying = set(varying_names(summary.rows)) or set(winner.params)
    params = {name: value for name, value in winner.params.items() if name in varying}
    score, seeds = score_text(winner.value, winner.stderr), ""
    if winner.seeds is not None and winner.final:
        score = score_text(winner.seeds.mean, winner.seeds.stderr)
        seeds = f" over {winner.seeds.count} seeds" + (", unstable" if winner.seeds.unstable else "")
    what = f"trial {winner.number}: {escaped(summary.objective.name)} "
    return Text.assemble(("best ", "bold"), what, (score, "bold green"), f"{seeds}  {params_text(params)}")


def headline(summary: Summary, shown: int) -> Text:
    """`dense: 64 trials, 4 failed; the best 10:` with how many were pruned and how many failed."""
    ended, counts = summary.ended, Counter(row.state for row in summary.rows)
    text = Text.assemble((escaped(ended.name), "bold"), f": {counted(len(summary.rows), 'trial')}")
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


def look_lines(test: TestEvaluated, *, classes: bool = True) -> list[Text]:
    """Trial, scores each with its own standard error, looks; then a bar a class, or the weakest classes in a line."""
    seed = "" if test.seed is None else f" with seed {test.seed}"
    text = Text.assemble(("test ", "bold"), f"trial {test.number}{seed}:")
    for index, (name, value) in enumerate(test.scores.items()):
        score = score_text(value, test.stderrs.get(name))
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
    per_class = {escaped(name): value for name, value in (test.per_class or {}).items()}
    if classes:
        return lines + _bar_lines({name: (value, score_text(value)) for name, value in per_class.items()})
    if len(per_class) > WEAKEST:
        weakest = sorted(per_class.items(), key=lambda item: item[1])[:WEAKEST]
        named = ", ".join(f"{score_text(value)} ({name})" for name, value in weakest)
        lines.append(Text(f"  weakest of {len(per_class)} classes: {named}", style="dim"))
    return lines


def time_line(parts: Mapping[str, float]) -> Text:
    """`time 1m12s: train 71 %, compile 15 %, the rest 14 %`: the largest parts, so that it stays one line."""
    total = sum(parts.values())
    shares = {escaped(name): value / total for name, value in parts.items() if name != "other" and total}
    named = [(name, share) for name, share in shares.items() if share >= LEAST_SHARE][:NAMED_PARTS]
    rest = 1 - sum(share for _, share in named)
    if named and rest >= 0.005:
        named.append(("the rest", rest))
    words = ", ".join(f"{name} {100 * share:.0f} %" for name, share in named)
    return Text.assemble(("time ", "bold"), seconds_text(total), f": {words}" if words else "")


def time_lines(parts: Mapping[str, float]) -> list[Text]:
    total = sum(parts.values()) or 1.0
    shares = {escaped(name): (value / total, seconds_text(value)) for name, value in parts.items()}
    return _bar_lines({name: (share, f"{100 * share:3.0f}%  {text}") for name, (share, text) in shares.items()})


def _bar_lines(bars: Mapping[str, tuple[float, str]]) -> list[Text]:
    """A line for each name: a bar of its share, and words."""
    width = max(map(len, bars), default=0)
    return [
        Text.assemble(f"  {name:{width}}  ", (bar(share, BAR), "cyan"), f"  {words}")
        for name, (share, words) in bars.items()
    ]
