"""The winner's model as its sweep wrote it: copied, checked against its card, and never built, so that no code runs."""

from __future__ import annotations

import json
import shutil
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


def kept_card(folder: SweepFolder, trial: Result, seed: int) -> dict[str, Any] | None:
    """The card of `best.keras`, where both are there and of this trial, or finalist; `seed` is the search's.

    Raises RecordError: the model is damaged, or not the file that the card is of.
    """
    if not (folder.card.exists() and folder.best.exists()):
        return None
    with plain_errors("read", folder.card):
        text = read_plain(folder.card, MOST_CARD)
    try:
        card = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"the card {folder.card} is damaged: {error}", hint="`sweep run` writes it again") from error
    if not isinstance(card, dict) or not is_card_of(card, trial, seed) or type(card["trial"]) is not int:
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
