"""Reads the card beside a model's file. It may be somebody else's: its types are checked, and it runs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.files.plain_file import read_plain
from keras_sweep.space.search_space import Goal
from keras_sweep.space.sweep_spec import Split
from keras_sweep.sweep.kept_model import MOST_CARD


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
        UsageError: there is none, or it was written before cards named their data and their file.
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
        if first["type"] == "missing" and place in ("sha256", "data.source"):
            raise UsageError(
                f"the card {path} has no `{place}`: it was written by an older version",
                hint="`sweep export` writes a new one",
            ) from None
        raise RecordError(
            f"{path} is no card of a model: {f'{place}: ' if place else ''}{first['msg']}",
            hint="`sweep export` writes it again",
        ) from None
