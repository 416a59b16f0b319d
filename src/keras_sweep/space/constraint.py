"""`where`: constraints over the values of a trial, such as `model.units * model.layers <= 512`.

They look like Python and are none: the text is parsed, and what it may be made of is listed here and computed here, on
numbers as numbers. So one of somebody else's file can neither run code nor fill the memory.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

from keras_sweep.space.distributions import Value

LONGEST = 300  # characters
_Computed: TypeAlias = Callable[[Mapping[str, Value]], Any]
_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,  # of whole numbers as of real ones: never more digits than a real one has
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_COMPARISONS: Mapping[type[ast.AST], Callable[..., bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, values: value in values,
    ast.NotIn: lambda value, values: value not in values,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {"abs": abs, "len": len, "max": max, "min": min, "sum": sum}
KNOWN = "numbers, text in quotes, parameters, + - * / // % **, comparisons, in, and, or, not, abs, len, max, min, sum"


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a text says of a trial."""

    names: frozenset[str]  # the parameters that it is about
    _met: _Computed

    def holds(self, params: Mapping[str, Value]) -> bool:
        """Whether values meet it. It says nothing of a trial that lacks one of its parameters.

        Raises ArithmeticError, TypeError or ValueError where it can't be computed of these values.
        """
        return not self.names <= params.keys() or bool(self._met(params))


@cache
def constraint(text: str) -> Constraint:
    """The constraint that a text says. Raises ValueError, with what is wrong with it."""
    if len(text) > LONGEST:
        raise ValueError(f"has {len(text)} characters, and at most {LONGEST} are read")
    names: set[str] = set()
    try:
        body = ast.parse(text.strip(), mode="eval").body
        met = _computed(body, names)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"is no comparison that can be read ({getattr(error, 'msg', 'it is too deep')})") from None
    if not isinstance(body, ast.Compare | ast.BoolOp) and not isinstance(getattr(body, "op", None), ast.Not):
        raise ValueError("is neither true nor false: it must compare something")
    return Constraint(frozenset(names), met)


def _computed(node: ast.expr, names: set[str]) -> _Computed:
    """What computes a part of a constraint of a trial's values; the parameters in it are added to the names."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return lambda _: node.value
        case ast.Name() | ast.Attribute() if (name := _dotted(node)) is not None:
            names.add(name)
            return lambda params: params[name]
        case ast.Tuple() | ast.List():
            each = [_computed(one, names) for one in node.elts]
            return lambda params: tuple(one(params) for one in each)
        case ast.BoolOp():
            parts, decide = [_computed(one, names) for one in node.values], all if isinstance(node.op, ast.And) else any
            return lambda params: decide(one(params) for one in parts)
        case ast.UnaryOp(op=ast.Not()):
            inner = _computed(node.operand, names)
            return lambda params: not inner(params)
        case ast.UnaryOp() | ast.BinOp() if type(node.op) in _OPERATORS:
            of = [node.operand] if isinstance(node, ast.UnaryOp) else [node.left, node.right]
            operands, compute = [_computed(one, names) for one in of], _OPERATORS[type(node.op)]
            return lambda params: compute(*(_number(one(params)) for one in operands))
        case ast.Compare() if all(type(one) in _COMPARISONS for one in node.ops):
            sides = [_computed(one, names) for one in (node.left, *node.comparators)]
            compared = [_COMPARISONS[type(one)] for one in node.ops]
            return lambda params: all(
                compare(a, b)
                for compare, (a, b) in zip(compared, pairwise([side(params) for side in sides]), strict=True)
            )
        case ast.Call(func=ast.Name(id=called), keywords=[]) if called in _FUNCTIONS:
            given = [_computed(one, names) for one in node.args]
            return lambda params: _FUNCTIONS[called](*(one(params) for one in given))
    raise ValueError(f"may not have `{ast.unparse(node)}` in it: there are {KNOWN}")


def _dotted(node: ast.expr) -> str | None:
    """The name of a parameter, which may have dots; None for what is none."""
    if isinstance(node, ast.Name):
        return node.id
    before = _dotted(node.value) if isinstance(node, ast.Attribute) else None
    return f"{before}.{node.attr}" if before is not None and isinstance(node, ast.Attribute) else None


def _number(value: Any) -> int | float:
    """The value itself. Raises TypeError where it is no number: texts and lists could grow without end."""
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value
