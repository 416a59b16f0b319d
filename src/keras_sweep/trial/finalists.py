"""Order the trials that may be trained again with new seeds, and say which trials were, and why the others were not.

Among trials whose values differ by at most a standard error, chance decides the order of the values. There, steadier
curves come first: their models depend less on the epoch at which training ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keras_sweep.space.search_space import Objective
from keras_sweep.space.text import pluralize
from keras_sweep.trial.ranking import LEADING, can_win, order_key, unsteadiness
from keras_sweep.trial.result import Result

STEADIER = "trials with as good a value have steadier curves"
BETTER = "trials with better values come first"
EARLY = "training ended early"
NONE = "the sweep has no finalists"


def order_candidates(results: Sequence[Result], objective: Objective) -> tuple[list[Result], frozenset[int]]:
    """Return the best trials in the order in which they become finalists, and the numbers of the trials whose values
    are as good as the best: they differ by at most the larger standard error."""
    plain = [replace(trial, finalists=(), final=False) for trial in results if trial.is_whole]
    ranked = sorted(
        (trial for trial in plain if can_win(trial, objective)), key=lambda trial: order_key(trial, objective)
    )
    candidates = ranked[:LEADING]
    alike = [
        trial
        for trial in candidates
        if abs((trial.value or 0.0) - (ranked[0].value or 0.0)) <= max(trial.stderr or 0.0, ranked[0].stderr or 0.0)
    ]
    steadiest_first = sorted(alike, key=lambda trial: unsteadiness(trial, objective))
    rest = [trial for trial in candidates if trial not in alike]
    return [*steadiest_first, *rest], frozenset(trial.number for trial in alike)


def explain_finalists(results: Sequence[Result], objective: Objective) -> dict[int, str]:
    """Return trial number -> "3 new seeds" for finalists, and the reason for each other trial."""
    if not any(trial.final for trial in results):
        return dict.fromkeys((trial.number for trial in results), NONE)
    _, alike = order_candidates(results, objective)

    def explain(trial: Result) -> str:
        if trial.final:
            return pluralize(len(trial.finalists), "new seed")
        if not trial.is_whole:
            return EARLY
        return STEADIER if trial.number in alike else BETTER

    return {trial.number: explain(trial) for trial in results}
