"""Trials against the best where no scores of rows are kept: by their values and single standard errors alone."""

from __future__ import annotations

import math
from collections.abc import Iterable

from keras_sweep.space.search_space import Objective
from keras_sweep.trial.comparison import Behind, Comparison
from keras_sweep.trial.finalists import score
from keras_sweep.trial.ranking import can_win, comparable, has_value, order_key, winner
from keras_sweep.trial.result import Result


def marginal(results: Iterable[Result], objective: Objective) -> Comparison:
    """Ties are the values within one standard error, the larger one, of the best; none where it stands alone.

    Imported trials tie among themselves only, in a sweep that has no others: their errors are not known.
    """
    known = list(results)
    best = winner(known, objective)
    rivals = [result for result in known if can_win(result, objective)]
    if best is None:
        rivals = [result for result in known if comparable(result, objective)]
        best = min(rivals, key=lambda result: order_key(result, objective), default=None)
    if best is None or best.value is None:
        return Comparison()
    behind = {}
    for one in rivals:  # means over seeds are compared with the winner's mean, single seeds with its first seed
        value, leading = score(one)[0], score(best)[0] if one.final else best.value
        assert value is not None and leading is not None
        distance = objective.key(value) - objective.key(leading)
        width = max(known_error(best) or 0.0, known_error(one) or 0.0)
        behind[one.number] = Behind(distance, None, abs(distance) <= width)
    return Comparison(best.number, behind=with_company(behind))


def with_company(behind: dict[int, Behind]) -> dict[int, Behind]:
    """The same, without a tie that is the only one: a best trial that stands alone ties with nobody."""
    if sum(one.tie for one in behind.values()) > 1:
        return behind
    return {number: Behind(one.behind, one.stderr, False) for number, one in behind.items()}


def known_error(result: Result) -> float | None:
    """The standard error; None where it is not known, as in older records, which have 0 beside a perfect share."""
    known = has_value(result) and result.stderr is not None and math.isfinite(result.stderr) and result.stderr > 0
    return result.stderr if known else None
