"""Files, and folders of files that belong together, whole or absent: written beside their place, then renamed."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from keras_sweep.errors import UsageError
from keras_sweep.files import disk
from keras_sweep.files.plain import open_plain, plain_errors

PRIVATE = 0o600
SHARED = 0o666  # less the user's umask
_SUFFIX = ".part"
_PART = re.compile(r"\..+\.[0-9]+\.part(\.\w+)?")
_NEAR = 2000  # bytes of a file, among which its mark is looked for
_HINT = "Give another folder with `--output`; nothing was written"


class _File(io.FileIO):
    """A file whose writes go through `disk`."""

    def write(self, data: Any, /) -> int:
        return disk.write(self.fileno(), data)


def write_bytes(path: Path, data: bytes, *, mode: int = PRIVATE) -> None:
    """Write a whole file. Raises RecordError, and then the old file, if any, is untouched."""
    with replacing(path, mode=mode) as file:
        file.write(data)


def write_text(path: Path, text: str, *, mode: int = PRIVATE) -> None:
    """Write a whole file as UTF-8. Raises RecordError, and then the old file, if any, is untouched."""
    write_bytes(path, text.encode(), mode=mode)


def make_private(folder: Path) -> None:
    """Make a folder that only the user can read, and the one around it, if there is none. Raises RecordError."""
    for each in [folder] if folder.parent.exists() else [folder.parent, folder]:
        with plain_errors("make", each), contextlib.suppress(FileExistsError):
            disk.make_folder(each, 0o700)
            disk.fsync_folder(each.parent)


@contextmanager
def replacing(path: Path, *, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """A new file to write to, which takes the place of `path` when the block ends without an error.

    Raises RecordError where the disk fails; what the block raises passes through. In both cases the old file stands.
    """
    with replacing_path(path) as part, _new_file(part, path, mode) as file:
        yield file


@contextmanager
def replacing_path(path: Path) -> Iterator[Path]:
    """A free path in the same folder, for a library that writes its own file; it takes the place of `path` at the end.

    It ends as `path` does, since some libraries look at the suffix.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}{_SUFFIX}{path.suffix}")
    with contextlib.suppress(OSError):
        part.unlink()
    try:
        yield part
        replace_file(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def replace_file(source: Path, target: Path) -> None:
    """Flush a finished file to the disk and give it the place of `target`, in the same file system.

    Raises RecordError, and then the old file, if any, is untouched.
    """
    with plain_errors("write", target):
        fd = os.open(source, os.O_RDWR)
        try:
            disk.fsync(fd)
        finally:
            os.close(fd)
        disk.rename(source, target)
        disk.fsync_folder(target.parent)


def clear_parts(folder: Path) -> None:
    """Remove what a killed process left half-written in a folder."""
    for part in folder.glob(f".*{_SUFFIX}*"):
        if _PART.fullmatch(part.name):
            with contextlib.suppress(OSError):
                part.unlink()


def check_place(place: Path, page: str, mark: str) -> None:
    """Raises UsageError where something stands whose file `page` does not bear the mark near its beginning."""
    if place.is_symlink():
        raise UsageError(f"{place} is a link", hint=_HINT)
    if place.exists() and not place.is_dir():
        raise UsageError(f"{place} is a file, not a folder", hint=_HINT)
    with plain_errors("read", place):
        if place.exists() and any(place.iterdir()) and not _bears(place / page, mark):
            raise UsageError(f"there is a folder {place} that `sweep` did not write", hint=_HINT)


def write_folder(place: Path, files: Mapping[str, str], page: str, mark: str) -> None:
    """Write texts by their names, `page` among them, which bears the mark; other files in the folder are left alone.

    A new folder appears with all of them; in one that is there each takes the place of its predecessor, the page last.

    Raises:
        UsageError: something else stands there.
        RecordError: the disk fails.
    """
    check_place(place, page, mark)
    if place.exists():
        for name in sorted(files, key=lambda one: one == page):
            write_text(place / name, files[name], mode=SHARED)
        return
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with plain_errors("make", place):
            place.parent.mkdir(parents=True, exist_ok=True)
            disk.make_folder(part, 0o777)
        for name, text in files.items():
            write_text(part / name, text, mode=SHARED)
        with plain_errors("write", place):
            disk.rename(part, place)
            disk.fsync_folder(place.parent)
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part)


@contextmanager
def _new_file(part: Path, path: Path, mode: int) -> Iterator[BinaryIO]:
    with plain_errors("write", path):
        raw = _File(disk.open_new(part, mode), "wb")
    file = io.BufferedWriter(cast(io.RawIOBase, raw))
    try:
        with plain_errors("write", path):
            yield cast(BinaryIO, file)
            file.flush()
    finally:
        with contextlib.suppress(OSError):  # after a failed flush the buffer is full still
            raw.close()


def _bears(path: Path, mark: str) -> bool:
    try:
        with open_plain(path) as file:
            return mark.encode() in file.read(_NEAR)
    except OSError:
        return False
