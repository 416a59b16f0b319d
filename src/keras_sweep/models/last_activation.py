"""The activation that a model ends with, as far as its last layers tell."""

from __future__ import annotations

from typing import Any

# Layers and operations after which the numbers are of the same kind as before.
_PASSING = frozenset({"Dropout", "Reshape", "Flatten", "Identity", "Squeeze", "ActivityRegularization", "Cast"})
_NAMED = {"Softmax": "softmax", "Sigmoid": "sigmoid", "ReLU": "relu", "Relu": "relu"}  # layers and operations
_LINEAR = frozenset({"Dense", "EinsumDense"})  # what gives any number, unless an activation follows


def last_activation(model: Any) -> str | None:
    """Its name ("softmax", "linear", ...), or None where it can't be known: code of the user's, or another layer."""
    import keras

    try:
        tensor = model.outputs[0]
    except (AttributeError, TypeError, IndexError):  # a subclassed model has none
        return None
    while (history := getattr(tensor, "_keras_history", None)) is not None:
        operation = history.operation
        kind = type(operation)
        if kind.__module__.split(".")[0] != "keras":
            return None
        if isinstance(operation, keras.Model):
            return last_activation(operation)
        if kind.__name__ in _NAMED:
            return _NAMED[kind.__name__]
        activation = getattr(operation, "activation", None)
        if activation is not None and kind.__name__ in {*_LINEAR, "Activation"}:
            name = getattr(activation, "__name__", None)
            return name if isinstance(name, str) and getattr(keras.activations, name, None) is activation else None
        inputs = _inputs(operation, history.node_index)
        if kind.__name__ not in _PASSING or len(inputs) != 1:
            return None
        tensor = inputs[0]
    return None


def _inputs(operation: Any, node: int) -> Any:
    """The tensors that one use of an operation was given."""
    nodes = getattr(operation, "_inbound_nodes", None)  # Keras 3.15: a graph has no public way back
    return nodes[node].input_tensors if nodes else ()
