"""Name the files in a sweep's folder, and find sweeps on disk."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.files.plain import kind_of, plain_errors
from keras_sweep.space.text import check_sweep_name, did_you_mean, itemize
from keras_sweep.system import disk

DEFAULT_SWEEPS_DIR = "sweeps"
_ASIDE = re.compile(r"~[1-9][0-9]*$")  # "dense~1"; names of sweeps can't contain a tilde


@dataclass(frozen=True, slots=True)
class _Inside:
    """An attribute of `SweepFolder`: the path of `name` in its folder or, if `of_part`, in its subfolder `part`."""

    name: str
    of_part: bool = False

    def __get__(self, folder: SweepFolder, _: type[SweepFolder]) -> Path:
        return folder.path / (folder.part if self.of_part else "") / self.name


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """The paths in a sweep's folder. Creating the object reads and writes nothing on disk."""

    path: Path
    part: str = ""  # "finalists" or "refit", a subfolder: their files have the same numbers as trials' files

    study = _Inside("study.db")  # the record
    space = _Inside("space.yaml")  # the space file of the last run
    weights = _Inside("weights", of_part=True)  # of the best trials
    scores = _Inside("scores", of_part=True)  # of each trial on each validation row
    spool = _Inside("spool", of_part=True)  # trials that ended before a trial with a lower number
    comparison = _Inside("scores/comparison.json")  # of the trials with the winner, by their scores
    checkpoints = _Inside("checkpoints")  # of trials that still train
    best = _Inside("best.keras")  # the winner's model
    card = _Inside("card.json")  # the winner's model card
    log = _Inside("run.log")  # what happened, line by line
    lock = _Inside("lock")  # locked, like the folder itself, by the process that runs the sweep
    owner = _Inside("lock.json")  # the process that holds the lock

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def finalists(self) -> SweepFolder:
        return replace(self, part="finalists")

    @property
    def refit(self) -> SweepFolder:
        return replace(self, part="refit")

    def exists(self) -> bool:
        """Check whether the folder has a record, which may be damaged."""
        return self.study.exists() or self.study.is_symlink()

    def make(self) -> None:
        """Create the folder with access for its owner alone; an existing empty folder becomes private, too.
        Raises RecordError if the disk fails."""
        with plain_errors("make", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                disk.make_folder(self.path, 0o700)
                disk.fsync(self.path.parent)
            if not self.path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "there is a file of this name, where a folder is needed")
            if disk.is_open_to_others(self.path) and not self.path.is_symlink() and not any(self.path.iterdir()):
                with contextlib.suppress(PermissionError):  # another user owns the folder: reported later
                    self.path.chmod(0o700)


def set_aside(path: Path) -> Path:
    """Rename a file or folder to the next free `NAME~1`, `NAME~2`, ... and return the new path. Raises RecordError."""
    number = 1
    while (target := path.with_name(f"{path.name}~{number}")).exists() or target.is_symlink():
        number += 1
    with plain_errors("move", path):
        disk.rename(path, target)
        disk.fsync(path.parent)
    return target


def sweeps_dir(option: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of all sweeps: `option` (the value of `--sweeps-dir`), else $SWEEPS_DIR, else ./sweeps.
    The folder may not exist."""
    return Path(option or os.environ.get("SWEEPS_DIR") or DEFAULT_SWEEPS_DIR).expanduser()


def sweep_folder(name: str, option: str | os.PathLike[str] | None = None) -> SweepFolder:
    """Return the folder of a sweep in `sweeps_dir(option)`; it may not exist. Raises UsageError for a wrong `name`, and
    if the disk ignores case and has a sweep whose name differs only in case."""
    if fault := check_sweep_name(name):
        raise UsageError(fault, hint="Choose another name with `--name`")
    sweeps = sweeps_dir(option)
    with plain_errors("read", sweeps):
        names = [path.name for path in sweeps.iterdir()] if (sweeps / name).exists() else [name]
    old = next((old_name for old_name in names if old_name.lower() == name.lower()), name)
    if name not in names and old != name:
        message = f"the disk ignores case, so {name!r} is the folder of the sweep {old!r} in {sweeps}"
        raise UsageError(message, hint=f"Use `--name {old}` to resume this sweep, or choose another name")
    return SweepFolder(sweeps / name)


def all_sweeps(option: str | os.PathLike[str] | None = None) -> list[SweepFolder]:
    """List all sweeps in `sweeps_dir(option)`, the last changed first, with sweeps that were moved aside (`NAME~1`)."""
    sweeps = sweeps_dir(option)
    if not sweeps.exists():
        return []
    with plain_errors("read", sweeps):
        paths = [path for path in sweeps.iterdir() if not check_sweep_name(_ASIDE.sub("", path.name))]
        existing = [folder for folder in map(SweepFolder, paths) if folder.exists()]
    return sorted(existing, key=lambda folder: (-last_change(folder), folder.name))


def find(name: str | None, option: str | os.PathLike[str] | None = None) -> SweepFolder:
    """Find the sweep `name` in `sweeps_dir(option)`. Raises UsageError if there is no sweep.
    If `name` is None, finds the last changed sweep that was not moved aside (`NAME~1`)."""
    sweeps, existing = sweeps_dir(option), all_sweeps(option)
    for folder in existing:
        if folder.name == name or (name is None and not _ASIDE.search(folder.name)):
            return folder
    hint = "Run `sweep run SPACE.yaml`, or name another folder with `--sweeps-dir`"
    if name is None:
        raise UsageError(f"there is no sweep in {sweeps}", hint=hint)
    names = [folder.name for folder in existing]
    hint = did_you_mean(name, names) or (f"Choose from {itemize(sorted(names), 8)}" if names else hint)
    raise UsageError(f"there is no sweep {name!r} in {sweeps}", hint=hint)


def last_change(folder: SweepFolder) -> float:
    """Return the time of the last change of the database or of SQLite's log beside it, in seconds since 1970."""
    newest = 0.0
    for path in (folder.study, folder.study.with_name("study.db-wal")):
        with contextlib.suppress(OSError):
            if path == folder.study or path.stat().st_size:  # a reader creates an empty log
                newest = max(newest, path.stat().st_mtime)
    return newest


def check_own_files(folder: SweepFolder) -> None:
    """Raise RecordError if a sweep's folder contains a link, pipe, socket or device. Opens no file."""
    with plain_errors("read", folder.path):
        for path in sorted(folder.path.iterdir()):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                where = f" to {path.readlink()}" if stat.S_ISLNK(mode) else ""
                message = f"{path} is {kind_of(mode)}{where}, but a sweep writes only to its own files"
                remove = f"Remove it (`rm {shlex.quote(str(path))}`), then run the same command again"
                raise RecordError(message, hint=f"Nothing was changed. {remove}")
