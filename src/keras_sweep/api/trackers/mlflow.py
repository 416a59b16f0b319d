"""Runs of an MLflow experiment, on the server or in the database that `MLFLOW_TRACKING_URI` names."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_sweep.api.trackers.run import Run

PREFIX = "keras_sweep."  # of the tags by which runs are found again
BATCH = 100  # params that one request may carry; of metrics it may carry ten times as many


class MLflow:
    """Writes by MLflow's client. A run of which a killed call wrote a part is completed: no number is there twice."""

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Find the experiment that MLflow's variables name, or make the one of the sweep's name."""
        import mlflow

        del output  # MLflow has variables of its own
        client, number = mlflow.MlflowClient(), os.environ.get("MLFLOW_EXPERIMENT_ID")
        if number is None:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or sweep
            known = client.get_experiment_by_name(name)
            number = client.create_experiment(name) if known is None else known.experiment_id
        self._experiment = number
        self._sweep = sweep
        self._runs: dict[str, str] = {}  # our id of each run -> MLflow's
        where = re.sub("//[^/]*@", "//", mlflow.get_tracking_uri())  # without the password that may be in it
        self.place = f"{where}, experiment {client.get_experiment(number).name}"

    def marks(self) -> Mapping[str, str]:
        """The marks of the runs of the sweep that are there whole, by the ids of the runs."""
        import mlflow

        found = mlflow.search_runs(
            [self._experiment],
            f"tags.`{PREFIX}sweep` = '{self._sweep}'",  # no quotes are in a sweep's name
            output_format="list",
        )
        named = {one.data.tags.get(f"{PREFIX}id"): one for one in found}
        self._runs = {name: one.info.run_id for name, one in named.items()}
        return {name: one.data.tags.get(f"{PREFIX}mark", "") for name, one in named.items()}

    def log(self, run: Run, files: Sequence[Path]) -> None:
        """Write a run, or what is new of it."""
        import mlflow
        from mlflow.entities import Metric, Param, RunTag

        client, now = mlflow.MlflowClient(), int(1000 * time.time())
        lasted = int(1000 * run.scores.get("seconds", 0.0))
        if run.id not in self._runs:
            known = {f"{PREFIX}sweep": run.sweep, f"{PREFIX}trial": str(run.number), f"{PREFIX}id": run.id}
            made = client.create_run(self._experiment, now - lasted, known, run.name)
            self._runs[run.id] = made.info.run_id
        number = self._runs[run.id]
        # MLflow keeps a number once that is sent again with its time. The time of a curve's is the run's beginning.
        there = client.get_run(number)
        began = there.info.start_time
        metrics = [
            Metric(name, value, began, epoch)
            for name, values in run.curves.items()
            for epoch, value in enumerate(values, 1)
        ]
        scores = {name: value for name, value in run.scores.items() if there.data.metrics.get(name) != value}
        metrics += [Metric(name, value, now, 0) for name, value in scores.items()]
        for start in range(0, len(metrics), 10 * BATCH):
            client.log_batch(number, metrics=metrics[start : start + 10 * BATCH])
        params = [Param(name, str(value)) for name, value in run.params.items()]
        for start in range(0, len(params), BATCH):
            client.log_batch(number, params=params[start : start + BATCH])
        client.log_batch(number, tags=[RunTag(PREFIX + name, text) for name, text in run.tags.items()])
        for file in files:
            client.log_artifact(number, str(file))
        client.set_terminated(number, "FAILED" if run.tags["state"] == "FAIL" else "FINISHED", began + lasted)
        client.set_tag(number, f"{PREFIX}mark", run.mark)
