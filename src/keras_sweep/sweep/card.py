"""The card beside an exported model: which trial it is, what it scored, and what it was made with."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError, field_validator

from keras_sweep.data.arrays import each
from keras_sweep.data.search_data import SearchData
from keras_sweep.data.source import image_set
from keras_sweep.errors import RecordError, UsageError
from keras_sweep.files.plain import file_digest, plain_errors, read_plain
from keras_sweep.process.backend import keras_config, versions
from keras_sweep.record.facts import Facts, Refit
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import DataSpec, find_source
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.ranking import seed_scores
from keras_sweep.trial.result import Result

MOST_CARD = 16 * 2**20  # bytes
MAY_LACK = ("weights", "options", "transform", "inputs")  # of what a card says of the source


class CardRows(BaseModel):
    """What is read of a card's `data`."""

    fingerprint: str
    test_fingerprint: str | None = None
    source: DataSpec  # where they are read; a file is named by its path from the folder of the space file

    @field_validator("source")
    @classmethod
    def _with_options(cls, source: DataSpec) -> DataSpec:
        form = find_source(source.kind).options
        return replace(source, options=form and TypeAdapter(form).validate_json(json.dumps(source.options or {})))


class CardRefit(BaseModel):
    """What is read of a card's `refit`."""

    rows: int
    scores: dict[str, float]


class Card(BaseModel):
    """What is read of a card, its types checked: it may be damaged, or somebody else's."""

    sweep: str
    trial: int
    params: dict[str, Any]
    refit: CardRefit | None = None
    model: dict[str, Any]  # its `source` is "module:function" of a user's own
    open: str  # the call that opens the file
    loss: str
    loss_arguments: dict[str, Any] = {}
    metrics: tuple[str, ...]
    metric_arguments: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}  # of several outputs the loss and the metrics of each
    metric: Objective
    runner: str
    data: CardRows
    validation: dict[str, float | None]
    test: dict[str, Any] | None
    keras_config: dict[str, Any] | None = None
    sha256: str = ""  # of the model's file; of a folder there is none


def model_card(
    sweep: RecordedSweep, spec: SweepSpec, training: Result, data: SearchData, *, opening: str, refit: Refit | None
) -> dict[str, Any]:
    """The card of a trial, or finalist, as plain data; `sha256` is added once the model's file is there.

    `data` are the rows of the search, `opening` is the call that opens the model's file.
    """
    recipe, comparison = sweep.results[training.recipe], sweep.comparison
    estimate = comparison.estimate if comparison.best == training.recipe else None
    goals = {one.name: training.goal(one.name) for one in spec.objective.further}
    arguments = {
        "loss_arguments": dict(training_plan(spec, training.params).loss_arguments),
        "metric_arguments": {name: dict(values) for name, values in spec.metric_arguments.items()},
    }
    return {
        "sweep": spec.name,
        "trial": training.recipe,
        "trials": len(sweep.results),
        "params": dict(training.params),
        "seed": training.params.get("seed", spec.search.seed),
        **seeds_record(recipe, spec.search.seed),
        "epoch": training.epoch,
        "refit": refit_record(refit),
        "model": {"source": spec.model.source, "arguments": dict(spec.model.arguments)},
        "open": opening,
        "loss": spec.loss,
        "metrics": list(spec.metrics),
        **{name: values for name, values in arguments.items() if values},
        **({"outputs": {name: asdict(one) for name, one in spec.outputs.items()}} if spec.outputs else {}),
        "metric": {"name": spec.objective.name, "goal": spec.objective.goal.value},
        **({"goals": goals} if goals else {}),
        "engine": training.engine,
        "runner": training.runner,
        "data": data_record(spec, data),
        "validation": validation_record(training),
        "estimate": None if estimate is None else asdict(estimate),
        "test": test_record(sweep.facts, training),
        "versions": versions(),
        "keras_config": keras_config(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def card_text(card: Mapping[str, Any]) -> str:
    """The text of a card's file."""
    return json.dumps(card, indent=2) + "\n"


def data_record(spec: SweepSpec, data: SearchData) -> dict[str, Any]:
    """What a card says of the rows."""
    of, pictures = spec.data, image_set(spec.data)
    absolute = find_source(of.kind).is_path and Path(of.source).is_absolute()
    source = os.path.relpath(of.source, spec.folder) if absolute else of.source
    said = {**asdict(replace(of, source=source)), "options": of.words}
    said["split"] = {key: one for key, one in said["split"].items() if one is not None}
    words = "rows as the source gives them, float32"
    code = {}
    if data.preprocessing:
        from keras_sweep.data.table_preprocessing import inputs_code

        words, code = "raw rows", inputs_code(of, data.preprocessing)
    elif pictures is not None:
        words = f"pixels divided by 255, as float32, flattened to {math.prod(pictures.shape)}"
    return {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "test_fingerprint": data.test_fingerprint,
        "source": {key: one for key, one in said.items() if one or key not in MAY_LACK},
        "train_rows": len(data.train) if data.stream is None else None,
        **({"steps_per_epoch": data.stream.steps} if data.stream else {}),
        "validation_rows": len(data.validation),
        **({"folds": len(data.folds)} if data.folds else {}),
        "test_rows": data.test_rows,
        "input_shape": each(lambda array: list(array.shape[1:]), data.train.x),
        "input": words,
        **code,
        "classes": list(data.class_names) if data.class_names else data.classes,
    }


def validation_record(result: Result) -> dict[str, Any]:
    """What a card says of the validation rows."""
    scores = {name: value for name, value in result.metrics.items() if name.startswith("val_")}
    return {"value": result.value, "stderr": result.stderr, **scores}


def seeds_record(recipe: Result, seed: int) -> dict[str, Any]:
    """What a card says of the recipe over its seeds, of which `seed` is the search's; {} where none decide."""
    scores = seed_scores(recipe) if recipe.final else None
    if scores is None:
        return {}
    values = {str(seed): recipe.value, **{str(one.finalist_seed): one.value for one in recipe.finalists}}
    about = {"count": scores.count, "mean": scores.mean, "stderr": scores.stderr, "unstable": scores.unstable}
    return {"seeds": {**about, "values": values}}


def refit_record(refit: Refit | None) -> dict[str, Any] | None:
    """What a card says of a model that was trained once more, on all rows."""
    if refit is None:
        return None
    of = "the configuration as the search trained it, on other rows than it was scored on; this model has seen them all"
    about = {"rows": refit.rows, "epochs": refit.epochs, "scores": dict(refit.scores)}
    return {**about, "validation_and_estimate_are_of": of}


def is_card_of(card: Mapping[str, Any], training: Result, seed: int) -> bool:
    """Whether a card is of this trial, or finalist; `seed` is the search's."""
    return (card.get("trial"), card.get("seed")) == (training.recipe, training.params.get("seed", seed))


def test_record(facts: Facts, training: Result) -> dict[str, Any] | None:
    """What a card says of the sealed test rows; None where nobody has looked.

    `stderr` is that of the objective's metric, `stderrs` holds that of each score which has a formula.
    """
    test = facts.test_of(training)
    if test is None:
        return None
    errors = {"stderr": test.stderrs.get(facts.metric.removeprefix("val_")), "stderrs": dict(test.stderrs)}
    return {**test.scores, **errors, "rows": test.rows, "looks": facts.test_looks}


def read_card(model: Path) -> tuple[Path, Card, dict[str, Any]]:
    """Where the card beside a model's file stands, what is read of it, and all that it says.

    It is `best.card.json` beside `best.keras`; in a sweep's folder `card.json`.

    Raises UsageError: there is none; RecordError: it can't be read, or is no card.
    """
    path, in_sweep = model.with_name(f"{model.stem}.card.json"), model.with_name("card.json")
    if model.name == "best.keras" and not path.exists() and in_sweep.exists():
        path = in_sweep
    if not path.exists():
        raise UsageError(
            f"there is no card of {model}: {path} is missing", hint="`sweep export` writes both; keep them side by side"
        )
    with plain_errors("read", path):
        text = read_plain(path, MOST_CARD)
    try:
        return path, Card.model_validate_json(text), json.loads(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordError(
            f"{path} is no card of a model: {f'{place}: ' if place else ''}{first['msg'].splitlines()[0]}",
            hint="`sweep export` writes a new one; that of a sweep is written again by the same `sweep run`",
        ) from None


def read_kept_card(folder: SweepFolder, facts: Facts) -> dict[str, Any]:
    """The card of `best.keras`, as the sweep wrote them both; {} where one of them is missing.

    Raises RecordError: one can't be read, the card is not the one of the record's digest, or the model is not its file.
    """
    digest = file_digest(folder.best) if folder.best.exists() else None
    if not (folder.card.exists() or folder.card.is_symlink()):
        return {}
    with plain_errors("read", folder.card):
        text = read_plain(folder.card, MOST_CARD)
    hint = "`sweep run` of its space file writes both again"
    if hashlib.sha256(text).hexdigest() != facts.card:
        raise RecordError(f"the card {folder.card} is not as the sweep wrote it", hint=hint)
    card: dict[str, Any] = json.loads(text)
    if digest not in (None, card["sha256"]):
        raise RecordError(f"{folder.best} is not the file that {folder.card.name} is of", hint=hint)
    return {} if digest is None else card
