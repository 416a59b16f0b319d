from __future__ import annotations

import importlib
import sys
import threading

import pytest

from keras_sweep.process.lazy_modules import loaded_later

NAMES = ("lazy_a", "lazy_a.inner", "lazy_b", "lazy_slow", "lazy_broken", "lazy_absent")


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A folder of modules; `loads` lists those that were executed."""
    (tmp_path / "lazy_a").mkdir()
    (tmp_path / "lazy_a" / "__init__.py").write_text("import lazy_log; lazy_log.loads.append('a'); x = 1")
    (tmp_path / "lazy_a" / "inner.py").write_text("import lazy_log; lazy_log.loads.append('inner'); y = 2")
    (tmp_path / "lazy_b.py").write_text(
        "import lazy_log; lazy_log.loads.append('b')\nimport lazy_b\nhad = hasattr(lazy_b, 'z')\nz = 3\n"
        "def __getattr__(name):\n    if name == 'old': return 4\n    raise AttributeError(name)\n"
    )
    (tmp_path / "lazy_slow.py").write_text(
        "import time, lazy_log; lazy_log.loads.append('slow')\nfirst = 1\ntime.sleep(0.3)\nlast = 2"
    )
    (tmp_path / "lazy_broken.py").write_text("import lazy_log; lazy_log.loads.append('broken'); 1 / 0")
    (tmp_path / "lazy_log.py").write_text("loads = []")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("lazy_log").loads
    for name in [name for name in sys.modules if name.startswith("lazy_")]:
        del sys.modules[name]


def test_a_module_loads_when_something_is_asked_of_it(modules):
    with loaded_later(NAMES):
        import lazy_a
        import lazy_b
    assert modules == []
    assert lazy_a.__name__ == "lazy_a" and lazy_a.__file__.endswith("__init__.py")
    assert modules == []
    assert lazy_a.x == 1
    assert modules == ["a"]
    assert "z" in dir(lazy_b) and lazy_b.z == 3
    assert modules == ["a", "b"]
    assert type(lazy_a) is type(lazy_b) is type(sys)


def test_what_is_imported_from_it_or_below_it_is_loaded(modules):
    with loaded_later(["lazy_a"]):
        importlib.import_module("lazy_a.inner")
    assert modules == ["a", "inner"]
    with loaded_later(["lazy_b"]):
        from lazy_b import z

    assert z == 3
    assert modules == ["a", "inner", "b"]


def test_what_is_known_of_it_is_told_until_it_loads(modules):
    with loaded_later(["lazy_a"], known={"lazy_a": {"x": "told", "more": "only told"}}):
        import lazy_a
    assert (lazy_a.x, lazy_a.more, modules) == ("told", "only told", [])
    assert not hasattr(lazy_a, "y")
    assert (lazy_a.x, hasattr(lazy_a, "more"), modules) == (1, False, ["a"])


def test_a_module_below_one_that_is_loaded_later_can_be_so_too(modules, tmp_path):
    with loaded_later(["lazy_a", "lazy_a.inner", "lazy_a.absent"]):
        import lazy_a.inner
    assert modules == []
    assert lazy_a.inner.y == 2
    assert modules == ["inner"]  # which imports nothing of the package
    assert lazy_a.x == 1
    assert modules == ["inner", "a"]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("lazy_a.absent")


def test_a_hollow_package_is_not_loaded_by_what_is_below_it(modules):
    with loaded_later(["lazy_a"], hollow=True):
        inner = importlib.import_module("lazy_a.inner")
    assert inner.y == 2
    assert modules == ["inner"]
    import lazy_a

    assert lazy_a.inner is inner
    assert lazy_a.x == 1
    assert modules == ["inner", "a"]


def test_a_module_that_looks_at_itself_while_it_loads_and_makes_names_up(modules):
    with loaded_later(NAMES):
        import lazy_b
    assert lazy_b.old == 4
    assert lazy_b.had is False
    with pytest.raises(AttributeError):
        lazy_b.nothing  # noqa: B018


def test_two_threads_that_ask_at_once_both_find_all_of_it(modules):
    with loaded_later(NAMES):
        import lazy_slow
    found = []
    threads = [threading.Thread(target=lambda: found.append(lazy_slow.last)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 4
    assert modules == ["slow"]


def test_a_thread_that_loads_one_module_does_not_wait_for_a_thread_that_loads_another(modules, tmp_path):
    (tmp_path / "lazy_outer.py").write_text("import lazy_turns\nlazy_turns.outer.set()\nimport lazy_shared\nx = 1")
    (tmp_path / "lazy_shared.py").write_text(
        "import lazy_turns\nlazy_turns.shared.set()\nlazy_turns.outer.wait(20)\nfrom lazy_b import z"
    )
    (tmp_path / "lazy_turns.py").write_text("import threading\nouter, shared = threading.Event(), threading.Event()")
    turns = importlib.import_module("lazy_turns")
    with loaded_later([*NAMES, "lazy_outer"]):
        import lazy_b  # noqa: F401
        import lazy_outer

    def ask():
        turns.shared.wait(20)  # until the other thread is inside of the module that this one is about to import
        assert lazy_outer.x == 1

    threads = [threading.Thread(target=importlib.import_module, args=("lazy_shared",)), threading.Thread(target=ask)]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_what_fails_to_load_fails_where_it_is_used_each_time(modules):
    with loaded_later(NAMES):
        import lazy_broken
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            lazy_broken.x  # noqa: B018
    assert modules == ["broken"] * 2


def test_what_is_not_installed_is_not_found(modules):
    with loaded_later(NAMES), pytest.raises(ModuleNotFoundError):
        importlib.import_module("lazy_absent")


def test_other_threads_load_what_they_import(modules):
    with loaded_later(NAMES):
        thread = threading.Thread(target=lambda: importlib.import_module("lazy_b"))
        thread.start()
        thread.join()
    assert modules == ["b"]
