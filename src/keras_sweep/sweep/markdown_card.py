"""A card beside an exported model as a page: Markdown that Hugging Face's hub takes, with its block of metadata."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment

from keras_sweep.errors import UsageError
from keras_sweep.files.atomic import SHARED, bears, write_text

MARK = "Written by `sweep export`"


def check_page(path: Path) -> None:
    """Raises UsageError where the page can't be, or a file stands that `sweep` did not write."""
    if not path.parent.is_dir() or (path.exists() and not bears(path, MARK)):
        what = "is there, and not by `sweep`" if path.exists() else "has no folder"
        raise UsageError(f"{path} {what}", hint="Name another file with --card")


def write_page(path: Path, model: Path, beside: Path, card: Mapping[str, Any]) -> None:
    """Write the page of a model's file from the card beside it. Raises RecordError."""
    environment = Environment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(Path(__file__).with_name("model_card.md.j2").read_text("utf-8"))
    names = {"model": model.name, "beside": beside.name, "mark": MARK, "number": "{:.4g}".format}
    write_text(path, template.render(card=card, **names).lstrip(), mode=SHARED)
