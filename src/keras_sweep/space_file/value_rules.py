"""What the values of a space file may be, beside plain numbers within bounds."""

from __future__ import annotations

from typing import Any

from keras_sweep.data.names import DATA_NAMES
from keras_sweep.search.engines import ENGINES
from keras_sweep.search.pruning import PRUNING_RULES
from keras_sweep.space.text import joined
from keras_sweep.space_file.keras_names import ACTIVATIONS, LOSSES, METRICS
from keras_sweep.space_file.rules import NameRule, NumberRule, Rule, ShapeRule


def holds_map(value: object) -> bool:
    """Whether there is a map in a value of the file: no trial can have it as a value."""
    return isinstance(value, dict) or (isinstance(value, list) and any(map(holds_map, value)))


DATA_NAME = NameRule(DATA_NAMES, "a data set")
LOSS = NameRule(LOSSES, "a loss of Keras")
METRIC = NameRule(METRICS, "a metric of Keras")
ACTIVATION = NameRule(ACTIVATIONS, "an activation of Keras")
# W&B's distributions that are understood; the others are refused with what to use instead
UNIFORM = ("int_uniform", "uniform", "q_uniform")
LOG_UNIFORM = ("log_uniform", "log_uniform_values", "q_log_uniform", "q_log_uniform_values")
DISTRIBUTION = NameRule(("constant", "categorical", *UNIFORM, *LOG_UNIFORM), "a distribution that is known here")
TEXT = ShapeRule("text", lambda value: isinstance(value, str) and value != "", {"type": "string", "minLength": 1})
VALUE = ShapeRule(
    "a value or a list of values",
    lambda value: not holds_map(value),
    {"type": ["string", "number", "boolean", "null", "array"]},
)
SOURCE = ShapeRule(
    "`module:function`",
    lambda value: (
        isinstance(value, str)
        and value.count(":") == 1
        and all(part.isidentifier() for part in value.replace(":", ".").split("."))
    ),
    {"type": "string", "pattern": r"^[\w.]+:[\w.]+$"},
)
VALUES = ShapeRule(
    "a list of values",
    lambda value: isinstance(value, list) and VALUE.allows(value),
    {"type": "array", "minItems": 1},
)
SHARES = ShapeRule(
    "a list of numbers",
    lambda value: isinstance(value, list) and all(map(NumberRule().allows, value)),
    {"type": "array", "items": {"type": "number"}},
)
CONDITIONS = ShapeRule(
    "a map, as in {optimizer: sgd}",
    lambda value: isinstance(value, dict) and bool(value),
    {"type": "object", "minProperties": 1},
)
WIDTH = NumberRule(int, ge=1)
WIDTHS = ShapeRule(
    "whole numbers of at least 1, as in [128, 64]",
    lambda value: all(map(WIDTH.allows, value if isinstance(value, list | tuple) else [value])),
    {**WIDTH.schema, "type": ["integer", "array"], "items": WIDTH.schema},
)
ENGINE = NameRule(ENGINES, "a search engine")
PRUNING_RULE = NameRule(PRUNING_RULES)


class _SamplerRule(Rule):
    """The name of a sampler: which there are depends on the engine, so `search_section` judges it."""

    text = "the name of a sampler"

    @property
    def schema(self) -> dict[str, Any]:
        """The names of all engines."""
        return {
            "type": "string",
            "enum": list(dict.fromkeys(name for names in ENGINES.values() for name in names)),
            "description": "; ".join(f"{engine}: {joined(names)}" for engine, names in ENGINES.items()),
        }

    def allows(self, value: Any) -> bool:
        """Whether it is text."""
        return isinstance(value, str)


SAMPLER = _SamplerRule()
