"""`data` and `split`: where rows come from and how they are held out."""

from __future__ import annotations

from pathlib import Path

from keras_sweep.data.names import DATA_NAMES, SOURCES
from keras_sweep.space.sweep_spec import DataSpec, Split
from keras_sweep.space.text import did_you_mean, escaped, joined, quoted
from keras_sweep.space_file.fault_list import FaultList
from keras_sweep.space_file.file_model import data_form
from keras_sweep.space_file.python_module import check_source
from keras_sweep.space_file.value_rules import DATA_NAME

FILES = ("csv", "parquet", "npz")  # kinds whose source is a file


def data_of(faults: FaultList, folder: Path) -> DataSpec | None:
    """What `data` and `split` say; None with its faults noted."""
    split = faults.section(Split, ("split",)) if faults.has("split") else Split()
    if not faults.has("data"):
        return None
    node = faults.root.at("data")
    if isinstance(node.value, str):
        if not DATA_NAME.allows(node.value):
            faults.fault(("data",), f"there is no data set {quoted(node.value)}", DATA_NAME.hint(node.value))
            return None
        return DataSpec("named", node.value, split=split) if split else None
    if not isinstance(node.value, dict):
        faults.fault(("data",), f"must be {_forms()}, but got {quoted(node.plain)}")
        return None
    kinds = [key for key in node.value if key in SOURCES]
    if len(kinds) != 1:
        what = f"only one of {joined(kinds)} may be given" if kinds else f"must be {_forms()}"
        near = [text for key in node.value if not kinds and (text := did_you_mean(key, SOURCES))]
        faults.fault(("data",), f"{what}, but got {quoted(node.plain)}", near[0] if near else None)
        return None
    kind = kinds[0]
    section = faults.section(data_form(kind), ("data",))
    if "split" in node.value and faults.has("split"):
        faults.fault(("split",), "`split` is there twice, here and under `data`", "leave one of them out")
    source = node.value[kind].value
    if kind in FILES and isinstance(source, str) and source:
        source = str(_data_file(faults, ("data", kind), source, folder))
    if section is None or split is None:
        return None
    if kind == "python":
        check_source(faults, ("data", "python"), str(source), folder)
    inner = section.split if "split" in node.value else split
    return DataSpec(kind, str(source), getattr(section, "target", None), inner)


def check_folds(faults: FaultList) -> None:
    """Note what can't stand beside `folds`."""
    path = ("split",) if faults.has("split") else ("data", "split")
    split = faults.root.at(*path).plain
    folds = split.get("folds") if isinstance(split, dict) else None
    if not isinstance(split, dict) or type(folds) is not int or folds < 1:
        return
    if folds == 1:
        rule = "must be 0, for none, or at least 2, but got 1: one fold leaves no row to train on"
        faults.fault((*path, "folds"), rule)
    if "validation" in split:
        rule = "with `folds` every row is a validation row of one fold, so there is no share of them"
        faults.fault((*path, "validation"), rule, "leave out `validation` or `folds`")
    finish = faults.root.at("finish").plain if faults.has("finish") else {}
    if isinstance(finish, dict) and finish.get("refit") is False:
        rule = "must be true with `folds`: no one model of the search stands for a trial"
        faults.fault(("finish", "refit"), rule, "leave it out")


def _forms() -> str:
    return f"a name ({joined(DATA_NAMES)}), or a map with one of {joined(SOURCES)}"


def _data_file(faults: FaultList, path: tuple[str, ...], source: str, folder: Path) -> Path:
    file = folder / source
    try:
        file = folder / Path(source).expanduser()
        if file.is_dir():
            faults.fault(path, f"a file is needed, but {quoted(source)} is a folder")
        elif not file.is_file():
            near = did_you_mean(
                file.name, [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
            )
            hint = near or f"the path is relative to {escaped(str(folder))}"
            faults.fault(path, f"there is no file {quoted(source)}", hint)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: there is no such user
        faults.fault(path, f"the file {quoted(source)} can't be read: {escaped(str(error))}")
    return file
