"""Log trials to experiment trackers: the protocol `Tracker`, its unit `Run`, and MLflow, W&B and TensorBoard."""

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from keras_sweep.errors import UsageError
from keras_sweep.files.atomic import check_place, replacing_path
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.trial.ranking import best_training, is_imported, seed_scores
from keras_sweep.trial.result import Curve, Result

MARK = "keras_sweep.json"  # in a run's folder: its id and mark; written last, so a run with this file is complete
PREFIX = "keras_sweep."  # MLflow tags with this prefix identify our runs
BATCH = 100  # parameters in a request to MLflow, which may also have 1,000 metrics


@dataclass(frozen=True, slots=True)
class Run:
    """A trial and its finalists, as a tracker logs them. Names of metrics have only ASCII letters, digits and `_`.

    Attributes:
        id: "dense-36-1f0c29ab". Two sweeps never share an id, even if they have the same name.
        sweep: the sweep's name.
        number: the trial's number.
        params: the trial's values, as JSON has them.
        curves: metric -> its value after each epoch. For the finalist with seed 43 the metric is "seed_43/val_loss".
        scores: values of the whole trial: "value", "stderr", "seconds", "seeds_mean".
        tags: "state", "reason", "engine", "winner".
    """

    id: str
    sweep: str
    number: int
    params: Mapping[str, object]
    curves: Curve
    scores: Mapping[str, float]
    tags: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of the run in the tracker: `trial-36`."""
        return f"trial-{self.number}"

    @property
    def mark(self) -> str:
        """A digest of all logged values. A logged run with this mark is complete and up to date."""
        return _digest(self.id, self.params, self.curves, self.scores, self.tags)


class Tracker(Protocol):
    """A plugin that logs the runs of a sweep. Each method may raise any exception of the tracker's package. `place`:
    where the tracker keeps the runs, in words for the user."""

    place: str

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Find or create the place for runs of the sweep named `sweep`. `output`: the folder for TensorBoard; None for
        its default folder, and for other trackers."""

    def marks(self) -> Mapping[str, str]:
        """Return run id -> `Run.mark` for every complete run of the sweep."""

    def log(self, run: Run, files: Sequence[Path]) -> None:
        """Log a run, attach `files`, then log `run.mark`: it marks a complete run. Replace a run with the same id."""


def make_run(sweep: RecordedSweep, result: Result, *, is_winner: bool) -> Run:
    """Convert a trial's result to a run. With `is_winner` the run also has the expected score and the test scores."""
    facts, seeds = sweep.facts, seed_scores(result)
    trial_curves: Curve = {escape_name(name): curve for name, curve in result.curve.items()}
    curves = dict(trial_curves)
    for final in result.finalists:
        curves |= {f"seed_{final.finalist_seed}/{escape_name(name)}": curve for name, curve in final.curve.items()}
    scores = {
        "value": result.value,
        "stderr": result.stderr,
        **{escape_name(goal.name): result.goal(goal.name) for goal in facts.goals},
        **({"seeds_mean": seeds.mean, "seeds_stderr": seeds.stderr} if seeds else {}),
        "epochs": result.epochs,
        "seconds": result.seconds.total,
    }
    tags = {"state": result.state.value, "reason": result.reason, "engine": result.engine, "runner": result.runner}
    seed = {} if is_imported(result) else {"seed": facts.seed}
    # A tuple is a list in a space file.
    params = {
        ".".join(map(escape_name, name.split("."))): list(value) if isinstance(value, tuple) else value
        for name, value in {**seed, **result.params}.items()
    }
    if is_winner:
        estimate, test = sweep.comparison.estimate, facts.test_of(best_training(result, sweep.objective))
        if estimate is not None:
            scores |= {"estimate": estimate.value, "estimate_low": estimate.low, "estimate_high": estimate.high}
        scores |= {f"test_{escape_name(name)}": value for name, value in (test.scores if test else {}).items()}
        # The logged page shows all trials, so a new trial must change the mark.
        tags |= {"card": facts.card, "of_trials": sweep.digest}
    return Run(
        id=f"{sweep.folder.name}-{result.number}-{_digest(params, trial_curves, scores['seconds'])[:8]}",
        sweep=sweep.folder.name,
        number=result.number,
        params=params,
        curves=curves,
        # If a metric of the user is called `value`, it keeps its name, and our score becomes `trial_value`.
        scores={
            f"trial_{name}" if name in trial_curves else name: float(value)
            for name, value in scores.items()
            if value is not None
        },
        tags={**{name: text for name, text in tags.items() if text}, "winner": str(is_winner).lower()},
    )


def escape_name(name: str) -> str:
    """Replace each character that a tracker may refuse by its hexadecimal code: `top 5` becomes `top_20_5`."""
    return re.sub(r"[^A-Za-z0-9_]", lambda match: f"_{ord(match[0]):x}_", name)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _write_mark(folder: Path, run: Run) -> None:
    (folder / MARK).write_text(json.dumps({"keras_sweep": run.id, "mark": run.mark}), "utf-8")


def _read_marks(folders: Path, pattern: str) -> dict[str, str]:
    marks = [json.loads(path.read_text("utf-8")) for path in folders.glob(f"{pattern}/{MARK}")]
    return {mark["keras_sweep"]: mark["mark"] for mark in marks}


class MLflow:
    """Logs runs to an MLflow experiment, on the server or in the database that `MLFLOW_TRACKING_URI` names. If a killed
    call has logged a part of a run, the next call completes the run and logs no number twice."""

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Use the experiment that MLflow's environment variables name, by default an experiment named `sweep`."""
        import mlflow

        del output  # MLflow has variables of its own
        client, experiment_id = mlflow.MlflowClient(), os.environ.get("MLFLOW_EXPERIMENT_ID")
        if experiment_id is None:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or sweep
            experiment = client.get_experiment_by_name(name)
            experiment_id = client.create_experiment(name) if experiment is None else experiment.experiment_id
        self._experiment = experiment_id
        self._sweep = sweep
        self._runs: dict[str, str] = {}  # our run id -> MLflow's run id
        address = re.sub("//[^/]*@", "//", mlflow.get_tracking_uri())  # without a password
        self.place = f"{address}, experiment {client.get_experiment(experiment_id).name}"

    def marks(self) -> Mapping[str, str]:
        import mlflow

        # A sweep's name has no quotes.
        logged = mlflow.search_runs([self._experiment], f"tags.`{PREFIX}sweep` = '{self._sweep}'", output_format="list")
        runs = {run.data.tags.get(f"{PREFIX}id"): run for run in logged}
        self._runs = {name: run.info.run_id for name, run in runs.items()}
        return {name: run.data.tags.get(f"{PREFIX}mark", "") for name, run in runs.items()}

    def log(self, run: Run, files: Sequence[Path]) -> None:
        import mlflow
        from mlflow.entities import Metric, Param, RunTag

        client, now = mlflow.MlflowClient(), int(1000 * time.time())
        lasted = int(1000 * run.scores.get("seconds", 0.0))
        if run.id not in self._runs:
            tags = {f"{PREFIX}sweep": run.sweep, f"{PREFIX}trial": str(run.number), f"{PREFIX}id": run.id}
            mlflow_run = client.create_run(self._experiment, now - lasted, tags, run.name)
            self._runs[run.id] = mlflow_run.info.run_id
        run_id = self._runs[run.id]
        # MLflow ignores a number that is sent again with the same time, so all values of a curve have the run's start.
        logged = client.get_run(run_id)
        began = logged.info.start_time
        metrics = [
            Metric(name, value, began, epoch)
            for name, values in run.curves.items()
            for epoch, value in enumerate(values, 1)
        ]
        scores = {name: value for name, value in run.scores.items() if logged.data.metrics.get(name) != value}
        metrics += [Metric(name, value, now, 0) for name, value in scores.items()]
        for start in range(0, len(metrics), 10 * BATCH):
            client.log_batch(run_id, metrics=metrics[start : start + 10 * BATCH])
        params = [Param(name, str(value)) for name, value in run.params.items()]
        for start in range(0, len(params), BATCH):
            client.log_batch(run_id, params=params[start : start + BATCH])
        client.log_batch(run_id, tags=[RunTag(PREFIX + name, text) for name, text in run.tags.items()])
        for file in files:
            client.log_artifact(run_id, str(file))
        client.set_terminated(run_id, "FAILED" if run.tags["state"] == "FAIL" else "FINISHED", began + lasted)
        client.set_tag(run_id, f"{PREFIX}mark", run.mark)


class WandB:
    """Logs runs to a W&B project. With `WANDB_MODE=offline` the runs stay on this machine until `wandb sync`. If a
    killed call has logged a part of a run, the next call logs the run again under the same id."""

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Use the project that W&B's environment variables name, by default a project named `sweep`."""
        import wandb

        del output  # W&B has variables of its own
        mode = wandb.setup().settings.mode
        if mode == "disabled":
            raise UsageError("W&B is disabled", hint="Set WANDB_MODE to online or offline")
        self._project = os.environ.get("WANDB_PROJECT") or sweep
        self._sweep = sweep
        # A process of W&B writes into this folder, maybe from another working directory.
        self._dir = Path(os.environ.get("WANDB_DIR") or ".").absolute()
        self._folder = self._dir / "wandb" if mode in ("offline", "dryrun") else None
        self.place = f"{self._folder or wandb.setup().settings.base_url}, project {self._project}"

    def marks(self) -> Mapping[str, str]:
        import wandb

        if self._folder is not None:
            return _read_marks(self._folder, "offline-run-*")
        try:
            runs = list(wandb.Api().runs(self._project, filters={"group": self._sweep}, lazy=False))
        except ValueError:  # the project does not exist yet
            return {}
        return {run.id: run.summary.get("keras_sweep_mark", "") for run in runs}

    def log(self, run: Run, files: Sequence[Path]) -> None:
        import wandb

        if self._folder is not None:
            for old_run in self._folder.glob(f"offline-run-????????_??????-{run.id}"):
                shutil.rmtree(old_run)
        about = {"sweep": run.sweep, "trial": run.number, **run.tags}
        with wandb.init(
            project=self._project,
            group=run.sweep,
            id=run.id,
            name=run.name,
            dir=self._dir,
            config={**run.params, "keras_sweep": about},
            # W&B would log this machine and program, but other machines and programs may have trained the trial.
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, save_code=False, x_disable_meta=True, x_disable_stats=True
            ),
        ) as logged:
            for epoch in range(max(map(len, run.curves.values()), default=0)):
                row = {name: values[epoch] for name, values in run.curves.items() if epoch < len(values)}
                logged.log(row, step=epoch + 1)
            logged.summary.update(run.scores)
            if files:
                model = wandb.Artifact(f"{run.sweep}-winner", type="model")
                for file in files:
                    model.add_file(str(file))
                sent = logged.log_artifact(model)
                if self._folder is None:
                    sent.wait()
            logged.summary["keras_sweep_mark"] = run.mark
            logged.finish(exit_code=int(run.tags["state"] == "FAIL"))
        if self._folder is not None:
            _write_mark(Path(logged.dir).parent, run)


class TensorBoard:
    """Logs each run as a folder of event files, `runs/dense/trial-36`. A folder with this name is always complete."""

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Use the folder `sweep` in `output` (None: in `runs`). Remove incomplete runs that a killed call left."""
        # Fail before any work if the package is missing.
        import tensorboardX  # noqa: F401

        # It warns of each NaN, but the record has NaN too.
        logging.getLogger("tensorboardX").setLevel(logging.ERROR)
        self._folder = (output or Path("runs")) / sweep  # `runs` is the usual folder of TensorBoard
        self.place = str(self._folder)
        for part in self._folder.glob(".trial-*.part"):
            shutil.rmtree(part)

    def marks(self) -> Mapping[str, str]:
        return _read_marks(self._folder, "trial-*")

    def log(self, run: Run, files: Sequence[Path]) -> None:
        from tensorboardX import SummaryWriter

        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / run.name
        check_place(place, MARK, '"keras_sweep"')
        params = {
            key: value if isinstance(value, bool | int | float) else str(value) for key, value in run.params.items()
        }
        with replacing_path(place) as part:
            with SummaryWriter(str(part), filename_suffix=".curves") as writer:
                for name, values in run.curves.items():
                    for epoch, value in enumerate(values, 1):
                        writer.add_scalar(name, value, epoch)
                writer.add_text("trial", "\n".join(f"- {name}: {text}" for name, text in run.tags.items()))
                writer.add_hparams(params, dict(run.scores), name=".")
            for file in files:
                shutil.copyfile(file, part / file.name)
            _write_mark(part, run)
            shutil.rmtree(place, ignore_errors=True)
