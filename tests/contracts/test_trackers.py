"""What every tracker promises: the record's numbers, once, whatever befell an earlier call."""

import math
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.helpers.command import python
from tests.helpers.records import new_folder
from tests.helpers.results import dense_sweep, result
from tests.helpers.tracked import READERS, stay_here

from keras_sweep.api.events import Event, TrialsLogged
from keras_sweep.api.report import TRACKERS, log_sweep
from keras_sweep.api.trackers import Run
from keras_sweep.errors import MissingPackage
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.testing.trackers import Tracked, TrackerContract, has_all_of
from keras_sweep.trial.result import Result, TrialState

PACKAGES = {"mlflow": "mlflow", "wandb": "wandb", "tensorboard": "tensorboardX"}
# W&B begins a service for each test.
MEMBERS = [pytest.param(one, marks=[pytest.mark.soak] * (one == "wandb")) for one in TRACKERS]
KILLED = """
from pathlib import Path
from keras_sweep.api.report import log_sweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.open_sweep import OpenSweep
from tests.helpers.tracked import die_in

die_in("trial-1", {to!r})
log_sweep(OpenSweep(SweepFolder(Path("sweeps/dense"))), {to!r})
"""


def test_every_tracker_is_tested_here() -> None:
    assert set(TRACKERS) == set(READERS) == set(PACKAGES)


def has_trial(runs: Mapping[str, Tracked], trial: Result) -> bool:
    """Whether the run of a trial has its parameters, curves and value, to the digits that the tracker keeps."""
    run = runs[f"trial-{trial.number}"]
    scores = {} if trial.value is None else {"value": trial.value}
    params = {"seed": 42, **trial.params}
    return has_all_of(run, Run("", "", trial.number, params, trial.curve, scores, {})) and scores.keys() >= (
        run.metrics.keys() & {"value"}
    )


@pytest.mark.parametrize("to", MEMBERS)
class TestEveryTracker(TrackerContract):
    @pytest.fixture(autouse=True)
    def _stay_here(self, to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stay_here(tmp_path, monkeypatch)
        self.tracker = to
        self.said: list[str] = []

    def read(self, sweep: str) -> Mapping[str, Tracked]:
        return READERS[self.tracker](sweep)

    def hear(self, event: Event) -> None:
        self.said += [event.text] if isinstance(event, TrialsLogged) else []

    def log(self, folder: SweepFolder, to: str) -> dict[str, Tracked]:
        """Log a sweep, and read what is there then."""
        log_sweep(OpenSweep(folder, self.hear), to)
        return READERS[to]("dense")

    def test_a_trial_is_a_run_with_the_numbers_of_the_record_and_is_logged_once(self, to: str) -> None:
        folder, trials = new_folder(Path("sweeps"), trials=2), dense_sweep(3)
        runs = self.log(folder, to)
        assert sorted(runs) == [f"trial-{one.number}" for one in trials[:2]]
        assert all(has_trial(runs, one) for one in trials[:2])
        assert [name for name, run in runs.items() if "index.html" in run.files] == ["trial-1"]
        with StudyFile.open(folder) as study:
            study.add(trials[2])
        again = self.log(folder, to)
        assert all(has_trial(again, one) for one in trials)
        assert self.log(folder, to) == again
        assert [said.split()[1] for said in self.said] == ["2", "2", "0"]  # the page of the winner has one trial more

    @pytest.mark.soak
    def test_what_was_killed_is_completed(self, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
        folder, trials = new_folder(Path("sweeps"), trials=3), dense_sweep(3)
        monkeypatch.delenv("WANDB_SERVICE", raising=False)  # a process as any other
        assert python(KILLED.format(to=to), cwd=Path.cwd()).code == -signal.SIGKILL
        runs = self.log(folder, to)
        assert sorted(runs) == [f"trial-{number}" for number in range(3)]
        assert all(has_trial(runs, one) for one in trials)
        assert self.said == ["logged 2 of 3 trials; the tracker already has the others"]

    def test_odd_names_of_metrics_are_kept(self, to: str) -> None:
        folder = new_folder(Path("sweeps"), trials=0)
        curve = {"loss": (1.0, math.nan), "top 5 (%)": (0.5, 0.25), "value": (3.0, 4.0)}
        with StudyFile.open(folder) as study:
            study.add(result(0, None, state=TrialState.FAIL, curve=curve, params={}, stderr=None, reason="diverged"))
            study.add(result(1, 0.5, params={}, curve={}, epoch=None, engine="imported", runner=""))
        runs = self.log(folder, to)
        assert runs["trial-0"].metrics["top_20_5_20__28__25__29_"] == [(1, 0.5), (2, 0.25)]
        assert runs["trial-0"].metrics["value"] == [(1, 3.0), (2, 4.0)]
        assert [value for _, value in runs["trial-1"].metrics["value"]] == [0.5]


@pytest.mark.parametrize("to", TRACKERS)
def test_a_package_that_is_missing_is_named_before_any_work(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGES[to], None)
    with pytest.raises(MissingPackage) as refused:
        log_sweep(OpenSweep(SweepFolder(Path("nothing"))), to)
    assert refused.value.hint == f"pip install 'keras-sweep[{to}]'"
