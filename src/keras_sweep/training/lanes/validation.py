"""Choose the batch size of validation: large if scores do not depend on the batch size, otherwise as in `fit`."""

import json
from typing import Any

import jax
import numpy as np

from keras_sweep.data.arrays import cut
from keras_sweep.data.search_data import Rows
from keras_sweep.process.backend import without_tensorflow
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.signature import Signature, from_key
from keras_sweep.training.lanes.structure import has_independent_rows
from keras_sweep.training.lanes.template import Template
from keras_sweep.training.losses import MEAN, find_reduction
from keras_sweep.training.row_values import ACCURACIES, LOSSES, TOP_K

MAX_ROWS = 2048
MAX_BYTES = 256 << 20  # of the layer outputs in all lanes
TRACED_ROWS = 16

# These losses are means of a per-row function, so Keras can weight rows in them.
ROW_LOSSES = frozenset(
    {"sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"}
    | {"mean_squared_error", "mse", "mean_absolute_error", "mae"}
)
# Hinge losses turn 0 into -1 if a batch contains only zeros and ones.
_BATCH_DEPENDENT = frozenset({"hinge", "squared_hinge"})
# With a single output column, these functions may broadcast every label against every output of a batch.
_BATCH_DEPENDENT_IN_ONE_COLUMN = frozenset(
    {"poisson", "kl_divergence", "kld", "cosine_similarity", "pearson_correlation", "concordance_correlation"}
)
# Metrics computed from counts of rows, or from sums over rows.
_SUMS = frozenset(
    {"auc", "precision", "recall", "true_positives", "true_negatives", "false_positives", "false_negatives"}
    | {"binary_io_u", "f1_score", "f_beta_score", "root_mean_squared_error", "log_cosh_error", "r2_score"}
    | {"pearson_correlation", "concordance_correlation"}
)


def has_row_mean_scores(spec: SweepSpec, signature: Signature) -> bool:
    """Return whether the loss and all metrics are known to be means of a value per row."""
    return _has_mean_loss(spec, signature) and spec.loss in ROW_LOSSES and set(spec.metrics) <= ROW_LOSSES | ACCURACIES


def _has_mean_loss(spec: SweepSpec, signature: Signature) -> bool:
    """Return whether the loss of a batch is the mean over its rows: no sum, and not divided by the sum of weights."""
    return find_reduction(spec, from_key(signature.loss)) == MEAN


def choose_validation_batch(template: Template, *, row_wise: bool, rows: int, lanes: int) -> int:
    """Return the validation batch size: the trial's, or a fast size if all sizes give equal scores (`row_wise`)."""
    if not row_wise:
        return template.signature.batch_size
    most_rows = max(min(MAX_ROWS, MAX_BYTES // (4 * lanes * template.layer_outputs)), 1)
    # A short last batch is slow.
    divisor = max(size for size in range(1, most_rows + 1) if rows % size == 0)
    return divisor if divisor * 4 >= most_rows else most_rows


def can_use_any_batch_size(spec: SweepSpec, template: Template, rows: Rows) -> bool:
    """Return whether validation scores are known to be the same for any batch size."""
    if template.signature.structure and has_row_mean_scores(spec, template.signature):
        return has_independent_rows(template.signature.structure, training=False)
    excluded = _BATCH_DEPENDENT | (_BATCH_DEPENDENT_IN_ONE_COLUMN if rows.y.size == len(rows.y) else frozenset())
    if spec.loss not in LOSSES - excluded or not set(spec.metrics) <= (LOSSES | ACCURACIES | TOP_K | _SUMS) - excluded:
        return False
    if not _has_mean_loss(spec, template.signature):
        return False
    if spec.model.kind == "dense":
        return True
    # The loss of a batch is divided by the number of labels that are not masked.
    if not has_independent_layers(template.model) or template.has_masks:
        return False
    with template.tracing:
        return not (template.other and has_stateful_test_step(template, rows))


def has_independent_layers(model: Any) -> bool:
    """Return whether the model has only Keras's own layers that compute each row of a batch independently."""
    if type(model).__name__ not in ("Sequential", "Functional") or not type(model).__module__.startswith("keras."):
        return False
    try:
        with without_tensorflow():
            config = json.dumps(model.get_config(), default=str)
    except Exception:  # a custom layer may have no configuration
        return False
    axes: list[Any] = []

    def note_axis(part: dict[str, Any]) -> dict[str, Any]:
        if str(part.get("module")).startswith("keras.layers"):
            for name in ("axis", "axes"):
                axes.extend(np.ravel(part["config"].get(name, -1)))
        return part

    json.loads(config, object_hook=note_axis)
    # Registered classes are custom or from `keras.ops`, and may mix rows. Rows are axis 0, perhaps given as an axis
    # below -1. This includes layers of nested models.
    has_custom_parts = any(mark in config for mark in ('"registered_name": "', '"__lambda__"'))
    return not has_custom_parts and all(axis in (-1, None) or axis > 0 for axis in axes)


def has_stateful_test_step(template: Template, rows: Rows) -> bool:
    """Return whether `test_step` changes variables other than metrics. Callers must hold `template.tracing`, a lock."""
    trainable, metrics = list(template.trainable), list(template.metrics)

    def step(other: Any) -> Any:
        data = (cut(rows.x, 0, TRACED_ROWS), rows.y[:TRACED_ROWS])
        return template.model.test_step((trainable, other, metrics), data)[1][1]

    program = jax.make_jaxpr(step)(list(template.other)).jaxpr
    return any(before is not after for before, after in zip(program.invars, program.outvars, strict=True))
