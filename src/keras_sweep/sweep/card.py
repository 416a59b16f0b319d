"""The card beside an exported model: which trial it is, what it scored, and what it was made with."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from keras_sweep import __version__
from keras_sweep.data.names import image_set
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import RecordError, UsageError
from keras_sweep.files.atomic import replacing_path
from keras_sweep.files.model_file import check_keras_file, file_digest
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.files.plain_file import open_plain, read_plain
from keras_sweep.models.model_as_file import PLAIN
from keras_sweep.process.keras_config import keras_config
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal
from keras_sweep.space.sweep_spec import Split, SweepSpec
from keras_sweep.sweep.comparison import comparison_of
from keras_sweep.sweep.evaluate import TestScores, known_scores, looks_at_test
from keras_sweep.trial.comparison import Estimate
from keras_sweep.trial.finalists import seed_scores
from keras_sweep.trial.refit import Refit
from keras_sweep.trial.result import Result

PACKAGES = ("keras", "tensorflow", "torch", "jax", "optuna", "keras-tuner", "numpy", "scikit-learn")


def versions() -> dict[str, str]:
    """The versions of Python, this package and the packages that move numbers; those not installed are left out."""
    found = {"python": platform.python_version(), "keras-sweep": __version__}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def model_card(
    spec: SweepSpec,
    result: Result,
    data: SearchData,
    *,
    trials: int,
    test: TestScores | None,
    looks: int,
    opening: str = PLAIN,
    estimate: Estimate | None = None,
    recipe: Result | None = None,
    refit: Refit | None = None,
) -> dict[str, Any]:
    """The card as plain data for JSON.

    Args:
        spec: the sweep.
        result: the exported trial, or finalist.
        data: what it was trained on.
        trials: of how many trials it is one.
        test: the evaluation on the sealed test rows, if there was one.
        looks: how often the sweep has looked at the test rows.
        opening: the call that opens the model's file.
        estimate: what the winner is likely to score on new rows; of another trial there is none.
        recipe: the trial of the search whose recipe it is, where that was trained with other seeds, too.
        refit: how the exported model was trained once more, on all rows; None: it is the trial's own.
    """
    seeds = seeds_record(recipe, spec.search.seed) if recipe is not None else None
    return {
        "sweep": spec.name,
        "trial": result.recipe,
        "trials": trials,
        "params": dict(result.params),
        "seed": result.params.get("seed", spec.search.seed),
        **({} if seeds is None else {"seeds": seeds}),
        "epoch": result.epoch,
        "refit": refit_record(refit),
        "model": {"source": spec.model.source, "arguments": dict(spec.model.arguments)},
        "open": opening,
        "loss": spec.loss,
        "metrics": list(spec.metrics),
        "metric": {"name": spec.objective.name, "goal": spec.objective.goal.value},
        "engine": result.engine,
        "runner": result.runner,
        "data": data_record(spec, data),
        "validation": validation_record(result),
        "estimate": None if estimate is None else asdict(estimate),
        "test": test_record(test, spec.objective.name, looks),
        "versions": versions(),
        "keras_config": keras_config(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def data_record(spec: SweepSpec, data: SearchData) -> dict[str, Any]:
    """What a card says of the rows."""
    return {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "test_fingerprint": data.test_fingerprint,
        "source": _source(spec),
        "train_rows": len(data.train),
        "validation_rows": len(data.validation),
        **({"folds": len(data.folds)} if data.folds else {}),
        "test_rows": data.test_rows,
        "input_shape": list(data.input_shape),
        "input": "raw rows" if data.preprocessing else _input_words(spec),
        "classes": list(data.class_names) if data.class_names else data.classes,
    }


def validation_record(result: Result) -> dict[str, Any]:
    """What a card says of the validation rows."""
    scores = {name: value for name, value in result.metrics.items() if name.startswith("val_")}
    return {"value": result.value, "stderr": result.stderr, **scores}


def seeds_record(recipe: Result, seed: int) -> dict[str, Any] | None:
    """What a card says of the recipe over its seeds, of which `seed` is the search's; None where none decide."""
    scores = seed_scores(recipe) if recipe.final else None
    if scores is None:
        return None
    values = {str(seed): recipe.value, **{str(one.finalist_seed): one.value for one in recipe.finalists}}
    return {
        "count": scores.count,
        "mean": scores.mean,
        "stderr": scores.stderr,
        "unstable": scores.unstable,
        "values": values,
    }


def refit_record(refit: Refit | None) -> dict[str, Any] | None:
    """What a card says of a model that was trained once more, on all rows.

    `scores` are on rows that it was trained on, to tell the model by; what it is worth, `estimate` and `test` say.
    """
    if refit is None:
        return None
    of = "the recipe as the search trained it, on other rows than it was scored on; this model has seen them all"
    return {
        "rows": refit.rows,
        "epochs": refit.epochs,
        "scores": dict(refit.scores),
        "validation_and_estimate_are_of": of,
    }


def is_card_of(card: Mapping[str, Any], training: Result, seed: int) -> bool:
    """Whether a card is of this trial, or finalist; `seed` is the search's."""
    return (card.get("trial"), card.get("seed")) == (training.recipe, training.params.get("seed", seed))


def test_record(test: TestScores | None, objective: str, looks: int) -> dict[str, Any] | None:
    """What a card says of the sealed test rows; None where nobody has looked.

    `stderr` is that of the objective's metric, `stderrs` holds that of each score which has a formula.
    """
    if test is None:
        return None
    errors = {"stderr": test.stderrs.get(objective.removeprefix("val_")), "stderrs": dict(test.stderrs)}
    return {**test.scores, **errors, "rows": test.rows, "looks": looks}


def _source(spec: SweepSpec) -> dict[str, Any]:
    """Where the rows are read, as `data` of the space file says it: a file by its path from there."""
    data = spec.data
    in_folder = os.path.relpath(data.source, spec.folder) if Path(data.source).is_absolute() else data.source
    return {"kind": data.kind, "source": in_folder, "target": data.target, "split": asdict(data.split)}


def _input_words(spec: SweepSpec) -> str:
    pictures = image_set(spec.data)
    if pictures is not None:
        return f"pixels divided by 255, as float32, flattened to {math.prod(pictures.shape)}"
    return "rows as the source gives them, float32"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CardSource(_Part):
    """Where the rows are read, as a space file's `data`."""

    kind: str
    source: str  # a file's is relative to the folder of the space file
    target: str | None = None
    split: Split


class CardData(_Part):
    """What a card says of the data."""

    name: str
    fingerprint: str
    source: CardSource
    test_fingerprint: str | None = None


class CardModel(_Part):
    """What a card says of the model."""

    source: str  # "module:function" of a user's own


class CardRefit(_Part):
    """What a card says of a model that was trained once more, on all rows."""

    rows: int
    epochs: int
    scores: dict[str, float]


class CardMetric(_Part):
    """What ranked the trials."""

    name: str
    goal: Goal


class Card(_Part):
    """What is read of a card to verify its model; there is more in the file."""

    sweep: str
    trial: int
    params: dict[str, Any]
    loss: str
    metrics: tuple[str, ...]
    metric: CardMetric
    model: CardModel
    runner: str
    open: str
    sha256: str
    data: CardData
    validation: dict[str, float | None]
    test: dict[str, Any] | None
    refit: CardRefit | None = None
    keras_config: dict[str, Any] | None = None


def card_path(model: Path) -> Path:
    """Where a model's card stands: `best.card.json` beside `best.keras`; in a sweep's folder `card.json`."""
    own = model.with_name(f"{model.stem}.card.json")
    in_sweep = model.with_name("card.json")
    return in_sweep if model.name == "best.keras" and not own.exists() and in_sweep.exists() else own


def read_card(model: Path) -> tuple[Path, Card, dict[str, Any]]:
    """Where the card beside a model's file stands, what is read of it, and all that it says.

    Raises:
        UsageError: there is none.
        RecordError: it can't be read, or is no card.
    """
    path = card_path(model)
    if not path.exists():
        raise UsageError(
            f"there is no card of {model}: {path} is missing",
            hint="`sweep export` writes both; keep them side by side",
        )
    with plain_errors("read", path):
        text = read_plain(path, MOST_CARD)
    try:
        return path, Card.model_validate_json(text), json.loads(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordError(
            f"{path} is no card of a model: {f'{place}: ' if place else ''}{first['msg']}",
            hint="`sweep export` writes it again",
        ) from None


MOST_CARD = 16 * 2**20  # bytes
CARD = "card"  # the study's attribute with the digest of card.json


def own_card(folder: SweepFolder, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The card in a sweep's folder, as the sweep wrote it; {} where there is none.

    Raises RecordError: it was altered since, by the digest in the record, or can't be read.
    """
    if not (folder.card.exists() or folder.card.is_symlink()):
        return {}
    with plain_errors("read", folder.card):
        text = read_plain(folder.card, MOST_CARD)
    if hashlib.sha256(text).hexdigest() != attributes.get(CARD):
        message = f"the card {folder.card} is not as the sweep wrote it"
        raise RecordError(message, hint="`sweep run` of its space file writes it again")
    return dict(json.loads(text))


def kept_card(folder: SweepFolder, attributes: Mapping[str, Any], trial: Result) -> dict[str, Any] | None:
    """The card of `best.keras`, where both are there and of this trial, or finalist.

    Raises RecordError: the card was altered, or the model is damaged, or not the file that the card is of.
    """
    card = own_card(folder, attributes) if folder.best.exists() else {}
    if not card or not is_card_of(card, trial, attributes["seed"]):
        return None
    check_keras_file(folder.best)
    if file_digest(folder.best) != card.get("sha256"):
        raise _not_of_its_card(folder)
    return card


def copy_kept(folder: SweepFolder, card: dict[str, Any], path: Path) -> None:
    """Copy `best.keras`, which the card is of. Raises RecordError, and then no file is left, or the one that was."""
    with plain_errors("write", path), replacing_path(path) as part:
        with open_plain(folder.best) as source, part.open("xb") as target:
            shutil.copyfileobj(source, target)
        if file_digest(part) != card["sha256"]:  # of the copy: a sweep may have written another one meanwhile
            raise _not_of_its_card(folder)


def _not_of_its_card(folder: SweepFolder) -> RecordError:
    message = f"{folder.best} is not the file that {folder.card.name} is of"
    return RecordError(message, hint="`sweep run` of its space file writes both again")


def recorded_card(
    study: StudyFile, spec: SweepSpec, result: Result, data: SearchData, *, opening: str, refit: Refit | None
) -> dict[str, Any]:
    """The card of a training, or finalist, as the record is now."""
    results = study.ranked_results()
    comparison = comparison_of(study.folder, study.attributes, results)
    return model_card(
        spec,
        result,
        data,
        trials=len(results),
        test=known_scores(study.attributes, result),
        looks=looks_at_test(study),
        opening=opening,
        estimate=comparison.estimate if comparison.best == result.recipe else None,
        recipe=results[result.recipe],
        refit=refit,
    )
