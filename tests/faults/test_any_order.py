"""A sweep that is run, stopped, killed, gone on with, made longer or begun anew in any order is one that was not.

The model is a plain dictionary: number of a trial to what an uninterrupted search gives it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from keras_sweep.files.arrays import read_arrays
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record import reader
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.saved import saved_trials, weights_file
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings, SweepSpec
from keras_sweep.space.sweep_spec import Finalists as FinalistSettings
from keras_sweep.sweep.finalists import train_finalists
from keras_sweep.sweep.load import Running
from keras_sweep.sweep.open_record import open_study
from keras_sweep.trial.finalists import chosen, seed_scores
from keras_sweep.trial.ranking import winner
from keras_sweep.trial.result import Result
from keras_sweep.trial.wall_time import WallTime
from tests.helpers.factory import make_spec
from tests.helpers.in_memory_record import SPACE, Asked, Formula, InMemory, plain, searched
from tests.helpers.records import integrity

LONGEST = 40
KINDS = [
    ("optuna", "tpe", None),
    ("optuna", "random", EarlyTerminate("hyperband", 1, 2)),
    ("keras-tuner", "grid", None),
]


class Killed(BaseException):
    """The process dies here: nothing is closed, nothing more is written."""


@dataclass
class Weighing(Formula):
    """A formula whose results have weights, and which dies at a trial."""

    dies_at: int | None = None

    def run(self, *asked: Any) -> Any:
        for result in super().run(*asked):
            if result.number == self.dies_at:
                raise Killed
            if result.value is not None:
                result = with_weights(replace(result, value=result.value + luck(result)))
            yield result


def luck(result: Result) -> float:
    """What a finalist's seed adds to its value."""
    return 0.0 if result.finalist_seed is None else (result.finalist_seed * (result.recipe + 1) % 7) / 100


def with_weights(result: Result) -> Result:
    """Weights that tell which value they earned."""
    return replace(result, weights=(np.full((2, 2), result.value),))


def reference(spec: SweepSpec) -> dict[int, Any]:
    """What an uninterrupted search gives each trial."""
    whole = InMemory()
    run(spec, whole, LONGEST)
    return {one[0]: one for one in plain(whole.results())}


def run(spec: SweepSpec, record: Any, trials: int, runner: Any = None, stop: StopRequest | None = None) -> None:
    searched(spec, runner or Formula(), trials, record=record, stop=stop)


REFERENCES: dict[int, dict[int, Any]] = {}


class AnyOrder(RuleBasedStateMachine):
    """Rules are what a user, or an accident, does to a sweep."""

    @initialize(kind=st.integers(0, len(KINDS) - 1))
    def begin(self, kind: int) -> None:
        engine, sampler, early = KINDS[kind]
        self.sweeps = Path(tempfile.mkdtemp())
        self.folder = SweepFolder(self.sweeps / "digits")
        self.spec = make_spec(
            SPACE,
            early_terminate=early,
            search=SearchSettings(engine, sampler, LONGEST, 42),
            text="a: 1\n",
            finalists=FinalistSettings(top=3, seeds=2),
            finalists_asked=True,
        )
        if kind not in REFERENCES:
            REFERENCES[kind] = reference(self.spec)
        self.expected = REFERENCES[kind]
        self.most = len(self.expected)
        self.done = 0  # trials that must be there
        self.abandoned: list[Any] = []  # objects of dead processes

    def _session(self, trials: int, *, dies_at: int | None = None, stop_after: int | None = None) -> None:
        lock = SweepLock(self.folder)
        lock.acquire()
        study = open_study(self.folder, self.spec, "abc")
        record = TrialRecord(study, self.spec.objective, kept=3)
        runner = Weighing(dies_at=dies_at)
        stop = None
        if stop_after is not None:
            grown = InMemory(record.results())
            stop = Asked(grown, trials=stop_after)
            add = record.add

            def counted(result: Result) -> Result:
                grown.kept.append(result)
                return add(result)

            record.add = counted  # type: ignore[method-assign]
        try:
            run(self.spec, record, trials, runner, stop)
            if len(record.results()) >= trials and not stop:
                stop = StopRequest()
                running = Running(study, self.spec, None, runner, lambda event: None, WallTime(), stop)  # type: ignore[arg-type]
                assert train_finalists(running, record.results())
                self._check_winner()
        except Killed:
            self.abandoned += [study, record]
            note = self.folder.owner.read_bytes()
            lock.release()  # as the system does for a dead process, whose note stays
            self.folder.owner.write_bytes(note)
            return
        study.close()
        lock.release()

    def _check_winner(self) -> None:
        """Whatever came before, the finalists are those of a search of so many trials, and their mean decides."""
        results = reader.read_results(self.folder)
        choice = chosen(self.spec, results)
        final = [one for one in results if one.final]
        assert {one.number for one in final} == set(choice.recipes)
        for one in final:
            assert [each.finalist_seed for each in sorted(one.finalists, key=lambda each: each.params["seed"])] == [
                43,
                44,
            ]
        if final:
            best = winner(results, self.spec.objective)
            assert best is not None
            assert seed_scores(best).mean == max(seed_scores(one).mean for one in final)  # type: ignore[union-attr]

    @rule(more=st.integers(1, 9))
    def run_on(self, more: int) -> None:
        """`--more`, or the same command with a larger total."""
        total = min(self.done + more, self.most)
        self._session(total)
        self.done = total

    @rule(more=st.integers(1, 12), at=st.integers(0, 11))
    def killed(self, more: int, at: int) -> None:
        """Killed while it trains."""
        total = min(self.done + more, self.most)
        dies_at = self.done + at
        self._session(total, dies_at=dies_at)
        self.done = len(reader.read_results(self.folder))
        assert self.done <= total

    @rule(more=st.integers(1, 12), after=st.integers(0, 5))
    def stopped(self, more: int, after: int) -> None:
        """Ctrl-C after some trials."""
        before = self.done
        self._session(min(self.done + more, self.most), stop_after=after)
        self.done = len(reader.read_results(self.folder))
        assert before <= self.done

    @rule()
    def same_again(self) -> None:
        """Nothing is left to do."""
        self._session(self.done)

    @precondition(lambda self: self.done > 0)
    @rule()
    def fresh(self) -> None:
        """`--fresh`: begun anew, the older one is kept aside."""
        with SweepLock(self.folder) as lock:
            moved = lock.move_aside()
        assert len(reader.read_results(moved)) == self.done
        self.done = 0

    @invariant()
    def the_record_is_the_first_trials_of_the_model(self) -> None:
        if not hasattr(self, "folder") or not self.folder.exists():
            return
        assert integrity(self.folder.study) == "ok"
        found = plain(reader.read_results(self.folder))
        assert {one[0]: one for one in found} == {number: self.expected[number] for number in range(self.done)}
        for number in saved_trials(self.folder):
            value = self.expected[number][4] if number in self.expected else None
            (array,) = read_arrays(weights_file(self.folder, number))
            assert value is None or np.array_equal(array, np.full((2, 2), value))

    @invariant()
    def each_finalist_is_there_once_and_has_its_value(self) -> None:
        if not hasattr(self, "folder") or not self.folder.exists():
            return
        results = reader.read_results(self.folder)
        trained = sorted((one for each in results for one in each.finalists), key=lambda one: one.number)
        assert [one.number for one in trained] == list(range(len(trained)))
        assert len({(one.recipe, one.finalist_seed) for one in trained}) == len(trained)
        for one in trained:
            assert one.value == results[one.recipe].value + luck(one)  # type: ignore[operator]
            assert one.params == {**results[one.recipe].params, "seed": one.finalist_seed}
        for number in saved_trials(self.folder.finalists):
            (array,) = read_arrays(weights_file(self.folder.finalists, number))
            assert number >= len(trained) or np.array_equal(array, np.full((2, 2), trained[number].value))

    def teardown(self) -> None:
        for one in getattr(self, "abandoned", []):
            if isinstance(one, StudyFile):
                one.close()
        if hasattr(self, "sweeps"):
            shutil.rmtree(self.sweeps)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=int(os.environ.get("ANY_ORDER_EXAMPLES", "25")),
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
