"""A model in another format than Keras's own: written by a process of its own, and kept if its outputs are the same."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Arrays, by_name, cut, each
from keras_sweep.data.raw_rows import raw_rows
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError, SweepError
from keras_sweep.files.atomic import replacing_path
from keras_sweep.process.backend import keras_config
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.keras_export import ROWS

MOST_APART = 1e-4  # of two outputs, relative to the largest one where that is above 1
# An accelerator has sums of its own and, on TensorFlow, a kernel for LSTMs that no other format knows.
ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def converted(
    folder: Path, path: Path, format: str, spec: SweepSpec, data: SearchData, packages: Iterable[str]
) -> dict[str, Any]:
    """Write the `model.keras` of a folder, which takes the rows of `data` as they were read, in another format.

    Its outputs on the first validation rows are compared with the `.keras` file's; where they differ nothing is there.
    Returns what the card says of it. The process puts files of its own into the folder.

    Raises ModelError: the format can't hold the model; SweepError: its outputs are others.
    """
    with replacing_path(path) as part:
        rows = {"x": cut(raw_rows(spec, data)[1], 0, ROWS)}
        _save(folder / "rows.npz", rows)
        answer = _asked(
            folder,
            {
                "format": format,
                "path": str(part.absolute()),
                "source": spec.model.source,
                "folder": str(spec.folder.absolute()),
                "keras_config": keras_config(),
            },
        )
        if "error" in answer:
            other = "`--format savedmodel` takes whatever TensorFlow runs" if format != "savedmodel" else None
            raise ModelError(f"the model can't be written as {format}: {answer['error']}", hint=other)
        apart = answer["greatest_difference"]
        if not apart <= MOST_APART:
            raise SweepError(
                f"as {format} the model's outputs are {apart:.2g} from those of the .keras file on {answer['rows']} "
                f"validation rows, but at most {MOST_APART} apart is taken for the same model; nothing was written"
            )
    return {"name": format, **answer, "packages": {name: version(name) for name in ("keras", "tensorflow", *packages)}}


def _save(path: Path, rows: dict[str, Arrays]) -> None:
    """Write arrays, texts as such."""
    arrays = {key: array for name, one in rows.items() for key, array in by_name(name, one).items()}
    texts = each(lambda array: array.astype(str) if array.dtype.kind == "O" else array, arrays)
    np.savez(path, allow_pickle=False, **texts)


def _asked(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """What the process answers. It finds modules where this one does. Ctrl-C ends it."""
    (folder / "request.json").write_text(json.dumps(request))
    paths = {"PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    command = [sys.executable, "-P", "-m", "keras_sweep.sweep.keras_export", str(folder.absolute())]
    done = subprocess.run(
        command, env={**os.environ, **ENVIRONMENT, **paths}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise SweepError(f"the process that writes {request['format']} failed: {said}")
    answer: dict[str, Any] = json.loads((folder / "answer.json").read_text())
    return answer
