"""KerasTuner's oracles without a tuner: they choose and learn, but print nothing and write no file.

Only this file uses private names of KerasTuner (1.4.8), with a reason beside each use. Two need a longer reason:

- `Trial.score`: a failed trial gets the worst score. As FAILED it would starve Hyperband, which waits for enough
  completed trials to promote from, and it would teach the Gaussian process nothing.
- `GridSearchOracle._populate_next`: the grid waits for a trial's end, which may discover new hyperparameters. Here none
  can appear, so the next point is ready at once and generations are full.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from keras_sweep.errors import SearchError
from keras_sweep.search.engine import Capabilities
from keras_sweep.search.keras_tuner.space import Codes, hyper_parameters
from keras_sweep.space.search_space import Goal, Objective, SearchSpace

PHANTOM = "tuner/phantom"  # marks a trial that fills a place in a Hyperband bracket of an exhausted space


@dataclass(frozen=True, slots=True)
class OracleTrial:
    """A trial that an oracle chose. Hyperband also sets `epochs`, and as `promoted` the id of the trial to continue."""

    id: str  # KerasTuner's id
    codes: Codes
    epochs: int | None = None  # Hyperband's budget
    promoted: str | None = None  # the id of the trial that it continues


class SilentOracle(Capabilities):
    """Wraps an oracle, a search algorithm of KerasTuner, without output and files. Its errors become SearchErrors.
    `accept` is called with the oracle's random point, or with None if the oracle found no new point. `accept` returns
    the point to try, or None if no point is left."""

    name: str
    kind: str  # the class of `keras_tuner.oracles`
    learns_others = False
    models_results = False  # by a Gaussian process, which learns from any point
    options: ClassVar[Mapping[str, Any]] = {}  # argument of the class -> its default, for `search.options`

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        seed: int,
        accept: Callable[[Codes | None], Codes | None],
        budget: tuple[int, int] | None = None,  # the fewest and the most epochs of Hyperband's trials
        **arguments: Any,  # of the class; `options` has their names
    ) -> None:
        self._objective = objective
        self._seed = seed % 2**32 or 2**32 - 1  # KerasTuner ignores a seed of 0
        self._accept = accept
        self._budget = budget
        self._failed: list[str] = []
        self._phantoms: set[str] = set()
        with self._convert_errors():
            self._oracle = self._make_oracle(space, **arguments)

    def ask(self, number: int) -> OracleTrial | None:
        """Return the oracle's choice for trial `number`; None if the oracle waits for results or is exhausted."""
        import numpy as np
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        while True:
            # Bayesian's matrices are tiny, so more threads would only wait for each other.
            with self._convert_errors(), threadpool_limits(1):
                if self.models_results:
                    random_state = np.random.RandomState([self._seed, number])
                    self._oracle._random_state = random_state  # noqa: SLF001  # KerasTuner 1.4: draws depend on the trial alone
                trial = self._oracle.create_trial(f"worker {len(self._oracle.trials)}")
            if trial.status != "RUNNING":
                return None
            if not self.draws_ranges:
                self._oracle._populate_next.append(trial.trial_id)  # noqa: SLF001  # KerasTuner 1.4: else it waits for this trial
            values = trial.hyperparameters.values
            continued = values.get("tuner/trial_id")
            if PHANTOM not in values and continued not in (*self._failed, *self._phantoms):
                return OracleTrial(trial.trial_id, dict(values), values.get("tuner/epochs"), continued)
            self.drop(trial.trial_id)
            if continued is None and self._has_only_phantoms(trial.trial_id):
                return None

    def add(self, codes: Codes) -> str:
        """Add a trial with the values `codes` that the oracle did not choose. Return KerasTuner's id of the trial."""
        with self._convert_errors():
            from keras_tuner.engine.trial import Trial

            oracle = self._oracle
            hyperparameters = oracle.get_space()
            hyperparameters.values = dict(codes)
            trial = Trial(hyperparameters, trial_id=f"{len(oracle.trials):04d}", status="RUNNING")
            oracle._record_values(trial)  # noqa: SLF001  # KerasTuner 1.4: remembers tried values
            oracle.trials[trial.trial_id] = trial
            oracle.ongoing_trials[f"worker {trial.trial_id}"] = trial
            oracle.start_order.append(trial.trial_id)
        return str(trial.trial_id)

    def change(self, id: str, codes: Codes) -> None:
        """Replace the values of trial `id`, which the oracle chose, by `codes`."""
        with self._convert_errors():
            trial = self._oracle.trials[id]
            trial.hyperparameters.values = dict(codes)
            self._oracle._record_values(trial)  # noqa: SLF001  # KerasTuner 1.4: remembers tried values

    def end(self, id: str, value: float | None) -> None:
        """Learn the objective `value` of trial `id`. None means a failed trial, which counts as the worst."""
        if value is None:
            self._failed.append(id)
        with self._convert_errors():
            self._end(id, value)
            if not self.models_results:
                return
            # A failed trial gets the worst score of the others: KerasTuner counts infinity as 0, maybe the best.
            trials = self._oracle.trials
            failed = [trials[id] for id in self._failed]
            scores = [trial.score for trial in trials.values() if trial.status == "COMPLETED" and trial not in failed]
            for trial in failed if scores else ():
                trial.status = "COMPLETED"
                trial.score = max(scores, key=self._objective.key)

    def drop(self, id: str) -> None:
        """Remove trial `id`, which will not be trained, from the running trials. The oracle learns nothing from it."""
        self._phantoms.add(id)
        with self._convert_errors():
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
    def needs_fit(self) -> bool:
        """Whether the next choice needs a fit of a Gaussian process."""
        if not self.models_results:
            return False
        completed = sum(trial.status == "COMPLETED" for trial in self._oracle.trials.values())
        initial = self._oracle.num_initial_points or max(3 * len(self._oracle.hyperparameters.space), 3)
        return bool(completed >= initial)

    def _has_only_phantoms(self, id: str) -> bool:
        """Return whether all first-round trials of trial `id`'s Hyperband bracket were dropped without training."""
        with self._convert_errors():
            for bracket in self._oracle._brackets:  # noqa: SLF001  # KerasTuner 1.4: no public view of them
                first = {entry["id"] for entry in bracket["rounds"][0]}
                if id in first:
                    return first <= self._phantoms
        return False

    def promotable(self) -> frozenset[str]:
        """Return the ids of the trials that a Hyperband round may still promote: train again for more epochs."""
        if self._budget is None:
            return frozenset()
        ids: set[str] = set()
        with self._convert_errors():
            for bracket in self._oracle._brackets:  # noqa: SLF001  # KerasTuner 1.4: no public view of them
                for index, (entries, next_entries) in enumerate(pairwise(bracket["rounds"])):
                    size = self._oracle._get_size(bracket["bracket_num"], index + 1)  # noqa: SLF001  # KerasTuner 1.4: as above
                    if len(next_entries) < size:
                        ids |= {entry["id"] for entry in entries} - {entry["past_id"] for entry in next_entries}
        return frozenset(ids) - self._phantoms - set(self._failed)

    def first_budgets(self) -> frozenset[int]:
        """Return the numbers of epochs that trials train in the first rounds of Hyperband's brackets."""
        oracle = self._oracle
        with self._convert_errors():
            brackets = range(oracle._get_num_brackets())  # noqa: SLF001  # KerasTuner 1.4: no public view of them
            return frozenset(oracle._get_epochs(bracket, 0) for bracket in brackets)  # noqa: SLF001  # KerasTuner 1.4: nor of their epochs

    def _make_oracle(self, space: SearchSpace, **arguments: Any) -> Any:
        import keras_tuner

        kind = getattr(keras_tuner.oracles, self.kind)
        common = {
            "objective": keras_tuner.Objective(self._objective.name, self._objective.goal.value[:3]),  # "max" or "min"
            "hyperparameters": hyper_parameters(space),
            "seed": self._seed,
            "allow_new_entries": False,
            "tune_new_entries": False,
            "max_consecutive_failed_trials": math.inf,
            **arguments,
        }
        if self._budget is not None:
            # Hyperband has no end: `search.trials` decides when to stop.
            oracle = kind(max_epochs=self._budget[1], hyperband_iterations=None, **common)
            oracle.min_epochs = self._budget[0]
            # KerasTuner 1.4 lays out its first bracket in the constructor, by the earlier `min_epochs`.
            oracle._current_bracket = oracle._get_num_brackets() - 1  # noqa: SLF001
            oracle._brackets = []  # noqa: SLF001
            oracle._start_new_bracket()  # noqa: SLF001
        else:
            oracle = kind(max_trials=None, **common)
        draw = oracle._random_values  # noqa: SLF001  # KerasTuner 1.4: the only place that draws a point
        nothing = {PHANTOM: 1} if self._budget is not None else None
        oracle._random_values = lambda: self._accept(draw()) or nothing  # noqa: SLF001  # KerasTuner 1.4: as above
        oracle.verbose = 0
        oracle.save = lambda: None
        oracle._save_trial = lambda _: None  # noqa: SLF001  # KerasTuner 1.4: the record is elsewhere
        return oracle

    @contextmanager
    def _convert_errors(self) -> Iterator[None]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # KerasTuner's own deprecations, and fits that do not converge
            try:
                yield
            except Exception as error:
                from importlib.metadata import version

                raise SearchError(
                    f"KerasTuner's sampler {self.name} failed: {type(error).__name__}: {error}",
                    hint="Continue with another sampler or `--engine optuna`. You have KerasTuner "
                    f"{version('keras-tuner')}; keras-sweep is tested with KerasTuner 1.4.8",
                ) from error


class RandomOracle(SilentOracle):
    name, kind = "random", "RandomSearchOracle"


class BayesianOracle(SilentOracle):
    name, kind = "bayesian", "BayesianOptimizationOracle"
    models_results = True
    options: ClassVar[Mapping[str, Any]] = {"num_initial_points": None, "alpha": 1e-4, "beta": 2.6}


class HyperbandOracle(SilentOracle):
    name, kind = "hyperband", "HyperbandOracle"
    sets_epochs = True
    options: ClassVar[Mapping[str, Any]] = {"factor": 3}


class GridOracle(SilentOracle):
    name, kind = "grid", "GridSearchOracle"
    draws_ranges = False


# The first is the default.
ORACLES = {oracle.name: oracle for oracle in (RandomOracle, BayesianOracle, HyperbandOracle, GridOracle)}
