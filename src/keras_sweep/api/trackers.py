"""A trial as a tracker of experiments takes it, what a tracker promises, and the trackers of this package."""

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

MARK = "keras_sweep.json"  # the file beside a run on disk that says which it is, and that it is whole
PREFIX = "keras_sweep."  # of the tags by which runs of MLflow are found again
BATCH = 100  # params that one request of MLflow's may carry; of metrics it may carry ten times as many


@dataclass(frozen=True, slots=True)
class Run:
    """A trial of a sweep with the trainings of its configuration with other seeds.

    Metrics and scores have names of ASCII letters, digits and `_`, which all trackers take.
    """

    id: str  # "dense-36-1f0c29ab": another sweep of that name has others
    sweep: str
    number: int
    params: Mapping[str, object]  # values that JSON has
    curves: Curve  # of the trial; as "seed_43/val_loss" of its finalists, in the order of their training
    scores: Mapping[str, float]  # of the whole trial: "value", "stderr", "seconds", "seeds_mean"
    tags: Mapping[str, str]  # "state", "reason", "engine", "winner"

    @property
    def name(self) -> str:
        """What it is called among the runs: `trial-36`."""
        return f"trial-{self.number}"

    @property
    def mark(self) -> str:
        """A digest of all that is logged of it: a run that bears the mark is there whole, and as it is now."""
        return _digest(self.id, self.params, self.curves, self.scores, self.tags)


class Tracker(Protocol):
    """Where the runs of one sweep go. Each method may raise what its package raises."""

    place: str  # what a user is told of where that is

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Find the place of the sweep of that name; `output` is the folder that the user asked for, if any."""

    def marks(self) -> Mapping[str, str]:
        """The marks of the runs of the sweep that are there whole, by the ids of the runs."""

    def log(self, run: Run, files: Sequence[Path]) -> None:
        """Write a run with these files, and its mark last; one of that id that is there becomes as this one."""


def run_of(sweep: RecordedSweep, result: Result, *, is_winner: bool) -> Run:
    """A trial of a sweep as a run; of the winner of a sweep that has ended more is known."""
    facts, seeds = sweep.facts, seed_scores(result)
    own_curves: Curve = {safe(name): curve for name, curve in result.curve.items()}
    curves = dict(own_curves)
    for one in result.finalists:
        curves |= {f"seed_{one.finalist_seed}/{safe(name)}": curve for name, curve in one.curve.items()}
    scores = {
        "value": result.value,
        "stderr": result.stderr,
        **{safe(goal.name): result.goal(goal.name) for goal in facts.goals},
        **({"seeds_mean": seeds.mean, "seeds_stderr": seeds.stderr} if seeds else {}),
        "epochs": result.epochs,
        "seconds": result.seconds.total,
    }
    tags = {"state": result.state.value, "reason": result.reason, "engine": result.engine, "runner": result.runner}
    own = {} if is_imported(result) else {"seed": facts.seed}
    params = {
        ".".join(map(safe, name.split("."))): list(value) if isinstance(value, tuple) else value  # `[64, 32]` in a file
        for name, value in {**own, **result.params}.items()
    }
    if is_winner:
        estimate, test = sweep.comparison.estimate, facts.test_of(best_training(result, sweep.objective))
        if estimate is not None:
            scores |= {"estimate": estimate.value, "estimate_low": estimate.low, "estimate_high": estimate.high}
        scores |= {f"test_{safe(name)}": value for name, value in (test.scores if test else {}).items()}
        tags |= {"card": facts.card, "of_trials": sweep.digest}  # the page shows all trials
    return Run(
        id=f"{sweep.folder.name}-{result.number}-{_digest(params, own_curves, scores['seconds'])[:8]}",
        sweep=sweep.folder.name,
        number=result.number,
        params=params,
        curves=curves,
        # A metric of the user's that is called `value` keeps its name.
        scores={
            f"trial_{name}" if name in own_curves else name: float(value)
            for name, value in scores.items()
            if value is not None
        },
        tags={**{name: text for name, text in tags.items() if text}, "winner": str(is_winner).lower()},
    )


def safe(name: str) -> str:
    """A name in which each character that a tracker may refuse is written by its code: `top 5` is `top_20_5`."""
    return re.sub(r"[^A-Za-z0-9_]", lambda match: f"_{ord(match[0]):x}_", name)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _write_mark(folder: Path, run: Run) -> None:
    (folder / MARK).write_text(json.dumps({"keras_sweep": run.id, "mark": run.mark}))


def _read_marks(folders: Path, pattern: str) -> dict[str, str]:
    written = [json.loads(path.read_text()) for path in folders.glob(f"{pattern}/{MARK}")]
    return {one["keras_sweep"]: one["mark"] for one in written}


class MLflow:
    """Writes runs of an experiment, on the server or in the database that `MLFLOW_TRACKING_URI` names.

    A run of which a killed call wrote a part is completed: no number is there twice.
    """

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


class WandB:
    """Writes runs of a W&B project; with `WANDB_MODE=offline` they are kept here until `wandb sync`.

    A run of which a killed call wrote a part is written anew, under the same id.
    """

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Find the project that W&B's variables name, or that of the sweep's name."""
        import wandb

        del output  # W&B has variables of its own
        mode = wandb.setup().settings.mode
        if mode == "disabled":
            raise UsageError("W&B is disabled, and would log nothing", hint="Set WANDB_MODE to online or offline")
        self._project = os.environ.get("WANDB_PROJECT") or sweep
        self._sweep = sweep
        self._dir = Path(os.environ.get("WANDB_DIR") or ".").absolute()  # another process writes there
        self._folder = self._dir / "wandb" if mode in ("offline", "dryrun") else None
        self.place = f"{self._folder or wandb.setup().settings.base_url}, project {self._project}"

    def marks(self) -> Mapping[str, str]:
        import wandb

        if self._folder is not None:
            return _read_marks(self._folder, "offline-run-*")
        try:
            runs = list(wandb.Api().runs(self._project, filters={"group": self._sweep}, lazy=False))
        except ValueError:  # there is no such project yet
            return {}
        return {run.id: run.summary.get("keras_sweep_mark", "") for run in runs}

    def log(self, run: Run, files: Sequence[Path]) -> None:
        import wandb

        if self._folder is not None:
            for older in self._folder.glob(f"offline-run-????????_??????-{run.id}"):
                shutil.rmtree(older)
        about = {"sweep": run.sweep, "trial": run.number, **run.tags}
        with wandb.init(
            project=self._project,
            group=run.sweep,
            id=run.id,
            name=run.name,
            dir=self._dir,
            config={**run.params, "keras_sweep": about},
            # What wandb would tell of this machine and program is not of those that trained.
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
    """Writes each run as a folder of event files, `runs/dense/trial-36`, which is there whole or not at all."""

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Take the folder of the sweep in `output`, or in `runs`, and remove what a killed call left half-written."""
        import tensorboardX  # noqa: F401  # missing, it is told before any work

        logging.getLogger("tensorboardX").setLevel(logging.ERROR)  # it warns of each NaN, which the record has, too
        self._folder = (output or Path("runs")) / sweep  # where other writers put them, and users look for them
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
        params = {name: one if isinstance(one, bool | int | float) else str(one) for name, one in run.params.items()}
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
