"""`sweep init`: a first space file for somebody's data, whose labels say which loss and which metric it has."""

import csv
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jinja2 import Environment

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.labels import LabelForm, fit_labels
from keras_sweep.data.source import DATA_NAMES, SOURCES, Source, read_source
from keras_sweep.data.table_columns import fit_columns, id_columns
from keras_sweep.errors import DataError, TableError, UsageError
from keras_sweep.files.plain import plain_errors
from keras_sweep.space.text import counted, did_you_mean, escaped, joined, listed
from keras_sweep.space_file.options import block_yaml
from keras_sweep.space_file.read import read_space_file
from keras_sweep.space_file.wandb_file import read_wandb_file

KINDS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".npz": "npz"}
TARGETS = ("target", "label", "labels", "class", "y", "outcome", "survived")
MOST_CLASSES = 20  # whole numbers of more values are no classes
RARE = 0.4  # of its even share: a class with fewer rows is rare
FEWEST = 4  # rows of a class, of which some can be held out


def write_space_file(source: str, path: Path, *, target: str | None = None, wandb: Path | None = None) -> list[str]:
    """Write a space file for a known data set, a file or a folder, and give what its reader should know.

    `wandb` is a W&B sweep file whose search is taken over. Raises UsageError where the space file is there already, or
    the data can't be trained on.
    """
    data, notes = _data(source, path, target)
    if path.exists() or not path.parent.is_dir():
        what = f"{path} is there already" if path.exists() else f"there is no folder {path.parent}"
        raise UsageError(what, hint="Give another name: `-o FILE`")
    try:
        found = _read(data, path)
    except TableError as error:  # with what mends it
        data |= error.options | {"missing_target": "drop"}
        found = _read(data, path)
        if not found.notices:
            del data["missing_target"]
    if found.rows is not None and isinstance(found.rows.x, pl.DataFrame) and (ids := id_columns(found.rows.x)):
        data["drop"] = [*ids, *data.get("drop", ())]
    says = _task(found, notes) | {
        "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 3},
        "parameters": {},
        "search": {"sampler": "tpe", "trials": 32, "seed": 42},
    }
    if wandb is not None:
        says = _taken_over(says, *read_wandb_file(wandb), notes)
    template = Path(__file__).with_name("space.yaml.j2").read_text(encoding="utf-8")
    said = [escaped(note) for note in notes]
    text = (
        Environment(trim_blocks=True, keep_trailing_newline=True)
        .from_string(template)
        .render(says, data=data, path=escaped(str(path)), notes=said, yaml=_line)
    )
    spec = read_space_file(path, text=text)
    check_task(spec, load_search_data(spec))
    with plain_errors("write", path), path.open("x", encoding="utf-8") as file:
        file.write(text)
    return notes


def _line(**section: Any) -> str:
    return block_yaml(section, width=1 << 20, flow=True).strip()[1:-1]


def _data(source: str, path: Path, target: str | None) -> tuple[Any, list[str]]:
    """(what `data` says, what is to be said of it). Raises UsageError where there is no such source."""
    if source in DATA_NAMES:
        return source, []
    file = Path(source)
    kind = "images" if file.is_dir() else KINDS.get(file.suffix.lower(), "")
    if not file.exists() or kind not in SOURCES:
        what = f"is no {joined(KINDS, 'or')} file" if file.exists() else "is neither a file nor a data set's name"
        hint = did_you_mean(source, DATA_NAMES) or f"The data sets are {joined(DATA_NAMES)}"
        raise UsageError(f"{source} {what}", hint=hint)
    data, names = {kind: Path(os.path.relpath(file, path.parent)).as_posix()}, list[str]()
    if kind == "csv":
        with file.open(encoding="utf-8-sig", errors="replace") as opened:
            line = opened.readline()
        heads = {one: next(csv.reader([line], delimiter=one), []) for one in ",;\t|"}
        separator = max(heads, key=lambda one: len(heads[one]))
        names, data = heads[separator], data | ({} if separator == "," else {"separator": separator})
    elif kind == "parquet":
        names = list(pl.read_parquet_schema(file))
    elif kind == "npz":
        with np.load(file) as arrays:
            names = [] if {"y", "y_train"} & set(arrays.files) else arrays.files
    if target is not None or not names:
        return data | ({} if target is None else {"target": target}), []
    plain = [name for name in names if name.lower() in TARGETS]
    target = plain[0] if len(plain) == 1 else names[-1]
    return data | {"target": target}, [f"It predicts {target!r}; `--target` names another of {listed(names, 50)}"]


def _read(data: Any, path: Path) -> Source:
    """The rows. Raises DataError, TableError for what the rules of a table's columns meet, too."""
    draft = {"data": data, "model": "dense", "loss": "mse", "metric": {"name": "val_loss"}, "parameters": {"epochs": 1}}
    found = read_source(read_space_file(path, text=block_yaml(draft)).data, path.absolute().parent)
    if found.rows is not None and isinstance(found.rows.x, pl.DataFrame):
        fit_columns(found.rows.x, found.name)
    return found


def _task(found: Source, notes: list[str]) -> dict[str, Any]:
    """What the labels say: how rows are held out, the loss, and the metric that ranks."""
    rows = found.rows or found.train
    assert rows is not None
    y, counts = rows.y, np.zeros(0, int)
    try:
        labels = fit_labels(y, LabelForm.INDEX, "", found.class_names)
        if labels.classes and (found.class_names or y.dtype.kind not in "iuf" or labels.classes <= MOST_CLASSES):
            counts = np.bincount(labels.encode(y, "rows"))  # [C]
    except DataError:
        pass  # numbers
    answers = y.ndim == 2 and not len(counts) and bool(np.isin(y, (0, 1)).all())
    rare = bool(len(counts)) and counts.min() * len(counts) < RARE * len(y)
    goal, metrics = "maximize", ["accuracy", "auc"]
    if answers or (len(counts) == 2 and y.size == len(y)):
        loss = "binary_crossentropy"
    elif rare or (len(counts) and y.ndim > 1):
        loss = "categorical_crossentropy"
    elif len(counts):
        loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
    else:
        loss, metrics, goal = "mean_squared_error", ["mae"], "minimize"
    few = int((counts < FEWEST).sum())
    if few:
        notes.append(f"{counted(few, 'class')} with fewer than {FEWEST} rows: take them out, or join them with others")
    split = {"validation": 0.2, "test": 0.2, "seed": 42} | ({"stratify": True} if len(counts) and not few else {})
    metric = {"name": f"val_{metrics[-1 if rare else 0]}", "goal": goal}
    return {"split": split if found.rows else {}, "loss": loss, "metrics": metrics, "metric": metric, "rare": rare}


def _taken_over(says: dict[str, Any], taken: dict[str, Any], told: list[str], notes: list[str]) -> dict[str, Any]:
    """The search of a W&B sweep file in place of the usual one."""
    notes += told
    if "epochs" in taken["parameters"]:
        taken = {"early_terminate": None} | taken
    metric = taken.get("metric", says["metric"])["name"].removeprefix("val_")
    if metric not in ("loss", *says["metrics"]):
        says["metrics"].append(metric)
    choices = [len(one["values"]) for one in taken["parameters"].values() if "values" in one]
    of_grid = {"trials": math.prod(choices)} if taken["search"].get("sampler") == "grid" else {}
    return says | taken | {"search": says["search"] | of_grid | taken["search"]}
