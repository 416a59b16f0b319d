"""A shell completes commands, and the names of sweeps where one is wanted."""

from __future__ import annotations

import pytest

from tests.helpers.command import sweep


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("sweep sh", ["show"]), ("sweep show ", ["digits"]), ("sweep export dig", ["digits"]), ("sweep list x", [])],
)
def test_what_is_offered(finished, typed, offered):
    words = typed.split(" ")
    ended = sweep(
        cwd=finished,
        _SWEEP_COMPLETE="complete_bash",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(words) - 1),
    )
    assert ended.out.split() == offered
