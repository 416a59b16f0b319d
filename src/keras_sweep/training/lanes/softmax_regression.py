"""A step of softmax regression with the rows of a batch last, which suits a CPU better than Keras's classes last.

Softmax, loss and accuracy of a row are loops over its few classes. With rows last XLA computes the rows of a batch side
by side, and the product takes the kernels as `Flat` keeps them: a step of four lanes takes a seventh less time. The
arithmetic is that of Keras, operation by operation. T lanes, B rows a batch, C classes.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import ops

from keras_sweep.training.lanes.template import Template

LOSS = "sparse_categorical_crossentropy"


def is_softmax_regression(template: Template) -> bool:
    """Whether the model is one plain dense layer with softmax, and loss and metrics are of labels that are numbers."""
    model = template.model
    if template.row_weights is not None:
        return False
    if template.shared is not None or template.other or type(model) is not keras.Sequential or model.loss != LOSS:
        return False
    *before, last = model.layers
    if type(last) is not keras.layers.Dense or not all(type(layer) is keras.layers.Flatten for layer in before):
        return False
    scored = model._compile_metrics.metrics  # noqa: SLF001  # Keras 3.15: those by name
    return (
        last.activation is keras.activations.softmax
        and len(last.input.shape) == 2
        and last.compute_dtype == last.variable_dtype == "float32"
        and len(last.trainable_variables) == len(last.variables) == 1 + last.use_bias  # none is frozen or added
        and not (last.kernel_regularizer or last.bias_regularizer or last.activity_regularizer)
        and all(type(metric) is keras.metrics.SparseCategoricalAccuracy for metric in scored)
    )


def softmax_gradients(
    template: Template, lanes: int, trainable: list[Any], metrics: list[Any], x: Any, y: Any
) -> tuple[list[Any], list[Any]]:
    """Traced: of one batch the gradients, lying as the variables do, and the metrics after it, [T] each.

    The variables are the kernels [C * T, in] and, if there are any, the biases [C * T]. Labels are [B] or [B, 1].
    """
    classes, rows = template.model.layers[-1].units, len(x)
    x = x.reshape(rows, -1).astype("float32")
    labels = y.reshape(rows).astype("int32")
    truth = jnp.broadcast_to(ops.one_hot(labels, classes, axis=0)[:, None], (classes, lanes, rows))

    def loss(trainable: list[Any]) -> Any:
        kernels, *biases = trainable
        logits = jax.lax.dot_general(kernels, x, (((1,), (1,)), ((), ())))  # [C * T, B]
        for bias in biases:
            logits = logits + bias[:, None]
        outputs = ops.softmax(logits.reshape(truth.shape), axis=0)
        losses = ops.categorical_crossentropy(truth, outputs, axis=0).sum(1) / rows  # [T]
        return losses.sum(), (losses, outputs)

    def updated(metrics: Any, loss: Any, right: Any) -> list[Any]:
        update = partial(keras.metrics.Mean.update_state, values=right)
        return template.updated_metrics(metrics, loss, rows, update)

    gradients, (losses, outputs) = jax.grad(loss, has_aux=True)(trainable)
    right = (jnp.argmax(outputs, axis=0) == labels).astype(outputs.dtype)  # [T, B]
    return gradients, jax.vmap(updated)(metrics, losses, right)
