"""Choose which results a sampler learns from, so that a suggestion after 10,000 trials costs as much as after 1,000."""

import heapq
from collections.abc import Sequence
from typing import Any

MOST = 256  # results that a sampler learns from
BEST = 25  # the most trials that Optuna's TPE counts as good


def choose_history(ranks: Sequence[Any]) -> list[int]:
    """Choose at most `MOST` results by `ranks`, sort keys in the order of trials. Return indices in ascending order.
    The best are chosen first, then the latest, and as many of the others, evenly. Nothing else has a say, so a resumed
    search chooses the same results."""
    if len(ranks) <= MOST:
        return list(range(len(ranks)))
    best = heapq.nsmallest(BEST, range(len(ranks)), key=ranks.__getitem__)
    others = sorted(set(range(len(ranks))).difference(best))
    latest, spread = (MOST - BEST) // 2, (MOST - BEST + 1) // 2
    between = (others[place * (len(others) - latest) // spread] for place in range(spread))
    return sorted([*best, *between, *others[-latest:]])
