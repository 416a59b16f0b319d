"""How many validation rows are taken at once: many where the numbers do not depend on it, else as `fit` takes them."""

from __future__ import annotations

from typing import Any

from keras_sweep.space.sweep_spec import SweepSpec

ROWS = 2048  # enough for speed, little memory

# losses that are means over rows; a Dice or Tversky loss, for one, is not
ROW_BY_ROW_LOSSES = frozenset(
    {
        "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
        "sparse_categorical_crossentropy", "crossentropy", "ce", "mean_squared_error", "mse", "MSE", "mean_absolute_error",
        "mae", "MAE", "mean_absolute_percentage_error", "mape", "MAPE", "mean_squared_logarithmic_error", "msle", "MSLE",
        "huber", "log_cosh", "logcosh", "kl_divergence", "kld", "poisson", "hinge", "squared_hinge", "categorical_hinge",
        "cosine_similarity",
    }
)  # fmt: skip


def validation_batch(spec: SweepSpec, model: Any, batch_size: int) -> int:
    """Rows a batch: a multiple of `batch_size` near `ROWS`, or `batch_size` where batches may matter."""
    import keras

    own = type(model)
    plain = own.compute_loss is keras.Model.compute_loss and own.compute_metrics is keras.Model.compute_metrics
    if not plain or spec.loss not in ROW_BY_ROW_LOSSES:
        return batch_size
    return max(ROWS // batch_size, 1) * batch_size
