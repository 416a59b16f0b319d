"""Keep parsed files in the user's cache, so that the next command need not parse them again: 20 million numbers of a
CSV file take 5 s of CPU, and their copy takes 0.5 s."""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from keras_sweep import __version__
from keras_sweep.errors import RecordError
from keras_sweep.files.atomic import user_cache
from keras_sweep.files.plain import file_digest

SMALL, LARGE = 1 << 23, 1 << 30  # bytes of a file: a smaller file is parsed in a moment, a larger copy fills the disk
MOST_BYTES = 1 << 31  # of all copies together; the copies that were not used for the longest time are deleted
_FAILURES = (OSError, RecordError, pl.exceptions.PolarsError)


def read_copy(path: Path, parse: Callable[[], pl.DataFrame], *options: object) -> pl.DataFrame:
    """Return the table that `parse` reads from the file `path` with `options`, or a copy that an earlier call kept.
    The name of a copy begins with a hash of the file and ends with a hash of the copy, so that neither a copy of other
    rows nor a damaged copy is read. Without a cache, each call parses the file. Raises what `parse` raises."""
    if not SMALL <= path.stat().st_size <= LARGE:
        return parse()
    key, folder = "", Path()
    with contextlib.suppress(*_FAILURES):
        key, folder = _hash_file(path, options), user_cache("tables")
        for copy in folder.glob(f"{key}-*"):
            content = copy.read_bytes()
            if copy.name == f"{key}-{hashlib.sha256(content).hexdigest()}":
                copy.touch()
                return pl.read_ipc(content)
    table = parse().rechunk()
    with contextlib.suppress(*_FAILURES):
        if folder.name and key == _hash_file(path, options):  # the file did not change while `parse` read it
            with TemporaryDirectory(dir=folder) as temporary:
                copy = Path(temporary, "table")
                table.write_ipc(copy)
                copy.replace(folder / f"{key}-{file_digest(copy)}")
            _delete_old(folder)
    return table


def _hash_file(path: Path, options: tuple[object, ...]) -> str:
    return hashlib.sha256(repr((file_digest(path), options, pl.__version__, __version__)).encode()).hexdigest()


def _delete_old(folder: Path) -> None:
    sizes = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    total = 0
    for path, status in sorted(sizes.items(), key=lambda item: -item[1].st_mtime):
        total += status.st_size
        if total > MOST_BYTES:
            path.unlink()
