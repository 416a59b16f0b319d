"""The dense model: no, one or more hidden layers, then the output layer."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_sweep.data.compatibility import outputs_needed
from keras_sweep.data.labels import loss_needs
from keras_sweep.data.search_data import SearchData


def dense(
    data: SearchData,
    loss: str,
    loss_arguments: Mapping[str, object] | None = None,
    *,
    units: int | None = None,
    activation: str | None = None,
    hidden: Sequence[int] | int = (),
    hidden_activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    use_bias: bool = True,
) -> Any:
    """An uncompiled `keras.Sequential` for rows of the data's shape.

    `units` and `activation` are of the output layer: by default as many outputs as the labels need, and what the loss
    takes. `hidden` are the units of each hidden layer, first to last; a number is one layer. `dropout` is the share of
    each hidden layer's outputs, or without any of the inputs, that training drops; `l2` penalises every kernel.
    Raises what Keras does for arguments that it does not take.
    """
    import keras

    penalty = keras.regularizers.L2(l2) if l2 else None
    layers: list[Any] = [keras.layers.Input(data.input_shape)]
    if len(data.input_shape) > 1:
        layers.append(keras.layers.Flatten())
    widths = (hidden,) if isinstance(hidden, int) else tuple(hidden)
    for width in widths:
        layers.append(
            keras.layers.Dense(width, activation=hidden_activation, use_bias=use_bias, kernel_regularizer=penalty)
        )
        if dropout:
            layers.append(keras.layers.Dropout(dropout))
    if dropout and not widths:
        layers.append(keras.layers.Dropout(dropout))
    layers.append(
        keras.layers.Dense(
            outputs_needed(loss, data)[0] if units is None else units,
            activation=loss_needs(loss, loss_arguments).usual if activation is None else activation,
            use_bias=use_bias,
            kernel_regularizer=penalty,
        )
    )
    return keras.Sequential(layers)
