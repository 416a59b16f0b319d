"""A digest of the code that a user's model is made of, so that a changed one can be told from the one that trained."""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

from keras_sweep.space.sweep_spec import SweepSpec

MODEL_CODE = "model_code"  # the study's attribute; absent where the record is of an older version
MOST_FILES = 1_000


def model_code(spec: SweepSpec) -> dict[str, str]:
    """The files that the model's module is in and imports from beside the space file, each with its SHA-256 (hex).

    Nothing is imported: imports are read from the source, also those inside of functions. Comments and blank lines do
    not count. Empty for the dense model, and for a module that does not lie beside the space file.
    """
    if spec.model.kind != "python":
        return {}
    folder = spec.folder.resolve()
    waiting = list(_files_of(spec.model.source.partition(":")[0].split("."), folder))
    found: dict[str, str] = {}
    while waiting and len(found) < MOST_FILES:
        path = waiting.pop()
        name = path.relative_to(folder).as_posix()
        if name in found:
            continue
        try:
            source = path.read_bytes()
        except OSError:  # the import of it tells
            continue
        found[name] = hashlib.sha256(_without_comments(source)).hexdigest()
        waiting.extend(_imported(source, path, folder))
    return dict(sorted(found.items()))


def changed_code(recorded: object, now: Mapping[str, str]) -> list[str]:
    """The files that are not as they were when the sweep began; [] where that is not known."""
    if not isinstance(recorded, Mapping) or not recorded or not now:  # what is not there the import tells
        return []
    names = {str(name) for name in recorded} | set(now)
    return sorted(name for name in names if recorded.get(name) != now.get(name))


def _files_of(parts: list[str], folder: Path) -> Iterator[Path]:
    """The files that importing `a.b.c` reads, as far as they lie in the folder."""
    place = folder
    for part in parts:
        if (file := place / f"{part}.py").is_file():
            yield file
            return
        place = place / part
        if (file := place / "__init__.py").is_file():
            yield file


def _imported(source: bytes, path: Path, folder: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the import of it tells
        return
    package = list(path.parent.relative_to(folder).parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from _files_of(name.name.split("."), folder)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            yield from _files_of(module, folder)
            for name in node.names:  # which may be a module, too
                yield from _files_of([*module, name.name], folder)


def _without_comments(source: bytes) -> bytes:
    try:
        lines = io.BytesIO(source).readlines()
        text = [line.decode() for line in lines]
        for token in tokenize.tokenize(io.BytesIO(source).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                text[row - 1] = text[row - 1][:column]
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError, IndexError):
        return source
    return "\n".join(line.rstrip() for line in text if line.strip()).encode()
