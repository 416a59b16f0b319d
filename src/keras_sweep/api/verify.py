"""`keras_sweep.verify`: whether an exported model still has the scores of its card."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from keras_sweep.api.views import warn_of_notices
from keras_sweep.record.sweep_folder import sweeps_dir as folder_of_sweeps

if TYPE_CHECKING:
    from keras_sweep.api.answers import VerifiedModel


def verify(
    path: str | os.PathLike[str],
    *,
    test: bool = False,
    trust: bool = False,
    backend: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    sweeps_dir: str | os.PathLike[str] | None = None,
) -> VerifiedModel:
    """Open a model's file in safe mode and evaluate it on its card's rows; `.matches` is the verdict.

    Args:
        path: a `.keras` file, its card beside it.
        test: look at the test rows, too; that is counted where the card's sweep is here.
        trust: import and run the code that the card names as the source of its rows, and the file as that of layers.
        backend: of Keras; by default the one that trained the model.
        data_dir: where the card's data file lies; by default the folder of the sweep's space file, or this one.
        sweeps_dir: where sweeps live; by default SWEEPS_DIR, or ./sweeps.

    Raises:
        UsageError: there is no file or no card, or one of them needs code.
        RecordError: the file is damaged, or is not the file of its card.
        ChangedSweep: the rows are not those of the card.
    """
    from keras_sweep.api.answers import VerifiedModel
    from keras_sweep.sweep.verify import verify_model

    verified = verify_model(
        Path(path),
        warn_of_notices,
        sweeps=folder_of_sweeps(Path(sweeps_dir) if sweeps_dir is not None else None),
        test=test,
        trust=trust,
        backend=backend,
        data_dir=Path(data_dir) if data_dir is not None else None,
    )
    return VerifiedModel.of(verified)
