"""A W&B sweep file -> sections of a space file, and what has no counterpart here.

Source: https://docs.wandb.ai/guides/sweeps/sweep-config-keys. Parameters have W&B's keys here too, so they are pasted.
There a program gives them their meaning, which here the names tell that such programs usually have.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_sweep.errors import Fault, SpaceFileError
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.space.text import escaped, listed, quoted
from keras_sweep.space_file.faults import Faults
from keras_sweep.space_file.keras_tables import METRICS, OPTIMIZERS, optimizers_with
from keras_sweep.space_file.options import plain_yaml
from keras_sweep.space_file.parameters import parameters
from keras_sweep.space_file.read import file_tree
from keras_sweep.space_file.sections import DENSE_ARGUMENTS, LOG_UNIFORM, PASSED_OVER
from keras_sweep.space_file.yaml_tree import tree_of_text

_HIDDEN = "units hidden_units num_units hidden_size hidden_dim hidden_layer_size layer_size fc_layer_size dense_units"
_MEANINGS = {
    **dict.fromkeys(_HIDDEN.split(), "model.hidden"),
    **dict.fromkeys(("activation", "act"), "model.hidden_activation"),
    **dict.fromkeys(("epoch", "num_epochs", "n_epochs", "max_epochs"), "epochs"),
    **dict.fromkeys(("random_seed", "random_state"), "seed"),
    **dict.fromkeys(("opt", "optim"), "optimizer"),
    "lr": "learning_rate",
    "bs": "batch_size",
    "wd": "weight_decay",
    "beta1": "beta_1",
    "beta2": "beta_2",
    "dropout_rate": "model.dropout",
    "acc": "accuracy",
    "rmse": "root_mean_squared_error",
}
_ROWS = ("val", "valid", "validation", "epoch", "eval", "test", "dev")  # before a metric's name: whose it is


def read_wandb_file(path: Path) -> tuple[dict[str, Any], list[str]]:
    """(sections, what its reader should know). Raises SpaceFileError where it is no such file."""
    _, root = file_tree(path)
    given = root.plain
    notes: list[str] = []
    if not isinstance(given, dict) or not isinstance(given.get("parameters"), dict):
        rule = f"a W&B sweep file is a map with `parameters`, but got {quoted(given)}"
        raise SpaceFileError(escaped(str(path)), [Fault(rule, line=root.line)])
    sections: dict[str, Any] = {"parameters": _parameters(given["parameters"], notes), "search": {}}
    for key, value in given.items():
        if key == "method":
            sections["search"]["sampler"] = value if value in ("grid", "random") else "tpe"
        elif key == "run_cap":
            sections["search"]["trials"] = value
        elif key == "metric" and isinstance(value, dict) and (name := _metric(str(value.get("name")))):
            sections[key] = {**value, "name": name}
        elif key == "early_terminate" and isinstance(value, dict):
            most, eta, brackets = value.get("max_iter"), value.get("eta", 3), value.get("s", 1)
            whole = all(type(number) is int and 0 < number < 1000 for number in (most, eta, brackets))
            first = {"min_iter": max(1, most // eta**brackets)} if whole else {}  # where the first bracket ends
            kept = {one: value[one] for one in ("type", "min_iter", "eta") if one in value}
            sections[key] = first | kept
        elif key != "parameters":
            why = PASSED_OVER.get(key, "nothing does the like").format(value=value, sampler="tpe")
            notes.append(f"`{key}` has no counterpart here: {why}")
    return sections, notes


def _metric(name: str) -> str | None:
    """The recorded metric that is meant, `val_accuracy` by `val/acc`; None where Keras records none of the like."""
    words = name.lower().replace("/", "_").replace("-", "_").replace(".", "_").split("_")
    while words[0] in _ROWS and len(words) > 1:
        words = words[1:]
    plain = _MEANINGS.get("_".join(words), "_".join(words))
    return f"val_{plain}" if plain in (*METRICS, "loss") else None


def _parameters(given: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The parameters by their names here, with the optimizers that take each; nested ones are flat."""
    found: dict[str, dict[str, Any]] = {"optimizer": {"value": "adam"}}
    for path, given_block in _flat(given, ()):
        last = path[-2] if len(path) > 1 and path[-1] in ("name", "type") else path[-1]  # `optimizer.name`
        plain, told = last.lower().replace("-", "_"), f"`{'.'.join(path)}`"
        name = _MEANINGS.get(plain, f"model.{plain}" if plain in DENSE_ARGUMENTS else plain)
        if name != path[-1]:
            notes.append(f"{told} is `{name}` here")
        block = dict(given_block) if isinstance(given_block, dict) else {"value": given_block}
        if block.get("distribution") in LOG_UNIFORM and block.pop("q", 1) != 1:
            notes.append(f"{told} has no steps `q` here, since its range is logarithmic")
        if name == "learning_rate" and block.get("min") == 0:
            block["min"] = 1e-5
            notes.append(f"{told} begins at 1e-5 here: a rate of 0 trains nothing")
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


def _flat(given: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, block in given.items():
        if isinstance(block, dict) and isinstance(block.get("parameters"), dict):
            yield from _flat(block["parameters"], (*above, str(key)))
        else:
            yield (*above, str(key)), block
