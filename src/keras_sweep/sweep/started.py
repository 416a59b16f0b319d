"""What is told as a sweep begins, or goes on."""

from __future__ import annotations

import os
from collections.abc import Sequence

from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.events import SweepStarted
from keras_sweep.trial.result import Result


def sweep_started(
    spec: SweepSpec, folder: SweepFolder, runner: str, total: int, finished: Sequence[Result]
) -> SweepStarted:
    """The event of a sweep that is to have so many trials in total, of which some are finished."""
    return SweepStarted(
        name=spec.name,
        folder=short_path(folder.path),
        engine=spec.search.engine_name,
        runner=runner,
        total=total,
        finished=tuple(finished),
        metric=spec.objective.name,
        goal=spec.objective.goal.value,
        space_size=spec.space.size,
        take_best=spec.take_best,
        parameters=tuple(parameter.name for parameter in spec.space.parameters),
    )


def short_path(path: os.PathLike[str]) -> str:
    """The path as a user would type it: relative where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(os.fspath(path)) else os.fspath(path)
