"""What every tracker promises: the record's numbers, once, whatever befell an earlier call."""

import math
import signal
import sys
from pathlib import Path

import pytest
from tests.helpers.command import python
from tests.helpers.records import new_folder
from tests.helpers.results import dense_sweep, result
from tests.helpers.tracked import READERS, Tracked, stay_here

from keras_sweep.api.report import TRACKERS, log_sweep
from keras_sweep.errors import MissingPackage
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.trial.result import Result, TrialState

PACKAGES = {"mlflow": "mlflow", "wandb": "wandb", "tensorboard": "tensorboardX"}
every = pytest.mark.parametrize("to", TRACKERS)
wandb_in_long = pytest.mark.parametrize(  # which begins a service for each test
    "to", [pytest.param(one, marks=[pytest.mark.soak] * (one == "wandb")) for one in TRACKERS]
)
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


def agrees(run: Tracked, trial: Result) -> bool:
    """Whether a run has the parameters, the curves and the value of a trial, to the digits that the tracker keeps."""
    params = {"seed": 42, **trial.params}
    assert run.params.keys() == params.keys()
    assert all(type(value)(run.params[name]) == value for name, value in params.items())  # text, or a real number
    for name, curve in trial.curve.items():
        assert [epoch for epoch, _ in run.metrics[name]] == list(range(1, len(curve) + 1))
        assert [value for _, value in run.metrics[name]] == pytest.approx(curve, nan_ok=True)
    values = [value for _, value in run.metrics.get("value", ())]
    return values == pytest.approx([] if trial.value is None else [trial.value])


class TestEveryTracker:
    @pytest.fixture(autouse=True)
    def _elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stay_here(tmp_path, monkeypatch)
        self.said: list[str] = []

    def log(self, folder: SweepFolder, to: str) -> dict[str, Tracked]:
        """Log a sweep, and read what is there then."""
        log_sweep(OpenSweep(folder), to, tell=self.said.append)
        return READERS[to]("dense")

    @wandb_in_long
    def test_a_trial_is_a_run_with_the_numbers_of_the_record_and_is_logged_once(self, to: str) -> None:
        folder, trials = new_folder(Path("sweeps"), trials=2), dense_sweep(3)
        runs = self.log(folder, to)
        assert sorted(runs) == [f"trial-{one.number}" for one in trials[:2]]
        assert all(agrees(runs[f"trial-{one.number}"], one) for one in trials[:2])
        assert [name for name, run in runs.items() if "index.html" in run.files] == ["trial-1"]
        with StudyFile.open(folder) as study:
            study.add(trials[2])
        again = self.log(folder, to)
        assert all(agrees(again[f"trial-{one.number}"], one) for one in trials)
        assert self.log(folder, to) == again
        assert [said.split()[1] for said in self.said] == ["2", "2", "0"]  # the page of the winner has one trial more

    @pytest.mark.soak
    @every
    def test_what_was_killed_is_completed(self, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
        folder, trials = new_folder(Path("sweeps"), trials=3), dense_sweep(3)
        monkeypatch.delenv("WANDB_SERVICE", raising=False)  # a process as any other
        assert python(KILLED.format(to=to), cwd=Path.cwd()).code == -signal.SIGKILL
        runs = self.log(folder, to)
        assert sorted(runs) == [f"trial-{number}" for number in range(3)]
        assert all(agrees(runs[one.name.replace(" ", "-")], one) for one in trials)
        assert self.said == ["logged 2 of 3 trials; the others were there"]

    @wandb_in_long
    def test_odd_names_and_values_are_kept(self, to: str) -> None:
        folder, nan = new_folder(Path("sweeps"), trials=0), math.nan
        curve = {"loss": (1.0, nan), "top 5 (%)": (0.5, 0.25), "value": (3.0, 4.0)}
        params = {"model.hidden": (64, 32), "model.norm": None, "nesterov": True, "note": "ä" * 300}
        with StudyFile.open(folder) as study:
            study.add(
                result(0, None, state=TrialState.FAIL, curve=curve, params=params, stderr=None, reason="diverged")
            )
            study.add(result(1, 0.5, params={}, curve={}, epoch=None, engine="imported", runner=""))
        runs = self.log(folder, to)
        assert runs["trial-0"].metrics["top_20_5_20__28__25__29_"] == [(1, 0.5), (2, 0.25)]
        assert runs["trial-0"].metrics["value"] == [(1, 3.0), (2, 4.0)]
        assert math.isnan(runs["trial-0"].metrics["loss"][1][1])
        said = {name: str(value) for name, value in runs["trial-0"].params.items()}
        assert said["model.hidden"] == "[64, 32]" and said["model.norm"] == "None"
        assert said["nesterov"] == "True" and said["note"] == "ä" * 300
        assert [value for _, value in runs["trial-1"].metrics["value"]] == [0.5]

    @every
    def test_a_package_that_is_missing_is_named_before_any_work(self, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, PACKAGES[to], None)
        with pytest.raises(MissingPackage) as refused:
            self.log(SweepFolder(Path("nothing")), to)
        assert refused.value.hint == f"pip install 'keras-sweep[{to}]'"
