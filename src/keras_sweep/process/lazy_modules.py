"""Modules that are found when they are imported, and loaded when something is asked of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeAlias

Known: TypeAlias = Mapping[str, Mapping[str, object]]  # module -> name in it -> what stands for that name
_LOCK = "__loading__"  # of a module, held while it loads: another thread that asks it for a name waits for all of it


@contextmanager
def loaded_later(names: Collection[str], *, hollow: bool = False, known: Known | None = None) -> Iterator[None]:
    """Inside, these modules are only found where this thread imports them; other threads load them as ever.

    They load when a name is asked of them that they do not have yet, by whatever thread, also long after. What fails
    then fails there, and again each time. The standard library's LazyLoader lets two threads see half a module (before
    Python 3.11.9), and loads what only goes through `sys.modules`.

    Args:
        names: full names.
        hollow: whether to import a module below one of these does not load that one. For packages whose modules do
            without what their `__init__` does.
        known: what stands for a name of a module until the module loads.
    """
    finder = _Finder(frozenset(names), hollow, known or {})
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def __init__(self, names: frozenset[str], hollow: bool, known: Known) -> None:
        self._names = names
        self._hollow = hollow
        self._known = known
        self._thread = threading.get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What another finder finds, to be loaded later."""
        if name not in self._names or threading.get_ident() != self._thread:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _Later(spec.loader, self._below(name), self._hollow, self._known.get(name, {}))
                return spec
        return None

    def _below(self, name: str) -> list[str]:
        return sorted(each for each in self._names if each.rpartition(".")[0] == name)


class _Later(Loader):
    """Stands for a module's loader until the module is loaded."""

    def __init__(self, loader: Loader, below: Sequence[str], hollow: bool, known: Mapping[str, object]) -> None:
        self.loader = loader
        self.known = known
        self._below = below
        self._hollow = hollow

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """What the loader makes."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Make it a module that loads itself, and so those right below it, while it can be had without loading it."""
        for name in self._below:
            with suppress(ModuleNotFoundError):
                import_module(name)
        if not self._hollow:
            module.__dict__.pop("__path__", None)  # whoever imports a module below it asks for this, and so loads it
        module.__dict__.setdefault(_LOCK, threading.RLock())
        module.__dict__.update(self.known)
        module.__class__ = _Lazy


class _Lazy(ModuleType):
    def __getattr__(self, name: str) -> Any:
        _load(self)
        return ModuleType.__getattribute__(self, name)

    def __dir__(self) -> list[str]:
        _load(self)
        return list(ModuleType.__dir__(self))


def _load(module: ModuleType) -> None:
    """Load it, unless it is loaded, or this thread is just loading it."""
    with module.__dict__.get(_LOCK, nullcontext()):
        spec = module.__spec__
        assert spec is not None
        later = spec.loader
        if not isinstance(later, _Later):
            return
        module.__loader__ = spec.loader = later.loader
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations
        for name in later.known:
            del module.__dict__[name]
        try:
            later.loader.exec_module(module)
        except BaseException:
            module.__loader__ = spec.loader = later
            later.exec_module(module)
            raise
        module.__class__ = ModuleType
        del module.__dict__[_LOCK]
