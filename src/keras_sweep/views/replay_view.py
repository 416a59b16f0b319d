"""What `sweep replay` and `sweep verify` found: recorded numbers beside those that come out now, and the verdict."""

from typing import Any

from rich.console import Console
from rich.text import Text

from keras_sweep.space.text import escape, pluralize
from keras_sweep.sweep.replay import CurveMatch, Gap, Match, Replay, widest
from keras_sweep.sweep.verify import Verified
from keras_sweep.trial.ranking import loss_name
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.running.json_lines import result_record
from keras_sweep.views.terminal.table import Column, print_table
from keras_sweep.views.terminal.text import params_text, score_text
from keras_sweep.views.trial_view import MOST_EPOCHS

STYLES = {Match.EQUAL: "green", Match.ROUNDING: "green", Match.PARTED: "red"}


def print_replay(console: Console, replay: Replay) -> None:
    """Recorded and new numbers epoch by epoch, and the verdict."""
    what = f" of {escape(replay.sweep)}: {params_text(replay.recorded.params)}"
    console.print(Text.assemble((replay.recorded.name, "bold"), what))
    if replay.plain.epochs:
        print_table(console, replay_columns(replay), most=MOST_EPOCHS)
    *lines, verdict = replay_lines(replay)
    console.print(*lines, sep="\n")
    console.print(Text(verdict, style="bold green" if replay.matches else "bold red"))


def replay_lines(replay: Replay) -> list[str]:
    """What came out, in sentences; the last one says whether the record's numbers do."""
    plain, recorded = replay.plain, replay.recorded
    lines = [f"{plain.runner} against the record ({escape(recorded.runner)}): {_said(plain)}"]
    lines += [escape(text) for text in plain.differences]
    if replay.own is not None:
        lines.append(f"{replay.own.runner}, as it was recorded: {_said(replay.own)}")
    if not replay.matches:
        lines.append("the numbers are not those of the record")
    elif plain.match is Match.PARTED:
        lines.append("rounding grew until plain fit parted; the trial's own runner gives every digit of the record")
    else:
        lines.append("the numbers are those of the record")
    return lines


def replay_json(replay: Replay) -> str:
    """One object: the verdict, each comparison, and the record beside the trial trained again."""
    recorded, own = replay.recorded, replay.own
    about = {"sweep": replay.sweep, "number": recorded.recipe, "seed": recorded.finalist_seed}
    trained = {"recorded": result_record(recorded), "again": _comparison_record(replay.plain)}
    as_recorded = None if own is None else _comparison_record(own)
    return strict_json({**about, "matches": replay.matches, **trained, "as_recorded": as_recorded}) + "\n"


def _comparison_record(comparison: CurveMatch) -> dict[str, Any]:
    return {
        "runner": comparison.runner,
        "match": comparison.match,
        "parted_at": comparison.parted_at,
        "epochs": list(comparison.epochs),
        "gaps": {name: [one.relative for one in gaps] for name, gaps in comparison.gaps.items()},
        "differences": list(comparison.differences),
        **result_record(comparison.again),
    }


def _said(comparison: CurveMatch) -> str:
    """`equal to rounding in all 5 epochs, at most 9.1e-08 (val_loss, epoch 3)`."""
    epochs, at = len(comparison.epochs), comparison.parted_at
    if not epochs:
        return "no epoch to compare" if comparison.match is Match.PARTED else "it ends as recorded, before an epoch"
    worst = widest(gap for gaps in comparison.gaps.values() for gap in gaps)
    in_all = "in its one epoch" if epochs == 1 else f"in all {epochs} epochs"
    if worst.match is Match.EQUAL:
        return f"equal {in_all}, to the last digit"
    name, epoch = next((name, gaps.index(worst) + 1) for name, gaps in comparison.gaps.items() if worst in gaps)
    words = f"equal to rounding {in_all}" if at is None else f"parted at epoch {at}"
    return f"{words}, at most {worst.relative:.1e} ({escape(name)}, epoch {epoch})"


def _gap_cell(gap: Gap) -> Text:
    return Text("equal" if gap.match is Match.EQUAL else f"{gap.relative:.1e}", STYLES[gap.match])


def replay_columns(replay: Replay) -> list[Column]:
    """Record and new training epoch by epoch."""
    plain, objective = replay.plain, replay.objective
    names = [name for name in dict.fromkeys((objective.name, loss_name(objective))) if name in plain.gaps]
    epochs = range(len(plain.epochs))
    columns = [Column("epoch", [str(epoch + 1) for epoch in epochs], right=True)]
    for keep, name in enumerate(names):
        for header, result in ((name, replay.recorded), ("again", plain.again)):
            cells = [score_text(result.curve[name][epoch]) for epoch in epochs]
            columns.append(Column(header, cells, keep=keep, right=True))
    apart = [_gap_cell(widest(gaps[epoch] for gaps in plain.gaps.values())) for epoch in epochs]
    return [*columns, Column("widest gap", apart)]


def print_verification(console: Console, done: Verified) -> None:
    """Each score of the card beside what it is now, the facts, and the verdict."""
    model = escape(str(done.model))
    console.print(f"{model}: trial {done.trial} of {escape(done.sweep)}, the file of its card")
    print_table(console, verify_columns(done))
    for line in fact_lines(done):
        console.print(line)
    console.print(Text(verify_verdict(done), style="bold green" if done.matches else "bold red"))


def verify_columns(done: Verified) -> list[Column]:
    """Each score of the card beside what it is now."""
    checks = done.checks
    return [
        Column("score", [check.name for check in checks]),
        Column("card", [f"{check.card:.8g}" for check in checks], right=True),
        Column("now", [f"{check.now:.8g}" for check in checks], right=True),
        Column("gap", [_gap_cell(check.gap) for check in checks]),
    ]


def fact_lines(done: Verified) -> list[str]:
    """What the card says beside its scores: what is not so, what is, and what nobody looked at."""
    lines = [
        f"{escape(fact.name)} is {escape(str(fact.card))} in the card, {escape(str(fact.known))} by its {fact.by}"
        for fact in done.wrong_facts
    ]
    same: dict[str, dict[str, None]] = {}
    wrong = {fact.name.partition(".")[0] for fact in done.wrong_facts}
    for fact in done.facts:
        part = fact.name.partition(".")[0]
        whole = part not in wrong and fact.by == "record"  # all of it was looked at
        if fact.matches:
            same.setdefault(fact.by, {})[escape(part if whole else fact.name)] = None
    lines += [f"the same by the {by}: {', '.join(names)}" for by, names in same.items()]
    if done.unseen:
        why = f" ({escape(done.why)})" if done.why else ""
        lines.append(f"not looked at: {', '.join(map(escape, done.unseen))}{why}")
    return lines


def verify_verdict(done: Verified) -> str:
    """Whether the scores of the card come out, or which do not."""
    if not done.checks:
        return "the card has no score that can be checked"
    rows = pluralize(done.validation_rows, "row" if done.refit else "validation row")
    rows += " that it was trained on" if done.refit else ""
    if done.test_rows is not None:
        looks = f"look {done.looks:,}" if done.looks is not None else "a look that is counted nowhere"
        rows += f" and {pluralize(done.test_rows, 'test row')} ({looks})"
    wrong = [escape(check.name) for check in done.checks if check.gap.match is Match.PARTED]
    wrong += [escape(fact.name) for fact in done.wrong_facts]
    if wrong:
        return f"on {rows}: {', '.join(wrong)} {'differs' if len(wrong) == 1 else 'differ'}"
    return f"the scores of the card come out on {rows}"


def verify_json(done: Verified) -> str:
    """One object, with a list of the numbers."""
    about = {"model": str(done.model), "card": str(done.card), "sweep": done.sweep, "trial": done.trial}
    rows = {"validation_rows": done.validation_rows, "test_rows": done.test_rows, "looks": done.looks}
    checks = [
        {"name": one.name, "card": one.card, "now": one.now, "match": one.gap.match, "relative": one.gap.relative}
        for one in done.checks
    ]
    keys = ("name", "card", "known", "by", "matches")
    facts = [{key: getattr(one, key) for key in keys} for one in done.facts]
    rest = {"facts": facts, "not_looked_at": list(done.unseen), "why": done.why}
    return strict_json({**about, "matches": done.matches, **rows, "checks": checks, **rest}) + "\n"
