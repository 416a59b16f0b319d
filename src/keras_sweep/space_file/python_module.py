"""Whether the module of `module:function` is there, and somebody's own. Nothing of it runs here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from keras_sweep.process.given import is_given, was_given
from keras_sweep.process.user_code import WHOSE, of_python
from keras_sweep.space.text import did_you_mean, escaped, quoted
from keras_sweep.space_file.fault_list import FaultList


def check_source(faults: FaultList, path: tuple[str, ...], source: str, folder: Path) -> None:
    """The module of `module:function` must be there, and not be Python's own; nothing of it runs here."""
    if is_given(source):
        if not was_given(source):
            rule = f"{quoted(source)} stands in a Python program, and this one has not given it"
            faults.fault(path, rule, "call `keras_sweep.run` with the same Spec there")
        return
    module_name = source.split(":")[0]
    top = module_name.split(".")[0]
    if of_python(module_name, folder):
        rule = f"must name a function of yours, but {quoted(module_name)} is a module of Python's own"
        faults.fault(path, rule, WHOSE[0].lower() + WHOSE[1:])
        return
    beside = (folder / f"{top}.py", folder / top)
    try:
        if any(place.exists() for place in beside) or importlib.util.find_spec(top) is not None:
            return
    except (ImportError, ValueError, OSError):
        return  # what importing it gives is told when it is imported
    near = did_you_mean(top, [entry.stem for entry in folder.glob("*.py")] if folder.is_dir() else [])
    faults.fault(path, f"there is no module {quoted(top)}", near or f"put {top}.py into {escaped(str(folder))}")
