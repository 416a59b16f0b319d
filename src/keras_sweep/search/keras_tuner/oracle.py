"""KerasTuner's oracles without a tuner: they choose and learn, print nothing and write no file.

The one file that touches what KerasTuner (1.4.8) keeps private, each with its reason beside it; and of these two:

- `Trial.score`: a failed trial gets the worst score. Left as FAILED it would starve Hyperband, which waits for enough
  completed trials to promote from, and teach the Gaussian process nothing.
- `GridSearchOracle._populate_next`: the grid waits for a trial's end in case it discovers new hyperparameters. None can
  appear here, so the next point is ready at once and generations are full.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from keras_sweep.errors import SearchError
from keras_sweep.search.engine import Capabilities
from keras_sweep.search.keras_tuner.space import Codes, hyper_parameters
from keras_sweep.space.search_space import Goal, Objective, SearchSpace

PHANTOM = "tuner/phantom"  # marks a trial that fills a place in a Hyperband bracket when the space is exhausted


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial that an oracle chose."""

    id: str  # KerasTuner's
    codes: Codes
    epochs: int | None = None  # Hyperband's budget
    promoted: str | None = None  # the id of the trial that it takes up


class SilentOracle(Capabilities):
    """One of KerasTuner's four oracles. Every fault of the library is a SearchError.

    `accept` is shown what an oracle drew at random (None where it gave up) and returns what is to be tried in its
    place, or None when there is nothing left.
    """

    name: str
    kind: str  # the class of `keras_tuner.oracles`
    learns_others = False
    models_results = False  # by a Gaussian process, which learns from any point

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        seed: int,
        accept: Callable[[Codes | None], Codes | None],
        budget: tuple[int, int] | None = None,  # the least and the most epochs that Hyperband gives a trial
    ) -> None:
        self._objective = objective
        self._seed = seed % 2**32 or 2**32 - 1  # KerasTuner takes 0 for "none given"
        self._accept = accept
        self._budget = budget
        self._failed: list[str] = []
        self._phantoms: set[str] = set()
        with self._faults():
            self._oracle = self._make(space)

    def ask(self, number: int) -> Asked | None:
        """The oracle's next choice, as trial `number`; None while it waits for results, or for good."""
        import numpy as np
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        while True:
            with self._faults(), threadpool_limits(1):  # Bayesian's matrices are tiny: threads only wait for each other
                if self.models_results:
                    random_state = np.random.RandomState([self._seed, number])
                    self._oracle._random_state = random_state  # noqa: SLF001  # KerasTuner 1.4: its draws follow from the trial alone
                trial = self._oracle.create_trial(f"worker {len(self._oracle.trials)}")
            if trial.status != "RUNNING":
                return None
            if not self.draws_ranges:
                self._oracle._populate_next.append(trial.trial_id)  # noqa: SLF001  # KerasTuner 1.4: else it waits for this one
            values = trial.hyperparameters.values
            past = values.get("tuner/trial_id")
            if PHANTOM not in values and past not in (*self._failed, *self._phantoms):
                return Asked(trial.trial_id, dict(values), values.get("tuner/epochs"), past)
            self.drop(trial.trial_id)
            if past is None and self._only_phantoms(trial.trial_id):
                return None

    def add(self, codes: Codes) -> str:
        """Make a trial that the oracle did not choose one of its running trials; returns its id."""
        with self._faults():
            from keras_tuner.engine.trial import Trial

            oracle = self._oracle
            hyperparameters = oracle.get_space()
            hyperparameters.values = dict(codes)
            trial = Trial(hyperparameters, trial_id=f"{len(oracle.trials):04d}", status="RUNNING")
            oracle._record_values(trial)  # noqa: SLF001  # KerasTuner 1.4: the values that it has tried
            oracle.trials[trial.trial_id] = trial
            oracle.ongoing_trials[f"worker {trial.trial_id}"] = trial
            oracle.start_order.append(trial.trial_id)
        return str(trial.trial_id)

    def change(self, id: str, codes: Codes) -> None:
        """Try these values in place of those that the oracle chose."""
        with self._faults():
            trial = self._oracle.trials[id]
            trial.hyperparameters.values = dict(codes)
            self._oracle._record_values(trial)  # noqa: SLF001  # KerasTuner 1.4: the values that it has tried

    def end(self, id: str, value: float | None) -> None:
        """Learn a trial's value; None is a trial that failed and counts as the worst."""
        if value is None:
            self._failed.append(id)
        with self._faults():
            self._end(id, value)
            if not self.models_results:
                return
            # Failed trials get the worst score of all others: an infinite one would count as 0, which may be the best.
            trials = self._oracle.trials
            failed = [trials[id] for id in self._failed]
            known = [one.score for one in trials.values() if one.status == "COMPLETED" and one not in failed]
            for trial in failed if known else ():
                trial.status = "COMPLETED"
                trial.score = max(known, key=self._objective.key)

    def drop(self, id: str) -> None:
        """End a trial that was never trained; nothing is learned."""
        self._phantoms.add(id)
        with self._faults():
            self._end(id, None)

    def _end(self, id: str, value: float | None) -> None:
        trial = self._oracle.trials[id]
        worst = -math.inf if self._objective.goal is Goal.MAXIMIZE else math.inf
        if value is None and not self.sets_epochs:
            trial.status = "FAILED"
        else:
            self._oracle.update_trial(id, {self._objective.name: worst if value is None else value})
            trial.status = "COMPLETED"
        self._oracle.end_trial(trial)

    @property
    def guided(self) -> bool:
        """Whether the next choice costs a fit of a Gaussian process to what was learned."""
        if not self.models_results:
            return False
        known = sum(trial.status == "COMPLETED" for trial in self._oracle.trials.values())
        return bool(known >= max(3 * len(self._oracle.hyperparameters.space), 3))

    def _only_phantoms(self, id: str) -> bool:
        """Whether a Hyperband bracket has in its first round this trial and nothing that was ever trained."""
        with self._faults():
            for bracket in self._oracle._brackets:  # noqa: SLF001  # KerasTuner 1.4: no public view of them
                first = {entry["id"] for entry in bracket["rounds"][0]}
                if id in first:
                    return first <= self._phantoms
        return False

    def promotable(self) -> frozenset[str]:
        """The ids of the trials that stand in a round of Hyperband that may still send some to its next one."""
        if self._budget is None:
            return frozenset()
        found: set[str] = set()
        with self._faults():
            for bracket in self._oracle._brackets:  # noqa: SLF001  # KerasTuner 1.4: no public view of them
                for index, (these, following) in enumerate(pairwise(bracket["rounds"])):
                    size = self._oracle._get_size(bracket["bracket_num"], index + 1)  # noqa: SLF001  # KerasTuner 1.4: as above
                    if len(following) < size:
                        found |= {entry["id"] for entry in these} - {entry["past_id"] for entry in following}
        return frozenset(found) - self._phantoms - set(self._failed)

    def first_budgets(self) -> frozenset[int]:
        """The epochs that Hyperband's brackets begin with."""
        oracle = self._oracle
        with self._faults():
            brackets = range(oracle._get_num_brackets())  # noqa: SLF001  # KerasTuner 1.4: no public view of them
            return frozenset(oracle._get_epochs(bracket, 0) for bracket in brackets)  # noqa: SLF001  # KerasTuner 1.4: nor of their epochs

    def _make(self, space: SearchSpace) -> Any:
        import keras_tuner

        kind = getattr(keras_tuner.oracles, self.kind)
        common = {
            "objective": keras_tuner.Objective(self._objective.name, self._objective.goal.value[:3]),  # "max" or "min"
            "hyperparameters": hyper_parameters(space),
            "seed": self._seed,
            "allow_new_entries": False,
            "tune_new_entries": False,
            "max_consecutive_failed_trials": math.inf,
        }
        if self._budget is not None:
            # Hyperband goes on without end: `search.trials` says when to stop.
            oracle = kind(max_epochs=self._budget[1], hyperband_iterations=None, **common)
            oracle.min_epochs = self._budget[0]
            # KerasTuner 1.4 lays out its first bracket when it is made, by the `min_epochs` of before.
            oracle._current_bracket = oracle._get_num_brackets() - 1  # noqa: SLF001
            oracle._brackets = []  # noqa: SLF001
            oracle._start_new_bracket()  # noqa: SLF001
        else:
            oracle = kind(max_trials=None, **common)
        draw = oracle._random_values  # noqa: SLF001  # KerasTuner 1.4: the one place where a point is drawn
        nothing = {PHANTOM: 1} if self._budget is not None else None
        oracle._random_values = lambda: self._accept(draw()) or nothing  # noqa: SLF001  # KerasTuner 1.4: as above
        oracle.verbose = 0
        oracle.save = lambda: None
        oracle._save_trial = lambda _: None  # noqa: SLF001  # KerasTuner 1.4: the record is elsewhere
        return oracle

    @contextmanager
    def _faults(self) -> Iterator[None]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # KerasTuner's own deprecations, and fits that do not converge
            try:
                yield
            except Exception as error:
                from importlib.metadata import version

                raise SearchError(
                    f"KerasTuner's {self.name} oracle failed: {type(error).__name__}: {error}",
                    hint="Another sampler or `--engine optuna` goes on with the same trials; this is KerasTuner "
                    f"{version('keras-tuner')}, and what is tested is 1.4.8",
                ) from error


class RandomOracle(SilentOracle):
    name, kind = "random", "RandomSearchOracle"


class BayesianOracle(SilentOracle):
    name, kind = "bayesian", "BayesianOptimizationOracle"
    models_results = True


class HyperbandOracle(SilentOracle):
    name, kind = "hyperband", "HyperbandOracle"
    sets_epochs = True


class GridOracle(SilentOracle):
    name, kind = "grid", "GridSearchOracle"
    draws_ranges = False


# The first is the default.
ORACLES = {oracle.name: oracle for oracle in (RandomOracle, BayesianOracle, HyperbandOracle, GridOracle)}
