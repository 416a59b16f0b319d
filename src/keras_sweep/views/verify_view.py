"""What `sweep verify` found: each number of a card beside what comes out now."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from keras_sweep.space.text import escaped
from keras_sweep.sweep.same_numbers import Match
from keras_sweep.sweep.verify import Check, Verified
from keras_sweep.views.leaderboard.formats import strict_json
from keras_sweep.views.terminal.table import Column, drawn
from keras_sweep.views.terminal.text import count_text


@dataclass(frozen=True, slots=True)
class VerifyView:
    """A rich renderable of what was verified."""

    verified: Verified

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        done = self.verified
        yield Text(f"{escaped(str(done.model))}: trial {done.trial} of {escaped(done.sweep)}, the file of its card")
        yield drawn(verify_columns(done), options)
        for line in fact_lines(done):
            yield Text(line)
        yield Text(verdict(done), style="bold green" if done.matches else "bold red")


def verify_columns(done: Verified) -> list[Column]:
    """Each score of the card beside what it is now."""
    checks = done.checks
    return [
        Column("score", tuple(Text(escaped(check.name)) for check in checks)),
        Column("card", tuple(Text(f"{check.card:.8g}") for check in checks), right=True),
        Column("now", tuple(Text(f"{check.now:.8g}") for check in checks), right=True),
        Column("gap", tuple(map(_gap, checks))),
    ]


def fact_lines(done: Verified) -> list[str]:
    """What the card says beside its scores: what is not so, what is, and what nobody looked at."""
    lines = [
        f"{escaped(fact.name)} is {escaped(str(fact.card))} in the card, {escaped(str(fact.known))} by its {fact.by}"
        for fact in done.wrong_facts
    ]
    same: dict[str, dict[str, None]] = {}
    wrong = {fact.name.partition(".")[0] for fact in done.wrong_facts}
    for fact in done.facts.looked_at:
        part = fact.name.partition(".")[0]
        whole = part not in wrong and (fact.by == "record" or part == "data")  # all of it was looked at
        if fact.matches:
            same.setdefault(fact.by, {})[escaped(part if whole else fact.name)] = None
    lines += [f"the same by the {by}: {', '.join(names)}" for by, names in same.items()]
    if done.facts.unseen:
        why = f" ({escaped(done.facts.why)})" if done.facts.why else ""
        lines.append(f"not looked at: {', '.join(map(escaped, done.facts.unseen))}{why}")
    return lines


def verdict(done: Verified) -> str:
    """Whether the scores of the card come out, or which do not."""
    if not done.checks:
        return "the card has no score that can be checked"
    rows = count_text(done.validation_rows, "row" if done.refit else "validation row")
    rows += " that it was trained on" if done.refit else ""
    if done.test_rows is not None:
        looks = f"look {done.looks:,}" if done.looks is not None else "a look that is counted nowhere"
        rows += f" and {count_text(done.test_rows, 'test row')} ({looks})"
    wrong = [escaped(check.name) for check in done.checks if check.gap.match is Match.PARTED]
    wrong += [escaped(fact.name) for fact in done.wrong_facts]
    if wrong:
        return f"on {rows}: {', '.join(wrong)} {'differs' if len(wrong) == 1 else 'differ'}"
    return f"the scores of the card come out on {rows}"


def verify_json(verified: Verified) -> str:
    """One object, with a list of the numbers."""
    checks = [
        {"name": one.name, "card": one.card, "now": one.now, "match": one.gap.match, "relative": one.gap.relative}
        for one in verified.checks
    ]
    about = {"model": str(verified.model), "card": str(verified.card), "sweep": verified.sweep, "trial": verified.trial}
    rows = {"validation_rows": verified.validation_rows, "test_rows": verified.test_rows, "looks": verified.looks}
    facts = [
        {"name": one.name, "card": one.card, "known": one.known, "by": one.by, "matches": one.matches}
        for one in verified.facts.looked_at
    ]
    rest = {"facts": facts, "not_looked_at": list(verified.facts.unseen), "why": verified.facts.why}
    return strict_json({**about, "matches": verified.matches, **rows, "checks": checks, **rest}) + "\n"


def _gap(check: Check) -> Text:
    gap = check.gap
    if gap.match is Match.EQUAL:
        return Text("equal", style="green")
    whole = gap.rows is not None and math.isfinite(gap.rows) and abs(gap.rows - round(gap.rows)) < 0.05
    text = count_text(round(gap.rows or 0.0), "row") if whole else f"{gap.relative:.1e}"
    return Text(text, style="red" if gap.match is Match.PARTED else "green")
