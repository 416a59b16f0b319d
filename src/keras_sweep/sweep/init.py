"""Write a first space file for the user's data (`sweep init`). The labels decide the loss and the metric."""

import contextlib
import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jinja2 import Environment

from keras_sweep.data.arrays import ravel_column
from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.compatibility import UNFIT_METRICS, check_task
from keras_sweep.data.labels import LabelForm, fit_labels, near_copies
from keras_sweep.data.source import DATA_NAMES, RawRows, SourceRows, read_source
from keras_sweep.data.table_columns import fit_columns, odd_columns
from keras_sweep.errors import DataError, SpaceFileError, TableError, UsageError
from keras_sweep.files.plain import plain_errors
from keras_sweep.space.data_spec import DataSpec, find_source
from keras_sweep.space.text import did_you_mean, escape, itemize, join, quote
from keras_sweep.space_file.keras_tables import METRICS
from keras_sweep.space_file.options import dump_block_yaml
from keras_sweep.space_file.read import read_space_file
from keras_sweep.space_file.wandb_file import read_wandb_file, to_wandb_fault
from keras_sweep.system.disk import relative_path

KINDS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".npz": "npz"}
TARGETS = ("target", "label", "labels", "class", "y", "outcome", "survived")
MOST_CLASSES = 20  # integer labels with more values are numbers, not classes
RARE = 0.4  # a class with fewer rows than this part of an even share is rare
FEWEST = 4  # rows that the smallest class needs for a stratified split


def write_space_file(source: str, path: Path, notes: list[str], *, target: str | None, wandb: Path | None) -> None:
    """Write a space file to `path` for `source`: the name of a data set, a file or a folder. Append remarks to `notes`.

    `target` is the column with the labels; None: it is guessed. `wandb` is a W&B sweep file whose search is used.
    Raises UsageError if the space file already exists, `source` does not exist, or the W&B file is wrong. Raises
    DataError if the data can't be read.
    """
    data = _data_section(source, path, target, notes)
    if path.exists() or not path.parent.is_dir():
        what = f"{path} already exists" if path.exists() else f"there is no folder {path.parent}"
        raise UsageError(what, hint="Choose another file: `-o FILE`")
    loaded, read = _read_and_fix(data, path, notes)
    if "," in (formats := loaded.ways.values()) and "." not in formats:
        data["decimal"] = ","
    notes += (*loaded.notices, *loaded.leaks)
    rows = loaded.rows or loaded.train
    assert rows is not None
    if isinstance(rows.y, np.ndarray) and rows.y.dtype.kind == "O" and (problem := near_copies(rows.y.flat)):
        notes.append(f"The labels have {problem}")
    search = {} if wandb is None else read_wandb_file(wandb, notes)
    context = _derive_task(loaded, rows, ranking=search.get("metric", {}).get("name", "").removeprefix("val_")) | search
    if context["loss"] == "mean_squared_error" and isinstance(rows.x, pl.DataFrame) and isinstance(data, dict):
        low, high, deviation = rows.y.min(), rows.y.max(), rows.y.std()
        form = "log" if 0 < 10 * low < high else "standard" if not 0.1 < deviation < 10 else None
        data["target"] = {"column": data["target"], "transform": form} if form else data["target"]
    template = Path(__file__).with_name("space.yaml.j2").read_text("utf-8")
    context |= {"data": data, "path": escape(str(path)), "notes": [escape(note).removesuffix(".") for note in notes]}
    context["yaml"] = lambda **section: dump_block_yaml(section, width=1 << 20, flow=True).strip()[1:-1]
    text = Environment(trim_blocks=True, keep_trailing_newline=True).from_string(template).render(context)
    try:
        spec = read_space_file(path, text=text)
        is_same = replace(spec.data, split=read.split, transform=None) == read
        check_task(spec, load_search_data(spec, loaded if is_same else None))
    except SpaceFileError as error:
        if wandb is None:
            raise
        raise SpaceFileError(wandb, [to_wandb_fault(wandb, fault) for fault in error.faults]) from None
    with plain_errors("write", path, option="-o"), path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _data_section(source: str, path: Path, target: str | None, notes: list[str]) -> Any:
    if source in DATA_NAMES:
        return source
    file = Path(source)
    kind = "images" if file.is_dir() else KINDS.get(file.suffix.lower())
    if kind is None or not (file.is_dir() or file.is_file()):
        kinds = f"a {join(KINDS, 'or')} file, a folder or the name of a data set"
        message = f"there is no file {source}" if kind else f"the data must be {kinds}, but got {source}"
        raise UsageError(message, hint=did_you_mean(source, DATA_NAMES) or f"Name a file, or {join(DATA_NAMES, 'or')}")
    data: dict[str, Any] = {kind: relative_path(file, path.parent)}
    names: list[str] = []
    # A damaged file raises many kinds of errors here; the reader of the whole file explains them.
    with contextlib.suppress(Exception):
        if kind == "csv":
            with file.open(encoding="utf-8-sig") as stream:
                line = stream.readline()
            headers = {delimiter: next(csv.reader([line], delimiter=delimiter)) for delimiter in ",;\t|"}
            separator = max(headers, key=lambda candidate: len(headers[candidate]))
            names, data = headers[separator], data | ({} if separator == "," else {"separator": separator})
        elif kind == "parquet":
            names = list(pl.read_parquet_schema(file))
        elif kind == "npz":
            with np.load(file) as arrays:
                names = [] if {"y", "y_train"} & set(arrays.files) else arrays.files
    if target is None and names:
        plain = [name for name in names if name.lower() in TARGETS]
        target = plain[0] if len(plain) == 1 else names[-1]
        notes.append(f"The target is {target!r}; `--target` chooses another of {itemize(names, 10)}")
    is_table = find_source(kind).is_table  # needs a target even if its file can't be read
    return data | ({"target": target or "?"} if target or is_table else {})


def _read_and_fix(data: Any, path: Path, notes: list[str]) -> tuple[SourceRows, DataSpec]:
    """Read the rows of `data`, a section of the space file `path`. Return (rows, how they were read). Options that
    repair a table or drop id columns are added to `data`, and remarks to `notes`."""
    draft = {"data": data, "model": "dense", "loss": "mse", "metric": {"name": "val_loss"}, "parameters": {"epochs": 1}}
    try:
        read = read_space_file(path, text=dump_block_yaml(draft)).data
        loaded = read_source(read, path.absolute().parent)
        if loaded.rows is not None and isinstance(loaded.rows.x, pl.DataFrame):
            fit_columns(loaded.rows.x, loaded.name)  # finds more faults than reading alone
            ids = odd_columns(loaded.rows.x).get("drop", ())
            if isinstance(data, dict) and 0 < len(ids) < loaded.rows.x.width:
                data["drop"] = [*ids, *data.get("drop", ())]
    except TableError as error:  # each option of the error can help once
        if "target" not in data or data.keys() >= {*error.options, "missing_target"}:
            raise
        for key, texts in error.options.items():
            messages = [fault.message for fault in error.faults if f"`{key}: {quote(texts)}`" in str(fault.hint)]
            notes.append(f"Read with `{key}`: {f'{texts!r}; {messages[0]}' if messages else itemize(texts, 10)}")
        data |= {**error.options, "missing_target": "drop"}
        return _read_and_fix(data, path, notes)
    if "missing_target" in data and not any("left out" in notice for notice in loaded.notices):
        del data["missing_target"]
    return loaded, read


def _derive_task(loaded: SourceRows, rows: RawRows, *, ranking: str = "") -> dict[str, Any]:
    """Return `split`, `loss`, `metrics` and `metric` of a space file for the labels, and `rare`: whether a class has
    few rows. `ranking` is the metric in a W&B file, or ""."""
    y, counts = ravel_column(rows.y), np.zeros(0, int)  # rows of each class
    try:
        labels = fit_labels(y, LabelForm.INDEX, "", loaded.class_names)
        if labels.classes and (loaded.class_names or y.dtype.kind not in "iuf" or labels.classes <= MOST_CLASSES):
            counts = np.bincount(labels.encode(y, "rows"))
    except DataError:
        if y.dtype.kind not in "iuf":
            raise
    if len(counts) > 2 and y.dtype.kind in "iuf" and ranking in {*METRICS} - UNFIT_METRICS[LabelForm.NUMBER]:
        counts = np.zeros(0, int)  # the labels are numbers with few values
    classes = len(counts)
    rare = classes and counts.min() * classes < RARE * len(y)
    metrics, goal = ["accuracy", "auc"], "maximize"
    if (classes == 2 and y.size == len(y)) or (not classes and y.ndim == 2 and np.isin(y, (0, 1)).all()):
        loss = "binary_crossentropy"
    elif classes and (rare or y.ndim > 1):
        loss = "categorical_crossentropy"
    elif classes:
        loss, metrics = "sparse_categorical_crossentropy", ["accuracy"]
    else:
        loss, metrics, goal = "mean_squared_error", ["mae"], "minimize"
    groups = [name for name, ranks in rows.places.items() if ranks.all()]  # rank 0 is an empty cell
    strata = {"stratify": True} if classes and counts.min() >= FEWEST else {}
    grouping = {"groups": groups[0]} if groups else strata
    split = {"validation": 0.2, "test": 0.2, "seed": 42} | grouping if loaded.rows else {}
    metric = {"name": f"val_{metrics[-1 if rare else 0]}", "goal": goal}
    metrics = list(dict.fromkeys([*metrics, *({ranking} - {"", "loss"})]))
    return {"split": split, "loss": loss, "metrics": metrics, "metric": metric, "rare": rare}
