"""What a function does and uses, told from its byte code: its steps, the names that it reads, what it imports."""

from __future__ import annotations

import contextlib
import dis
import importlib.util
import itertools
from collections.abc import Iterator
from types import CodeType, ModuleType
from typing import Any

from keras_sweep.process.code_files import is_installed

READS_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
READS_OUTER = ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")  # variables of the function around it
WRITES = ("STORE_GLOBAL", "STORE_DEREF", "STORE_NAME")
TAKES = ("LOAD_ATTR", "LOAD_METHOD")
NOTES = ("append", "add", "extend", "update")


def steps_of(code: CodeType) -> tuple[list[tuple[str, int | None]], list[Any]]:
    """What the code does, step by step, and the constants that it loads: without the lines on which it stands."""
    listed = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    # Python 3.13 writes into the body of a class on which line it begins, and which attributes its methods set, in any
    # order: neither these two names nor the constants before them count.
    of_a_class = {
        at - 1 for at, step in enumerate(listed) if step.argval in ("__firstlineno__", "__static_attributes__")
    }
    kept = [step for at, step in enumerate(listed) if at not in of_a_class]
    constants = [step.argval for step in kept if step.opcode in dis.hasconst]
    return [(step.opname, None if step.opcode in dis.hasconst else step.arg) for step in kept], constants


def reads(code: CodeType, instructions: tuple[str, ...]) -> dict[str, set[tuple[str, ...]]]:
    """The names that a function, and those inside of it, read so; each with the attributes that are taken of it.

    A name that a function also sets is state of its own, which was not given to it.
    """
    found: dict[str, set[tuple[str, ...]]] = {}
    for listed in _all_instructions(code):
        own = {instruction.argval for instruction in listed if instruction.opname in WRITES}
        for at, instruction in enumerate(listed):
            if instruction.opname in instructions and instruction.argval not in own:
                rest = itertools.takewhile(
                    lambda one: one.opname in ("LOAD_ATTR", "LOAD_METHOD"), listed[at + 1 : at + 9]
                )
                found.setdefault(instruction.argval, set()).add(tuple(one.argval for one in rest))
    return found


def imported(code: CodeType, namespace: dict[str, Any]) -> set[str]:
    """The modules that a function, and those inside of it, import when they run, and what they import from these."""
    found = set()
    for listed in _all_instructions(code):
        for level, names, instruction in zip(listed, listed[1:], listed[2:], strict=False):
            if instruction.opname == "IMPORT_NAME":
                with contextlib.suppress(ImportError):  # the call tells
                    relative = "." * level.argval + instruction.argval
                    module = importlib.util.resolve_name(relative, namespace.get("__package__") or "")
                    found |= {
                        module,
                        *(f"{module}.{name}" for name in names.argval or ()),
                    }  # which may be a module, too
    return found


def _all_instructions(code: CodeType) -> Iterator[list[dis.Instruction]]:
    """Those of a function, and of each function and class inside of it."""
    yield list(dis.get_instructions(code))
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _all_instructions(inner)


def reached(name: str, value: Any, attributes: tuple[str, ...]) -> tuple[str, Any]:
    """What `name.a.b` is, as far as it leads through modules of the user's: of these counts alone what is used."""
    for attribute in attributes:
        if not isinstance(value, ModuleType) or is_installed(value.__name__) or not hasattr(value, attribute):
            break
        name, value = f"{name}.{attribute}", getattr(value, attribute)
    return name, value


def is_noted_in(value: Any, uses: set[tuple[str, ...]]) -> bool:
    """Whether it is a list or the like that is only added to: a note, which changes nothing."""
    return isinstance(value, list | set | dict) and all(attributes and attributes[0] in NOTES for attributes in uses)
