"""How many validation rows are taken at once: many where the numbers do not depend on it, else as `fit` takes them."""

from __future__ import annotations

import re
from typing import Any

from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.template import layer_outputs

ROWS = 2048  # at most: enough for speed
BYTES = 256 << 20  # of what the layers put out for these rows in all lanes, at most

ROW_BY_ROW = re.compile(
    "(binary|categorical|sparse_categorical)(_focal)?_crossentropy|crossentropy|ce|huber|log_?cosh|kl_divergence|kld"
    "|mean_(squared|absolute|squared_logarithmic|absolute_percentage)_error|mse|mae|mape|msle|poisson"
    "|((squared|categorical)_)?hinge|cosine_similarity",
    re.IGNORECASE,
)  # losses of Keras that are means over rows; a Dice or Tversky loss, for one, is not


def validation_batch(spec: SweepSpec, model: Any, *, rows: int, lanes: int, batch_size: int) -> int:
    """Rows a batch, of so many rows in all: a divisor of them if there is a fair one, since a short last batch is slow.

    `batch_size` itself where the metrics may depend on it.
    """
    import keras

    own = type(model)
    plain = own.compute_loss is keras.Model.compute_loss and own.compute_metrics is keras.Model.compute_metrics
    if not plain or not ROW_BY_ROW.fullmatch(spec.loss):
        return batch_size
    most = max(min(ROWS, BYTES // (4 * lanes * layer_outputs(model))), 1)
    divisor = max(size for size in range(1, most + 1) if rows % size == 0)
    return divisor if divisor * 4 >= most else most
