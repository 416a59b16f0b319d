"""A space file -> a SweepSpec, or all of the file's faults at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from keras_sweep.errors import Fault, SpaceFileError
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import did_you_mean, escaped, joined, quoted, sweep_name_fault
from keras_sweep.space_file.data_section import check_folds, data_of
from keras_sweep.space_file.fault_list import FaultList, unknown
from keras_sweep.space_file.file_model import SECTIONS
from keras_sweep.space_file.model_section import model_of
from keras_sweep.space_file.options import Overrides, edited_text, with_options
from keras_sweep.space_file.parameter_values import INSTEAD
from keras_sweep.space_file.parameters import parameters
from keras_sweep.space_file.score_section import loss_of, metrics_of, objective_of
from keras_sweep.space_file.search_section import early_terminate_of, finalists_of, finish_of, search_of
from keras_sweep.space_file.search_warnings import warn_about_search
from keras_sweep.space_file.wandb_keys import PASSED_OVER, instead_of
from keras_sweep.space_file.yaml_tree import MOST_BYTES, TreeError, text_of_bytes, tree_of_text

MOST_FAULTS = 100
REQUIRED = {
    "data": "as in `data: fashion_mnist`",
    "model": "as in `model: {dense: {units: 10, activation: softmax}}`",
    "loss": "as in `loss: sparse_categorical_crossentropy`",
    "metric": "as in `metric: {name: val_accuracy, goal: maximize}`",
    "parameters": "as in `parameters: {learning_rate: {min: 1e-4, max: 1.0, log: true}}`",
}
# keys that others expect at the top of the file -> where that stands here
OTHER_KEYS = {
    **INSTEAD,
    "optimizer": "it is a parameter: put it under `parameters`",
    "learning_rate": "it is a parameter: put it under `parameters`",
    "epochs": "it is a parameter: put it under `parameters`",
    "batch_size": "it is a parameter: put it under `parameters`",
    "seed": "put it under `search`, or under `parameters`",
    "trials": "put it under `search`",
    "sampler": "put it under `search`",
    "engine": "put it under `search`",
}


def read_space_file(
    path: Path | str, *, sets: Sequence[str] = (), name: str | None = None, overrides: Overrides | None = None
) -> SweepSpec:
    """Read a space file and check all of it.

    Args:
        path: the file.
        sets: changes of the command line, "learning_rate.max=0.1" each.
        name: the sweep's name; by default the file's stem.
        overrides: options that stand above keys of `search`.

    Raises:
        SpaceFileError: with every fault of the file and of the options.
    """
    path = Path(path)
    text, faults = _text(path)
    if text is None:
        raise SpaceFileError(escaped(str(path)), faults)
    return read_space_text(text, path=path, sets=sets, name=name, overrides=overrides)


def read_space_text(
    text: str, *, path: Path, sets: Sequence[str] = (), name: str | None = None, overrides: Overrides | None = None
) -> SweepSpec:
    """As `read_space_file`, of a text that stands for the file at `path` (which need not exist)."""
    where = escaped(str(path))
    try:
        root = tree_of_text(text)
    except TreeError as error:
        raise SpaceFileError(where, _few(error.faults)) from None
    if not isinstance(root.value, dict):
        rule = f"a space file is a map with {joined(REQUIRED)}, but got {quoted(root.plain)}"
        raise SpaceFileError(where, [Fault(rule, line=root.line)])
    root, changes, of_options = with_options(root, tuple(sets), overrides or Overrides())
    faults = FaultList(root)
    faults.found.extend(of_options)
    sweep_name = path.stem if name is None else name
    broken = sweep_name_fault(sweep_name)
    if broken is not None:
        faults.found.append(Fault(broken, hint="use --name") if name is None else Fault(broken, "--name"))
    folder = path.absolute().parent
    _check_keys(faults)
    data = data_of(faults, folder)
    check_folds(faults)
    model = model_of(faults, folder)
    loss = loss_of(faults)
    metrics = metrics_of(faults)
    objective = objective_of(faults, metrics)
    space, take_best = (parameters(faults, model) if faults.has("parameters") else None) or (None, False)
    search = search_of(faults)
    early = early_terminate_of(faults)
    finalists = finalists_of(faults, space)
    finish = finish_of(faults)
    if space is not None and search is not None:
        whole = model is None or model.kind != "python"
        warn_about_search(faults, space, search, early, whole=whole)
    if faults.found or not (data and model and loss and objective and space and search and metrics is not None):
        raise SpaceFileError(where, _few(faults.found))
    return SweepSpec(
        name=sweep_name,
        folder=folder,
        text=edited_text(text, changes, root),
        data=data,
        model=model,
        loss=loss,
        metrics=metrics,
        objective=replace(objective, take_best=take_best),
        space=space,
        search=search,
        early_terminate=early,
        finalists=finalists,
        finalists_asked=faults.has("finalists") and finalists is not None,
        finish=finish,
        file=where,
        warnings=faults.warnings,
    )


def _text(path: Path) -> tuple[str | None, list[Fault]]:
    try:
        if path.is_dir():
            return None, [Fault("a space file is needed, but this is a folder", hint=_files_in(path))]
        if not path.exists():
            return None, [Fault("there is no such file", hint=_near_file(path))]
        if not path.is_file():
            return None, [Fault("a space file is needed, but this is not a plain file")]
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        return text_of_bytes(raw), []
    except TreeError as error:
        return None, list(error.faults)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        reason = getattr(error, "strerror", None) or str(error)
        return None, [Fault(f"the file can't be read: {escaped(reason)}")]


def _files_in(folder: Path) -> str | None:
    names = sorted(entry.name for entry in folder.glob("*.yaml"))
    return f"its space files are {joined(map(escaped, names[:5]))}" if names else None


def _near_file(path: Path) -> str | None:
    try:
        return did_you_mean(path.name, [entry.name for entry in path.parent.glob("*.y*ml")])
    except OSError:
        return None


def _few(faults: Sequence[Fault]) -> list[Fault]:
    """By line and printable; where there are very many, the first ones and how many more."""
    ordered = [
        replace(
            fault, rule=escaped(fault.rule), key=escaped(fault.key), hint=escaped(fault.hint) if fault.hint else None
        )
        for fault in sorted(faults, key=lambda fault: fault.line or 0)
    ]
    if len(ordered) <= MOST_FAULTS:
        return ordered
    return [*ordered[:MOST_FAULTS], Fault(f"and {len(ordered) - MOST_FAULTS} more faults")]


def _check_keys(faults: FaultList) -> None:
    assert isinstance(faults.root.value, dict)
    for key in faults.root.value:
        if key in PASSED_OVER:
            faults.warn((key,), f"is a key of W&B and passed over; here {instead_of(key, faults.root.at(key).plain)}")
        elif key not in SECTIONS:
            faults.fault((key,), "there is no such key here", OTHER_KEYS.get(key) or unknown(key, SECTIONS))
    for key, hint in REQUIRED.items():
        if not faults.has(key):
            faults.found.append(Fault(f"`{key}` is missing", key, hint=hint))
