"""A sweep that is run, stopped, killed, gone on with, made longer or begun anew in any order is one that was not.

The model is a plain dictionary: number of a trial to what an uninterrupted search gives it.
"""

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from keras_sweep.files.arrays import read_arrays
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.saved import weights_file
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings, SweepSpec
from keras_sweep.space.sweep_spec import Finalists as FinalistSettings
from keras_sweep.sweep.finalists import choose_finalists, train_finalists
from keras_sweep.sweep.resume import open_study
from keras_sweep.trial.ranking import seed_scores, winner
from keras_sweep.trial.result import Result
from tests.helpers.factory import make_spec
from tests.helpers.in_memory_record import Asked, Formula, open_to_run, plain, searched
from tests.helpers.records import integrity, saved_trials

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
    """A formula whose results have weights that tell which value they earned, and which dies at a trial."""

    dies_at: int | None = None

    def run(self, *asked: Any) -> Any:
        for result in super().run(*asked):
            if result.number == self.dies_at:
                raise Killed
            if result.value is not None:
                value = result.value + luck(result)
                result = replace(result, value=value, weights=(np.full((2, 2), value),))
            yield result


def luck(result: Result) -> float:
    """What a finalist's seed adds to its value."""
    return 0.0 if result.finalist_seed is None else (result.finalist_seed * (result.recipe + 1) % 7) / 100


@cache
def reference(kind: int) -> tuple[SweepSpec, dict[int, Any]]:
    """A spec of that kind, and what an uninterrupted search gives each trial."""
    engine, sampler, early = KINDS[kind]
    spec = make_spec(
        early_terminate=early,
        search=SearchSettings(engine, sampler, LONGEST, 42),
        text="a: 1\n",
        finalists=FinalistSettings(top=3, seeds=2),
        finalists_asked=True,
    )
    return spec, {one[0]: one for one in plain(searched(spec, Formula(), LONGEST).results())}


class AnyOrder(RuleBasedStateMachine):
    """Rules are what a user, or an accident, does to a sweep."""

    def __init__(self) -> None:
        super().__init__()
        self.sweeps = Path(tempfile.mkdtemp())
        self.folder = SweepFolder(self.sweeps / "digits")
        self.done = 0  # trials that must be there
        self.abandoned: list[StudyFile] = []  # of dead processes

    @initialize(kind=st.integers(0, len(KINDS) - 1))
    def begin(self, kind: int) -> None:
        self.spec, self.expected = reference(kind)

    def _session(self, more: int, *, dies_at: int | None = None, stop_after: int | None = None) -> None:
        """So many trials more, and then finalists, unless something comes between."""
        trials = min(self.done + more, len(self.expected))
        held = ExitStack()
        held.enter_context(SweepLock(self.folder))
        study = open_study(self.folder, self.spec, "abc")
        record = TrialRecord(study, self.spec.objective, kept=3)
        runner = Weighing(dies_at=dies_at)
        stop = StopRequest() if stop_after is None else Asked(record, trials=stop_after)
        try:
            searched(self.spec, runner, trials, record=record, stop=stop)
            if len(record.results()) >= trials and not stop:
                assert train_finalists(open_to_run(self.spec, runner, study=study), record.results())
                self._check_winner()
        except Killed:
            self.abandoned.append(study)
            note = self.folder.owner.read_bytes()
            held.close()  # as the system does for a dead process, whose note stays
            self.folder.owner.write_bytes(note)
        else:
            study.close()
            held.close()
        done = len(RecordedSweep.read(self.folder).results)
        assert self.done <= done <= trials
        assert done == trials or stop or dies_at is not None
        self.done = done

    def _check_winner(self) -> None:
        """Whatever came before, the finalists are those of a search of so many trials, and their mean decides."""
        results = RecordedSweep.read(self.folder).results
        final = [one for one in results if one.final]
        assert {one.number for one in final} == set(choose_finalists(self.spec, results).recipes)
        for one in final:
            assert sorted(each.finalist_seed for each in one.finalists) == [43, 44]
            assert all(each.finalist_seed == each.params["seed"] for each in one.finalists)
        if final:
            best = winner(results, self.spec.objective)
            assert seed_scores(best).mean == max(seed_scores(one).mean for one in final)

    @rule(more=st.integers(1, 9))
    def run_on(self, more: int) -> None:
        """`--more`, or the same command with a larger total."""
        self._session(more)

    @rule(more=st.integers(1, 12), at=st.integers(0, 11))
    def killed(self, more: int, at: int) -> None:
        """Killed while it trains."""
        self._session(more, dies_at=self.done + at)

    @rule(more=st.integers(1, 12), after=st.integers(0, 5))
    def stopped(self, more: int, after: int) -> None:
        """Ctrl-C after some trials."""
        self._session(more, stop_after=after)

    @rule()
    def same_again(self) -> None:
        """Nothing is left to do."""
        self._session(0)

    @precondition(lambda self: self.done > 0)
    @rule()
    def fresh(self) -> None:
        """`--fresh`: begun anew, the older one is kept aside."""
        with SweepLock(self.folder) as lock:
            moved = lock.move_aside()
        assert len(RecordedSweep.read(moved).results) == self.done
        self.done = 0

    @invariant()
    def the_record_is_the_first_trials_of_the_model(self) -> None:
        if not self.folder.exists():
            return
        assert integrity(self.folder.study) == "ok"
        found = plain(RecordedSweep.read(self.folder).results)
        assert {one[0]: one for one in found} == {number: self.expected[number] for number in range(self.done)}
        for number in saved_trials(self.folder):
            value = self.expected[number][4] if number in self.expected else None
            (array,) = read_arrays(weights_file(self.folder, number))
            assert value is None or np.array_equal(array, np.full((2, 2), value))

    @invariant()
    def each_finalist_is_there_once_and_has_its_value(self) -> None:
        if not self.folder.exists():
            return
        results = RecordedSweep.read(self.folder).results
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
        for study in self.abandoned:
            study.close()
        shutil.rmtree(self.sweeps)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=int(os.environ.get("ANY_ORDER_EXAMPLES", "25")),
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
