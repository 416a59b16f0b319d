"""One process writes a sweep. Readers need no lock.

The operating system keeps two locks (`flock`) and drops them when the process dies: one on the sweep's folder itself,
which nobody can remove, and one on a file in it, which file systems that machines share pass on to them. A note says
who holds them: for the message to others, and where locks are not passed on.
"""

import contextlib
import fcntl
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

_PATIENCE = 0.5  # seconds: a reader may hold the lock for a moment, and the note of a new holder is on its way
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
    """Held from `acquire` (or the begin of a `with`) to `release`, or to the death of the process."""

    def __init__(self, folder: SweepFolder, *, force: bool = False) -> None:
        """Takes nothing yet. `force` overrules the note of another host, whose process can't be asked if it runs."""
        self.folder = folder
        self.taken_over: Owner | None = None  # the dead process that held it last
        self._force = force
        self._held = ExitStack()  # closing it gives back what is held

    def acquire(self) -> None:
        """Take the lock, within half a second or not at all.

        Raises SweepBusy: another process holds it, or one on another host may; RecordError: the disk fails, its file
        system knows no locks, or the folder holds a link.
        """
        from filelock import FileLock, Timeout

        self.folder.make()
        check_own_files(self.folder)
        with ExitStack() as held:
            descriptor = self._lock_folder(held)
            with plain_errors("lock", self.folder.path), contextlib.suppress(NotImplementedError):
                lock = FileLock(self.folder.lock, mode=atomic.PRIVATE, thread_local=False)
                try:  # which on a shared file system a process of another host may hold
                    lock.acquire(blocking=False)
                except Timeout:
                    raise self._busy() from None
                held.callback(lock.release, force=True)
            last = read_owner(self.folder)
            if last is not None and last.host != socket.gethostname() and not self._force:
                message = f"sweep {self.folder.name!r} was begun by {last} and not ended there"
                raise SweepBusy(message, hint=f"If that process is gone: `--force`; else wait for it on {last.host}")
            self.taken_over = last
            for folder in (self.folder.path, self.folder.checkpoints):
                atomic.clear_parts(folder)
            since = datetime.now().astimezone().isoformat(timespec="seconds")
            command = shlex.join([os.path.basename(sys.argv[0] or "python"), *sys.argv[1:]])[:200]  # noqa: PTH119
            owner = Owner(os.getpid(), socket.gethostname(), since, command)
            atomic.write_text(self.folder.owner, json.dumps(asdict(owner)) + "\n")
            held.callback(self._remove_note, descriptor)
            self._held = held.pop_all()

    def move_aside(self) -> SweepFolder:
        """Move the sweep aside, hold a new, empty folder of its name, and return where the old one is.

        Raises RecordError, or SweepBusy where another process was quicker to take the new folder.
        """
        moved = SweepFolder(set_aside(self.folder.path))
        with self._held:  # until the new folder is locked
            self.acquire()
        return moved

    def release(self) -> None:
        """Give the lock back; may be called twice."""
        self._held.close()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *raised: object) -> None:
        self.release()

    def _lock_folder(self, held: ExitStack) -> int:
        """The descriptor of the folder, once that is locked. Raises SweepBusy, which says who holds it."""
        deadline = time.monotonic() + _PATIENCE
        with plain_errors("lock", self.folder.path):
            descriptor = os.open(self.folder.path, os.O_RDONLY)
            held.callback(os.close, descriptor)
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return descriptor
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise self._busy() from None
                time.sleep(0.02)

    def _busy(self) -> SweepBusy:
        message = f"sweep {self.folder.name!r} is being run by {read_owner(self.folder) or 'another process'}"
        return SweepBusy(message, hint="Wait for it or end it; `sweep leaderboard` shows how far it is")

    def _remove_note(self, descriptor: int) -> None:
        """In the folder of that descriptor, wherever it was moved: another's note may stand where it was."""
        with plain_errors("unlock", self.folder.path), contextlib.suppress(FileNotFoundError):
            os.unlink(self.folder.owner.name, dir_fd=descriptor)


def read_owner(folder: SweepFolder) -> Owner | None:
    """Who the note says holds the lock; None without one, or where it can't be understood."""
    try:
        with open_plain(folder.owner) as file:
            owner = parse_record(Owner, json.loads(file.read(_LONGEST)))
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    texts = (owner.host, owner.since, owner.command)
    return Owner(owner.pid, *("".join(c if c.isprintable() else "?" for c in text) for text in texts))


def living_owner(folder: SweepFolder) -> Owner | None:
    """Who runs the sweep now; None where nobody holds its lock. Of another host's process the note alone tells."""
    owner = read_owner(folder)
    if owner is None or owner.host != socket.gethostname():
        return owner
    with ExitStack() as stack:
        try:
            descriptor = os.open(folder.path, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return owner
    return None
