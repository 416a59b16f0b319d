"""What a tracker holds of a sweep, read back by the tracker's own reader; and a tracker that is killed at its work."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from keras_sweep.api import report
from keras_sweep.api.trackers import MARK, Run
from keras_sweep.testing.trackers import Tracked


def in_tensorboard(sweep: str) -> dict[str, Tracked]:
    """Every run of a sweep by its name, as TensorBoard reads `runs`."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found = {}
    for folder in Path("runs", sweep).iterdir():
        events = EventAccumulator(str(folder)).Reload()
        start = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        values = HParamsPluginData.FromString(start).session_start_info.hparams
        found[folder.name] = Tracked(
            {name: getattr(value, value.WhichOneof("kind")) for name, value in values.items()},
            {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]},
            frozenset(path.name for path in folder.iterdir() if path.suffix in (".keras", ".html", ".json")),
        )
    return found


def in_mlflow(sweep: str) -> dict[str, Tracked]:
    """Every run of the experiment of a sweep's name, by the run's name."""
    import mlflow

    client = mlflow.MlflowClient()
    place = client.get_experiment_by_name(sweep)
    assert place is not None
    runs = mlflow.search_runs([place.experiment_id], output_format="list")
    found = {}
    for run in runs:
        number = run.info.run_id
        history = {name: client.get_metric_history(number, name) for name in run.data.metrics}
        found[run.info.run_name] = Tracked(
            run.data.params,
            {name: [(one.step, one.value) for one in each] for name, each in history.items()},
            frozenset(file.path for file in client.list_artifacts(number)),
        )
    assert len(found) == len(runs)
    return found


def in_wandb(sweep: str) -> dict[str, Tracked]:
    """Every offline run of a sweep by its name, as `wandb leet inspect` reads the files of the folder `wandb`."""
    folders = list(Path("wandb").absolute().glob("offline-run-*"))
    found = dict(_in_wandb(folder, (folder / MARK).read_text()) for folder in folders)
    assert len(found) == len(folders)
    return found


@cache
def _in_wandb(folder: Path, mark: str) -> tuple[str, Tracked]:
    """The run of a folder that bears this mark; its file is read once, which takes a second."""
    call = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(folder)]
    printed = subprocess.run(call, capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    records = [json.loads(line) for line in printed.stdout.splitlines()]
    of_type = {kind: [one[kind] for one in records if one["type"] == kind] for kind in ("run", "history", "summary")}
    metrics: dict[str, list[tuple[int, float]]] = {}
    for each in of_type["history"]:
        for name, value in each["item"].items():
            if not name.startswith("_"):
                metrics.setdefault(name, []).append((each["step"]["num"], float(value)))  # "NaN"
    for each in of_type["summary"]:
        for name, value in each.get("update", {}).items():
            if not name.startswith("_") and name not in metrics and not isinstance(value, dict | str):
                metrics[name] = [(0, value)]
    (run,) = of_type["run"]
    params = {name: value for name, value in run["config"]["update"].items() if name not in ("_wandb", "keras_sweep")}
    files = re.findall(r'"(best.keras|card.json|index.html)"', printed.stdout)
    return run["display_name"], Tracked(params, metrics, frozenset(files))


READERS: Mapping[str, Callable[[str], dict[str, Tracked]]] = {
    "mlflow": in_mlflow,
    "wandb": in_wandb,
    "tensorboard": in_tensorboard,
}


class Deadly(dict[str, Any]):
    """Curves of which the last kills the process that would read it."""

    def items(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]
        yield from list(super().items())[:-1]
        os.kill(os.getpid(), signal.SIGKILL)


def die_in(run: str, to: str) -> None:
    """From now on this process is killed while it logs the run of that name."""
    kind: Any = report.TRACKERS[to]

    class Dying(kind):
        def log(self, one: Run, files: Sequence[Path]) -> None:
            if one.name == run:
                one = replace(one, curves=Deadly(one.curves))
            super().log(one, files)

    report.TRACKERS = {to: Dying}


def stay_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go into a folder, where all trackers write from now on; nothing is sent anywhere."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(folder))
    for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "WANDB_DIR", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
