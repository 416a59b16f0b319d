"""A result as the JSON texts of a trial's user attributes, and back to the last digit, with a checksum over the texts.

JSON has no infinity and no NaN. They are the strings "inf", "-inf", "nan" where only a number can stand, and
`{"float": "nan"}` among parameters.
"""

import json
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from keras_sweep.space.distributions import Value
from keras_sweep.trial.result import Result, Seconds, Suggestion, TrialState

CHECKSUM = "crc32"
TEXT_LIMIT = 20_000  # last characters of a reason or traceback, which are kept
T = TypeVar("T")


def encode(result: Result, seed: Value) -> dict[str, str]:
    """The user attributes of a trial, each a JSON text; those without a value are left out.

    Of weights and scores the digests are kept. `seed` is the study's, for a trial without a parameter of that name.
    """
    attributes = _attributes(result.light(), seed)
    texts = {key: json.dumps(value, allow_nan=False) for key, value in attributes.items() if value is not None}
    texts[CHECKSUM] = str(_checksum(result.number, result.state, result.value, texts))
    return texts


def _attributes(result: Result, seed: Value) -> dict[str, Any]:
    suggestion = result.suggestion
    return {
        "params": {name: _value(value) for name, value in suggestion.params.items()},
        "curve": {name: [_number(value) for value in values] for name, values in result.curve.items()},
        "epoch": result.epoch,
        "stderr": None if result.stderr is None else _number(result.stderr),
        "rows_value": None if result.rows_value is None else _number(result.rows_value),
        "rows": result.rows,
        "measured": {name: _number(value) for name, value in result.measured.items()} or None,
        "seconds": {part: _number(getattr(result.seconds, part)) for part in Seconds.__dataclass_fields__},
        "seed": _value(suggestion.params.get("seed", seed)),
        "scores": result.scores_digest,
        "weights": result.weights_digest,
        "engine": result.engine,
        "runner": result.runner,
        "generation": suggestion.generation,
        "continues": suggestion.continues,
        "recipe": suggestion.recipe,
        "reads_epochs": result.reads_epochs or None,
        "sampler_seconds": _number(suggestion.sampler_seconds),
        "reason": result.reason and result.reason[-TEXT_LIMIT:],
        "traceback": result.traceback and result.traceback[-TEXT_LIMIT:],
    }


def decode(number: int, state: str, value: float | None, texts: Mapping[str, str]) -> Result:
    """The result that was encoded, without its weights. Raises ValueError where that was altered, or is of others."""
    try:
        if int(texts[CHECKSUM]) != _checksum(number, state, value, texts):
            raise ValueError("its checksum is wrong")
        known = (f'"{key}": {text}' for key, text in texts.items() if key in _KEYS)
        read = json.loads("{" + ", ".join(known) + "}")  # one call: ten would cost three times as much
        return Result(
            suggestion=Suggestion(
                number=number,
                params={name: _parsed(item) for name, item in read["params"].items()},
                generation=_count(read["generation"]),
                continues=_optional(read, "continues", _count),
                recipe=_optional(read, "recipe", _count),
                sampler_seconds=float(read["sampler_seconds"]),
            ),
            state=TrialState(state),
            value=value,
            curve={name: _numbers(values) for name, values in read["curve"].items()},
            epoch=_optional(read, "epoch", _count),
            seconds=Seconds(**{part: float(item) for part, item in read["seconds"].items()}),
            reason=_optional(read, "reason", _text),
            traceback=_optional(read, "traceback", _text),
            engine=_text(read["engine"]),
            runner=_text(read["runner"]),
            stderr=_optional(read, "stderr", float),
            rows_value=_optional(read, "rows_value", float),
            rows=_optional(read, "rows", _text),
            measured={name: float(value) for name, value in read.get("measured", {}).items()},
            scores_digest=_optional(read, "scores", _text),
            weights_digest=_optional(read, "weights", _text),
            reads_epochs="reads_epochs" in read,
        )
    except KeyError as error:
        raise ValueError(f"its attribute {error} is missing") from error
    except (TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"its attributes are not what they should be ({error})") from error


def _checksum(number: int, state: str, value: float | None, texts: Mapping[str, str]) -> int:
    known = [f"{key}={texts[key]}" for key in sorted(texts) if key in _KEYS]
    head = f"{number} {state} {None if value is None else float(value) + 0.0}"  # SQLite turns -0.0 into 0.0
    return zlib.crc32("\n".join([head, *known]).encode())


def _number(value: float) -> float | str:
    value = float(value)  # a NumPy scalar is none that JSON knows
    return value if math.isfinite(value) else repr(value)


def _value(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_value(item) for item in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _parsed(item: Any) -> Value:
    if isinstance(item, list):
        return tuple(_parsed(each) for each in item)
    if isinstance(item, dict):
        return float(item["float"])
    if type(item) is int:
        float(item)  # raises OverflowError for what no real number can be compared with
    return item  # type: ignore[no-any-return]


def _optional(read: Mapping[str, Any], key: str, kind: Callable[[Any], T]) -> T | None:
    return kind(read[key]) if key in read else None


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise TypeError(f"{value!r:.40} is no whole number from 0 on")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r:.40} is no list of numbers")
    return tuple(map(float, values))


_KEYS = frozenset(_attributes(Result(Suggestion(0, {}), TrialState.FAIL, None), 0))
