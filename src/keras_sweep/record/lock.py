"""One process writes a sweep. Readers need no lock.

The operating system keeps the lock (`flock`, by filelock) and drops it when the process dies, however it dies. The
sweep's folder itself is locked too: a lock file that somebody removes must not let a second process in. Beside them
stands a note of who holds them: for the message to others, and for file systems that several machines share and that
do not pass locks between them.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from keras_sweep.errors import RecordError, SweepBusy
from keras_sweep.files import atomic, disk
from keras_sweep.files.plain import open_plain, plain_errors
from keras_sweep.record.sweep_folder import SweepFolder, check_own_files

_NOTE_SECONDS = 0.5  # how long the note of a holder that has just begun may be in coming
_LONGEST = 4096  # characters of a note


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds, or held, a lock."""

    pid: int
    host: str
    since: str  # local time, to the second: "2026-01-31T12:00:00+01:00"
    command: str
    birth: str = ""  # what tells the process from a later one of its number; "" where the system does not say

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
        self._held: ExitStack | None = None  # closing it gives back what is held

    def acquire(self) -> None:
        """Take the lock, at once or not at all.

        Raises:
            SweepBusy: another process holds it, perhaps without its lock file, or one on another host may.
            RecordError: the file system knows no locks, the disk fails, or the folder holds a link.
        """
        self.folder.make()
        check_own_files(self.folder)
        with ExitStack() as held:
            self._lock_file(held)
            self._lock_folder(held)
            last = read_owner(self.folder)
            if last is not None and last.birth and last.pid != os.getpid() and _may_live(last) and _is_here(last):
                raise self._without_its_file(last)
            if last is not None and not _is_here(last) and not self._force:
                message = f"sweep {self.folder.name!r} was begun by {last} and not ended there"
                raise SweepBusy(message, hint=f"If that process is gone: `--force`; else wait for it on {last.host}")
            self.taken_over = last
            for folder in (self.folder.path, self.folder.checkpoints):
                atomic.clear_parts(folder)
            atomic.write_text(self.folder.owner, json.dumps(asdict(_this_process())) + "\n")
            held.callback(self._remove_note, _inode(self.folder.owner))
            self._held = held.pop_all()

    def move_aside(self) -> SweepFolder:
        """Move the sweep aside and hold a new, empty folder of its name; return where the old one is.

        Raises RecordError, or SweepBusy where another process was quicker to take the new folder.
        """
        if self._held is None:
            raise ValueError("the lock must be held before its sweep can be moved aside")
        self._remove_note(_inode(self.folder.owner))
        moved = self.folder.move_aside()
        with self._held:  # until the new folder is locked
            self._held = None
            self.acquire()
        return moved

    def release(self) -> None:
        """Give the lock back; may be called twice. Its file stays: others may be waiting for it."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def __enter__(self) -> SweepLock:
        self.acquire()
        return self

    def __exit__(self, *raised: object) -> None:
        self.release()

    def _lock_file(self, held: ExitStack) -> None:
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder.lock, mode=atomic.PRIVATE, thread_local=False)
        with plain_errors("lock", self.folder.path):
            try:
                lock.acquire(blocking=False)
            except Timeout:
                raise self._busy() from None
            except NotImplementedError as error:
                message = f"can't lock {self.folder.path}: its file system knows no locks"
                raise RecordError(message, hint="Give a folder on another disk with `--sweeps-dir`") from error
        held.callback(lock.release, force=True)

    def _lock_folder(self, held: ExitStack) -> None:
        """Lock the folder itself, where the file system can. Raises SweepBusy where its process lost its lock file."""
        import fcntl

        descriptor = os.open(self.folder.path, os.O_RDONLY)
        held.callback(os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._without_its_file(read_owner(self.folder)) from None
        except OSError:
            pass

    def _remove_note(self, inode: int | None) -> None:
        """Remove our own note, and no other that stands in its place: that has another inode."""
        if inode is not None and _inode(self.folder.owner) == inode:
            with plain_errors("unlock", self.folder.path):
                disk.remove(self.folder.owner)

    def _without_its_file(self, owner: Owner | None) -> SweepBusy:
        return SweepBusy(
            f"sweep {self.folder.name!r} is being run by {owner or 'another process'}, and its lock file was removed",
            hint="Wait for it or end it; a lock file is never to be removed by hand",
        )

    def _busy(self) -> SweepBusy:
        """Who holds it. A note of a dead process is older than the lock: its successor's is on its way."""
        deadline = time.monotonic() + _NOTE_SECONDS
        while (owner := living_owner(self.folder)) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return SweepBusy(
            f"sweep {self.folder.name!r} is being run by {owner or 'another process'}",
            hint="Wait for it or end it; `sweep leaderboard` shows how far it is",
        )


def read_owner(folder: SweepFolder) -> Owner | None:
    """Who the note says holds the lock; None without one, or where it can't be understood."""
    try:
        with open_plain(folder.owner) as file:
            owner = Owner(**json.loads(file.read(_LONGEST)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = (owner.host, owner.since, owner.command, owner.birth)
    if type(owner.pid) is not int or owner.pid < 1 or not all(isinstance(text, str) for text in texts):
        return None
    return Owner(owner.pid, *("".join(c if c.isprintable() else "?" for c in text) for text in texts))


def living_owner(folder: SweepFolder) -> Owner | None:
    """Who runs the sweep now; None where the process that the note names is gone. Of another host none can be asked."""
    owner = read_owner(folder)
    return owner if owner is not None and _may_live(owner) else None


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _may_live(owner: Owner) -> bool:
    if not _is_here(owner):
        return True
    try:
        os.kill(owner.pid, 0)
    except (ProcessLookupError, OverflowError):  # or a number that no process can have
        return False
    except OSError:
        return True
    now = _birth(owner.pid)
    return not (owner.birth and now) or owner.birth == now  # else a later process has its number


def _is_here(owner: Owner) -> bool:
    return owner.host == socket.gethostname()


def _birth(pid: int) -> str:
    """When a process began, in ticks since which boot; "" where the system does not say so."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        about = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return f"{boot}/{about.rpartition(')')[2].split()[19]}"  # the name before it may hold spaces; man 5 proc, field 22


def _this_process() -> Owner:
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    words = [os.path.basename(sys.argv[0] or "python"), *sys.argv[1:]]  # noqa: PTH119
    return Owner(os.getpid(), socket.gethostname(), since, shlex.join(words)[:200], _birth(os.getpid()))
