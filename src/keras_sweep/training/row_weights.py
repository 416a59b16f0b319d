"""What each training row counts in the loss: its own weight, or its class's."""

import numpy as np

from keras_sweep.data.arrays import Array
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.space.sweep_spec import ClassWeight, SweepSpec
from keras_sweep.space.text import joined, nearest, quoted


def class_weights(wanted: ClassWeight, data: SearchData) -> dict[int, float] | None:
    """The weight of each class by its number, as `fit(class_weight=...)` takes it; None: all count the same.

    "balanced" weighs a class by the number of training rows over that of the classes and of its own rows: King and Zeng
    2001, "Logistic regression in rare events data", as scikit-learn has it.

    Raises UsageError: the labels are no classes, there is no such class, or rows have weights of their own.
    """
    if wanted is None:
        return None
    if data.weighs:
        raise UsageError("Keras takes no `class_weight` beside sample weights", hint="Multiply them into these")
    classes = _classes(data)
    if wanted == "balanced":
        numbers, counts = np.unique(classes, return_counts=True)
        weights = len(classes) / (len(numbers) * counts)
        return {int(number): float(weight) for number, weight in zip(numbers, weights, strict=True)}
    names = {name: number for number, name in enumerate(data.class_names or ())}
    columns = data.train.y.shape[1] if data.train.y.ndim == 2 else 1  # of yes or no, the first of which is its class
    count, found = max(data.classes or columns, 2), {}
    counted = not any(map(str.isdecimal, names))  # else a number is the name of a class, and not its place
    for name, weight in wanted.items():
        number = names.get(str(name), int(name) if counted and str(name).isdecimal() else None)
        if not isinstance(number, int) or not 0 <= number < count:
            there = joined(names) if names else f"0 to {count - 1}"
            raise UsageError(
                f"`class_weight` names the class {quoted(name)}, but the classes of {data.name} are {there}",
                hint=f"Did you mean {near!r}?" if (near := nearest(name, names)) else "Name it as the labels do",
            )
        found[number] = float(weight)
    return found


def check_class_weights(spec: SweepSpec, data: SearchData) -> None:
    """See that the weights that trials may have are of classes of these data. Raises UsageError."""
    searched = "training.class_weight" in spec.space.names
    for wanted in (spec.training.class_weight, "balanced" if searched else None):
        class_weights(wanted, data)


def row_weights(wanted: ClassWeight, data: SearchData) -> Array | None:
    """[N] the weight of each training row, as `fit` has it with these class weights; None: all count the same."""
    weights = class_weights(wanted, data)
    if weights is None:
        return data.train.weights
    return np.array([weights.get(int(one), 1.0) for one in _classes(data)], np.float32)


def _classes(data: SearchData) -> Array:
    """[N] the class of each training row. Raises UsageError: the labels are none."""
    y: Array = data.train.y
    if isinstance(y, dict | tuple):
        raise UsageError("Keras takes no `class_weight` beside several outputs", hint="Give `sample_weight`")
    if data.classes is None and not set(np.unique(y)) <= {0, 1}:
        raise UsageError(
            f"`class_weight` weighs classes, but the labels of {data.name} are numbers", hint="Leave it out"
        )
    return y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
