"""`where`: constraints over the values of a trial, such as `model.units * model.layers <= 512`.

They look like Python and are none: the text is parsed, what it may be made of is listed here, and computed here.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from keras_sweep.space.distributions import Value

LONGEST = 300  # characters
OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    # Of numbers alone (texts have no `+ 0`), and never longer than a real one: none of these may fill the memory.
    ast.Mult: lambda a, b: (a + 0) * (b + 0),
    ast.Mod: lambda a, b: (a + 0) % b,
    ast.Pow: math.pow,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, all: one in all,
    ast.NotIn: lambda one, all: one not in all,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {"abs": abs, "len": len, "max": max, "min": min, "sum": sum}
KNOWN = "numbers, text in quotes, parameters, + - * / // % **, comparisons, in, and, or, not, abs, len, max, min, sum"
PARTS = (ast.Constant, ast.Tuple, ast.List, ast.Load, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.BinOp, ast.Compare)


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a text says of a trial."""

    names: frozenset[str]  # the parameters that it is about
    met: Callable[[Mapping[str, Value]], Any]  # by values of all of these

    def holds(self, params: Mapping[str, Value]) -> bool:
        """Whether values meet it, or lack one of its names. Raises ArithmeticError, TypeError or ValueError."""
        return not self.names <= params.keys() or bool(self.met(params))


@cache
def parse_constraint(text: str) -> Constraint:
    """The constraint that a text says. Raises ValueError, with what is wrong with it."""
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text)} characters, and at most {LONGEST} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        found = Constraint(frozenset(_names(tree)), _computed(tree))
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError("is no comparison that can be read") from None
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not isinstance(getattr(tree, "op", None), ast.Not):
        raise ValueError("is neither true nor false: it must compare something")
    return found


def _names(part: ast.AST) -> Iterator[str]:
    """The parameters in a part of a constraint. Raises ValueError where that may not be in one."""
    if isinstance(part, ast.Name | ast.Attribute) and re.fullmatch(r"\w+(\.\w+)*", ast.unparse(part)):
        yield ast.unparse(part)
        return
    called = part.func.id if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) else None
    if called not in FUNCTIONS and not isinstance(part, (*PARTS, *OPERATORS)):
        raise ValueError(f"may not have `{ast.unparse(part)}` in it: there are {KNOWN}")
    for inner in _inner(part):
        yield from _names(inner)


def _inner(part: ast.AST) -> Iterable[ast.AST]:
    return (*part.args, *part.keywords) if isinstance(part, ast.Call) else ast.iter_child_nodes(part)


def _computed(part: Any) -> Callable[[Mapping[str, Value]], Any]:
    """What computes a part of a constraint, which may be in one, of a trial's values."""
    if isinstance(part, ast.Constant):
        return lambda _: part.value
    if isinstance(part, ast.Name | ast.Attribute):
        return operator.itemgetter(ast.unparse(part))
    inner = [_computed(one) for one in _inner(part) if isinstance(one, ast.expr)]
    if isinstance(part, ast.Compare):
        sides = [(OPERATORS[type(one)], *two) for one, two in zip(part.ops, pairwise(inner), strict=True)]
        return lambda params: all(compare(a(params), b(params)) for compare, a, b in sides)
    if isinstance(part, ast.BoolOp | ast.Tuple | ast.List):  # of which the first end where they are decided
        whole = tuple if not isinstance(part, ast.BoolOp) else all if isinstance(part.op, ast.And) else any
        return lambda params: whole(one(params) for one in inner)
    compute = FUNCTIONS[ast.unparse(part.func)] if isinstance(part, ast.Call) else OPERATORS[type(part.op)]
    return lambda params: compute(*[one(params) for one in inner])
