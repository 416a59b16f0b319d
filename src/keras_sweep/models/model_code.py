"""A digest of the code that a user's model is made of, so that a changed one can be told from the one that trained."""

from __future__ import annotations

from collections.abc import Mapping

from keras_sweep.process.code_files import code_files
from keras_sweep.process.given import is_given, parts_given, parts_now
from keras_sweep.space.sweep_spec import SweepSpec

MODEL_CODE = "model_code"  # the study's attribute; absent where no code makes the model


def model_code(spec: SweepSpec, *, now: bool = False) -> dict[str, str]:
    """The files that the model's module is in and imports from beside the space file, each with its SHA-256 (hex).

    Of a function that a program gave, what it was made of then, or is `now`. Empty for the dense model, and for a
    module that does not lie beside the space file.
    """
    source = spec.model.source
    if spec.model.kind != "python":
        return {}
    if is_given(source):
        return parts_now(source) if now else parts_given(source)
    return code_files(source.partition(":")[0], spec.folder.resolve())


def changed_code(recorded: object, now: Mapping[str, str]) -> list[str]:
    """The files that are not as they were when the sweep began; [] where that is not known."""
    if not isinstance(recorded, Mapping) or not recorded or not now:  # what is not there the import tells
        return []
    names = {str(name) for name in recorded} | set(now)
    return sorted(name for name in names if recorded.get(name) != now.get(name))
