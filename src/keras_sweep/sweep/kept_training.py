"""What of trials that were stopped in training is on disk, so that the same command goes on there."""

from __future__ import annotations

from collections.abc import Collection

from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.training import checkpoint
from keras_sweep.training.fit.checkpoint import FILE as OF_FIT
from keras_sweep.training.lanes.snapshot import FILE as OF_LANES


def kept_training(folder: SweepFolder, wanted: Collection[int]) -> dict[int, int]:
    """The epoch at which each wanted trial is kept, by its number; {} where nothing usable is there."""
    kept: dict[int, int] = {}
    try:
        lanes = checkpoint.read_facts(folder.checkpoints / OF_LANES)["lanes"]
        kept = {int(number): len(lane["rows"]) for number, lane in lanes.items()}
    except (FileNotFoundError, checkpoint.Damaged, KeyError, TypeError, ValueError):
        try:  # by `fit` one trial trains at a time, the next one
            kept = {min(wanted): len(checkpoint.read_facts(folder.checkpoints / OF_FIT)["rows"])}
        except (FileNotFoundError, checkpoint.Damaged, KeyError, TypeError, ValueError):
            return {}
    return {number: epoch for number, epoch in sorted(kept.items()) if epoch and number in wanted}
