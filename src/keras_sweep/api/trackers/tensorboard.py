"""Runs as folders of event files, which TensorBoard reads: `runs/dense/trial-36`."""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_sweep.api.trackers.run import MARK, Run
from keras_sweep.files.atomic import check_place, replacing_path


class TensorBoard:
    """Writes by tensorboardX. A run's folder is made beside its place and renamed: it is there whole, or not at all."""

    def __init__(self, sweep: str, output: Path | None) -> None:
        """Take the folder of the sweep in `output`, or in `runs`, and remove what a killed call left half-written."""
        import tensorboardX  # noqa: F401  # missing, it is told before any work

        logging.getLogger("tensorboardX").setLevel(logging.ERROR)  # it warns of each NaN, which the record has, too
        self._folder = (output or Path("runs")) / sweep  # where other writers put them, and users look for them
        self.place = str(self._folder)
        for part in self._folder.glob(".trial-*.part"):
            shutil.rmtree(part)

    def marks(self) -> Mapping[str, str]:
        """The marks of the runs of the sweep that are there whole, by the ids of the runs."""
        found = [json.loads(path.read_text()) for path in self._folder.glob(f"trial-*/{MARK}")]
        return {each["keras_sweep"]: each["mark"] for each in found}

    def log(self, run: Run, files: Sequence[Path]) -> None:
        """Write a run; an older one of its trial is removed."""
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
            (part / MARK).write_text(json.dumps({"keras_sweep": run.id, "mark": run.mark}))
            shutil.rmtree(place, ignore_errors=True)
