"""Write files and folders completely or not at all: beside the target, then rename. Find the user's cache."""

import contextlib
import errno
import io
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

from keras_sweep.errors import UsageError
from keras_sweep.files.plain import open_plain, plain_errors
from keras_sweep.system import disk
from keras_sweep.system.processes import is_running

PRIVATE = 0o600
_SUFFIX = ".part"
_PART = re.compile(r"\..+\.([0-9]+)\.part(\.\w+)?")
_NEAR = 2000  # bytes at a file's beginning where `has_mark` looks
_HINT = "Nothing was written. Choose another folder with `--output`"


class _File(io.FileIO):
    def write(self, data: Any, /) -> int:
        return disk.write(self.fileno(), data)


def write_bytes(path: Path, data: bytes, *, option: str | None = None) -> None:
    with replacing(path, option=option) as file:
        file.write(data)


def write_text(path: Path, text: str, *, option: str | None = None) -> None:
    write_bytes(path, text.encode(), option=option)


@contextmanager
def replacing(path: Path, *, option: str | None = None) -> Iterator[BinaryIO]:
    """Open a new file, which replaces `path` when the block ends without an error. If the user named the file by a
    command-line `option`, like "--save", the user's umask decides its permissions. Otherwise only the owner can read
    the file. Raises RecordError if the disk fails; the old file then stays unchanged."""
    mode = 0o666 if option else PRIVATE
    with replacing_path(path, option=option) as part, io.BufferedWriter(_File(disk.open_new(part, mode), "wb")) as file:
        yield cast(BinaryIO, file)


@contextmanager
def replacing_path(path: Path, *, option: str | None = None) -> Iterator[Path]:
    """Yield an unused path for a file or folder, which replaces `path` when the block ends without an error. The hint
    of errors names the command-line `option`. Raises RecordError if the disk fails."""
    part = path.with_name(f".{path.stem}.{os.getpid()}{_SUFFIX}{path.suffix}")
    _remove(part)
    try:
        with plain_errors("write", path, option=option):
            yield part
            disk.fsync(part)
            disk.rename(part, path)
            disk.fsync(path.parent)
    finally:
        _remove(part)


def folder_beside(path: Path) -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix=f".{path.stem}.work.", suffix=f".{os.getpid()}{_SUFFIX}", dir=path.parent)


def clear_parts(folder: Path, *, of: Path | None = None) -> None:
    """Delete files and folders in `folder` that `replacing` left incomplete. If `of` is a path, delete only what would
    have replaced `of`, and only if its process has ended."""
    for part in folder.glob(f".*{_SUFFIX}*"):
        match = _PART.fullmatch(part.name)
        if match and (of is None or (part.name.startswith(f".{of.stem}.") and not is_running(int(match[1])))):
            _remove(part)


def _remove(part: Path) -> None:
    with contextlib.suppress(OSError):
        part.unlink()
    shutil.rmtree(part, ignore_errors=True)


def check_place(place: Path, page: str, mark: str) -> None:
    """Raise UsageError unless `place` is missing, an empty folder, or a folder that `sweep` wrote: its file `page` then
    has the text `mark`."""
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise UsageError(f"{place} is a file or a link, not a folder", hint=_HINT)
    with plain_errors("read", place):
        if place.exists() and any(place.iterdir()) and not has_mark(place / page, mark):
            raise UsageError(f"the folder {place} exists, but `sweep` did not write it", hint=_HINT)


def check_file(path: Path, mark: str, option: str) -> None:
    """Raise UsageError, whose hint names the command-line `option`, unless `path` is a new file in an existing folder,
    or has the text `mark` of a file that `sweep` wrote."""
    if not path.parent.is_dir() or (path.exists() and not has_mark(path, mark)):
        fault = f"{path} exists, but `sweep` did not write it" if path.exists() else f"there is no folder {path.parent}"
        raise UsageError(fault, hint=f"Choose another file with `{option}`")


def write_folder(place: Path, files: Mapping[str, str]) -> None:
    """Write texts (file name -> text) to a folder. A new folder appears with all files at once. Raises RecordError."""
    with contextlib.ExitStack() as stack, plain_errors("make", place, option="--output"):
        folder = place
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(replacing_path(place, option="--output"))
            disk.make_folder(folder, 0o777)
        for name, text in files.items():
            write_text(folder / name, text, option="--output")


def has_mark(path: Path, mark: str) -> bool:
    """Check whether the file can be read and has the text `mark` near its beginning."""
    try:
        with open_plain(path) as file:
            return mark.encode() in file.read(_NEAR)
    except OSError:
        return False


def user_cache(*parts: str) -> Path:
    """Create the folder CACHE/`parts`, mode 0700, and return it. CACHE is $SWEEP_CACHE_DIR, else ~/.cache/keras-sweep.
    Users may share CACHE itself, but not the folders in it. Raises OSError if a folder can't be made, is a link,
    belongs to another user, or others may write to it."""
    import platformdirs

    try:
        folder = Path(os.environ.get("SWEEP_CACHE_DIR") or platformdirs.user_cache_dir("keras-sweep")).expanduser()
    except RuntimeError:  # as in a container: a user without an entry, and no HOME
        raise FileNotFoundError(errno.ENOENT, "HOME is not set, nor is SWEEP_CACHE_DIR") from None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in parts:
        folder = folder / part
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "it is a file or a link, not a folder", str(folder))
        # Other users who may write to the folder could replace what is read from it.
        if disk.can_others_write(status):
            raise PermissionError(errno.EPERM, "it belongs to another user, or others can write to it", str(folder))
    return folder
