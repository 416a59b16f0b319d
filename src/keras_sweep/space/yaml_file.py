"""A space file -> a SweepSpec, or all of the file's faults at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keras_sweep.errors import Fault, SpaceFileError
from keras_sweep.space.data_names import DATA_NAMES
from keras_sweep.space.dense_arguments import DENSE_ARGUMENTS, dense_fault
from keras_sweep.space.findings import Findings, unknown
from keras_sweep.space.keras_names import LOSSES, METRICS, METRICS_TO_MAXIMIZE
from keras_sweep.space.options import SECTIONS, Overrides, edited_text, with_options
from keras_sweep.space.parameters import parameters
from keras_sweep.space.plain_text import did_you_mean, listed, plain, shown
from keras_sweep.space.sweep_name import sweep_name_fault
from keras_sweep.space.sweep_spec import (
    ENGINES,
    DataSpec,
    EarlyTerminate,
    Goal,
    ModelSpec,
    Objective,
    SearchSettings,
    Split,
    SweepSpec,
)
from keras_sweep.space.wandb_keys import as_value
from keras_sweep.space.warnings import warn_about_search
from keras_sweep.space.yaml_tree import MOST_BYTES, Node, TreeError, text_of_bytes, tree_of_text

MOST_FAULTS = 100
REQUIRED = {
    "data": "as in `data: fashion_mnist`",
    "model": "as in `model: {dense: {units: 10, activation: softmax}}`",
    "loss": "as in `loss: sparse_categorical_crossentropy`",
    "metric": "as in `metric: {name: val_accuracy, goal: maximize}`",
    "parameters": "as in `parameters: {learning_rate: {min: 1e-4, max: 1.0, log: true}}`",
}
# keys of a whole W&B sweep file, and of others' files, that are said otherwise here
OTHER_KEYS = {
    "method": "here it is `search: {sampler: random}`",
    "run_cap": "here it is `search: {trials: 64}`",
    "name": "give it by `--name`; by default it is the file's name",
    "program": "here it is `model: {python: module:function}`",
    "command": "leave it out",
    "project": "leave it out",
    "entity": "leave it out",
    "description": "write it as a comment",
    "imports": "leave it out",
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
        raise SpaceFileError(plain(str(path)), faults)
    return read_space_text(text, path=path, sets=sets, name=name, overrides=overrides)


def read_space_text(
    text: str, *, path: Path, sets: Sequence[str] = (), name: str | None = None, overrides: Overrides | None = None
) -> SweepSpec:
    """As `read_space_file`, of a text that stands for the file at `path` (which need not exist)."""
    where = plain(str(path))
    try:
        root = tree_of_text(text)
    except TreeError as error:
        raise SpaceFileError(where, _few(error.faults)) from None
    if not isinstance(root.value, dict):
        rule = f"a space file is a map with {listed(REQUIRED)}, but got {shown(root.plain)}"
        raise SpaceFileError(where, [Fault(rule, line=root.line)])
    root, changes, faults = with_options(root, tuple(sets), overrides or Overrides())
    findings = Findings(root)
    findings.faults.extend(faults)
    sweep_name = path.stem if name is None else name
    broken = sweep_name_fault(sweep_name)
    if broken is not None:
        findings.faults.append(Fault(broken, hint="use --name") if name is None else Fault(broken, "--name"))
    folder = path.absolute().parent
    _check_keys(findings)
    data = _data(findings, folder)
    model = _model(findings, folder)
    loss = _loss(findings)
    metrics = _metrics(findings)
    objective = _objective(findings, metrics)
    section = parameters(findings, model) if _has(root, "parameters") else None
    search = _search(findings)
    early = _early_terminate(findings)
    if section is not None and search is not None:
        warn_about_search(findings, section.space, search, early)
    if findings.faults or not (data and model and loss and objective and section and search and metrics is not None):
        raise SpaceFileError(where, _few(findings.faults))
    return SweepSpec(
        name=sweep_name,
        folder=folder,
        text=edited_text(text, changes, root),
        data=data,
        model=model,
        loss=loss,
        metrics=metrics,
        objective=objective,
        space=section.space,
        search=search,
        take_best=section.take_best,
        early_terminate=early,
        warnings=findings.warnings,
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
        return None, [Fault(f"the file can't be read: {plain(reason)}")]


def _files_in(folder: Path) -> str | None:
    names = sorted(entry.name for entry in folder.glob("*.yaml"))
    return f"its space files are {listed(map(plain, names[:5]))}" if names else None


def _near_file(path: Path) -> str | None:
    try:
        return did_you_mean(path.name, [entry.name for entry in path.parent.glob("*.y*ml")])
    except OSError:
        return None


def _few(faults: Sequence[Fault]) -> list[Fault]:
    """By line; where there are very many, the first ones and how many more."""
    ordered = sorted(faults, key=lambda fault: fault.line or 0)
    if len(ordered) <= MOST_FAULTS:
        return ordered
    return [*ordered[:MOST_FAULTS], Fault(f"and {len(ordered) - MOST_FAULTS} more faults")]


def _has(root: Node, key: str) -> bool:
    return isinstance(root.value, dict) and key in root.value


def _check_keys(findings: Findings) -> None:
    assert isinstance(findings.root.value, dict)
    for key in findings.root.value:
        if key not in SECTIONS:
            findings.fault((key,), "there is no such key here", OTHER_KEYS.get(key) or unknown(key, SECTIONS))
    for key, hint in REQUIRED.items():
        if not _has(findings.root, key):
            findings.faults.append(Fault(f"`{key}` is missing", key, hint=hint))


def _data(findings: Findings, folder: Path) -> DataSpec | None:
    from keras_sweep.space.file_model import DATA_BLOCKS, SplitBlock

    split: SplitBlock | None = SplitBlock()
    if _has(findings.root, "split"):
        split = findings.block(SplitBlock, ("split",))
    if not _has(findings.root, "data"):
        return None
    node = findings.root.at("data")
    forms = f"a name ({listed(DATA_NAMES)}), or a map with one of {listed(DATA_BLOCKS)}"
    if isinstance(node.value, str):
        if node.value not in DATA_NAMES:
            hint = did_you_mean(node.value, DATA_NAMES) or f"one of {listed(DATA_NAMES)}"
            findings.fault(("data",), f"there is no data set {shown(node.value)}", hint)
            return None
        return DataSpec("named", node.value, split=_split(split)) if split else None
    if not isinstance(node.value, dict):
        findings.fault(("data",), f"must be {forms}, but got {shown(node.plain)}")
        return None
    kinds = [kind for kind in DATA_BLOCKS if kind in node.value]
    if len(kinds) != 1:
        what = f"only one of {listed(kinds)} may be given" if kinds else f"must be {forms}"
        near = (did_you_mean(key, DATA_BLOCKS) for key in node.value)
        hint = next((text for text in near if text), None)
        findings.fault(("data",), f"{what}, but got {shown(node.plain)}", hint if not kinds else None)
        return None
    kind = kinds[0]
    block = findings.block(DATA_BLOCKS[kind], ("data",))
    if "split" in node.value and _has(findings.root, "split"):
        findings.fault(("split",), "`split` is there twice, here and under `data`", "leave one of them out")
    if block is None or split is None:
        return None
    source = str(getattr(block, kind))
    if kind == "python":
        _check_source(findings, ("data", "python"), source, folder)
    else:
        source = str(_data_file(findings, ("data", kind), source, folder))
    inner = getattr(block, "split", split) if "split" in node.value else split
    return DataSpec(kind, source, getattr(block, "target", None), _split(inner))  # type: ignore[arg-type]


def _split(block: object) -> Split:
    return Split(**{key: getattr(block, key) for key in ("validation", "test", "seed", "stratify")})


def _data_file(findings: Findings, path: tuple[str, ...], source: str, folder: Path) -> Path:
    file = folder / Path(source).expanduser()
    try:
        if file.is_dir():
            findings.fault(path, f"a file is needed, but {shown(source)} is a folder")
        elif not file.is_file():
            near = did_you_mean(
                file.name, [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
            )
            hint = near or f"the path is relative to {plain(str(folder))}"
            findings.fault(path, f"there is no file {shown(source)}", hint)
    except (OSError, ValueError) as error:
        findings.fault(path, f"the file {shown(source)} can't be read: {plain(str(error))}")
    return file


def _check_source(findings: Findings, path: tuple[str, ...], source: str, folder: Path) -> None:
    """The module of `module:function` must be there; nothing of it runs here."""
    import importlib.util

    top = source.split(":")[0].split(".")[0]
    beside = (folder / f"{top}.py", folder / top)
    try:
        if any(place.exists() for place in beside) or importlib.util.find_spec(top) is not None:
            return
    except (ImportError, ValueError, OSError):
        return  # what importing it gives is told when it is imported
    near = did_you_mean(top, [entry.stem for entry in folder.glob("*.py")] if folder.is_dir() else [])
    findings.fault(path, f"there is no module {shown(top)}", near or f"put {top}.py into {plain(str(folder))}")


def _model(findings: Findings, folder: Path) -> ModelSpec | None:
    from keras_sweep.space.file_model import DenseBlock, PythonModel

    if not _has(findings.root, "model"):
        return None
    node = findings.root.at("model")
    forms = "`dense`, {dense: {units: 10}} or {python: module:function}"
    if node.value == "dense":
        return ModelSpec("dense", "dense")
    if not isinstance(node.value, dict):
        hint = did_you_mean(node.value, ["dense"]) if isinstance(node.value, str) else None
        findings.fault(("model",), f"must be {forms}, but got {shown(node.plain)}", hint)
        return None
    if "python" in node.value:
        python = findings.block(PythonModel, ("model",))
        return None if python is None else _python_model(findings, str(python.python), node, folder)
    if "dense" not in node.value:
        hint = next((text for key in node.value if (text := did_you_mean(key, ["dense", "python"]))), None)
        findings.fault(("model",), f"must be {forms}, but got {shown(node.plain)}", hint)
        return None
    before = len(findings.faults)
    for key in node.value:
        if key != "dense":
            inside = f"put it inside: {{dense: {{{key}: ...}}}}" if key in DENSE_ARGUMENTS else unknown(key, ["dense"])
            findings.fault(("model", key), "there is no such key here", inside)
    inner = node.value["dense"]
    if inner.value is None:  # `dense:` with nothing below it
        return ModelSpec("dense", "dense") if len(findings.faults) == before else None
    if findings.block(DenseBlock, ("model", "dense")) is None or len(findings.faults) > before:
        return None
    arguments = {key: as_value(value) for key, value in inner.plain.items()}
    for key, value in arguments.items():
        if fault := dense_fault(key, value):
            findings.fault(("model", "dense", key), *fault)
    return ModelSpec("dense", "dense", arguments)


def _python_model(findings: Findings, source: str, node: Node, folder: Path) -> ModelSpec:
    _check_source(findings, ("model", "python"), source, folder)
    arguments = {key: as_value(value) for key, value in node.plain.items() if key != "python"}
    for key in arguments:
        if not key.isidentifier():
            findings.fault(("model", key), f"a model's argument is a Python name, but got {shown(key)}")
    return ModelSpec("python", source, arguments)


def _loss(findings: Findings) -> str | None:
    if not _has(findings.root, "loss"):
        return None
    loss = findings.root.at("loss").plain
    if isinstance(loss, str) and loss in LOSSES:
        return loss
    hint = did_you_mean(loss, LOSSES) if isinstance(loss, str) else None
    findings.fault(("loss",), f"must be a loss of Keras, but got {shown(loss)}", hint or f"one of {listed(LOSSES)}")
    return None


def _metrics(findings: Findings) -> tuple[str, ...] | None:
    if not _has(findings.root, "metrics"):
        return ()
    node = findings.root.at("metrics")
    if not isinstance(node.value, list):
        findings.fault(("metrics",), f"must be a list, but got {shown(node.plain)}", "as in `metrics: [accuracy]`")
        return None
    before = len(findings.faults)
    names: list[str] = []
    for index, metric in enumerate(node.plain):
        if not isinstance(metric, str) or metric not in METRICS:
            hint = did_you_mean(metric, METRICS) if isinstance(metric, str) else None
            findings.fault(
                ("metrics", index),
                f"must be a metric of Keras, but got {shown(metric)}",
                hint or f"one of {listed(METRICS)}",
            )
        elif metric in names:
            findings.fault(("metrics", index), f"the metric `{metric}` is there twice")
        names.append(str(metric))
    return tuple(names) if len(findings.faults) == before else None


def _objective(findings: Findings, metrics: tuple[str, ...] | None) -> Objective | None:
    from keras_sweep.space.file_model import MetricBlock

    if not _has(findings.root, "metric"):
        return None
    hints = dict.fromkeys(("target", "impute", "impute_while_running"), "leave it out")
    block = findings.block(MetricBlock, ("metric",), hints)
    if block is None:
        return None
    name = str(block.name)
    if metrics is None:  # which ones are recorded is not known
        return None
    recorded = ("val_loss", *(f"val_{metric}" for metric in metrics))
    if name not in recorded:
        near = f"did you mean `val_{name}`?" if f"val_{name}" in recorded else did_you_mean(name, recorded)
        if near is None and name.removeprefix("val_") in METRICS:
            near = f"add `{name.removeprefix('val_')}` to `metrics`"
        findings.fault(
            ("metric", "name"), f"must be one that is recorded ({listed(recorded)}), but got {shown(name)}", near
        )
        return None
    natural = Goal.MAXIMIZE if name.removeprefix("val_") in METRICS_TO_MAXIMIZE else Goal.MINIMIZE
    goal = natural if block.goal is None else Goal(block.goal)
    if goal is not natural:
        findings.warn(("metric", "goal"), f"`{name}` is usually {natural.value}d, not {goal.value}d")
    return Objective(name, goal)


def _search(findings: Findings) -> SearchSettings | None:
    from keras_sweep.space.file_model import SearchBlock

    if not _has(findings.root, "search"):
        return SearchSettings()
    block = findings.block(
        SearchBlock, ("search",), {"method": "here it is `sampler`", "run_cap": "here it is `trials`"}
    )
    if block is None:
        return None
    samplers = ENGINES[block.engine]
    sampler = samplers[0] if block.sampler is None else block.sampler
    if sampler not in samplers:
        elsewhere = [engine for engine, names in ENGINES.items() if sampler in names]
        hint = f"`engine: {elsewhere[0]}` has it" if elsewhere else did_you_mean(sampler, samplers)
        findings.fault(
            ("search", "sampler"),
            f"must be one of {listed(samplers)} with {block.engine}, but got {shown(sampler)}",
            hint,
        )
        return None
    return SearchSettings(block.engine, sampler, block.trials, block.seed)


def _early_terminate(findings: Findings) -> EarlyTerminate | None:
    from keras_sweep.space.file_model import EarlyTerminateBlock

    if not _has(findings.root, "early_terminate") or findings.root.at("early_terminate").value is None:
        return None
    path = ("early_terminate",)
    block = findings.block(EarlyTerminateBlock, path, {"strict": "leave it out: poor trials always stop"})
    if block is None:
        return None
    given = block.model_fields_set
    if "max_iter" not in given and "s" not in given:
        return EarlyTerminate(block.type, block.min_iter or 1, block.eta)
    if block.type != "hyperband" or "min_iter" in given or not {"max_iter", "s"} <= given:
        findings.fault(path, "`max_iter` goes with `s` and `type: hyperband`, instead of `min_iter`")
        return None
    # W&B puts s rungs at max_iter / eta, max_iter / eta**2, ...: the same as counting up from the least of them
    least, rest = divmod(block.max_iter, block.eta ** min(block.s, 64))
    if least < 1 or rest:
        findings.fault(
            (*path, "max_iter"),
            f"must be a multiple of eta**s = {shown(block.eta ** min(block.s, 64))}, but got {shown(block.max_iter)}",
            "or give `min_iter`, the epochs before the first rung",
        )
        return None
    return EarlyTerminate("hyperband", least, block.eta)
