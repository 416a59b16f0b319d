"""The winner's model as its sweep wrote it: copied, checked against its card, and never built, so that no code runs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_sweep.errors import RecordError
from keras_sweep.files.atomic import replacing_path
from keras_sweep.files.model_file import check_keras_file, file_digest
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.files.plain_file import open_plain, read_plain
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep.card import is_card_of
from keras_sweep.trial.result import Result

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
