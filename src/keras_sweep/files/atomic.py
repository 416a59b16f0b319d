"""Files and folders that are whole or absent: written beside their place, then renamed. The user's cache, too."""

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
from keras_sweep.files import disk
from keras_sweep.files.plain import open_plain, plain_errors

PRIVATE = 0o600
_SUFFIX = ".part"
_PART = re.compile(r"\..+\.([0-9]+)\.part(\.\w+)?")
_NEAR = 2000  # bytes of a file, among which its mark is looked for
_HINT = "Give another folder with `--output`; nothing was written"


class _File(io.FileIO):
    """A file whose writes go through `disk`."""

    def write(self, data: Any, /) -> int:
        return disk.write(self.fileno(), data)


def write_bytes(path: Path, data: bytes, *, option: str | None = None) -> None:
    """Write a whole file, as `replacing`. Raises RecordError, and then the old file, if any, is untouched."""
    with replacing(path, option=option) as file:
        file.write(data)


def write_text(path: Path, text: str, *, option: str | None = None) -> None:
    """Write a whole file as UTF-8, as `replacing`. Raises RecordError, and then the old file, if any, is untouched."""
    write_bytes(path, text.encode(), option=option)


@contextmanager
def replacing(path: Path, *, option: str | None = None) -> Iterator[BinaryIO]:
    """A new file to write to, which takes the place of `path` when the block ends without an error.

    A file that the user names by an `option` is for others, too, less the user's umask; any other is its owner's alone.
    Raises RecordError where the disk fails, and then the old file stands.
    """
    mode = 0o666 if option else PRIVATE
    with replacing_path(path, option=option) as part, io.BufferedWriter(_File(disk.open_new(part, mode), "wb")) as file:
        yield cast(BinaryIO, file)


@contextmanager
def replacing_path(path: Path, *, option: str | None = None) -> Iterator[Path]:
    """A free path with the suffix of `path`, for a library that writes its own file; it takes its place at the end.

    Raises RecordError, and then the old file stands.
    """
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
    """A folder of this process alone beside `path`, for what that is made from, gone at the end. Raises OSError."""
    return TemporaryDirectory(prefix=f".{path.stem}.work.", suffix=f".{os.getpid()}{_SUFFIX}", dir=path.parent)


def clear_parts(folder: Path, *, of: Path | None = None) -> None:
    """Remove what a killed process left half-written in a folder; or only `of` a file, where that process is gone."""
    for part in folder.glob(f".*{_SUFFIX}*"):
        match = _PART.fullmatch(part.name)
        if match and (of is None or (part.name.startswith(f".{of.stem}.") and not _is_running(int(match[1])))):
            _remove(part)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's; or no number of a process
        pass
    return True


def _remove(part: Path) -> None:
    """Remove a file, or a folder with all that is in it; it may not be there."""
    with contextlib.suppress(OSError):
        part.unlink()
    shutil.rmtree(part, ignore_errors=True)


def check_place(place: Path, page: str, mark: str) -> None:
    """Raises UsageError where something stands whose file `page` does not bear the mark near its beginning."""
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise UsageError(f"{place} is no folder, but a file or a link", hint=_HINT)
    with plain_errors("read", place):
        if place.exists() and any(place.iterdir()) and not bears(place / page, mark):
            raise UsageError(f"there is a folder {place} that `sweep` did not write", hint=_HINT)


def check_file(path: Path, mark: str, option: str) -> None:
    """Raises UsageError where a file has no folder to be in, or one stands there that does not bear the mark."""
    if not path.parent.is_dir() or (path.exists() and not bears(path, mark)):
        what = "is there, and not by `sweep`" if path.exists() else "has no folder"
        raise UsageError(f"{path} {what}", hint=f"Name another file with {option}")


def write_folder(place: Path, files: Mapping[str, str]) -> None:
    """Write texts by name: a new folder appears with all; in an old one each replaces its own. Raises RecordError."""
    with contextlib.ExitStack() as stack, plain_errors("make", place, option="--output"):
        folder = place
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(replacing_path(place, option="--output"))
            disk.make_folder(folder, 0o777)
        for name, text in files.items():
            write_text(folder / name, text, option="--output")


def bears(path: Path, mark: str) -> bool:
    """Whether it is a file that can be read and has the mark near its beginning."""
    try:
        with open_plain(path) as file:
            return mark.encode() in file.read(_NEAR)
    except OSError:
        return False


def user_cache(*parts: str) -> Path:
    """The folder `parts` of $SWEEP_CACHE_DIR, or of the platform's place for it (~/.cache/keras-sweep); mode 0700.

    Users may share the cache itself; folders below must be the user's own. Raises OSError: one can't be made, is a link
    or another user's, or others may write to it.
    """
    import platformdirs

    folder = Path(os.environ.get("SWEEP_CACHE_DIR") or platformdirs.user_cache_dir("keras-sweep")).expanduser()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in parts:
        folder = folder / part
        folder.mkdir(mode=0o700, exist_ok=True)
        about = folder.lstat()
        if not stat.S_ISDIR(about.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder of its own", str(folder))
        # Whoever may write to it decides what is read from it.
        if os.name == "posix" and (about.st_uid != os.getuid() or about.st_mode & 0o022):
            raise PermissionError(errno.EPERM, "it is another user's, or others may write to it", str(folder))
    return folder
