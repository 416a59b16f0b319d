"""The rooms of the package stand on floors: a module imports only from rooms below its own, and nothing in a circle."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "keras_sweep"
ARCHITECTURE = (Path(__file__).parents[1] / "ARCHITECTURE.md").read_text().split("## The life")[0]
ROOMS = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", ARCHITECTURE, re.MULTILINE)  # from the ground floor up
LOOSE = {"__init__", "__main__", "errors", "keras_tuner"}  # all that may stand outside a room
MODULES = {".".join(path.with_suffix("").relative_to(PACKAGE).parts): path for path in PACKAGE.rglob("*.py")}


def imports(name: str) -> Iterator[str]:
    """The modules of the package that a module imports, inside functions too, by their names below the package."""
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("keras_sweep"):
            continue
        where = (node.module or "").removeprefix("keras_sweep").lstrip(".")
        for alias in node.names:
            inner = f"{where}.{alias.name}".lstrip(".")
            yield inner if inner in MODULES else where


def room(name: str) -> str:
    return name.split(".")[0]


def test_nothing_else_stands_at_the_top() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == LOOSE
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert sorted({*rooms, "errors"}) == sorted(ROOMS)


@pytest.mark.parametrize("name", sorted(name for name in MODULES if room(name) in ROOMS))
def test_a_module_imports_only_from_rooms_below(name: str) -> None:
    floor = ROOMS.index(room(name))
    above = {other for other in imports(name) if room(other) in ROOMS and ROOMS.index(room(other)) > floor}
    assert not above, f"{name} stands below what it imports"


@pytest.mark.parametrize("name", sorted(name for name in MODULES if room(name) == "cli"))
def test_a_command_calls_the_public_functions_and_nothing_below_them(name: str) -> None:
    beside = {"", "cli", "api", "views", "errors", "process", "system", "space.text"}
    assert {other for other in imports(name) if not {other, room(other)} & beside} == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {other for other in imports(name) if other in MODULES and other != name} for name in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_few_ties_bind_the_rooms() -> None:
    """`testing/` is left out, which has a contract for members of many rooms."""
    ties = {(room(name), room(other)) for name in MODULES for other in imports(name) if other} - {("", "")}
    assert len({(a, b) for a, b in ties if a != b and a in ROOMS and b in ROOMS and a != "testing"}) <= 82


MODULES_OF_SOME_SYSTEMS = {"ctypes", "fcntl", "grp", "msvcrt", "pty", "pwd", "resource", "select", "termios", "winreg"}
CALLS_OF_SOME_SYSTEMS = re.compile(
    r"os\.(name|uname|fork\w*|register_at_fork|\w*[ug]id|kill\w*|sched_\w+|p(read|write)v?|mkfifo|statvfs|O_\w+|F_\w+)"
    r"|sys\.platform|signal\.(SIG\w+|pause|setitimer|alarm|pthread_\w+|sigwait\w*)"
)
OF_EVERY_SYSTEM = {
    *("os.getpid", "os.getppid", "os.O_RDONLY", "os.O_WRONLY", "os.O_RDWR"),
    *("signal.SIGINT", "signal.SIGTERM", "signal.SIG_IGN", "signal.SIG_DFL"),
}


@pytest.mark.parametrize("name", sorted(name for name in MODULES if room(name) != "system"))
def test_what_only_some_systems_have_is_named_in_one_room(name: str) -> None:
    """`make lint` has mypy look for the rest: it reads the package as on Windows and macOS, too."""
    nodes = list(ast.walk(ast.parse(MODULES[name].read_text())))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not found & MODULES_OF_SOME_SYSTEMS
    calls = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
    assert not {call for call in calls if CALLS_OF_SOME_SYSTEMS.fullmatch(call)} - OF_EVERY_SYSTEM
    asked = {
        ast.unparse(node.args[0])
        for node in nodes
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in ("hasattr", "getattr")
    }
    assert not asked & {"os", "signal", "socket", "time"}


# Where something may be set on another package: lanes, replay and KerasTuner's oracles can't be had without.
PRIVATE_NAMES = (
    "training.",
    "search.keras_tuner.",
    "process.backend",  # the flag by which Keras imports TensorFlow: seconds of each run on another backend
)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_other_packages_are_used_and_not_rebuilt(name: str) -> None:
    """No hook under imports, no table of another program's database, nothing set on a module that is not ours."""
    text = MODULES[name].read_text()
    assert not re.search(r"sys\.meta_path|MetaPathFinder|CREATE TABLE", text)
    nodes = list(ast.walk(ast.parse(text)))
    foreign = set()
    for node in nodes:
        for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            home = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            if home.split(".")[0] not in {"keras_sweep", *sys.stdlib_module_names}:
                foreign.add((alias.asname or alias.name).split(".")[0])
    targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    holders = [part.value for target in targets for part in ast.walk(target) if isinstance(part, ast.Attribute)]
    holders += [one.args[0] for one in nodes if isinstance(one, ast.Call) and getattr(one.func, "id", "") == "setattr"]
    changed = {holder.id for holder in holders if isinstance(holder, ast.Name)}
    if not name.startswith(PRIVATE_NAMES):
        assert not changed & foreign


def test_no_test_module_imports_from_another() -> None:
    """What tests share stands in tests/helpers."""
    for path in Path(__file__).parent.rglob("test_*.py"):
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        assert not [node.module for node in nodes if (node.module or "").split(".")[-1].startswith("test_")], path
