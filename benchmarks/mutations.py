"""Change the code at random, one place at a time, and list the changes that no test notices.

    python benchmarks/mutations.py --rooms honest trial [--count 200] [--seed 0] [--jobs 1] [--seconds 60]
    python benchmarks/mutations.py --modules trial/plan.py sweep/run.py [--lines 63 86] [--tests tests/trial]

A change flips a comparison or moves its boundary, swaps `and` and `or` or an operator, negates a condition, alters a
constant, drops an argument, or returns None. Modules take turns, and so do kinds of change. With `--lines` all changes
of these lines are tried. Annotations, decorators, docstrings, `raise`, f-strings and texts with a space are left alone.

Changes are made in a copy of src/, each in a process of its own. It runs the tests that call the changed function,
until one fails: the mirrored file's first, then the cheapest. To know what tests call, each test file runs once under a
profiler, for each version of it (kept in build/mutations.json: delete that after large changes of src/). Test files are
those of the module's room and those that import from it, or what `--tests` names: `tests` are all, which takes an hour
once. Calls in other processes are not seen: of what is called there alone only the mirrored file is run.

`unnoticed`: no test failed, or none within `--seconds`. Look at each: an assertion is missing, or nothing changed.

Two cores of an AMD EPYC, shared and very busy (10 to 40 s a change; 3 s when quiet), 2026-11-30, `--seed 1`:

                                                changes  noticed
    `--rooms honest --tests tests/honest`            52       47
    seven modules of `trial`, `--tests tests/trial`  84       76

Of the 13 others six have had tests since, and one fails a test of `tests/honest`. Six change nothing. In `honest`: the
last axis where it is the default, a guard against NaN that no candidate has, a bound of 1 that shares never pass, the
sign of a width. In `trial`: the scale of parts that are all 0, and float32 of what is float32.
"""

from __future__ import annotations

import argparse
import ast
import cProfile
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from printed import print_machine, print_table

ROOT = Path(__file__).parents[1]
SRC, KNOWN = ROOT / "src" / "keras_sweep", ROOT / "build" / "mutations.json"
OTHERS = {
    "Lt": ("LtE", "GtE"), "LtE": ("Lt", "Gt"), "Gt": ("GtE", "LtE"), "GtE": ("Gt", "Lt"), "Eq": ("NotEq",),
    "NotEq": ("Eq",), "Is": ("IsNot",), "IsNot": ("Is",), "In": ("NotIn",), "NotIn": ("In",), "And": ("Or",),
    "Or": ("And",), "Add": ("Sub",), "Sub": ("Add",), "Mult": ("Div",), "Div": ("Mult",), "FloorDiv": ("Mult",),
    "Mod": ("Mult",), "Pow": ("Mult",), "BitAnd": ("BitOr",), "BitOr": ("BitAnd",),
}  # fmt: skip
Replacement: TypeAlias = tuple[str, Any, ast.AST]  # kind of change, what is replaced, and by what


@dataclass(frozen=True)
class Change:
    """Replace bytes `start` to `end` of a module."""

    module: str  # "trial/plan.py"
    line: int
    function: str  # the outermost one around, with its class; "" if there is none
    kind: str
    start: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        same = next((i for i, (a, b) in enumerate(zip(self.before, self.after, strict=False)) if a != b), 0)
        texts = [
            text if len(text) < 70 else f"..{text[max(same - 30, 0) :][:70]}.." for text in (self.before, self.after)
        ]
        return f"{self.module}:{self.line}  {texts[0]} -> {texts[1]}"


def places(node: ast.AST, function: str = "", inside: bool = False) -> Iterator[tuple[str, Any]]:
    """Each expression and statement that may be changed, with the function around it."""
    skipped = ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom
    if isinstance(node, skipped) or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
        return
    yield function, node
    children = [*ast.iter_child_nodes(node)]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = function if inside else f"{function}.{node.name}".lstrip(".")
        inside = inside or isinstance(node, ast.FunctionDef)
        defaults = (
            [*node.args.defaults, *filter(None, node.args.kw_defaults)] if isinstance(node, ast.FunctionDef) else []
        )
        children = [*defaults, *node.body]
    elif isinstance(node, ast.AnnAssign):
        children = [node.value] if node.value and "TypeAlias" not in ast.unparse(node.annotation) else []
    for child in children:
        yield from places(child, function, inside)


def operators(node: Any) -> Iterator[Replacement]:
    match node:
        case ast.Compare():
            for i, operator in enumerate(node.ops):
                for other in OTHERS[type(operator).__name__]:
                    ops = [*node.ops[:i], getattr(ast, other)(), *node.ops[i + 1 :]]
                    yield "comparison", node, ast.Compare(node.left, ops, node.comparators)
        case ast.BoolOp():
            yield "and, or", node, ast.BoolOp(getattr(ast, OTHERS[type(node.op).__name__][0])(), node.values)
        case ast.BinOp() if not isinstance(node.left, ast.JoinedStr) and not isinstance(node.right, ast.JoinedStr):
            for other in OTHERS.get(type(node.op).__name__, ()):
                yield "operator", node, ast.BinOp(node.left, getattr(ast, other)(), node.right)
        case ast.AugAssign(op=ast.Add()):
            yield "assignment", node, (ast.AugAssign(node.target, ast.Sub(), node.value))


def conditions(node: Any) -> Iterator[Replacement]:
    match node:
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield "condition", node, node.operand
        case ast.If() | ast.IfExp() | ast.While() if not isinstance(node.test, ast.Compare | ast.UnaryOp):
            yield "condition", node.test, ast.UnaryOp(ast.Not(), node.test)
        case ast.comprehension():
            yield from (("condition", test, ast.UnaryOp(ast.Not(), test)) for test in node.ifs)


def values(node: Any) -> Iterator[Replacement]:
    match node:
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield "return", node, ast.Return(ast.Constant(None))
        case ast.Call():
            keywords = [keyword for keyword in node.keywords if keyword.arg != "strict"]  # of `zip`: it refuses nothing
            lists = [(node.args, [other for other in node.keywords if other is not dropped]) for dropped in keywords]
            if len(node.args) > 1:
                lists.append((node.args[:-1], node.keywords))
            yield from (("argument", node, ast.Call(node.func, *arguments)) for arguments in lists)
        case ast.Constant(value=bool()):
            yield "constant", node, ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield "constant", node, ast.Constant(node.value + 1)
        case ast.Constant(value=str()) if " " not in node.value:
            yield "constant", node, ast.Constant(f"{node.value}X")


def changes_of(module: str) -> list[Change]:
    text = (SRC / module).read_bytes()
    starts = [0, *(match.end() for match in re.finditer(rb"\n", text))]
    found = []
    for function, node in places(ast.parse(text)):
        for kind, old, new in chain(operators(node), conditions(node), values(node)):
            start, end = starts[old.lineno - 1] + old.col_offset, starts[old.end_lineno - 1] + old.end_col_offset
            texts = ast.unparse(old), ast.unparse(new)
            found.append(Change(module, old.lineno, function, kind, start, end, *texts))
    return found


def draw(modules: Sequence[str], seed: int) -> list[Change]:
    """All changes: modules take turns, and kinds within a module."""
    choice, drawn = random.Random(seed), []
    for module in modules:
        kinds = defaultdict(list)
        for change in changes_of(module):
            kinds[change.kind].append(change)
        for changes in kinds.values():
            choice.shuffle(changes)
        drawn.append([change for change in chain(*zip_longest(*kinds.values())) if change])
    return [change for change in chain(*zip_longest(*drawn)) if change]


@dataclass(eq=False)
class Calls:
    """A pytest plugin: the functions of src/ that each test and its fixtures call, in all threads, and its seconds."""

    prefix: str
    found: dict[str, Any] = field(default_factory=lambda: {"fixtures": [], "tests": {}})
    threads: list[cProfile.Profile] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.setprofile(self.enter_thread)

    def enter_thread(self, *_: object) -> None:
        sys.setprofile(None)
        self.threads.append(cProfile.Profile())
        self.threads[-1].enable()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        profile, began = cProfile.Profile(), time.perf_counter()
        profile.enable()
        yield
        profile.disable()
        called = {
            f"{entry.code.co_filename.removeprefix(self.prefix)}::{entry.code.co_qualname.split('.<locals>')[0]}"
            for entry in chain(*(each.getstats() for each in (profile, *self.threads)))
            if not isinstance(entry.code, str) and entry.code.co_filename.startswith(self.prefix)
        }
        if item.stash.get(self, None) is None:  # in its fixtures
            item.stash[self] = self.found["fixtures"] = sorted({*self.found["fixtures"], *called})
        else:
            self.found["tests"][item.nodeid] = [round(time.perf_counter() - began, 2), sorted(called)]

    pytest_runtest_call = pytest_runtest_setup

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:  # without any change
            self.found["tests"].pop(report.nodeid, None)


@dataclass(eq=False)
class Chosen:
    """A pytest plugin: run these tests in this order; `found` is the first that fails."""

    tests: Sequence[str]
    found: str = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        order = {test: index for index, test in enumerate(self.tests)}
        items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            self.found = self.found or report.nodeid

    pytest_collectreport = pytest_runtest_logreport


def run_tests(place: Path, file: str, change: Change | None, tests: Sequence[str], cache: str) -> None:
    """In a process of its own: run tests on the copy of src/ in `place`, and write there what the plugin finds."""
    os.setpgid(0, 0)
    with (place / "output").open("w") as output:
        os.dup2(output.fileno(), 1), os.dup2(output.fileno(), 2)
    (place / "tmp").mkdir()
    os.environ |= {"PYTHONPATH": f"{place}/src", "TMPDIR": f"{place}/tmp", "SWEEP_CACHE_DIR": cache, "CI": "1"}
    os.environ["PYTHONDONTWRITEBYTECODE"], sys.dont_write_bytecode, tempfile.tempdir = "1", True, None
    sys.path[:0] = [f"{place}/src", str(ROOT)]
    plugin = Chosen(tests) if change else Calls(f"{place}/src/keras_sweep/")
    files = dict.fromkeys(test.split("::")[0] for test in tests) if change else [file]
    options = ["-q", "-m", "not soak", "-p", "no:xdist", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = pytest.main([*files, *options, *(["-x"] if change else [])], [plugin])
    (place / "answer").write_text(json.dumps(plugin.found or (change and code and f"pytest ends with {code}") or ""))


def run(file: str, change: Change | None, tests: Sequence[str], cache: str, seconds: float) -> tuple[Any, float]:
    """What the plugin finds on a copy of src/, None if time is up; and how long that took."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        copy, answer = Path(name, "src", "keras_sweep"), Path(name, "answer")
        shutil.copytree(SRC, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if change:
            text = (copy / change.module).read_bytes()
            after = change.after if change.kind in ("return", "assignment") else f"({change.after})"
            (copy / change.module).write_bytes(text[: change.start] + after.encode() + text[change.end :])
        began, child = time.monotonic(), os.fork()  # the slow imports are done
        if not child:
            try:
                run_tests(Path(name), file, change, tests, cache)
            except Exception:
                traceback.print_exc()
            finally:  # nothing else of this script goes on in the child
                sys.stderr.flush()
                os._exit(0)
        while not (ended := os.waitpid(child, os.WNOHANG)[0]) and time.monotonic() < began + seconds:
            time.sleep(0.05)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # with all that tests have started
        if not ended:
            os.waitpid(child, 0)
            return None, time.monotonic() - began
        if not answer.exists():
            sys.exit(Path(name, "output").read_text())
        return json.loads(answer.read_text()), time.monotonic() - began


def known_calls(files: Sequence[str], cache: str, jobs: int) -> dict[str, Any]:
    """What `Calls` finds in each test file; kept until the file changes."""
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    texts = {file: hashlib.sha256((ROOT / file).read_bytes()).hexdigest() for file in files}
    new = [file for file in files if known.get(file, {}).get("text") != texts[file]]
    with ThreadPoolExecutor(jobs) as pool:
        for file, (found, seconds) in zip(new, pool.map(lambda f: run(f, None, (), cache, 600), new), strict=True):
            known[file] = {"text": texts[file], **(found or {"fixtures": [], "tests": {}})}
            print(f"{len(known[file]['tests'])} tests in {seconds:.0f} s: {file}", flush=True)
            KNOWN.parent.mkdir(exist_ok=True)
            KNOWN.write_text(json.dumps(known))
    return {file: known[file] for file in files}


def files_near(modules: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Test files of the modules' rooms, and those that import from the modules; or those that are asked for."""
    names = [] if asked else [f"keras_sweep.{module.removesuffix('.py').replace('/', '.')} " for module in modules]
    folders = tuple(asked or [f"tests/{module.split('/')[0]}" for module in modules])
    files = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    return [file for file, text in files.items() if file.startswith(folders) or any(name in text for name in names)]


def tests_for(change: Change, known: dict[str, Any]) -> list[str]:
    """The tests that call the changed function, or whose file's fixtures do: the mirrored file's, then the cheapest."""
    key, mirrored = f"{change.module}::{change.function}", "tests/" + re.sub(r"([^/]+)$", r"test_\1", change.module)

    def is_called(names: Sequence[str]) -> bool:
        return any(name == key or (not change.function and name.startswith(key)) for name in names)

    chosen = []
    for file, about in known.items():
        tests = {t: about["tests"][t][0] for t in about["tests"] if is_called(about["fixtures"] + about["tests"][t][1])}
        chosen.append((file != mirrored, sum(tests.values()), sorted(tests, key=lambda test: tests[test])))
    return [*chain(*(tests for *_, tests in sorted(chosen)))] or [*known.get(mirrored, {"tests": ()})["tests"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", nargs="*", default=[])
    parser.add_argument("--modules", nargs="*", default=[])
    parser.add_argument("--lines", nargs="*", type=int, help="all changes of these lines")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60, help="for the tests of a change")
    parser.add_argument("--tests", nargs="*", default=[], help="files and folders")
    options = parser.parse_args()
    every = [str(path.relative_to(SRC)) for path in sorted(SRC.rglob("*.py")) if path.stat().st_size]
    rooms = tuple(f"{room}/" for room in options.rooms)
    modules = [module for module in every if module in options.modules or module.startswith(rooms)]
    changes = draw(modules, options.seed)
    changes = [c for c in changes if c.line in options.lines] if options.lines else changes[: options.count]
    print_machine()
    os.environ |= {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    for package in ("hypothesis", "pydantic", "scipy.special", "optuna", "sqlalchemy", "keras"):
        import_module(package)
    totals = defaultdict(lambda: [0, 0])
    with tempfile.TemporaryDirectory() as cache, ThreadPoolExecutor(options.jobs) as pool:
        users = Path(os.environ.get("SWEEP_CACHE_DIR", Path.home() / ".cache" / "keras-sweep"))
        if users.exists():  # data are not fetched anew, and no change can spoil what others use
            shutil.copytree(users, cache, dirs_exist_ok=True)
        known = known_calls(files_near(modules, options.tests), cache, options.jobs)

        def tried(change: Change) -> tuple[Any, float, int]:
            tests = tests_for(change, known)
            return *(run("", change, tests, cache, options.seconds) if tests else ("", 0.0)), len(tests)

        for change, (found, seconds, tests) in zip(changes, pool.map(tried, changes), strict=True):
            noticed = "killed   " if found else "unnoticed"
            by = found or f"{tests} tests{', time is up' if found is None else ''}"
            print(f"{noticed}  {change}  ({by}, {seconds:.1f} s)", flush=True)
            for name in (change.module, f"{change.module.split('/')[0]}, all"):
                totals[name][not found] += 1
    rows = [[name, str(k + u), str(k), f"{k / (k + u):.0%}"] for name, (k, u) in sorted(totals.items())]
    print_table("changes that tests notice", ["", "changes", "noticed", "share"], rows)
    print_machine("at the end")


if __name__ == "__main__":
    main()
