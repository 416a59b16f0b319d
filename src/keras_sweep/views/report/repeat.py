"""How to repeat a sweep: the calls, the space file, the versions, the data's fingerprint."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from keras_sweep.views.report.facts import SweepFacts
from keras_sweep.views.terminal.text import count_text


@dataclass(frozen=True, slots=True)
class Repeat:
    """What somebody needs who wants the same numbers."""

    calls: tuple[tuple[str, str], ...]  # (call, what it does)
    space: str  # text of the space file
    versions: tuple[tuple[str, str], ...]
    fingerprint: str
    origin: str


def repeat_of(facts: SweepFacts) -> Repeat:
    """Read off the record; "" where it does not say."""
    name = shlex.quote(facts.name)
    calls = []
    if "imported" not in facts.attributes:
        trials = count_text(len(facts.rows), "trial")
        calls.append((f"sweep run SPACE.yaml --name {name}-again", f"the same {trials}, values and winner"))
    if facts.winner is not None:
        calls.append((f"sweep show {name} {facts.winner.number}", "the winner, epoch by epoch"))
        if facts.card:
            calls.append((f"sweep export {name}", "its model, with its card"))
    versions = facts.attributes.get("versions", {})
    return Repeat(
        calls=tuple(calls),
        space=str(facts.attributes.get("space", "")),
        versions=tuple(versions.items()),
        fingerprint=str(facts.attributes.get("fingerprint", "")),
        origin=str(facts.attributes.get("origin", "")),
    )
