"""How single values are written for people: numbers, parameters, times, and text that comes from elsewhere."""

import json
import math
from collections.abc import Mapping

from keras_sweep.space.distributions import Value
from keras_sweep.space.text import counted, escaped

MOST_DECIMALS = 8


def shorten(text: str, width: int) -> str:
    """At most `width` terminal cells of the text; an ellipsis stands for the rest."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 1 else set_cell_size(text, max(width, 0))


def number_text(value: float, digits: int = 3) -> str:
    """A number in few digits: 0.00123, 12, 3.5e-7; exactly where that is short."""
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    exact = repr(value).removesuffix(".0")
    if len(exact) <= 7 and "e" not in exact:
        return exact
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        if 0 <= int(exponent) <= 6:
            return f"{value:.0f}"
        return f"{mantissa}e{int(exponent)}"
    return text


def value_text(value: Value) -> str:
    """A parameter's value as in a space file, shortened where it is a real number."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, str):
        return escaped(value)
    return "[" + ", ".join(value_text(item) for item in value) + "]"


def params_text(params: Mapping[str, Value]) -> str:
    """`optimizer=adam learning_rate=0.001`."""
    return " ".join(f"{escaped(name)}={value_text(value)}" for name, value in params.items())


def decimals(value: float, stderr: float | None = None) -> int:
    """How many decimals a score has: four digits, three where it is tiny, more where its standard error needs them."""
    places = 4
    if value != 0:
        power = math.floor(math.log10(abs(value)))
        places = max(3 - power, 0) if abs(value) > 1 else 4 if power >= -3 else 2 - power
    if stderr is not None and math.isfinite(stderr) and stderr > 0:
        places = max(places, -math.floor(math.log10(stderr)))
    return min(places, MOST_DECIMALS)


def score_text(value: float | None, stderr: float | None = None) -> str:
    """`0.8552 ±0.0032`; a dash where there is no value."""
    if value is None or not math.isfinite(value):
        return "-"
    places = decimals(value, stderr)
    text = _fixed(value, places)
    return text if stderr is None or not math.isfinite(stderr) else f"{text} ±{_fixed(stderr, places)}"


def _fixed(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    too_long = abs(value) >= 1e9 or (value != 0 and float(text) == 0)
    return number_text(value) if too_long else text


def seconds_text(seconds: float) -> str:
    """A length of time: `12 ms`, `0.42 s`, `12 s`, `3m05s`, `2h07m`, `3d04h`."""
    if not math.isfinite(seconds):
        return "-"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.0005 else "0 s"
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = whole // 60
    if minutes < 24 * 60:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    return f"{minutes // 1440}d{minutes % 1440 // 60:02d}h"


def elapsed_text(seconds: float) -> str:
    """A length of time that is still growing, in whole seconds: `7 s`, `3m05s`."""
    return f"{int(seconds)} s" if 0 <= seconds < 99.5 else seconds_text(seconds)


def waiting_text(count: int) -> str:
    """What is said of trials that have ended, and wait for their turn in the record."""
    have, are, they = ("has", "is", "it is") if count == 1 else ("have", "are", "they are")
    trials = counted(count, "more trial")
    return f"{trials} {have} ended and {are} kept: {they} shown once those with lower numbers have ended too"
