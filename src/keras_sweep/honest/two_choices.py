"""With finalists a sweep chooses twice: recipes by the one seed of the search, then the winner by the mean over seeds.

New seeds are free of the luck of the first seed, but not of the luck of the rows, which are the same. So each bag makes
both choices anew. A recipe that it chooses, and that was no finalist, has no mean: its luck is foretold from that of
its one seed. What all finalists share is its share, too; of its own, new seeds repeat as much as those of finalists do
(the slope of a regression over bags), and the rest is drawn from theirs. Its score loses by new seeds what theirs did.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_sweep.honest.scores import Floats, Places, Scores
from keras_sweep.trial.ranking import LEADING


@dataclass(frozen=True, slots=True)
class FirstChoice:
    """What finalists were chosen by."""

    scores: Scores  # of K models, a trial of the search each, with its one seed
    errors: Floats  # [K] standard errors of their scores
    unsteady: Floats  # [K] how unsteady their curves are
    places: Sequence[int]  # [F] which of them became finalists; at least two
    seeds: int  # over how many the winner's mean is, the search's own included

    def finalists(self, values: Floats) -> Places:
        """[B, K] scores -> [B, F] whom a search with such scores had chosen, as `trial.finalists.chosen` does."""
        order: Places = np.argsort(-values, axis=1, kind="stable")[:, :LEADING]
        leading = np.take_along_axis(values, order, axis=1)
        tied = leading[:, :1] - leading <= np.maximum(self.errors[order], self.errors[order[:, :1]])
        steadiest: Places = np.argsort(np.argsort(self.unsteady, kind="stable"))
        place = np.where(tied, steadiest[order], len(steadiest) + np.arange(order.shape[1]))
        return np.take_along_axis(order, np.argsort(place, axis=1)[:, : len(self.places)], axis=1)

    def winners(
        self, first: Floats, early: Floats, whole: Floats, luck: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """The score on all rows of the model that each bag ends with, and its luck there: both [B].

        Args:
            first: [K] scores with the search's seed on all rows.
            early: [B, K] what bags add to them.
            whole: [F] means over seeds of the finalists.
            luck: [B, F] what bags add to those.
            rng: of the part of the luck that is not foretold.
        """
        if not len(luck):  # no bag on which all finalists have a score
            return np.zeros(0), np.zeros(0)
        places, count = list(self.places), len(self.places)
        own = early[:, places]
        common, shared = own.mean(1, keepdims=True), luck.mean(1, keepdims=True)
        apart, after = own - common, luck - shared
        spread = float((apart**2).sum())
        slope = float((apart * after).sum()) / spread if spread > 0 else 0.0
        rest = (after - slope * apart).ravel() * math.sqrt(count / (count - 1))
        foretold = shared + slope * (early - common) + rng.choice(rest, early.shape)
        foretold[:, places] = luck
        scores = first + (whole - first[places]).mean()
        scores[places] = whole
        candidates = self.finalists(first + early)
        inside = np.take_along_axis(scores + foretold, candidates, axis=1)
        each = np.arange(len(luck))
        chosen = candidates[each, np.where(np.isnan(inside), -np.inf, inside).argmax(1)]
        return scores[chosen], foretold[each, chosen]
