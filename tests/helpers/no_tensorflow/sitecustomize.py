"""Python imports this at its start: a process that a test starts has no TensorFlow, like one of the core alone."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class NoTensorFlow(PathFinder):
    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname.partition(".")[0] == "tensorflow" else super().find_spec(fullname, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = NoTensorFlow
