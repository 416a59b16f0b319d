"""Runs of a Weights & Biases project; with `WANDB_MODE=offline` they are kept here until `wandb sync`."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_sweep.api.trackers.run import MARK, Run
from keras_sweep.errors import UsageError

# What wandb would tell of this machine and program is not of those that trained.
SETTINGS = {
    "silent": True,
    "console": "off",
    "disable_git": True,
    "save_code": False,
    "x_disable_meta": True,
    "x_disable_stats": True,
}


class WandB:
    """Writes by wandb. A run of which a killed call wrote a part is written anew, under the same id."""

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
        """The marks of the runs of the sweep that are there whole, by the ids of the runs."""
        import wandb

        if self._folder is not None:
            found = [json.loads(path.read_text()) for path in self._folder.glob(f"offline-run-*/{MARK}")]
            return {each["keras_sweep"]: each["mark"] for each in found}
        try:
            runs = list(wandb.Api().runs(self._project, filters={"group": self._sweep}, lazy=False))
        except ValueError:  # there is no such project yet
            return {}
        return {run.id: run.summary.get("keras_sweep_mark", "") for run in runs}

    def log(self, run: Run, files: Sequence[Path]) -> None:
        """Write a run; an older one of its id is overwritten."""
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
            settings=wandb.Settings(**SETTINGS),
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
            Path(logged.dir).with_name(MARK).write_text(json.dumps({"keras_sweep": run.id, "mark": run.mark}))
