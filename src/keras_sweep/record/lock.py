"""The lock of a sweep: a single process writes a sweep. Readers need no lock.

The operating system holds two locks and releases them when the process dies. The first is on the sweep's folder, which
nobody can remove (not on Windows). The second is on a file in it: shared file systems pass it to other machines. A note
(`lock.json`) names the process that holds the locks. Other processes show the note. If a file system does not pass
locks on, only the note tells that another machine runs the sweep.
"""

import contextlib
import json
import os
import shlex
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self

from keras_sweep.errors import SweepBusy
from keras_sweep.files import atomic
from keras_sweep.files.plain import open_plain, plain_errors
from keras_sweep.record.facts import parse_record
from keras_sweep.record.sweep_folder import SweepFolder, check_own_files, set_aside
from keras_sweep.system import disk

_PATIENCE = 0.5  # seconds to wait: a reader may hold the lock briefly, or a new owner has not written its note yet
_LONGEST = 4096  # characters of a note


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds, or held, a lock."""

    pid: int
    host: str
    since: str  # local time, to the second: "2026-01-31T12:00:00+01:00"
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since.replace('T', ' ')} ({self.command})"


class SweepLock:
    """The lock of a sweep, held from the start of a `with` block to its end or the process's death."""

    def __init__(self, folder: SweepFolder, *, force: bool = False) -> None:
        """Create the lock, not yet held. `force`: ignore a `lock.json` that names a process on another host."""
        self.folder = folder
        self.taken_over: Owner | None = None  # the dead process that last held the lock
        self._force = force
        self._held = ExitStack()  # closing it releases the locks

    def __enter__(self) -> Self:
        """Acquire the lock, and wait at most half a second for it.
        Raises SweepBusy if another process holds the lock, or a process on another host may hold it. Raises RecordError
        if the disk fails, the file system has no locks, or the folder contains a link."""
        from filelock import FileLock, Timeout

        self.folder.make()
        check_own_files(self.folder)
        with ExitStack() as stack:
            descriptor = self._lock_folder(stack)
            # filelock 3 raises it if a file system has no `flock`. The lock of the folder is enough then.
            with plain_errors("lock", self.folder.path), contextlib.suppress(NotImplementedError):
                lock = FileLock(self.folder.lock, mode=atomic.PRIVATE, thread_local=False)
                try:  # on a shared file system, a process of another host may hold this lock
                    lock.acquire(timeout=_PATIENCE)
                except Timeout:
                    raise self._make_busy_error() from None
                stack.callback(lock.release, force=True)
            last = read_owner(self.folder)
            if last is not None and last.host != socket.gethostname() and not self._force:
                message = f"the sweep {self.folder.name!r} may still run on another machine: {last}"
                raise SweepBusy(message, hint="If this process has ended, add `--force`. Otherwise wait until it ends")
            self.taken_over = last
            for folder in (self.folder.path, self.folder.checkpoints):
                atomic.clear_parts(folder)
            since = datetime.now().astimezone().isoformat(timespec="seconds")
            command = shlex.join([os.path.basename(sys.argv[0] or "python"), *sys.argv[1:]])[:200]  # noqa: PTH119
            owner = Owner(os.getpid(), socket.gethostname(), since, command)
            atomic.write_text(self.folder.owner, json.dumps(asdict(owner)) + "\n")
            stack.callback(self._remove_note, descriptor)
            self._held = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._held.close()

    def move_aside(self) -> SweepFolder:
        """Rename the folder to `NAME~1` (or the next free number), and lock a new folder `NAME`. Return the renamed
        folder. Raises SweepBusy or RecordError, as `__enter__` does."""
        if disk.IS_WINDOWS:
            self._held.close()  # Windows renames no folder with an open file, which the lock is
        moved = SweepFolder(set_aside(self.folder.path))
        with self._held:  # the old lock lasts until the new folder is locked
            self.__enter__()
        return moved

    def _lock_folder(self, stack: ExitStack) -> int | None:
        deadline = time.monotonic() + _PATIENCE
        with plain_errors("lock", self.folder.path):
            while True:
                try:
                    if (descriptor := disk.lock_folder(self.folder.path)) is not None:
                        stack.callback(os.close, descriptor)
                    return descriptor
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise self._make_busy_error() from None
                time.sleep(0.02)

    def _make_busy_error(self) -> SweepBusy:
        message = f"the sweep {self.folder.name!r} runs in {read_owner(self.folder) or 'another process'}"
        return SweepBusy(message, hint="Wait until it ends, or stop it. `sweep leaderboard` shows its progress")

    def _remove_note(self, descriptor: int | None) -> None:
        # The descriptor finds the folder wherever it was moved. Its old path may hold the note of another process.
        with plain_errors("unlock", self.folder.path), contextlib.suppress(FileNotFoundError):
            disk.remove_inside(descriptor, self.folder.owner)


def read_owner(folder: SweepFolder) -> Owner | None:
    """Return the process that the sweep's `lock.json` names, or None if the file is missing or damaged."""
    try:
        with open_plain(folder.owner) as file:
            owner = parse_record(Owner, json.loads(file.read(_LONGEST)))
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    texts = (owner.host, owner.since, owner.command)
    return Owner(owner.pid, *("".join(char if char.isprintable() else "?" for char in text) for text in texts))


def living_owner(folder: SweepFolder) -> Owner | None:
    """Return the process that `lock.json` names, or None if it no longer runs the sweep, or the file is missing.
    A process on another host counts as running."""
    owner = read_owner(folder)
    is_here = owner is not None and owner.host == socket.gethostname()
    return None if is_here and not _is_locked(folder) else owner


def _is_locked(folder: SweepFolder) -> bool:
    from filelock import FileLock, Timeout

    try:
        if (descriptor := disk.lock_folder(folder.path, shared=True)) is not None:
            os.close(descriptor)
        elif folder.lock.exists():
            with FileLock(folder.lock, blocking=False):
                pass
    except (OSError, Timeout):
        return True
    return False
