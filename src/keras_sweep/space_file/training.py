"""`training`: what `fit` does beside the optimizer, by Keras's names."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import PositiveFloat

from keras_sweep.space.sweep_spec import TRAINING_PREFIX, WATCHING, Training, UserCallback
from keras_sweep.space.text import did_you_mean, joined, quoted
from keras_sweep.space_file.faults import Faults, Rule, fields_of
from keras_sweep.space_file.keras_tables import Kind, is_maximized, kind_of
from keras_sweep.space_file.sections import PythonData
from keras_sweep.space_file.sources import check_source

CLASS_WEIGHT = kind_of(
    Annotated[
        Literal["balanced"] | dict[int | str, PositiveFloat] | None,
        Rule("`balanced`, or a map of classes to numbers above 0, as in {0: 1, 1: 5}"),
    ]
)
CALLBACKS = kind_of(
    Annotated[list[PythonData], Rule("a list of functions of yours, as in [{python: my_callbacks:early}]")]
)
# callbacks of Keras, and what else may be looked for here -> what serves
OF_KERAS: Mapping[str, str] = {
    "EarlyStopping": "`training: {early_stopping: {patience: 3}}`",
    "ReduceLROnPlateau": "`training: {reduce_lr_on_plateau: {patience: 3}}`",
    "LearningRateScheduler": "`parameters: {schedule: cosine, warmup: 0.1}`",
    "ModelCheckpoint": "`epochs: {max: 20, take: best}` keeps each trial's best epoch",
    "TerminateOnNaN": "a trial that diverges ends by itself",
    "CSVLogger": "every curve is in the record: `sweep show` has it",
    "TensorBoard": "`sweep report` draws every curve",
    "SwapEMAWeights": "`use_ema: true` as a parameter does it",
    **dict.fromkeys(("schedule", "warmup"), "it is a parameter: put it under `parameters`"),
}
# what may be a parameter -> its values
ARGUMENTS: Mapping[str, Kind] = {
    f"{TRAINING_PREFIX}{section}.{name}": kind_of(Annotated[field.annotation, field])
    for section, form in WATCHING.items()
    for name, field in fields_of(form).items()
    if name not in ("monitor", "mode")
} | {f"{TRAINING_PREFIX}class_weight": kind_of(Annotated[Literal["balanced"] | None, Rule("`balanced` or null")])}


def training_of(faults: Faults, metrics: tuple[str, ...] | None, folder: Path) -> Training | None:
    """What `training` says; None with its faults noted. `metrics` are None where it is not known which are recorded."""
    before, given = len(faults.found), faults.root.plain.get("training", {})
    section = faults.section(Training, ("training",), OF_KERAS, apart=(*WATCHING, "class_weight", "callbacks"))
    if section is None:
        return None
    parts: dict[str, Any] = {
        name: _watching(faults, form, name, metrics) for name, form in WATCHING.items() if given.get(name) is not None
    }
    parts["class_weight"], callbacks = given.get("class_weight"), given.get("callbacks", [])
    faults.fits(CLASS_WEIGHT, ("training", "class_weight"), parts["class_weight"])
    if _no_keras_callback(faults, callbacks) and faults.fits(CALLBACKS, ("training", "callbacks"), callbacks):
        for index, each in enumerate(callbacks):
            check_source(faults, ("training", "callbacks", index, "python"), each["python"], folder)
        parts["callbacks"] = tuple(UserCallback(each["python"]) for each in callbacks)
    return replace(section, **parts) if len(faults.found) == before else None


def _watching(faults: Faults, form: Any, name: str, metrics: tuple[str, ...] | None) -> Any:
    """A section that watches a metric, which knows now whether more of it is better."""
    section = faults.section(form, ("training", name))
    if section is None:
        return None
    recorded = [each for one in ("loss", *(metrics or ())) for each in (one, f"val_{one}")]
    if metrics is not None and section.monitor not in recorded:
        rule = f"must be one that is recorded ({joined(recorded)}), but got {quoted(section.monitor)}"
        faults.fault(("training", name, "monitor"), rule, did_you_mean(section.monitor, recorded))
        return None
    maximized = is_maximized(section.monitor)
    if section.mode == "auto" and maximized is None:
        rule = f"must be `min` or `max` where {quoted(section.monitor)} is of yours"
        faults.fault(("training", name, "mode"), rule)
        return None
    return replace(section, mode="max" if maximized else "min") if section.mode == "auto" else section


def _no_keras_callback(faults: Faults, callbacks: Any) -> bool:
    """Whether no callback has a name of Keras's; each that has one is told what serves."""
    before = len(faults.found)
    for index, each in enumerate(callbacks if isinstance(callbacks, list) else ()):
        names = [each] if isinstance(each, str) else list(each) if isinstance(each, dict) else []
        for name in names:
            known = OF_KERAS.get(str(name).rpartition(".")[2].partition("(")[0])
            if known is not None:
                faults.fault(("training", "callbacks", index), f"{quoted(name)} is a callback of Keras's", known)
    return len(faults.found) == before
