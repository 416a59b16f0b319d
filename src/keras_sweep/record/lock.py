"""One process writes a sweep. Readers need no lock.

The operating system keeps the lock (`flock`, by filelock) and drops it when the process dies, however it dies. Beside
it stands a note of who holds it: for the message to others, and for file systems that several machines share and that
do not pass locks between them.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from keras_sweep.errors import RecordError, SweepBusy
from keras_sweep.files import atomic, disk
from keras_sweep.files.plain_errors import plain_errors
from keras_sweep.record.sweep_folder import SweepFolder

if TYPE_CHECKING:
    from filelock import FileLock

_NOTE_SECONDS = 0.5  # how long the note of a holder that has just begun may be in coming
_LONGEST = 4096  # characters of a note


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds, or held, a lock."""

    pid: int
    host: str
    since: str  # local time, to the second: "2026-01-31T12:00:00+01:00"
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since.replace('T', ' ')} ({self.command})"


class SweepLock:
    """Held from `acquire` (or the begin of a `with`) to `release`, or to the death of the process.

    `move_aside` is for `--fresh`: the lock of a folder goes with it, and the new folder needs one of its own.
    """

    def __init__(self, folder: SweepFolder, *, force: bool = False) -> None:
        """Takes nothing yet.

        Args:
            folder: of the sweep; it is made if there is none.
            force: take over the lock of a process on another host, which can't be asked whether it still runs.
        """
        self.folder = folder
        self.taken_over: Owner | None = None  # the dead process that held it last
        self._force = force
        self._lock: FileLock | None = None
        self._note: int | None = None  # the inode of our own note, which another's of the same name has not

    def acquire(self) -> None:
        """Take the lock, at once or not at all.

        Raises:
            SweepBusy: another process holds it, or one on another host may.
            RecordError: the file system knows no locks, or the disk fails.
        """
        from filelock import FileLock, Timeout

        self.folder.make()
        lock = FileLock(self.folder.lock, mode=atomic.PRIVATE, thread_local=False)
        with plain_errors("lock", self.folder.path):
            try:
                lock.acquire(blocking=False)
            except Timeout:
                raise self._busy() from None
            except NotImplementedError as error:
                message = f"can't lock {self.folder.path}: its file system knows no locks"
                raise RecordError(message, hint="Give a folder on another disk with `--sweeps-dir`") from error
        try:
            last = read_owner(self.folder)
            if last is not None and last.host != _host() and not self._force:
                message = f"sweep {self.folder.name!r} was begun by {last} and not ended there"
                raise SweepBusy(message, hint=f"If that process is gone: `--force`; else wait for it on {last.host}")
            self.taken_over = last
            atomic.clear_parts(self.folder.path)
            note = Owner(os.getpid(), _host(), datetime.now().astimezone().isoformat(timespec="seconds"), _command())
            atomic.write_text(self.folder.owner, json.dumps(asdict(note)) + "\n")
            self._note = _inode(self.folder.owner)
        except BaseException:
            lock.release(force=True)
            raise
        self._lock = lock

    def move_aside(self) -> SweepFolder:
        """Move the sweep aside and hold a new, empty folder of its name; return where the old one is.

        Raises RecordError, or SweepBusy where another process was quicker to take the new folder.
        """
        old = self._lock
        if old is None:
            raise ValueError("the lock must be held before its sweep can be moved aside")
        with plain_errors("unlock", self.folder.path):
            disk.remove(self.folder.owner)
        moved = self.folder.move_aside()
        self._lock = None
        try:
            self.acquire()
        finally:
            old.release(force=True)
        return moved

    def release(self) -> None:
        """Give the lock back; may be called twice. Its file stays: others may be waiting for it."""
        if self._lock is None:
            return
        try:
            if self._note is not None and _inode(self.folder.owner) == self._note:
                with plain_errors("unlock", self.folder.path):
                    disk.remove(self.folder.owner)
        finally:
            self._lock.release(force=True)
            self._lock = None

    def __enter__(self) -> SweepLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _busy(self) -> SweepBusy:
        """Who holds it. A note of a dead process is older than the lock: its successor's is on its way."""
        owner = read_owner(self.folder)
        deadline = time.monotonic() + _NOTE_SECONDS
        while (owner is None or not _may_live(owner)) and time.monotonic() < deadline:
            time.sleep(0.02)
            owner = read_owner(self.folder)
        who = str(owner) if owner is not None and _may_live(owner) else "another process"
        return SweepBusy(
            f"sweep {self.folder.name!r} is being run by {who}",
            hint="Wait for it or end it; `sweep leaderboard` shows how far it is",
        )


def read_owner(folder: SweepFolder) -> Owner | None:
    """Who the note says holds the lock; None without one, or where it can't be understood."""
    try:
        with folder.owner.open("rb") as file:
            note = json.loads(file.read(_LONGEST + 1)[:_LONGEST])
        pid, host, since, command = (note[key] for key in ("pid", "host", "since", "command"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    texts = (host, since, command)
    if type(pid) is not int or pid < 1 or not all(isinstance(text, str) for text in texts):
        return None
    return Owner(pid, *("".join(c if c.isprintable() else "?" for c in text) for text in texts))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _may_live(owner: Owner) -> bool:
    if owner.host != _host():
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _host() -> str:
    return socket.gethostname()


def _command() -> str:
    words = [os.path.basename(sys.argv[0] or "python"), *sys.argv[1:]]  # noqa: PTH119
    return shlex.join(words)[:200]
