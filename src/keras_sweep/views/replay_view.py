"""Show the results of `sweep replay` and `sweep verify`: recorded and new numbers, and the verdict."""

from typing import Any

from rich.console import Console
from rich.text import Text

from keras_sweep.space.text import escape, join, pluralize
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
    text = f" of {escape(replay.sweep)}: {params_text(replay.recorded.params)}"
    console.print(Text.assemble((replay.recorded.name, "bold"), text))
    if replay.plain.epochs:
        print_table(console, replay_columns(replay), most=MOST_EPOCHS)
    *lines, verdict = replay_lines(replay)
    console.print(*lines, sep="\n")
    console.print(Text(verdict, style="bold green" if replay.matches else "bold red"))


def replay_lines(replay: Replay) -> list[str]:
    """Describe how the new training compares with the record. The last line says whether the numbers match."""
    plain, recorded = replay.plain, replay.recorded
    lines = [f"{plain.runner} compared with the record ({escape(recorded.runner)}): {_match_text(plain)}"]
    lines += [escape(text) for text in plain.differences]
    if replay.own is not None:
        lines.append(f"{replay.own.runner}, the runner of the record: {_match_text(replay.own)}")
    if replay.biases:
        names = join([f"`{escape(name)}`" for name in replay.biases], "and")
        lines.append(
            f"the batch normalization after {names} cancels the bias there: its gradient is rounding alone, and the "
            "optimizer makes steps of it. Set `use_bias=False`"
        )
    if plain.match is Match.PARTED and not plain.starts_small and replay.own is not None:
        lines.append("a gap in the first epoch is too large for rounding that grew")
    if not replay.matches:
        lines.append("the numbers do not match the record")
    elif plain.match is Match.PARTED:
        lines.append("plain fit differs by rounding that grew; the runner of the record gives every recorded digit")
    else:
        lines.append("the numbers match the record")
    return lines


def replay_json(replay: Replay) -> str:
    recorded, recorded_runner = replay.recorded, replay.own
    about = {"sweep": replay.sweep, "number": recorded.recipe, "seed": recorded.finalist_seed}
    trained = {"recorded": result_record(recorded), "again": _comparison_record(replay.plain)}
    as_recorded = None if recorded_runner is None else _comparison_record(recorded_runner)
    return strict_json({**about, "matches": replay.matches, **trained, "as_recorded": as_recorded}) + "\n"


def _comparison_record(comparison: CurveMatch) -> dict[str, Any]:
    return {
        "runner": comparison.runner,
        "match": comparison.match,
        "parted_at": comparison.parted_at,
        "epochs": list(comparison.epochs),
        "gaps": {name: [gap.relative for gap in gaps] for name, gaps in comparison.gaps.items()},
        "differences": list(comparison.differences),
        **result_record(comparison.again),
    }


def _match_text(comparison: CurveMatch) -> str:
    """Describe how two curves match: `equal to rounding in all 5 epochs, largest gap 9.1e-08 (val_loss, epoch 3)`."""
    epochs, at = len(comparison.epochs), comparison.parted_at
    if not epochs:
        return "no epoch to compare" if comparison.match is Match.PARTED else "it ends before an epoch, as recorded"
    worst = widest(gap for gaps in comparison.gaps.values() for gap in gaps)
    in_all = "in its only epoch" if epochs == 1 else f"in all {epochs} epochs"
    if worst.match is Match.EQUAL:
        return f"equal {in_all}, to the last digit"
    name, epoch = next((name, gaps.index(worst) + 1) for name, gaps in comparison.gaps.items() if worst in gaps)
    words = f"equal to rounding {in_all}" if at is None else f"different from epoch {at}"
    return f"{words}, largest gap {worst.relative:.1e} ({escape(name)}, epoch {epoch})"


def _gap_cell(gap: Gap) -> Text:
    return Text("equal" if gap.match is Match.EQUAL else f"{gap.relative:.1e}", STYLES[gap.match])


def replay_columns(replay: Replay) -> list[Column]:
    plain, objective = replay.plain, replay.objective
    names = [name for name in dict.fromkeys((objective.name, loss_name(objective))) if name in plain.gaps]
    epochs = range(len(plain.epochs))
    columns = [Column("epoch", [str(epoch + 1) for epoch in epochs], right=True)]
    for keep, name in enumerate(names):
        for header, result in ((name, replay.recorded), ("again", plain.again)):
            cells = [score_text(result.curve[name][epoch]) for epoch in epochs]
            columns.append(Column(header, cells, keep=keep, right=True))
    apart = [_gap_cell(widest(gaps[epoch] for gaps in plain.gaps.values())) for epoch in epochs]
    return [*columns, Column("largest gap", apart)]


def print_verification(console: Console, verified: Verified) -> None:
    model = escape(str(verified.model))
    console.print(f"{model}: trial {verified.trial} of {escape(verified.sweep)}, unchanged since its card was written")
    print_table(console, verify_columns(verified))
    for line in fact_lines(verified):
        console.print(line)
    console.print(Text(verify_verdict(verified), style="bold green" if verified.matches else "bold red"))


def verify_columns(verified: Verified) -> list[Column]:
    checks = verified.checks
    return [
        Column("score", [check.name for check in checks]),
        Column("card", [f"{check.card:.8g}" for check in checks], right=True),
        Column("now", [f"{check.now:.8g}" for check in checks], right=True),
        Column("gap", [_gap_cell(check.gap) for check in checks]),
    ]


def fact_lines(verified: Verified) -> list[str]:
    """Describe the facts of a model card that are not scores: first wrong, then confirmed, then unchecked facts."""
    lines = [
        f"{escape(fact.name)} is {escape(str(fact.card))} in the card, but {escape(str(fact.known))} in its {fact.by}"
        for fact in verified.wrong_facts
    ]
    same: dict[str, dict[str, None]] = {}
    wrong = {fact.name.partition(".")[0] for fact in verified.wrong_facts}
    for fact in verified.facts:
        part = fact.name.partition(".")[0]
        # The record has every fact of a part of the card, so the whole part was checked.
        whole = part not in wrong and fact.by == "record"
        if fact.matches:
            same.setdefault(fact.by, {})[escape(part if whole else fact.name)] = None
    lines += [f"the {by} confirms: {', '.join(names)}" for by, names in same.items()]
    if verified.unseen:
        why = f" ({escape(verified.why)})" if verified.why else ""
        lines.append(f"not checked: {', '.join(map(escape, verified.unseen))}{why}")
    return lines


def verify_verdict(verified: Verified) -> str:
    if not verified.checks:
        return "the card has no score that can be checked"
    rows = pluralize(verified.validation_rows, "row" if verified.refit else "validation row")
    rows += " that the model was trained on" if verified.refit else ""
    if verified.test_rows is not None:
        looks = f"look {verified.looks:,}" if verified.looks is not None else "a look that no record counts"
        rows += f" and {pluralize(verified.test_rows, 'test row')} ({looks})"
    wrong = [escape(check.name) for check in verified.checks if check.gap.match is Match.PARTED]
    wrong += [escape(fact.name) for fact in verified.wrong_facts]
    if wrong:
        return f"{', '.join(wrong)} {'differs' if len(wrong) == 1 else 'differ'} from the card on {rows}"
    return f"the scores match the card on {rows}"


def verify_json(verified: Verified) -> str:
    about = {"model": str(verified.model), "card": str(verified.card), "sweep": verified.sweep, "trial": verified.trial}
    rows = {"validation_rows": verified.validation_rows, "test_rows": verified.test_rows, "looks": verified.looks}
    checks = [
        {"name": row.name, "card": row.card, "now": row.now, "match": row.gap.match, "relative": row.gap.relative}
        for row in verified.checks
    ]
    keys = ("name", "card", "known", "by", "matches")
    facts = [{key: getattr(fact, key) for key in keys} for fact in verified.facts]
    rest = {"facts": facts, "not_looked_at": list(verified.unseen), "why": verified.why}
    return strict_json({**about, "matches": verified.matches, **rows, "checks": checks, **rest}) + "\n"
