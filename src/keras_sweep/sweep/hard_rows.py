"""Validation rows that no good trial gets right: labels that are wrong, or more than these models can learn."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.record.facts import Facts
from keras_sweep.record.saved import keeps_bits, load_scores, scores_file, with_scores
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.training.row_values import ACCURACIES
from keras_sweep.trial.comparison import PAIRED, Comparison
from keras_sweep.trial.ranking import order_key
from keras_sweep.trial.result import Result

FEWEST = 5  # ties that are enough to be the good trials; else these are
BEST = 10


@dataclass(frozen=True, slots=True)
class Missed:
    """Which rows all good trials get wrong."""

    trials: tuple[int, ...]  # the good ones, best first
    tied: bool  # whether they are all that tie with the best; else they are the best few
    rows: tuple[int, ...]  # among the validation rows, from 0
    total: int  # validation rows


def missed_rows(folder: SweepFolder, facts: Facts, results: Sequence[Result], comparison: Comparison) -> Missed:
    """Counted from the scores that are kept of the good trials; nothing else is read.

    Good are those that tie with the best, or the best ten where fewer than five do.

    Raises:
        UsageError: no trial keeps which rows it gets right.
    """
    objective = facts.objective
    known = sorted(with_scores(results, objective), key=lambda result: order_key(result, objective))
    bits = [one for one in known if keeps_bits(one)]
    ties = [one for one in bits if one.number in comparison.behind and comparison.behind[one.number].tie]
    tied = comparison.method == PAIRED and len(ties) >= FEWEST
    loaded = {}
    for one in ties if tied else bits[:BEST]:
        with suppress(RecordError):  # damaged, or lost: the others count
            loaded[one.number] = load_scores(scores_file(folder, one.number), one.scores_digest or "")
    if not loaded:
        raise UsageError(
            f"no trial of {folder.name!r} keeps which validation rows it gets right",
            hint=f"Sweeps that are ranked by an accuracy keep it; this one is ranked by {objective.name}"
            if objective.name.removeprefix("val_") not in ACCURACIES
            else "Its folder scores/ is lost",
        )
    total = next(iter(loaded.values())).rows
    right = np.zeros(total, bool)
    alike = {number: scores for number, scores in loaded.items() if scores.rows == total}
    for scores in alike.values():
        right |= scores.values() > 0
    return Missed(tuple(alike), tied, tuple(np.flatnonzero(~right).tolist()), total)
