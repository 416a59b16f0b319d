"""Encode a result as user attributes of an Optuna trial (JSON texts with a checksum), and decode it to the last digit.

JSON has no infinity and no NaN. An attribute of numbers stores the strings "inf", "-inf" and "nan" instead. A
parameter, whose value may be a string, stores `{"float": "nan"}`.
"""

import json
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from keras_sweep.space.distributions import Value
from keras_sweep.trial.result import Result, Seconds, Suggestion, TrialState

CHECKSUM = "crc32"
TEXT_LIMIT = 20_000  # characters; of a longer reason or traceback only the end is kept
T = TypeVar("T")


def encode(result: Result, seed: Value) -> dict[str, str]:
    """Return the user attributes of an Optuna trial (name -> JSON text), with digests in place of weights and scores.
    `seed` is recorded if the trial has no parameter `seed`."""
    attributes = _to_attributes(result.light(), seed)
    texts = {key: json.dumps(value, allow_nan=False) for key, value in attributes.items() if value is not None}
    texts[CHECKSUM] = str(_checksum(result.number, result.state, result.value, texts))
    return texts


def _to_attributes(result: Result, seed: Value) -> dict[str, Any]:
    suggestion = result.suggestion
    return {
        "params": {name: _encode_value(value) for name, value in suggestion.params.items()},
        "curve": {name: [_encode_number(value) for value in values] for name, values in result.curve.items()},
        "epoch": result.epoch,
        "stderr": None if result.stderr is None else _encode_number(result.stderr),
        "rows_value": None if result.rows_value is None else _encode_number(result.rows_value),
        "rows": result.rows,
        "measured": {name: _encode_number(value) for name, value in result.measured.items()} or None,
        "seconds": {part: _encode_number(getattr(result.seconds, part)) for part in Seconds.__dataclass_fields__},
        "seed": _encode_value(suggestion.params.get("seed", seed)),
        "scores": result.scores_digest,
        "weights": result.weights_digest,
        "engine": result.engine,
        "runner": result.runner,
        "generation": suggestion.generation,
        "continues": suggestion.continues,
        "recipe": suggestion.recipe,
        "reads_epochs": result.reads_epochs or None,
        "sampler_seconds": _encode_number(suggestion.sampler_seconds),
        "reason": result.reason and result.reason[-TEXT_LIMIT:],
        "traceback": result.traceback and result.traceback[-TEXT_LIMIT:],
    }


def decode(number: int, state: str, value: float | None, texts: Mapping[str, str]) -> Result:
    """Build a result, without weights and scores, from Optuna's `number`, `state`, `value` and the texts of `encode`.
    Raises ValueError if the checksum shows an edit, or an attribute is missing or damaged."""
    try:
        if int(texts[CHECKSUM]) != _checksum(number, state, value, texts):
            raise ValueError("its checksum is wrong")
        kept_texts = (f'"{key}": {text}' for key, text in texts.items() if key in _KEYS)
        attributes = json.loads("{" + ", ".join(kept_texts) + "}")  # a call per text takes three times as long
        return Result(
            suggestion=Suggestion(
                number=number,
                params={name: _decode_value(item) for name, item in attributes["params"].items()},
                generation=_check_count(attributes["generation"]),
                continues=_get_optional(attributes, "continues", _check_count),
                recipe=_get_optional(attributes, "recipe", _check_count),
                sampler_seconds=float(attributes["sampler_seconds"]),
            ),
            state=TrialState(state),
            value=value,
            curve={name: _decode_numbers(values) for name, values in attributes["curve"].items()},
            epoch=_get_optional(attributes, "epoch", _check_count),
            seconds=Seconds(**{part: float(item) for part, item in attributes["seconds"].items()}),
            reason=_get_optional(attributes, "reason", _check_text),
            traceback=_get_optional(attributes, "traceback", _check_text),
            engine=_check_text(attributes["engine"]),
            runner=_check_text(attributes["runner"]),
            stderr=_get_optional(attributes, "stderr", float),
            rows_value=_get_optional(attributes, "rows_value", float),
            rows=_get_optional(attributes, "rows", _check_text),
            measured={name: float(value) for name, value in attributes.get("measured", {}).items()},
            scores_digest=_get_optional(attributes, "scores", _check_text),
            weights_digest=_get_optional(attributes, "weights", _check_text),
            reads_epochs="reads_epochs" in attributes,
        )
    except KeyError as error:
        raise ValueError(f"its attribute {error} is missing") from error
    except (TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"its stored values are damaged ({error})") from error


def _checksum(number: int, state: str, value: float | None, texts: Mapping[str, str]) -> int:
    kept_texts = [f"{key}={texts[key]}" for key in sorted(texts) if key in _KEYS]
    head = f"{number} {state} {None if value is None else float(value) + 0.0}"  # SQLite turns -0.0 into 0.0
    return zlib.crc32("\n".join([head, *kept_texts]).encode())


def _encode_number(value: float) -> float | str:
    value = float(value)  # JSON can't encode a NumPy scalar
    return value if math.isfinite(value) else repr(value)


def _encode_value(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_encode_value(item) for item in value]
    if hasattr(value, "item"):  # a NumPy scalar
        value = value.item()
    return {"float": repr(value)} if isinstance(value, float) and not math.isfinite(value) else value


def _decode_value(item: Any) -> Value:
    if isinstance(item, list):
        return tuple(_decode_value(part) for part in item)
    if isinstance(item, dict):
        return float(item["float"])
    if type(item) is int:
        float(item)  # raises OverflowError if the integer is too large for a float
    return item  # type: ignore[no-any-return]


def _get_optional(attributes: Mapping[str, Any], key: str, kind: Callable[[Any], T]) -> T | None:
    return kind(attributes[key]) if key in attributes else None


def _check_count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise TypeError(f"{value!r:.40} is not a whole number from 0")
    return value


def _check_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not a text")
    return value


def _decode_numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r:.40} is not a list of numbers")
    return tuple(map(float, values))


_KEYS = frozenset(_to_attributes(Result(Suggestion(0, {}), TrialState.FAIL, None), 0))
