"""How to repeat a sweep: the calls, the space file, the versions, the data's fingerprint; no folder of this machine."""

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


def repeat_of(facts: SweepFacts) -> Repeat:
    """Read off the record; "" where it does not say."""
    name = shlex.quote(facts.name)
    calls = []
    if "imported" not in facts.attributes:
        trials = count_text(len(facts.rows), "trial")
        calls.append((f"sweep run SPACE.yaml --name {name}-again", f"the same {trials}, values and winner"))
    if facts.winner is not None:
        number = facts.winner.number
        calls.append((f"sweep show {name} {number}", "the winner, epoch by epoch"))
        calls.append((f"sweep replay {name} {number}", "the winner by plain model.fit, against the record"))
        if facts.card:
            calls.append((f"sweep export {name}", "its model, with its card"))
            calls.append((f"sweep verify {name}.keras", "whether the model's scores still come out"))
    versions = facts.attributes.get("versions", {})
    return Repeat(
        calls=tuple(calls),
        space=str(facts.attributes.get("space", "")),
        versions=tuple(versions.items()),
        fingerprint=str(facts.attributes.get("fingerprint", "")),
    )
