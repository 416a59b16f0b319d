"""Each loss and each metric of Keras on labels that suit it."""

import inspect

SPARSE, ONE_HOT, BINARY, NUMBERS = "class numbers", "one-hot classes", "two classes", "numbers"

# Loss -> the labels it is tried with.
LOSSES = {
    "sparse_categorical_crossentropy": SPARSE,
    "categorical_crossentropy": ONE_HOT,
    "categorical_focal_crossentropy": ONE_HOT,
    "categorical_hinge": ONE_HOT,
    "circle": SPARSE,
    "dice": ONE_HOT,
    "tversky": ONE_HOT,
    "kl_divergence": ONE_HOT,
    "poisson": ONE_HOT,
    "cosine_similarity": ONE_HOT,
    "binary_crossentropy": BINARY,
    "binary_focal_crossentropy": BINARY,
    "hinge": BINARY,
    "squared_hinge": BINARY,
    "huber": NUMBERS,
    "log_cosh": NUMBERS,
    "mean_absolute_error": NUMBERS,
    "mean_absolute_percentage_error": NUMBERS,
    "mean_squared_error": NUMBERS,
    "mean_squared_logarithmic_error": NUMBERS,
}
NO_LOSS = {
    "categorical_generalized_cross_entropy": "has no name that `keras.losses.get` knows",
    "ctc": "takes sequences of labels and their lengths",
    "deserialize": "is no loss",
    "get": "is no loss",
    "serialize": "is no loss",
}
LOOK_AT_THE_BATCH = {"circle", "dice", "tversky"}  # so lanes validate in fit's batches

# Metrics by the labels they are tried with, all of one line in one trial.
METRICS = {
    SPARSE: ("sparse_categorical_accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy"),
    ONE_HOT: (
        "binary_crossentropy",
        "categorical_accuracy",
        "categorical_crossentropy",
        "categorical_hinge",
        "top_k_categorical_accuracy",
        "cosine_similarity",
        "kl_divergence",
        "poisson",
        "f1_score",
        "f_beta_score",
        "pearson_correlation",
        "concordance_correlation",
        "accuracy",
        "auc",
    ),
    BINARY: (
        "binary_accuracy",
        "precision",
        "recall",
        "auc",
        "binary_io_u",
        "true_positives",
        "true_negatives",
        "false_positives",
        "false_negatives",
    ),
    NUMBERS: (
        "mean_squared_error",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
        "root_mean_squared_error",
        "log_cosh_error",
        "r2_score",
    ),
}
# On one column of labels Keras sets each label of a batch against each output of it: fit's batches.
METRICS_OF_A_BATCH = {BINARY: ("hinge", "squared_hinge"), NUMBERS: ("poisson", "kl_divergence")}
NO_METRIC = {
    "IoU": "needs arguments, which a name in a space file can't give",
    "Mean": "is a mean of what it is given, not of labels and outputs",
    "MeanIoU": "needs arguments, which a name in a space file can't give",
    "MeanMetricWrapper": "wraps a function",
    "Metric": "is the base class",
    "OneHotIoU": "needs arguments, which a name in a space file can't give",
    "OneHotMeanIoU": "needs arguments, which a name in a space file can't give",
    "PrecisionAtRecall": "needs arguments, which a name in a space file can't give",
    "RecallAtPrecision": "needs arguments, which a name in a space file can't give",
    "SensitivityAtSpecificity": "needs arguments, which a name in a space file can't give",
    "SpecificityAtSensitivity": "needs arguments, which a name in a space file can't give",
    "Sum": "is a sum of what it is given, not of labels and outputs",
}


def public_losses():
    """Every function in `keras.losses`."""
    import keras

    return {name for name, _ in inspect.getmembers(keras.losses, inspect.isroutine)}


def public_metrics():
    """Every class in `keras.metrics`."""
    import keras

    return {found.__name__ for _, found in inspect.getmembers(keras.metrics, inspect.isclass)}


def metric_classes():
    """The classes of the metrics above."""
    import keras

    named = [name for group in (*METRICS.values(), *METRICS_OF_A_BATCH.values()) for name in group]
    return {type(keras.metrics.get(name)).__name__ if name != "accuracy" else "Accuracy" for name in named}
