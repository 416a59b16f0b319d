"""Build and read model cards. A card is the JSON file beside an exported model: trial, scores, data, versions."""

import hashlib
import json
import math
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
from keras_sweep.process.backend import get_versions, keras_config
from keras_sweep.record.facts import Facts, Refit
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import DataSpec, find_source
from keras_sweep.space.search_space import Objective
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.system.disk import relative_path
from keras_sweep.trial.plan import training_plan
from keras_sweep.trial.ranking import seed_scores
from keras_sweep.trial.result import Result

MOST_CARD = 16 * 2**20  # bytes
MAY_LACK = ("weights", "options", "transform", "inputs")  # keys of `data.source`; left out if empty


class CardRows(BaseModel):
    fingerprint: str
    test_fingerprint: str | None = None
    source: DataSpec  # a path is relative to the folder of the space file

    @field_validator("source")
    @classmethod
    def _with_options(cls, source: DataSpec) -> DataSpec:
        form = find_source(source.kind).options
        return replace(source, options=form and TypeAdapter(form).validate_json(json.dumps(source.options or {})))


class CardRefit(BaseModel):
    rows: int
    scores: dict[str, float]


class Card(BaseModel):
    """The keys of a model card that this package reads. Pydantic checks them: the file may be damaged or forged."""

    sweep: str
    trial: int
    params: dict[str, Any]
    refit: CardRefit | None = None
    first_seed: dict[str, float] = {}  # validation scores of the model in the file, if trials have several seeds
    model: dict[str, Any]  # source: "module:function" for a user's model
    open: str  # Python call that opens the model's file
    loss: str
    loss_arguments: dict[str, Any] = {}
    metrics: tuple[str, ...]
    metric_arguments: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}  # output -> loss and metrics; {} for a single output
    metric: Objective
    runner: str
    data: CardRows
    validation: dict[str, float | None]
    test: dict[str, Any] | None
    keras_config: dict[str, Any] | None = None
    sha256: str = ""  # of the model's file; "" for a folder


def build_card(
    sweep: RecordedSweep, spec: SweepSpec, training: Result, data: SearchData, *, opening: str, refit: Refit | None
) -> dict[str, Any]:
    """Return the card of `training`, a trial or finalist, as a dict for JSON. The key `sha256` is still missing.

    `data` holds the rows of the search. `opening` is the Python call that opens the model's file. `refit` describes the
    training on all rows, or is None if the file has the model of the search. Once the model's file is written, the
    caller adds `sha256`, the digest of the file.
    """
    arguments = {
        "loss_arguments": dict(training_plan(spec, training.params).loss_arguments),
        "metric_arguments": {name: dict(values) for name, values in spec.metric_arguments.items()},
    }
    return {
        "sweep": spec.name,
        **training_record(sweep, training, refit),
        "epoch": training.epoch,
        "model": {"source": spec.model.source, "arguments": dict(spec.model.arguments)},
        "open": opening,
        "loss": spec.loss,
        "metrics": list(spec.metrics),
        **{name: values for name, values in arguments.items() if values},
        **({"outputs": {name: asdict(output) for name, output in spec.outputs.items()}} if spec.outputs else {}),
        "metric": {"name": spec.objective.name, "goal": spec.objective.goal.value},
        "engine": training.engine,
        "runner": training.runner,
        "data": data_record(spec, data),
        "versions": get_versions(),
        "keras_config": keras_config(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def training_record(sweep: RecordedSweep, training: Result, refit: Refit | None) -> dict[str, Any]:
    """Return the keys of the card of `training` whose values are in the sweep's record, with `refit` as its refit."""
    comparison, seed = sweep.comparison, sweep.facts.seed
    estimate = comparison.estimate if comparison.best == training.recipe else None
    goals = {goal.name: training.goal(goal.name) for goal in sweep.objective.further}
    return {
        "trial": training.recipe,
        "params": dict(training.params),
        "seed": training.params.get("seed", seed),
        "validation": validation_record(training),
        **({"goals": goals} if goals else {}),
        "refit": refit_record(refit),
        "test": test_record(sweep.facts, training),
        **seeds_record(sweep.results[training.recipe], seed),
        "trials": len(sweep.results),
        "estimate": None if estimate is None else asdict(estimate),
    }


def card_text(card: Mapping[str, Any]) -> str:
    return json.dumps(card, indent=2) + "\n"


def data_record(spec: SweepSpec, data: SearchData) -> dict[str, Any]:
    """Return the `data` of a card: the source of the rows, their fingerprints and counts, and the model's input."""
    data_spec, pictures = spec.data, image_set(spec.data)
    absolute = find_source(data_spec.kind).is_path and Path(data_spec.source).is_absolute()
    source = relative_path(Path(data_spec.source), spec.folder) if absolute else data_spec.source
    source_record = {**asdict(replace(data_spec, source=source)), "options": data_spec.words}
    source_record["split"] = {key: value for key, value in source_record["split"].items() if value is not None}
    words = "rows as the source gives them, float32"
    code = {}
    if data.preprocessing:
        from keras_sweep.data.table_preprocessing import inputs_code

        words, code = "raw rows", inputs_code(data_spec, data.preprocessing)
    elif pictures is not None:
        words = f"pixels divided by 255, as float32, flattened to {math.prod(pictures.shape)}"
    return {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "test_fingerprint": data.test_fingerprint,
        "source": {key: value for key, value in source_record.items() if value or key not in MAY_LACK},
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
    """Return the `validation` of a card: the value that ranks the trial, its standard error and every `val_` score."""
    scores = {name: value for name, value in result.metrics.items() if name.startswith("val_")}
    return {"value": result.value, "stderr": result.stderr, **scores}


def seeds_record(trial: Result, seed: int) -> dict[str, Any]:
    """Return {"seeds": the objective's mean, standard error and value by seed}, or {} if finalists do not decide.
    `seed` is the seed of the search, which trained `trial`."""
    scores = seed_scores(trial) if trial.final else None
    if scores is None:
        return {}
    values = {str(seed): trial.value, **{str(finalist.finalist_seed): finalist.value for finalist in trial.finalists}}
    summary = {"count": scores.count, "mean": scores.mean, "stderr": scores.stderr, "unstable": scores.unstable}
    return {"seeds": {**summary, "values": values}}


def refit_record(refit: Refit | None) -> dict[str, Any] | None:
    """Return the `refit` of a card, which describes the training on all rows. Without a refit return None."""
    if refit is None:
        return None
    scope = (
        "the configuration as the search trained it, on other rows than it was scored on; this model has seen them all"
    )
    record = {"rows": refit.rows, "epochs": refit.epochs, "scores": dict(refit.scores)}
    return {**record, "validation_and_estimate_are_of": scope}


def is_card_of(card: Mapping[str, Any], training: Result, seed: int) -> bool:
    """Check whether a card describes a trial or finalist. `seed`: the search's, for a trial without its own seed."""
    return (card.get("trial"), card.get("seed")) == (training.recipe, training.params.get("seed", seed))


def test_record(facts: Facts, training: Result) -> dict[str, Any] | None:
    """Return the `test` of a card: scores on the sealed test rows, or None if `training` was not evaluated on them.

    `facts` has the attributes of the sweep's record. The key `stderr` is the standard error of the objective's metric.
    The key `stderrs` maps names of metrics to standard errors, without metrics whose standard error is unknown.
    """
    if (test := facts.test_of(training)) is None:
        return None
    errors = {"stderr": test.stderrs.get(facts.metric.removeprefix("val_")), "stderrs": dict(test.stderrs)}
    return {**test.scores, **errors, "rows": test.rows, "looks": facts.test_looks}


def read_card(model: Path) -> tuple[Path, Card, dict[str, Any]]:
    """Read the card beside a model: `a.card.json` beside `a.keras`, or `card.json` beside a sweep's `best.keras`.

    Return (path of the card, the checked keys, all keys as plain data). Raises UsageError if the card is missing,
    RecordError if the card can't be read or the file is not a card.
    """
    path, in_sweep = model.with_name(f"{model.stem}.card.json"), model.with_name("card.json")
    if model.name == "best.keras" and not path.exists() and in_sweep.exists():
        path = in_sweep
    if not path.exists():
        hint = "Keep the card beside the model. `sweep export` writes both"
        raise UsageError(f"the model {model} has no card: {path} is missing", hint=hint)
    with plain_errors("read", path):
        text = read_plain(path, MOST_CARD)
    try:
        return path, Card.model_validate_json(text), json.loads(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordError(
            f"{path} is not a model card: {f'{place}: ' if place else ''}{first['msg'].splitlines()[0]}",
            hint="`sweep export` writes a new card. `sweep run` writes the card of `best.keras` again",
        ) from None


def read_kept_card(folder: SweepFolder, facts: Facts) -> dict[str, Any]:
    """Return the card that the sweep wrote for `best.keras`. If the card or the model is missing, return {}. Raises
    RecordError if a file can't be read, or differs from what the sweep wrote."""
    digest = file_digest(folder.best) if folder.best.exists() else None
    if not (folder.card.exists() or folder.card.is_symlink()):
        return {}
    with plain_errors("read", folder.card):
        text = read_plain(folder.card, MOST_CARD)
    hint = "`sweep run` with the space file writes the model and its card again"
    if hashlib.sha256(text).hexdigest() != facts.card:
        raise RecordError(f"the card {folder.card} was changed after the sweep wrote it", hint=hint)
    card: dict[str, Any] = json.loads(text)
    if digest not in (None, card["sha256"]):
        raise RecordError(f"{folder.best} is not the model that {folder.card.name} describes", hint=hint)
    return {} if digest is None else card
