"""A W&B sweep file -> sections of a space file, and what has no counterpart here.

Source: https://docs.wandb.ai/guides/sweeps/sweep-config-keys. Parameters have W&B's keys here too, so they are pasted.
There a program gives them their meaning, which here the names tell that such programs usually have.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_sweep.errors import UsageError
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.space.text import listed
from keras_sweep.space_file.faults import Faults
from keras_sweep.space_file.keras_tables import METRICS, OPTIMIZERS, optimizers_with
from keras_sweep.space_file.options import plain_yaml
from keras_sweep.space_file.parameters import parameters
from keras_sweep.space_file.read import file_tree
from keras_sweep.space_file.sections import DENSE_ARGUMENTS, LOG_UNIFORM, PASSED_OVER
from keras_sweep.space_file.yaml_tree import tree_of_text

_HIDDEN = ("units", "hidden_units", "hidden_size", "hidden_dim", "hidden_layer_size", "layer_size", "fc_layer_size")
_MEANINGS = dict.fromkeys(_HIDDEN, "model.hidden") | dict.fromkeys(("epoch", "num_epochs", "n_epochs"), "epochs")
_MEANINGS |= {"activation": "model.hidden_activation", "dropout_rate": "model.dropout", "lr": "learning_rate"}
_MEANINGS |= {"opt": "optimizer", "random_seed": "seed", "acc": "accuracy"}


def with_wandb_file(sections: Mapping[str, Any], path: Path, notes: list[str]) -> dict[str, Any]:
    """Sections with the search of a W&B sweep file; `notes` say what is other here. Raises UsageError: it is none."""
    given = file_tree(path)[1].plain
    if not isinstance(given, dict) or not isinstance(given.get("parameters"), dict):
        raise UsageError(f"{path} is no W&B sweep file: it is no map with a map of `parameters`")
    search: dict[str, Any] = {"sampler": "tpe", "trials": given.get("run_cap", 32), "seed": 42}
    found = {**sections, "parameters": _parameters(given["parameters"], notes), "search": search}
    for key, value in given.items():
        if key == "method" and value in ("grid", "random", "bayes"):
            search["sampler"] = "tpe" if value == "bayes" else value
            if value == "grid" and "run_cap" not in given:
                blocks = found["parameters"].values()
                search["trials"] = math.prod(len(block["values"]) for block in blocks if "values" in block)
        elif key == "metric" and isinstance(value, dict) and (name := _metric(str(value.get("name")))):
            found["metric"] = {**value, "name": f"val_{name}"}
            found["metrics"] = list(dict.fromkeys([*found["metrics"], *({name} - {"loss"})]))
        elif key == "early_terminate" and isinstance(value, dict):
            found[key] = {one: value[one] for one in value if one not in ("max_iter", "s", "strict")}
            most, eta, brackets = value.get("max_iter"), value.get("eta", 3), value.get("s", 1)
            if all(type(number) is int and 0 < number < 1000 for number in (most, eta, brackets)):
                found[key].setdefault("min_iter", max(1, most // eta**brackets))  # where the first bracket ends
        elif key not in ("parameters", "run_cap"):
            why = PASSED_OVER.get(key, "nothing does the like").format(value=value, sampler="tpe")
            notes.append(f"`{key}` has no counterpart here: {why}")
    return found


def _metric(name: str) -> str | None:
    """The metric of Keras that is meant, `accuracy` by `val/acc`, too; None where there is none of the like."""
    plain = re.sub(r"^((val|valid|validation|epoch|eval|test|dev)[/_.-])+", "", name.lower())
    plain = _MEANINGS.get(plain, plain)
    return plain if plain in (*METRICS, "loss") else None


def _parameters(given: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The parameters by their names here, with the optimizers that take each; nested ones are flat."""
    found: dict[str, dict[str, Any]] = {"optimizer": {"value": "adam"}}
    for told, given_block in _flat(given):
        plain = told.lower().replace("-", "_")
        name = _MEANINGS.get(plain, f"model.{plain}" if plain in DENSE_ARGUMENTS else plain)
        if name != told:
            notes.append(f"`{told}` is `{name}` here")
        block = dict(given_block) if isinstance(given_block, dict) else {"value": given_block}
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
        notes.append(f"`optimizer` has no {listed(name for name in names if name not in known)} here")
        found["optimizer"] = {"values": known}
    for name, block in found.items():
        able = [optimizer for optimizer in known if optimizer in optimizers_with(name)]
        if able and able != known:
            block["when"] = {"optimizer": able}
    faults = Faults(tree_of_text(plain_yaml({"parameters": found})))
    parameters(faults, ModelSpec())
    for fault in faults.found:
        for name in [name for name in found if f"{fault.key}.".startswith(f"parameters.{name}.")]:
            del found[name]
            notes.append(f"`{name}` has no counterpart here: {fault.rule}")
    return found


def _flat(given: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, block in given.items():
        if isinstance(block, dict) and isinstance(block.get("parameters"), dict):
            yield from _flat(block["parameters"], key)
        else:
            yield above if above and key in ("name", "type") else key, block
