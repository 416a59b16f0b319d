"""What pages are made of beside facts: style, script, templates, and the policy that forbids everything else."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources

import jinja2
from markupsafe import Markup

from keras_sweep.views.terminal.text import safe


def asset(name: str) -> str:
    """A file of this folder: "report.css"."""
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")


def template(name: str) -> jinja2.Template:
    """A template, which escapes what it is given."""
    return _environment().get_template(name)


def content_security_policy(style: str, script: str | None = None) -> str:
    """Nothing is fetched, and no style or script but these is used (W3C, Content Security Policy Level 3)."""
    parts = ["default-src 'none'", f"style-src '{_digest(style)}'"]
    parts += [f"script-src '{_digest(script)}'"] if script is not None else []
    return "; ".join([*parts, "img-src data:", "base-uri 'none'", "form-action 'none'"])


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader(str(__package__), "templates")
    return jinja2.Environment(
        loader=loader,
        autoescape=True,
        finalize=_without_controls,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _without_controls(value: object) -> object:
    """Text that comes from elsewhere steers no reader: its control characters are written out, but for line ends."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "\n".join(safe(line) for line in value.split("\n"))
