"""Makes the operating system look like Windows to keras-sweep, in this process and in those that it starts.

As a plugin of pytest (`-p tests.helpers.windows`), the same tests run with and without it. The standard library and
other packages have Windows code of their own, and see the real system; so do the tests. For a call that comes from
keras-sweep, also by way of `pathlib` or `shutil`:

- `fcntl` and its like can't be imported; `os.fork`, `os.getuid`, SIGHUP, `select.poll` and their like are not there
- SIGBREAK is there: it is the real SIGHUP
- a folder can't be opened; a file or folder that any process has open or mapped can't be renamed, replaced (another
  error, as there) or removed
- a file that is opened by number is text unless O_BINARY is given; only what is open for writing can be synced
- names that Windows forbids, and paths of more than 259 characters (247 of a folder), can't be made
- signal 0 would be Ctrl-C; `select` takes sockets only; there is no C library without a name

Pipes in folders are left out, which Windows has not, and links, which ask for an administrator there.
"""

import builtins
import ctypes
import fcntl
import os
import re
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

MARK = "SWEEP_TESTS_WINDOWS"
ROOT = Path(__file__).parents[2]
OURS = re.compile(r"/keras_sweep/[^<>]*\.py$")
BETWEEN = re.compile(r"/(pathlib|shutil|contextlib)(/\w+)?\.py$|^<frozen|/helpers/windows\.py$")
MODULES = {"fcntl", "resource", "termios", "pwd", "grp", "tty", "pty", "readline"}
MISSING: dict[ModuleType, tuple[str, ...]] = {
    os: (
        "fork", "getuid", "geteuid", "getgid", "killpg", "getpgid", "setsid", "getloadavg", "mkfifo", "statvfs",
        "sched_getaffinity", "sched_setaffinity", "sched_setscheduler", "sched_param", "SCHED_BATCH",
        "register_at_fork", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "posix_fadvise", "fchmod",
    ),
    signal: (
        "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGTSTP", "SIGCONT", "SIGCHLD", "SIGWINCH", "SIGQUIT",
        "SIGPIPE", "setitimer", "pthread_sigmask", "pthread_kill",
    ),
    select: ("poll", "epoll"),
}  # fmt: skip
BINARY = 1 << 30
NEITHER_PIPE_NOR_LINK = os.O_NONBLOCK, os.O_NONBLOCK | os.O_NOFOLLOW  # to read, to write
ACCESS_DENIED, SHARING_VIOLATION, INVALID_NAME = 5, 32, 123
MOST_PATH = {"os.mkdir": 247}  # characters; 259 of a file
FORBIDDEN = re.compile(r"""[<>:"|?*\\\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$""", re.IGNORECASE)


def is_ours(frame: FrameType | None) -> bool:
    """Whether a call comes from keras-sweep, itself or by way of a module that hands it on to the system."""
    while frame is not None and BETWEEN.search(frame.f_code.co_filename):
        frame = frame.f_back
    return frame is not None and bool(OURS.search(frame.f_code.co_filename))


def install() -> None:
    os.environ[MARK] = "1"
    here = str(Path(__file__).parent / "windows_site")  # whose sitecustomize calls this in the processes that start
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, *(path for path in paths if path not in ("", here))])
    for module, names in MISSING.items():
        _hide(module, names)
    _refuse_modules()
    _stand_in(os, "open", _open)
    _stand_in(os, "fsync", _fsync)
    _stand_in(os, "kill", _kill)
    for name in ("rename", "replace", "unlink", "remove", "rmdir"):
        _stand_in(os, name, _change)
    _stand_in(select, "select", _select)
    _stand_in(ctypes, "CDLL", _library)
    sys.addaudithook(_audit)


def _hide(module: ModuleType, names: tuple[str, ...]) -> None:
    real = {name: getattr(module, name) for name in names if hasattr(module, name)}
    for name in real:
        delattr(module, name)

    def get(name: str) -> Any:
        ours = OURS.search(sys._getframe(1).f_code.co_filename)
        if module is signal and name == "SIGBREAK" and ours:
            return real["SIGHUP"]
        if module is os and name == "O_BINARY" and ours:
            return BINARY
        if ours or name not in real:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return real[name]

    module.__getattr__ = get  # type: ignore[method-assign]


def _refuse_modules() -> None:
    real = builtins.__import__

    @wraps(real)
    def load(name: str, globals: Any = None, *arguments: Any, **more: Any) -> Any:
        if name in MODULES and str((globals or {}).get("__name__", "")).startswith("keras_sweep"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, globals, *arguments, **more)

    builtins.__import__ = load


def _stand_in(module: ModuleType, name: str, call: Callable[..., Any]) -> None:
    """Put in the place of a function what gets it first, when keras-sweep calls."""
    real = getattr(module, name)

    @wraps(real)
    def choose(*arguments: Any, **more: Any) -> Any:
        return call(real, *arguments, **more) if is_ours(sys._getframe(1)) else real(*arguments, **more)

    setattr(module, name, choose)


def _open(real: Any, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    assert dir_fd is None, "Windows has no dir_fd"
    if flags & (os.O_WRONLY | os.O_RDWR) and path != os.devnull and OURS.search(sys._getframe(2).f_code.co_filename):
        assert flags & BINARY, f"{path} is opened as text: '\\n' becomes '\\r\\n'"
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))
    return int(real(path, flags & ~BINARY | NEITHER_PIPE_NOR_LINK[bool(flags & os.O_CREAT)], mode))


def _fsync(real: Any, descriptor: int) -> None:
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(9, "Bad file descriptor")
    real(descriptor)


def _kill(real: Any, process: int, number: int) -> None:
    assert number != 0, "on Windows signal 0 is Ctrl-C"
    real(process, number)


def _change(real: Any, *paths: Any, dir_fd: int | None = None, **more: Any) -> None:
    places = [Path(path) for path in paths]
    if dir_fd is not None:  # as `shutil` calls it, which has another way on Windows
        places = [Path(os.readlink(f"/proc/self/fd/{dir_fd}"), path) for path in paths]
        more["dir_fd"] = dir_fd
    for place in places:
        if os.path.lexists(place) and (user := _find_user(os.path.realpath(place))):
            code, text = (
                SHARING_VIOLATION,
                "The process cannot access the file because it is being used by another process",
            )
            if place is not places[0]:
                code, text = ACCESS_DENIED, "Access is denied"
            error = PermissionError(13, f"{text} ({user})", str(place))
            error.winerror = code  # type: ignore[attr-defined]
            raise error
    if real.__name__ == "rename" and os.path.lexists(places[1]):
        raise FileExistsError(17, "Cannot create a file when that file already exists", str(places[1]))
    real(*paths, **more)


def _find_user(place: str) -> str:
    """What process has the file, or a file in the folder, open or mapped: its number and the file. "" for none."""
    inside = place + "/"
    for process in os.listdir("/proc"):
        if not process.isdigit():
            continue
        names = []
        with suppress(OSError):  # it has ended
            for number in os.listdir(f"/proc/{process}/fd"):
                with suppress(OSError):  # closed by now, as the one that lists them
                    names.append(os.readlink(f"/proc/{process}/fd/{number}"))
        if process == str(os.getpid()):
            names += [line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text("utf-8").splitlines()]
        for name in names:
            if name == place or name.startswith(inside):
                return f"{process}: {name}"
    return ""


def _select(real: Any, *lists: Any) -> Any:
    for stream in (*lists[0], *lists[1], *lists[2]):
        if isinstance(stream, int):
            raise OSError(10038, "An operation was attempted on something that is not a socket")
    return real(*lists)


def _library(real: Any, name: str | None = None, *arguments: Any, **more: Any) -> Any:
    if name is None:
        raise TypeError("argument of type 'NoneType' is not iterable")
    return real(None if name == "ucrtbase" else name, *arguments, **more)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("open", "os.mkdir", "os.rename") or not is_ours(sys._getframe().f_back):
        return
    if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        return
    for path in arguments[: 2 if event == "os.rename" else 1]:
        if isinstance(path, str | os.PathLike) and FORBIDDEN.search(name := os.path.basename(os.fspath(path))):
            error = OSError(
                22, f"The filename, directory name, or volume label syntax is incorrect: {name!r}", str(path)
            )
            error.winerror = INVALID_NAME  # type: ignore[attr-defined]
            raise error
        if isinstance(path, str | os.PathLike) and len(str(Path(path).absolute())) > MOST_PATH.get(event, 259):
            raise OSError(2, "The system cannot find the path specified", str(path))


if not hasattr(os, "__getattr__"):
    install()
