"""A W&B sweep file -> sections of a space file, and what has no counterpart here.

Source: https://docs.wandb.ai/guides/sweeps/sweep-config-keys. Parameters have W&B's keys here too, so they are pasted.
There a program gives them their meaning, which here the names tell that such programs usually have.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from keras_sweep.errors import Fault, UsageError
from keras_sweep.space.sweep_spec import MODEL_PREFIX, ModelSpec
from keras_sweep.space.text import itemize
from keras_sweep.space_file.faults import Faults
from keras_sweep.space_file.keras_tables import METRICS, OPTIMIZERS, list_optimizers_with
from keras_sweep.space_file.options import dump_block_yaml, dump_yaml
from keras_sweep.space_file.parameters import KINDS, read_parameters
from keras_sweep.space_file.read import read_yaml_file
from keras_sweep.space_file.sections import DENSE_ARGUMENTS, LOG_UNIFORM, PASSED_OVER, WANDB_METHODS
from keras_sweep.space_file.yaml_tree import parse_yaml

_HIDDEN = ("units", "hidden_units", "hidden_size", "hidden_dim", "hidden_layer_size", "layer_size", "fc_layer_size")
_MEANINGS = dict.fromkeys(_HIDDEN, "model.hidden") | dict.fromkeys(("epoch", "num_epochs", "n_epochs"), "epochs")
_MEANINGS |= {"activation": "model.hidden_activation", "dropout_rate": "model.dropout", "lr": "learning_rate"}
_MEANINGS |= {"opt": "optimizer", "random_seed": "seed", "acc": "accuracy"}
# of whole numbers alone
_WHOLE = ("epochs", "batch_size", "seed", "model.hidden")
# keys here -> those of a W&B file
_KEYS = {"search.trials": "run_cap", "search.stop.value": "metric.target"}


def read_wandb_file(path: Path, notes: list[str]) -> dict[str, Any]:
    """The search of a W&B sweep file as sections; `notes` say what is other here. Raises UsageError: it is none."""
    given = read_yaml_file(path)[1].plain
    if not isinstance(given, dict) or not isinstance(given.get("parameters"), dict):
        raise UsageError(f"{path} is no W&B sweep file: it is no map with a map of `parameters`")
    search: dict[str, Any] = {"sampler": "tpe", "trials": given.get("run_cap", 32), "seed": 42}
    found: dict[str, Any] = {"parameters": _parameters(given["parameters"], notes), "search": search}
    for key, value in given.items():
        if key == "method" and str(value) in WANDB_METHODS:
            search["sampler"] = WANDB_METHODS[str(value)]
            if value == "grid" and "run_cap" not in given:
                blocks = found["parameters"].values()
                search["trials"] = math.prod(len(block["values"]) for block in blocks if "values" in block)
        elif key == "metric" and isinstance(value, dict) and (name := _metric(str(value.get("name")))):
            found["metric"] = {**value, "name": f"val_{name}"}
            if (target := found["metric"].pop("target", None)) is not None:
                search["stop"] = {"value": target}
                notes.append("`metric.target` is `search.stop.value` here")
        elif key == "early_terminate" and isinstance(value, dict):
            found[key] = _early_terminate(value, notes)
        elif key not in ("parameters", "run_cap"):
            why = PASSED_OVER.get(key, "nothing does the like").format(value=value, sampler="tpe")
            notes.append(f"`{key}` has no counterpart here: {why}")
    return found


def to_wandb_fault(path: Path, fault: Fault) -> Fault:
    """A fault of a space file as one of the W&B file that the section comes from."""
    key = _KEYS.get(fault.key, fault.key)
    return replace(fault, key=key, line=read_yaml_file(path)[1].at(*key.split(".")).line)


def _early_terminate(given: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The section, with the epoch at which the first bracket ends in place of W&B's number of brackets."""
    found = {name: value for name, value in given.items() if name not in ("max_iter", "s", "strict")}
    most, eta, brackets = given.get("max_iter"), given.get("eta", 3), given.get("s", 1)
    if all(type(number) is int and 0 < number < 1000 for number in (most, eta, brackets)):
        found.setdefault("min_iter", max(1, most // eta**brackets))
        notes.append(f"`early_terminate.max_iter` and `s` are `min_iter: {found['min_iter']}` here")
    elif "s" in given:
        notes.append("`early_terminate.s` has no counterpart here: rungs follow from `min_iter` and `eta`")
    if "strict" in given:
        notes.append("`early_terminate.strict` has no counterpart here: the best of each `eta` go on, and no others")
    return found


def _metric(name: str) -> str | None:
    """The metric of Keras that is meant, `accuracy` by `val/acc`, too; None where there is none of the like."""
    plain = re.sub(r"^((val|valid|validation|epoch|eval|test|dev)[/_.-])+", "", name.lower())
    plain = _MEANINGS.get(plain, plain)
    return plain if plain in (*METRICS, "loss") else None


def _parameters(given: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {"optimizer": {"value": "adam"}}
    for told, given_block in _flat(given):
        plain = told.lower().replace("-", "_")
        name = _MEANINGS.get(plain, f"model.{plain}" if plain in DENSE_ARGUMENTS else plain)
        if name != told:
            notes.append(f"`{told}` is `{name}` here")
        block = dict(given_block) if isinstance(given_block, dict) else {"value": given_block}
        if name in _WHOLE:
            block = {key: _whole(value) for key, value in block.items()}
        if block.get("distribution") in LOG_UNIFORM and block.pop("q", 1) != 1:
            notes.append(f"`{told}` has no steps `q` here, since its range is logarithmic")
        if name == "learning_rate" and block.get("min") == 0:
            block["min"] = 1e-5
            notes.append(f"`{told}` begins at 1e-5 here: a rate of 0 trains nothing")
        found[name] = block
    values = found["optimizer"].get("values")
    names = [str(value).lower() for value in (values if isinstance(values, list) else found["optimizer"].values())]
    known = [name for name in names if name in OPTIMIZERS]
    if known and known != names:
        notes.append(f"`optimizer` has no {itemize(name for name in names if name not in known)} here")
        found["optimizer"] = {"values": known}
    for name, block in found.items():
        able = [optimizer for optimizer in known if optimizer in list_optimizers_with(name)]
        if able and able != known:
            block["when"] = {"optimizer": able}
    own = {f"{MODEL_PREFIX}{name}": found.pop(name) for name in [*found] if name.isidentifier() and name not in KINDS}
    _without_faults(found, ModelSpec(), notes)
    _without_faults(own, ModelSpec("python", "model:build"), notes)
    for name, block in own.items():
        written = dump_block_yaml({name: block}, width=1 << 20, flow=True).strip()[1:-1]
        argument = name.removeprefix(MODEL_PREFIX)
        notes.append(f"`{argument}` is for a model of yours, {{python: module:function}}: `{written}`")
    return found


def _without_faults(blocks: dict[str, Any], model: ModelSpec, notes: list[str]) -> None:
    faults = Faults(parse_yaml(dump_yaml({"parameters": blocks})))
    read_parameters(faults, model)
    for fault in faults.found:
        for name in [name for name in blocks if f"{fault.key}.".startswith(f"parameters.{name}.")]:
            del blocks[name]
            notes.append(f"`{name}` has no counterpart here: {fault.rule}")


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_whole, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _flat(given: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, block in given.items():
        if isinstance(block, dict) and isinstance(block.get("parameters"), dict):
            yield from _flat(block["parameters"], key)
        else:
            yield above if above and key in ("name", "type") else key, block
