"""The page of all errors: their kinds from `errors.py`, their messages from the code, by topic."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import messages
from messages import FAULT, NOTICE, REASON, Message
from tables import cell, table

MOVING = "Moving from another tool"
# Beginnings of modules -> the topic of their messages. The first that fits counts.
TOPICS = {
    "space_file/wandb_file": MOVING,
    "space_file/": "Space file",
    "space/": "Space file",
    "data/": "Data and tables",
    "sweep/named_data": "Data and tables",
    "models/": "Model",
    "training/losses": "Model",
    "training/build_trial": "Model",
    "training/workers/": "Workers",
    "training/": "Training",
    "trial/": "Training",
    "search/": "Search",
    "sweep/earlier": "Search",
    "record/": "Record and files",
    "files/": "Record and files",
    "sweep/resume": "Run and resume",
    "sweep/run": "Run and resume",
    "sweep/loop": "Run and resume",
    "sweep/open_sweep": "Run and resume",
    "sweep/trust": "Your code, backend and packages",
    "process/stop_request": "Run and resume",
    "process/": "Your code, backend and packages",
    "sweep/optuna_storage": MOVING,
    "sweep/init": "Command",
    "sweep/": "Winner, export and replay",
    "honest/": "Winner, export and replay",
    "cli/": "Command",
    "views/": "Command",
    "api/": "Python API",
    "errors": "Python API",
}
ABOUT = {
    "Space file": "`sweep check FILE` prints all faults of a file at once: `FILE:LINE: KEY: MESSAGE (HINT)`. "
    "The table has the message and the hint.",
    "Command": "Options and arguments of `sweep`.",
    "Python API": "`keras_sweep.SweepError` is the base class of all errors. An option `--name` is the keyword `name`.",
}


def make_page() -> str:
    """Return the page."""
    errors = messages.select(lambda message: message.is_error or message.kind == REASON)
    notices = messages.select(lambda message: message.kind == NOTICE)
    errors, notices = ([text for text in texts if find_topic(text)] for texts in (errors, notices))
    parts = [
        "# Errors",
        "Each error says what is wrong, with the value and the place. Its hint says what to do. "
        "Search this page for the words of your error.",
        "A word in braces is a hole: &#123;name&#125; is the name of your column. `(a / b)` is one of two texts. "
        "A text in brackets is not always there.",
        "## Kinds of errors",
        "Each kind is a class of `keras_sweep.errors`. The command ends with its exit code.",
        table(("kind", "exit code", "what it means, and what to do"), list_kinds()),
        "Where the column `what to do` is empty, the message says what to do, or the table above does. "
        "`--debug` also shows the traceback.",
    ]
    for topic in sorted(dict.fromkeys(TOPICS.values()), key=lambda topic: topic == MOVING):
        parts += _topic(topic, [error for error in errors if find_topic(error) == topic])
    parts += [
        "## Notices",
        "A notice is no error: the command continues. In Python it is a `SweepWarning`.",
        table(("notice",), sorted({(markdown(notice.text),) for notice in notices}, key=sort_key)),
    ]
    return "\n\n".join(parts) + "\n"


def list_kinds() -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the table of error classes: name, exit code, docstring."""
    codes: dict[str, str] = {}
    for name, node in messages.list_error_classes().items():
        bases = [codes.get(getattr(base, "id", ""), "") for base in node.bases]
        own = [
            ast.literal_eval(part.value)
            for part in node.body
            if isinstance(part, ast.Assign | ast.AnnAssign) and part.value and "exit_code" in ast.unparse(part)
        ]
        codes[name] = str(own[0]) if own else bases[0]
        yield f"`{name}`", codes[name], cell(ast.get_docstring(node) or "")


def find_topic(message: Message) -> str:
    """Return the topic of a message; "" for what no user sees."""
    return next((topic for prefix, topic in TOPICS.items() if message.module.startswith(prefix)), "")


def _topic(topic: str, errors: list[Message]) -> Iterator[str]:
    if not errors:
        return
    yield f"## {topic}"
    if topic in ABOUT:
        yield ABOUT[topic]
    rows = {(markdown(error.text), markdown(hint_of(error)), kind_of(error)) for error in errors}
    yield table(("message", "what to do", "kind"), sorted(rows, key=sort_key))


def hint_of(error: Message) -> str:
    """Return the hint, without what the run alone knows."""
    parts = [part for part in error.hint.split(" / ") if re.sub(r"\{[\w ]*\}", "", part).strip(" .`")]
    return " / ".join(parts)


def kind_of(error: Message) -> str:
    """Return the cell of an error's kind."""
    return {FAULT: "SpaceFileError", REASON: "part of a message"}.get(error.kind, error.kind)


def sort_key(row: tuple[str, ...]) -> str:
    """Return what sorts the rows of a table: the letters of the message, without its holes."""
    return re.sub(r"&#123;\w*&#125;|[^a-z ]", "", row[0].lower()).strip()


def markdown(text: str) -> str:
    """Write a message as Markdown that shows it as it is printed."""
    text = re.sub(r"\s+", " ", text).strip()
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if part.startswith("`") and len(part) > 2 else _escape(part) for part in parts)


def _escape(text: str) -> str:
    codes = {"{": "&#123;", "}": "&#125;", "<": "&lt;", "|": "&#124;", "`": "&#96;"}
    return "".join(codes.get(char, f"\\{char}" if char in "*_[]\\" else char) for char in text)
