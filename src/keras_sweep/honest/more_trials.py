"""Whether more trials are worth it: what the last ones gained, against what the validation rows can tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from keras_sweep.trial.comparison import Behind, MoreTrials

WINDOW = 32  # trials that are looked back at, and forward to
FEWEST = 16  # trials before anything is said
GOOD = 16  # trials whose errors say what the rows resolve


def more_trials(values: Sequence[float], behind: Mapping[int, Behind]) -> MoreTrials | None:
    """What as many trials as the last would gain; None where there are too few to say.

    Gains shrink as a search goes on, so what the last trials added to the best is about the most that as many more
    will. Part of it is luck of selection: at most, then.

    Args:
        values: of trials that could win, in the order of their numbers; larger is better.
        behind: every trial against the best, by number.
    """
    errors = sorted((one.behind, one.stderr) for one in behind.values() if one.stderr)
    if len(values) < FEWEST or not errors:
        return None
    window = min(WINDOW, len(values) // 2)
    gain = max(values) - max(values[:-window])
    return MoreTrials(window, gain, 1.96 * median(stderr for _, stderr in errors[:GOOD]))
