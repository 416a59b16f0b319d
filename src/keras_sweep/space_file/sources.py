"""Read and check `data`, `split` and `model` of a space file."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from keras_sweep.data.source import DATA_NAMES
from keras_sweep.process.user_code import FUNCTION_HINT, is_standard_module
from keras_sweep.process.user_objects import ARRAYS, display_name, is_object_name
from keras_sweep.search.engines import find_sampler
from keras_sweep.space.data_spec import NO_DATA, SOURCES, DataSpec, Split
from keras_sweep.space.distributions import Value, to_value
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec, SearchSettings
from keras_sweep.space.text import did_you_mean, escape, join, quote
from keras_sweep.space.variants import DATA_PREFIX, get_data_space
from keras_sweep.space_file.faults import (
    ARGUMENT_KEYS,
    MODULE_FUNCTION,
    UNKNOWN_KEY,
    Faults,
    Place,
    get_fields,
    hint_at_function,
    hint_at_map,
    hint_at_python,
)
from keras_sweep.space_file.keras_tables import Kind, make_kind
from keras_sweep.space_file.ranges import parse_value
from keras_sweep.space_file.sections import DENSE_ARGUMENTS, DataName, DenseSection, OwnFunction, make_data_section

MODELS = "`dense`, {dense: {units: 10}} or {python: module:function}"
DATA_NAME = make_kind(DataName)
MOST_VARIANTS = 64  # of the data: combinations of `data.*` values


def read_data(faults: Faults) -> DataSpec | None:
    """Read `data` and `split`. Return None if `data` is missing; if there are faults, add them and return None."""
    split = faults.read_section(Split, ("split",))
    if not faults.has("data"):
        return NO_DATA if faults.has("objective") else None
    node = faults.root.at("data")
    if isinstance(node.value, str):
        known = faults.check_value(DATA_NAME, ("data",), node.value)
        return DataSpec("named", node.value, split=split) if known and split else None
    keys = node.value if isinstance(node.value, dict) else {}
    kinds = [key for key in keys if key in SOURCES]
    if len(kinds) != 1:
        forms = f"must be a name ({join(DATA_NAMES)}), or a map with one of {join(SOURCES)}"
        what = f"must have only one of {join(kinds)}" if kinds else forms
        near = (
            None
            if kinds
            else hint_at_python(node.plain)
            or next((near for key in keys if (near := did_you_mean(key, SOURCES))), None)
        )
        faults.add(("data",), f"{what}, but got {quote(node.plain)}", near)
        return None
    kind = kinds[0]
    source, text = SOURCES.find(kind), keys[kind].value
    section = faults.read_section(make_data_section(kind), ("data",), {"split": "put it at the top of the file"})
    if source.is_path and isinstance(text, str) and text:
        text = str(_find_data_path(faults, ("data", kind), text, str(source.names)))
    if section is None or split is None:
        return None
    options, parameters = source.options, faults.root.at("parameters")
    for key in get_fields(options).keys() & {*source.needs} - {*keys} if options else ():
        if faults.root.at("parameters", f"{DATA_PREFIX}{key}") is parameters:
            faults.add(("data", key), f"`{key}` is missing", get_fields(options)[key].description)
    if source.names == "function":
        check_source(faults, ("data", kind), str(text))
    values = {name: getattr(section, name) for name in get_fields(options)} if options else {}
    source_options = options and options(**{name: value for name, value in values.items() if value is not None})
    target, weights = (getattr(section, name, None) for name in ("target", "weights"))
    column, transform = (target, None) if isinstance(target, str | None) else (target.column, target.transform)
    return DataSpec(kind, str(text), column, split, weights, source_options, transform)


def _find_data_path(faults: Faults, path: Place, source: str, what: str) -> Path:
    folder = faults.folder
    file = folder / source
    try:
        file = folder / Path(source).expanduser()
        if not (file.is_dir() if what == "folder" else file.is_file()):
            near = did_you_mean(file.name, [entry.name for entry in file.parent.glob("*")])
            hint = near or f"write the path relative to {escape(str(folder))}"
            faults.add(path, f"there is no {what} {quote(source)}", hint)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: an unknown user after `~`
        faults.add(path, f"the file {quote(source)} can't be read: {escape(str(error))}")
    return file


def list_data_parameters(faults: Faults) -> Mapping[str, Kind] | None:
    """Return the data source's possible parameters: "data.window" -> validator of its values; {} for arrays. Return
    None if the source is a function, which may accept any name."""
    section = faults.root.at("data").plain
    kind = next((key for key in section if key in SOURCES), None) if isinstance(section, dict) else None
    source = SOURCES.find(kind) if kind else None
    if source and source.names == "function":
        return {} if display_name(str(section[kind])) == ARRAYS else None
    fields = get_fields(source.options) if source and source.options else {}
    return {f"{DATA_PREFIX}{name}": make_kind(Annotated[info.annotation, info]) for name, info in fields.items()}


def check_variants(faults: Faults, space: SearchSpace | None, search: SearchSettings | None, *, rungs: bool) -> None:
    """Report too many combinations of `data.*` values: more than `MOST_VARIANTS`. With Hyperband or `early_terminate`
    (`rungs`) more than 1 are too many, since both compare trials on the same data."""
    count = 1 if space is None else get_data_space(space).size
    if space is not None and count > MOST_VARIANTS:
        many = f"{count:,.0f}".replace("inf", "infinitely many")
        each = [
            f"`{parameter.name}` has {parameter.distribution.size:,}" for parameter in get_data_space(space).parameters
        ]
        rule = f"`data.*` must give at most {MOST_VARIANTS} variants of the data, but got {many} ({', '.join(each)})"
        faults.add(("parameters",), rule, "list a few `values`")
    rule = "compares trials while they train, but trials with different `data.*` do not train together"
    hyperband = search is not None and find_sampler(search).sets_epochs
    for path, given in ((("early_terminate",), rungs), (("search", "sampler"), hyperband)):
        if count > 1 and given:
            faults.add(path, rule, "leave it out, or give all trials the same data")


def check_split(faults: Faults) -> None:
    """Report keys of `split` that contradict `groups`, `time` or `folds`."""
    split = faults.root.plain.get("split")
    if not isinstance(split, dict):
        return
    ways = [name for name in ("time", "groups", "stratify") if split.get(name) not in (None, False)]
    if len(ways) > 1:
        rule = f"can't be used with `{ways[0]}`: each decides where a row goes"
        faults.add(("split", ways[-1]), rule, f"leave out `{ways[0]}` or `{ways[-1]}`")
    if type(folds := split.get("folds")) is not int or folds < 1:
        return
    if split.get("time") is not None:
        rule = "can't be used with `folds`: models that trained on later rows would also score a fold"
        faults.add(("split", "time"), rule, "leave out `time` or `folds`")
    if folds == 1:
        faults.add(("split", "folds"), "must be 0 (no folds) or at least 2, but got 1")
    if "validation" in split:
        rule = "can't be used with `folds`: every row is a validation row of some fold"
        faults.add(("split", "validation"), rule, "leave out `validation` or `folds`")
    finish = faults.root.plain.get("finish")
    if isinstance(finish, dict) and finish.get("refit") is False:
        faults.add(("finish", "refit"), "must be true with `folds`, but got false", "leave it out")


def read_model(faults: Faults) -> ModelSpec | None:
    """Read `model`, or the `objective` in its place. Return None if it is missing or has faults, which are added. A
    faulty dense model is returned."""
    if faults.has("objective"):
        function = read_function(faults, OwnFunction, ("objective",))
        return function and ModelSpec("function", *function)
    if not faults.has("model"):
        return None
    node = faults.root.at("model")
    if node.value == "dense":
        return ModelSpec()
    if isinstance(node.value, dict) and "python" in node.value:
        function = read_function(faults, OwnFunction, ("model",))
        return function and ModelSpec("python", *function)
    if not isinstance(node.value, dict) or "dense" not in node.value:
        hint = hint_at_python(node.plain) or hint_at_map(node.value) or did_you_mean(node.value, ["dense", "python"])
        faults.add(("model",), f"must be {MODELS}, but got {quote(node.plain)}", hint)
        return None
    for key in node.value:
        if key != "dense":
            inside = f"write {{dense: {{{key}: ...}}}}" if key in DENSE_ARGUMENTS else "write only {dense: ...}"
            faults.add(("model", key), UNKNOWN_KEY, inside)
    inner = node.value["dense"]
    if inner.value is None:  # `dense:` with nothing below it
        return ModelSpec()
    # A section with faults is still a dense model, so its arguments are known.
    given = inner.plain if faults.read_section(DenseSection, ("model", "dense")) is not None else {}
    arguments = {key: parse_value(f"model.{key}", given[key]) for key in DENSE_ARGUMENTS if key in given}
    return ModelSpec(arguments=arguments)


def read_function(faults: Faults, form: type[OwnFunction], path: Place) -> tuple[str, dict[str, Value]] | None:
    """Read a section of the class `form`. Return ("module:function", arguments), or add faults and return None."""
    before, given = len(faults.found), faults.root.at(*path).plain
    nested = [key for key in ARGUMENT_KEYS if isinstance(given, dict) and isinstance(given.get(key), dict)]
    for key in nested:
        example = ", ".join(f"{name}: ..." for name in given[key])
        faults.add((*path, key), UNKNOWN_KEY, f"write {{python: ..., {example}}}: arguments are beside `python`")
    if nested:
        return None
    section = faults.read_section(form, path)
    arguments = (section and section.model_extra) or {}
    for key in arguments:
        if not key.isidentifier():
            faults.add((*path, key), f"an argument must be a Python name, but got {quote(key)}")
    if section is None or len(faults.found) > before:
        return None
    check_source(faults, (*path, "python"), section.python)
    return section.python, {key: to_value(value) for key, value in arguments.items()}


def check_source(faults: Faults, path: Place, source: str) -> None:
    """Report a fault if the module of `source` ("module:function") is missing or is Python's own. Import nothing."""
    if is_object_name(source):
        return  # a missing object is reported when it is used
    folder, module_name = faults.folder, source.split(":")[0]
    if module_name.endswith(".py") and not (folder / module_name.removesuffix(".py")).is_dir():
        faults.add(path, f"must be {MODULE_FUNCTION}, but got {quote(source)}", hint_at_function(source))
        return
    top = module_name.split(".")[0]
    if is_standard_module(module_name, folder):
        rule = f"must name your own function, but {quote(module_name)} is a module of Python"
        faults.add(path, rule, FUNCTION_HINT[0].lower() + FUNCTION_HINT[1:])
        return
    beside = (folder / f"{top}.py", folder / top)
    try:
        if any(place.exists() for place in beside) or importlib.util.find_spec(top) is not None:
            return
    except (ImportError, ValueError, OSError):
        return  # its import will report the error
    near = did_you_mean(top, [entry.stem for entry in folder.glob("*.py")] if folder.is_dir() else [])
    faults.add(path, f"there is no module {quote(top)}", near or f"put {top}.py into {escape(str(folder))}")
