"""Parse and evaluate `where`: constraints over the values of a trial, like `model.units * model.layers <= 512`.

Constraints look like Python, but Python never runs them: this module computes them and allows only what it lists.
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
    # Numbers only (text has no `+ 0`), and `**` gives a float, so that no constraint can fill the memory.
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
    ast.In: lambda value, values: value in values,
    ast.NotIn: lambda value, values: value not in values,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {"abs": abs, "len": len, "max": max, "min": min, "sum": sum}
KNOWN = "numbers, text in quotes, parameters, + - * / // % **, comparisons, in, and, or, not, abs, len, max, min, sum"
PARTS = (ast.Constant, ast.Tuple, ast.List, ast.Load, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.BinOp, ast.Compare)


@dataclass(frozen=True, slots=True)
class Constraint:
    names: frozenset[str]  # the parameters that the constraint names
    evaluate: Callable[[Mapping[str, Value]], Any]  # takes values of all names

    def is_met(self, params: Mapping[str, Value]) -> bool:
        """True if `params` meet this constraint or lack a parameter in it.
        Raises ArithmeticError, TypeError or ValueError if the constraint can't be computed, for example 1 / 0."""
        return not self.names <= params.keys() or bool(self.evaluate(params))


@cache
def parse_constraint(text: str) -> Constraint:
    """Parse a constraint, like "a * b <= 9". Raises ValueError for a text that is not a constraint.
    The error's message has no subject, so that the caller can name the text: "is not a valid comparison"."""
    if len(text) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} characters, but has {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        parsed = Constraint(frozenset(_list_names(tree)), _compile_part(tree))
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError("is not a valid comparison") from None
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not isinstance(getattr(tree, "op", None), ast.Not):
        raise ValueError("must be a comparison, which is true or false")
    return parsed


def _list_names(part: ast.AST) -> Iterator[str]:
    if isinstance(part, ast.Name | ast.Attribute) and re.fullmatch(r"\w+(\.\w+)*", ast.unparse(part)):
        yield ast.unparse(part)
        return
    function = part.func.id if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) else None
    if function not in FUNCTIONS and not isinstance(part, (*PARTS, *OPERATORS)):
        raise ValueError(f"must not contain `{ast.unparse(part)}`; allowed are {KNOWN}")
    for inner in _get_children(part):
        yield from _list_names(inner)


def _get_children(part: ast.AST) -> Iterable[ast.AST]:
    return (*part.args, *part.keywords) if isinstance(part, ast.Call) else ast.iter_child_nodes(part)


def _compile_part(part: Any) -> Callable[[Mapping[str, Value]], Any]:
    if isinstance(part, ast.Constant):
        return lambda _: part.value
    if isinstance(part, ast.Name | ast.Attribute):
        return operator.itemgetter(ast.unparse(part))
    children = [_compile_part(child) for child in _get_children(part) if isinstance(child, ast.expr)]
    if isinstance(part, ast.Compare):
        sides = [(OPERATORS[type(sign)], *pair) for sign, pair in zip(part.ops, pairwise(children), strict=True)]
        return lambda params: all(compare(a(params), b(params)) for compare, a, b in sides)
    if isinstance(part, ast.BoolOp | ast.Tuple | ast.List):  # `and` and `or` stop early
        combine = tuple if not isinstance(part, ast.BoolOp) else all if isinstance(part.op, ast.And) else any
        return lambda params: combine(compute_child(params) for compute_child in children)
    compute = FUNCTIONS[ast.unparse(part.func)] if isinstance(part, ast.Call) else OPERATORS[type(part.op)]
    return lambda params: compute(*[compute_child(params) for compute_child in children])
