"""How many validation rows are taken at once: many where the numbers do not depend on it, else as `fit` takes them."""

import json
from typing import Any

import jax
import numpy as np

from keras_sweep.data.arrays import cut
from keras_sweep.data.search_data import Rows
from keras_sweep.process.backend import without_tensorflow
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.structure import has_independent_rows
from keras_sweep.training.lanes.template import Template
from keras_sweep.training.row_values import ACCURACIES, LOSSES, TOP_K

ROWS = 2048  # at most: enough for speed
BYTES = 256 << 20  # of what the layers put out for these rows in all lanes, at most
TRACED = 16  # rows, on which a step is looked at

# Means over rows of a function of each: what a row counts can then be given to Keras as its weight.
ROW_LOSSES = frozenset(
    {"sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"}
    | {"mean_squared_error", "mse", "mean_absolute_error", "mae"}
)
_OF_THE_BATCH = frozenset({"hinge", "squared_hinge"})  # they turn 0 into -1 where a batch holds zeros and ones alone
_OF_ONE_COLUMN = frozenset(  # there each label of a batch may meet each output of it
    {"poisson", "kl_divergence", "kld", "cosine_similarity", "pearson_correlation", "concordance_correlation"}
)
_SUMS = frozenset(  # metrics that are no means over rows, but made of counts of rows, or of sums over them
    {"auc", "precision", "recall", "true_positives", "true_negatives", "false_positives", "false_negatives"}
    | {"binary_io_u", "f1_score", "f_beta_score", "root_mean_squared_error", "log_cosh_error", "r2_score"}
    | {"pearson_correlation", "concordance_correlation"}
)


def has_row_mean_scores(spec: SweepSpec) -> bool:
    """Whether loss and metrics of this sweep are known to be means of a function of each row."""
    return spec.loss in ROW_LOSSES and set(spec.metrics) <= ROW_LOSSES | ACCURACIES


def choose_validation_batch(template: Template, *, row_by_row: bool, rows: int, lanes: int) -> int:
    """Rows a batch, of so many rows in all: a divisor of them if there is a fair one, since a short last batch is slow.

    The trial's own batch size where rows do not stand alone.
    """
    if not row_by_row:
        return template.signature.batch_size
    most = max(min(ROWS, BYTES // (4 * lanes * template.layer_outputs)), 1)
    divisor = max(size for size in range(1, most + 1) if rows % size == 0)
    return divisor if divisor * 4 >= most else most


def can_use_any_batch_size(spec: SweepSpec, template: Template, rows: Rows) -> bool:
    """Whether validation is known to come to the same numbers whatever number of rows it takes at once.

    Loss and metrics must be known, layers be Keras's own, and a step must change nothing but the metrics.
    """
    if template.signature.structure and has_row_mean_scores(spec):
        return has_independent_rows(template.signature.structure, training=False)
    unfit = _OF_THE_BATCH | (_OF_ONE_COLUMN if rows.y.size == len(rows.y) else frozenset())
    if spec.loss not in LOSSES - unfit or not set(spec.metrics) <= (LOSSES | ACCURACIES | TOP_K | _SUMS) - unfit:
        return False
    if spec.model.kind == "dense":
        return True
    with template.tracing:
        return has_independent_layers(template.model) and not has_stateful_test_step(template, rows)


def has_independent_layers(model: Any) -> bool:
    """Whether all that a model is made of is Keras's own, and looks at no row beside another."""
    if type(model).__name__ not in ("Sequential", "Functional") or not type(model).__module__.startswith("keras."):
        return False
    try:
        with without_tensorflow():
            config = json.dumps(model.get_config(), default=str)
    except Exception:  # a layer of the user's need not be able to say what it is
        return False
    axes: list[Any] = []

    def note_axis(part: dict[str, Any]) -> dict[str, Any]:
        if str(part.get("module")).startswith("keras.layers"):
            for name in ("axis", "axes"):
                axes.extend(np.ravel(part["config"].get(name, -1)))
        return part

    json.loads(config, object_hook=note_axis)
    # What is registered is the user's, or of `keras.ops`, and may look along the axis of the rows. That is axis 0, and
    # may be any below -1, of a layer inside another model, too.
    own = any(mark in config for mark in ('"registered_name": "', '"__lambda__"'))
    return not own and all(axis in (-1, None) or axis > 0 for axis in axes)


def has_stateful_test_step(template: Template, rows: Rows) -> bool:
    """Whether a step of validation changes any variable but the metrics': a count of calls, the seed of a noise.

    Traces the model, so its lock must be held.
    """
    trainable, metrics = list(template.trainable), list(template.metrics)

    def step(other: Any) -> Any:
        data = (cut(rows.x, 0, TRACED), rows.y[:TRACED])
        return template.model.test_step((trainable, other, metrics), data)[1][1]

    program = jax.make_jaxpr(step)(list(template.other)).jaxpr
    return any(before is not after for before, after in zip(program.invars, program.outvars, strict=True))
