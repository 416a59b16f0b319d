"""What the arguments of the dense model may be. The tests compare the names with the model's own signature."""

from __future__ import annotations

from collections.abc import Mapping

from keras_sweep.space.distributions import Value
from keras_sweep.space.plain_text import did_you_mean, shown
from keras_sweep.space_file.keras_names import ACTIVATIONS
from keras_sweep.space_file.optimizer_arguments import Argument

_WIDTH = Argument(int, low=1)

DENSE_ARGUMENTS: Mapping[str, Argument | None] = {
    "units": _WIDTH,
    "activation": None,  # a name
    "hidden": None,  # a whole number, or a list of them
    "hidden_activation": None,
    "dropout": Argument(low=0, high=1, below=True),
    "l2": Argument(low=0),
    "use_bias": Argument(bool),
}


def dense_fault(name: str, value: Value) -> tuple[str, str | None] | None:
    """The rule that the value of a (known) dense argument breaks, with a hint; None where it breaks none."""
    argument = DENSE_ARGUMENTS[name]
    if argument is not None:
        rule = argument.fault(value)
        return (rule, None) if rule else None
    if name == "hidden":
        widths = value if isinstance(value, tuple) else (value,)
        if all(_WIDTH.allows(width) for width in widths):
            return None
        return f"must be whole numbers of at least 1, as in [128, 64], but got {shown(value)}", None
    if value in ACTIVATIONS:
        return None
    return f"must be an activation of Keras, but got {shown(value)}", did_you_mean(value, ACTIVATIONS)
