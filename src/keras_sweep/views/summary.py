"""Print the end of a sweep: leaderboard, importance, time, model, best trial, test score, and next commands."""

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from keras_sweep.record.facts import Refit
from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import escape, pluralize
from keras_sweep.sweep.events import EndReason, SweepEnded, TestEvaluated
from keras_sweep.trial.result import TrialState
from keras_sweep.views.importance import Importance, estimate_importance, is_settled
from keras_sweep.views.leaderboard.rows import LeaderboardRow, Ranking, distinct_params, leaderboard_rows, winning_row
from keras_sweep.views.leaderboard.table import print_leaderboard, refit_line
from keras_sweep.views.leaderboard.texts import goals_text, mismatch_text
from keras_sweep.views.terminal.text import bar, params_text, score_text, seconds_text, shorten

TOP = 10  # rows of the leaderboard at most
BARS = 3  # of importance, at most
WEAKEST = 3  # classes that are named
BAR = 20  # cells of a bar
LONGEST_NAME = 20  # cells of the name before it
LEAST_SHARE = 0.02  # of the time; a smaller part is not named
NAMED_PARTS = 4


def time_parts(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return {part of a run: seconds}, longest first. `total` becomes a last part, `other`, with the remaining time."""
    parts = {name: max(value, 0.0) for name, value in seconds.items() if name != "total" and math.isfinite(value)}
    if (rest := seconds.get("total", 0.0) - sum(parts.values())) > 0.0005:
        parts["other"] = parts.get("other", 0.0) + rest
    return dict(sorted(parts.items(), key=lambda part: (part[0] == "other", -part[1])))


def describe_kept(training: Mapping[int, int], waiting: Sequence[int] = ()) -> str:
    """Describe the trials that a stop keeps: `training` (trial -> epoch), and ended trials `waiting` to be recorded."""
    parts = []
    if waiting:
        parts.append(f"{pluralize(len(waiting), 'trial')} that ended {'is' if len(waiting) == 1 else 'are'} kept")
    if training:
        first, last = min(training.values()), max(training.values())
        epochs = f"epoch {first}" if first == last else f"epochs {first} to {last}"
        trials = f"{len(training)} more" if waiting else pluralize(len(training), "trial")
        parts.append(f"{trials} {'is' if len(training) == 1 else 'are'} kept at {epochs}")
    return ", ".join(parts)


def next_commands(name: str, rows: Sequence[LeaderboardRow]) -> tuple[str, ...]:
    if not rows:
        return ()
    quoted, winner = shlex.quote(name), winning_row(rows)
    commands = (f"sweep report {quoted}", f"sweep show {quoted} {(winner or rows[0]).number}")
    return (*commands, f"sweep export {quoted}") if winner is not None else commands


def print_summary(
    console: Console,
    ended: SweepEnded,
    objective: Objective,
    *,
    test: TestEvaluated | None = None,
    refit: Refit | None = None,
    distributions: Mapping[str, str] | None = None,
    times: bool = False,
) -> None:
    """Print the summary of a sweep. The most useful lines come last, because a long table scrolls away.

    `distributions`: parameter -> range, as Optuna's JSON. None: no importances. `times`: draw a bar for each time.
    """
    rows = leaderboard_rows(ended.results, objective, ended.comparison)
    console.print(headline(ended, rows))
    if rows:
        print_leaderboard(console, Ranking(objective, ended.comparison, rows, rows[:TOP]))
        console.print()
    lines = [refit_line(refit)] if refit is not None else []
    if distributions is not None:
        lines += importance_lines(estimate_importance(rows, objective, distributions))
    lines += time_lines(time_parts(ended.seconds), bars=times)
    if ended.model:
        lines.append(Text.assemble(("model ", "bold"), escape(ended.model)))
    winner = winning_row(rows)
    if winner is not None:
        lines.append(best_line(winner, rows, objective))
    if test is not None:
        lines += look_lines(test, classes=False)
    # After a refit the tested model is not the model of the estimate.
    if test is not None and ended.comparison is not None and refit is None:
        warning = mismatch_text(ended.comparison.estimate, test, objective, winner)
        lines += [] if warning is None else [Text(f"  {warning}", style="yellow")]
    most = 2 if ended.model == "" else 3  # without models there is no export
    lines += [Text.assemble(("next ", "bold"), escape(command)) for command in next_commands(ended.name, rows)[:most]]
    for line in lines:
        console.print(line)


def importance_lines(shares: Sequence[Importance]) -> list[Text]:
    bars = [(item.name, item.share, f"{item.share:.2f} ({item.low:.2f} to {item.high:.2f})") for item in shares[:BARS]]
    lines = [Text("importance", style="bold"), *_bar_lines(bars)] if bars else []
    if bars and not is_settled(shares):
        lines.append(Text("  the order of the parameters may change with more trials", style="yellow"))
    return lines


def best_line(winner: LeaderboardRow, rows: Sequence[LeaderboardRow], objective: Objective) -> Text:
    """Return `best trial 36: val_accuracy 0.8573 ±0.0032  optimizer=adam`, with parameters that differ in `rows`."""
    score, seeds = score_text(winner.value, winner.stderr), ""
    if winner.seeds is not None and winner.final:
        score = score_text(winner.seeds.mean, winner.seeds.stderr)
        seeds = f" over {winner.seeds.count} seeds" + (
            " with scores that differ by more than chance" if winner.seeds.unstable else ""
        )
    text = f"trial {winner.number}: {escape(objective.name)} "
    params = params_text(distinct_params(winner, rows))
    return Text.assemble(
        ("best ", "bold"), text, (score, "bold green"), f"{seeds}{goals_text(winner, objective)}  {params}"
    )


def headline(ended: SweepEnded, rows: Sequence[LeaderboardRow]) -> Text:
    """Return the line above a leaderboard, which counts trials by state: `dense: 64 trials, 4 failed; the best 10:`."""
    counts = Counter(row.state for row in rows)
    text = Text.assemble((escape(ended.name), "bold"), f": {pluralize(len(rows), 'trial')}")
    for state, word, style in ((TrialState.PRUNED, "pruned", "yellow"), (TrialState.FAIL, "failed", "red")):
        if counts[state]:
            text.append(f", {counts[state]:,} {word}", style=style)
    if ended.reason is not EndReason.DONE:
        text.append(f"; {escape(ended.reason)}", style="yellow")
    if kept_text := describe_kept(ended.kept, ended.waiting):
        text.append(f": {kept_text}", style="yellow")
    if rows and not any(row.comparable for row in rows):
        text.append("; no trial completed", style="red")
    if len(rows) > TOP:
        text.append(f"; the best {TOP}:")
    return text


def look_lines(test: TestEvaluated, *, classes: bool = True) -> list[Text]:
    """Describe an evaluation on test rows, with a bar for each class. Without `classes`, name only the weakest."""
    seed = "" if test.seed is None else f" with seed {test.seed}"
    text = Text.assemble(("test ", "bold"), f"trial {test.number}{seed}:")
    for index, (name, value) in enumerate(test.scores.items()):
        score = score_text(value, test.stderrs.get(name))
        text.append("  " if index else " ").append(f"{escape(name)} ").append(score, style="bold green")
    lines = [text]
    if test.earlier:
        times = "once" if test.looks == 1 else f"{test.looks:,} times"
        text.append(f"  evaluated {times}, in an earlier run", style="dim")
    elif test.looks == 1:
        text.append("  first look", style="dim")
    else:
        looks = f"  look {test.looks:,} at the test set: after the first, it is no longer unseen"
        lines.append(Text(looks, style="yellow"))
    per_class = test.per_class or {}
    if classes:
        return lines + _bar_lines([(name, value, score_text(value)) for name, value in per_class.items()])
    if len(per_class) > WEAKEST:
        weakest = sorted(per_class.items(), key=lambda item: item[1])[:WEAKEST]
        named = ", ".join(f"{score_text(value)} ({escape(name)})" for name, value in weakest)
        lines.append(Text(f"  weakest of {len(per_class)} classes: {named}", style="dim"))
    return lines


def time_lines(parts: Mapping[str, float], *, bars: bool = True) -> list[Text]:
    """Return a line with the total time, and a bar for each part. Without `bars`: `time 1m12s: train 71 %, ...`."""
    total = sum(parts.values())
    if not total:
        return []
    line = Text.assemble(("time ", "bold"), seconds_text(total))
    shares = {name: part / total for name, part in parts.items()}
    if bars:
        words = {name: f"{100 * share:3.0f}%  {seconds_text(parts[name])}" for name, share in shares.items()}
        return [line, *_bar_lines([(name, share, words[name]) for name, share in shares.items()])]
    named = [f"{escape(name)} {100 * share:.0f} %" for name, share in shares.items() if share >= LEAST_SHARE]
    return [line.append(f": {', '.join(named[:NAMED_PARTS])}")]


def _bar_lines(bars: Sequence[tuple[str, float, str]]) -> list[Text]:
    names = [shorten(escape(name), LONGEST_NAME) for name, _, _ in bars]
    width = max(map(len, names), default=0)
    return [
        Text.assemble(f"  {name:{width}}  ", (bar(share, BAR), "cyan"), f"  {words}")
        for name, (_, share, words) in zip(names, bars, strict=True)
    ]
