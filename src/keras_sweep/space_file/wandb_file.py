"""Convert a W&B sweep file into sections of a space file, and note what a space file does not have.

Source: https://docs.wandb.ai/guides/sweeps/sweep-config-keys. A parameter has the same keys in both files. In W&B a
user's program gives a parameter its meaning. This module guesses the meaning from the parameter's name.
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
from keras_sweep.space_file.sections import DENSE_ARGUMENTS, LOG_UNIFORM, SKIPPED_KEYS, WANDB_METHODS
from keras_sweep.space_file.yaml_tree import parse_yaml

_HIDDEN = ("units", "hidden_units", "hidden_size", "hidden_dim", "hidden_layer_size", "layer_size", "fc_layer_size")
_MEANINGS = dict.fromkeys(_HIDDEN, "model.hidden") | dict.fromkeys(("epoch", "num_epochs", "n_epochs"), "epochs")
_MEANINGS |= {"activation": "model.hidden_activation", "dropout_rate": "model.dropout", "lr": "learning_rate"}
_MEANINGS |= {"opt": "optimizer", "random_seed": "seed", "acc": "accuracy"}
_WHOLE = ("epochs", "batch_size", "seed", "model.hidden")  # parameters of whole numbers
_KEYS = {"search.trials": "run_cap", "search.stop.value": "metric.target"}  # our key -> key of W&B


def read_wandb_file(path: Path, notes: list[str]) -> dict[str, Any]:
    """Convert a W&B sweep file to sections of a space file: name -> content. What is renamed or skipped is appended to
    `notes`. Raises UsageError if it is not a sweep file."""
    plain = read_yaml_file(path)[1].plain
    if not isinstance(plain, dict) or not isinstance(plain.get("parameters"), dict):
        raise UsageError(f"{path} is not a W&B sweep file: it has no map `parameters`")
    search: dict[str, Any] = {"sampler": "tpe", "trials": plain.get("run_cap", 32), "seed": 42}
    sections: dict[str, Any] = {"parameters": _convert_parameters(plain["parameters"], notes), "search": search}
    for key, value in plain.items():
        if key == "method" and str(value) in WANDB_METHODS:
            search["sampler"] = WANDB_METHODS[str(value)]
            if value == "grid" and "run_cap" not in plain:
                blocks = sections["parameters"].values()
                search["trials"] = math.prod(len(block["values"]) for block in blocks if "values" in block)
        elif key == "metric" and isinstance(value, dict) and (name := _find_metric(str(value.get("name")))):
            sections["metric"] = {**value, "name": f"val_{name}"}
            if (target := sections["metric"].pop("target", None)) is not None:
                search["stop"] = {"value": target}
                notes.append("`metric.target` is `search.stop.value` here")
        elif key == "early_terminate" and isinstance(value, dict):
            sections[key] = _convert_early_terminate(value, notes)
        elif key not in ("parameters", "run_cap"):
            why = SKIPPED_KEYS.get(key, "nothing replaces it").format(value=value, sampler="tpe")
            notes.append(f"`sweep` skips `{key}`; {why}")
    return sections


def to_wandb_fault(path: Path, fault: Fault) -> Fault:
    """Return a fault of the converted space file with its key and line in the W&B file `path`."""
    key = _KEYS.get(fault.key, fault.key)
    return replace(fault, key=key, line=read_yaml_file(path)[1].at(*key.split(".")).line)


def _convert_early_terminate(plain: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """Convert W&B's section `early_terminate` to ours. W&B's `max_iter` and `s` give `min_iter`, the first rung. What
    changes is appended to `notes`."""
    section = {name: value for name, value in plain.items() if name not in ("max_iter", "s", "strict")}
    most, eta, brackets = plain.get("max_iter"), plain.get("eta", 3), plain.get("s", 1)
    if all(type(number) is int and 0 < number < 1000 for number in (most, eta, brackets)):
        section.setdefault("min_iter", max(1, most // eta**brackets))
        notes.append(f"`early_terminate.max_iter` and `s` are `min_iter: {section['min_iter']}` here")
    elif "s" in plain:
        notes.append("`sweep` skips `early_terminate.s`; use `min_iter` and `eta`")
    if "strict" in plain:
        notes.append("`sweep` skips `early_terminate.strict`; poor trials always stop")
    return section


def _find_metric(name: str) -> str | None:
    """Return Keras's name of a W&B metric: `accuracy` for `val/acc`; None if Keras does not have the metric."""
    plain = re.sub(r"^((val|valid|validation|epoch|eval|test|dev)[/_.-])+", "", name.lower())
    plain = _MEANINGS.get(plain, plain)
    return plain if plain in (*METRICS, "loss") else None


def _convert_parameters(plain_blocks: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    blocks: dict[str, dict[str, Any]] = {"optimizer": {"value": "adam"}}
    for name_there, value_or_block in _flatten(plain_blocks):
        plain = name_there.lower().replace("-", "_")
        name = _MEANINGS.get(plain, f"model.{plain}" if plain in DENSE_ARGUMENTS else plain)
        if name != name_there:
            notes.append(f"`{name_there}` is `{name}` here")
        block = dict(value_or_block) if isinstance(value_or_block, dict) else {"value": value_or_block}
        if name in _WHOLE:
            block = {key: _to_whole(value) for key, value in block.items()}
        if block.get("distribution") in LOG_UNIFORM and block.pop("q", 1) != 1:
            notes.append(f"`{name_there}` has no `q` here, since its range is logarithmic")
        if name == "learning_rate" and block.get("min") == 0:
            block["min"] = 1e-5
            notes.append(f"`{name_there}` begins at 1e-5 here, since a learning rate of 0 trains nothing")
        blocks[name] = block
    values = blocks["optimizer"].get("values")
    names = [str(value).lower() for value in (values if isinstance(values, list) else blocks["optimizer"].values())]
    known = [name for name in names if name in OPTIMIZERS]
    if known and known != names:
        notes.append(f"Keras has no optimizer {itemize(name for name in names if name not in known)}")
        blocks["optimizer"] = {"values": known}
    for name, block in blocks.items():
        able = [optimizer for optimizer in known if optimizer in list_optimizers_with(name)]
        if able and able != known:
            block["when"] = {"optimizer": able}
    user_blocks = {
        f"{MODEL_PREFIX}{name}": blocks.pop(name) for name in [*blocks] if name.isidentifier() and name not in KINDS
    }
    _remove_faulty(blocks, ModelSpec(), notes)
    _remove_faulty(user_blocks, ModelSpec("python", "model:build"), notes)
    for name, block in user_blocks.items():
        written = dump_block_yaml({name: block}, width=1 << 20, flow=True).strip()[1:-1]
        argument = name.removeprefix(MODEL_PREFIX)
        notes.append(f"`{argument}` needs your own model, {{python: module:function}}, and the parameter `{written}`")
    return blocks


def _remove_faulty(blocks: dict[str, Any], model: ModelSpec, notes: list[str]) -> None:
    faults = Faults(parse_yaml(dump_yaml({"parameters": blocks})))
    read_parameters(faults, model)
    for fault in faults.found:
        for name in [name for name in blocks if f"{fault.key}.".startswith(f"parameters.{name}.")]:
            del blocks[name]
            notes.append(f"`sweep` skips `{name}`: {fault.rule}")


def _to_whole(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_to_whole, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _flatten(blocks: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, block in blocks.items():
        if isinstance(block, dict) and isinstance(block.get("parameters"), dict):
            yield from _flatten(block["parameters"], key)
        else:
            yield above if above and key in ("name", "type") else key, block
