"""Each layer, optimizer, loss and metric of Keras, how it trains, and what is left out with the reason.

python -m tests.helpers.keras_catalogue    # writes the tables of docs/reference/{layers,optimizers,losses}.md again
"""

import inspect
from pathlib import Path

import numpy as np

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

WIDTH = 192  # numbers of a row: an image of 8x8x3, a sequence of 24x8, a volume of 4x4x4x3
CLASSES = 3
VECTOR, SEQUENCE, IMAGE, VOLUME = (WIDTH,), (24, 8), (8, 8, 3), (4, 4, 4, 3)
FRAMES = {1: (3, 8, 8), 2: (3, 4, 4, 4), 3: (3, 2, 2, 2, 8)}  # of ConvLSTM: time first

TOGETHER = "lanes"
ONE_BY_ONE = "one lane at a time, step by step"  # it convolves
BY_FIT = "fit"

# Validation changes their state, a seed in each: so it is in fit's own batches, and training goes on from there.
DRAW_IN_VALIDATION = {
    *("GRU", "LSTM", "SimpleRNN", "MixUp", "RandomColorDegeneration", "RandomGrayscale", "RandomHue"),
    *("RandomPosterization", "RandomSaturation", "RandomSharpness"),
}
IN_BATCHES = DRAW_IN_VALIDATION | {"Lambda", "Masking"}  # of a function of the user's, or of Keras, nothing is known
SLOW = {"RandAugment"}  # half a minute to compile: in the long form

LAYERS_LEFT_OUT = {
    "`fit` itself fails with it on JAX": (
        *("Equalization", "HashedCrossing", "Hashing", "IntegerLookup", "RandomCrop", "RandomElasticTransform"),
    ),
    "it wraps what another package made": ("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"),
    "it takes text, and JAX has no arrays of text": ("StringLookup", "TextVectorization"),
    "it works on bounding boxes, not on plain arrays": ("MaxNumBoundingBoxes",),
    "it is a part of every model, or a base class": ("InputLayer", "InputSpec", "Layer", "Wrapper"),
}


def layer_table():
    """Name -> (how it trains, arguments, shape of its input, how it is called). Made when asked: it imports Keras."""
    from keras import layers

    table = {}

    def add(names, shape=VECTOR, *, call=lambda layer, x: layer(x), how=TOGETHER, **arguments):
        table.update(dict.fromkeys(names.split(), (how, arguments, shape, call)))

    def of_two(layer, x):
        return layer([x, layers.Rescaling(0.5)(x)])

    def of_itself(layer, x):
        return layer(x, x)

    def of_whole_numbers(layer, x):
        return layer(layers.Discretization(list(np.linspace(0, 1, 10)[1:-1]))(x))

    def of_a_cell(layer, x):
        return layers.RNN(layer)(x)

    add("BatchNormalization ELU Identity LayerNormalization LeakyReLU PReLU ReLU RMSNormalization Softmax")
    add("UnitNormalization")
    add("Activation", activation="gelu")
    add("ActivityRegularization", l1=0.01, l2=0.01)
    add("AlphaDropout Dropout GaussianDropout", rate=0.2)
    add("CategoryEncoding", call=of_whole_numbers, num_tokens=9, output_mode="count")
    add("Dense", units=4)
    add("Discretization", bin_boundaries=[0.2, 0.5, 0.8], output_mode="one_hot")
    add("EinsumDense", equation="ab,bc->ac", output_shape=4)
    add("Embedding ReversibleEmbedding", call=of_whole_numbers, input_dim=9, output_dim=4)
    add("Flatten", IMAGE)
    add("GaussianNoise", stddev=0.2)
    add("GroupNormalization", IMAGE, groups=3)
    add("Lambda", function=lambda x: x * 2)
    add("Masking", SEQUENCE, call=lambda layer, x: layers.LSTM(3)(layer(x)))
    add("Normalization", mean=np.linspace(0, 1, WIDTH), variance=np.linspace(1, 2, WIDTH))
    add("Permute", SEQUENCE, dims=(2, 1))
    add("RepeatVector", n=2)
    add("Rescaling", scale=2.0, offset=0.1)
    add("Reshape", target_shape=(96, 2))
    add("SpectralNormalization", layer=lambda: layers.Dense(4))
    add("TimeDistributed", SEQUENCE, layer=lambda: layers.Dense(2))
    add("Bidirectional", SEQUENCE, layer=lambda: layers.GRU(3))
    add("Pipeline", IMAGE, layers=lambda: [layers.Rescaling(0.5), layers.GaussianNoise(0.1)])
    add("LSTM", SEQUENCE, units=4, dropout=0.2, recurrent_dropout=0.2)
    add("GRU SimpleRNN", SEQUENCE, units=4, dropout=0.2)
    add("LSTMCell GRUCell SimpleRNNCell", SEQUENCE, call=of_a_cell, units=4)
    add("StackedRNNCells", SEQUENCE, call=of_a_cell, cells=lambda: [layers.GRUCell(3), layers.LSTMCell(3)])
    add("RNN", SEQUENCE, cell=lambda: layers.SimpleRNNCell(4))
    add("Attention", SEQUENCE, call=of_two, use_scale=True, dropout=0.2)
    add("AdditiveAttention", SEQUENCE, call=of_two, dropout=0.2)
    add("MultiHeadAttention", SEQUENCE, call=of_itself, num_heads=2, key_dim=3, dropout=0.2)
    heads = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
    add("GroupedQueryAttention", SEQUENCE, call=of_itself, dropout=0.2, **heads)
    add("Dot", SEQUENCE, call=of_two, axes=1)
    add("Add Average Concatenate Maximum Minimum Multiply Subtract", call=of_two)
    mel = {"fft_length": 16, "sequence_stride": 8, "num_mel_bins": 4, "sampling_rate": 100, "max_freq": 50}
    add("MelSpectrogram", how=ONE_BY_ONE, **mel)
    add("STFTSpectrogram", (WIDTH, 1), how=ONE_BY_ONE, frame_length=8, frame_step=4, fft_length=8)
    add("CenterCrop Resizing", IMAGE, height=4, width=4)
    for rank, shape in {1: SEQUENCE, 2: IMAGE, 3: VOLUME}.items():
        add(f"GlobalAveragePooling{rank}D GlobalMaxPooling{rank}D", shape)
        add(f"AveragePooling{rank}D MaxPooling{rank}D", shape, pool_size=2)
        add(f"AdaptiveAveragePooling{rank}D AdaptiveMaxPooling{rank}D", shape, output_size=2)
        add(f"Cropping{rank}D", shape, cropping=1)
        add(f"ZeroPadding{rank}D", shape, padding=1)
        add(f"UpSampling{rank}D", shape, size=2)
        add(f"SpatialDropout{rank}D", shape, rate=0.2)
        add(f"Conv{rank}D Conv{rank}DTranspose", shape, how=ONE_BY_ONE, filters=2, kernel_size=2)
        add(f"ConvLSTM{rank}D", FRAMES[rank], how=ONE_BY_ONE, filters=2, kernel_size=2)
        if rank < 3:
            add(f"DepthwiseConv{rank}D", shape, how=ONE_BY_ONE, kernel_size=2)
            add(f"SeparableConv{rank}D", shape, how=ONE_BY_ONE, filters=2, kernel_size=2)
    add("CutMix MixUp RandomFlip RandomGrayscale RandomPerspective", IMAGE)
    add("AutoContrast RandomErasing Solarization", IMAGE, value_range=(0, 1))
    add("AugMix", IMAGE, how=BY_FIT, value_range=(0, 1))
    add("RandAugment RandomGaussianBlur", IMAGE, how=ONE_BY_ONE, value_range=(0, 1))
    tiles = {"value_range": (0, 1), "tile_grid_size": (2, 2)}
    add("ContrastLimitedAdaptiveHistogramEqualization", IMAGE, **tiles)
    add("RandomColorJitter", IMAGE, value_range=(0, 1), brightness_factor=0.2, hue_factor=0.1)
    add("RandomBrightness RandomContrast RandomHue", IMAGE, factor=0.2, value_range=(0, 1))
    add("RandomColorDegeneration RandomInvert RandomSaturation", IMAGE, factor=0.5, value_range=(0, 1))
    add("RandomSharpness", IMAGE, how=ONE_BY_ONE, factor=0.5, value_range=(0, 1))
    add("RandomPosterization", IMAGE, factor=4, value_range=(0, 1))
    add("RandomRotation", IMAGE, factor=0.2)
    add("RandomShear", IMAGE, x_factor=0.2)
    add("RandomTranslation", IMAGE, height_factor=0.2, width_factor=0.2)
    add("RandomZoom", IMAGE, height_factor=0.2)
    return table


def with_layers(names):
    """A classifier whose branches hold one of these layers each."""
    import keras
    from keras import layers

    table = layer_table()
    inputs = keras.Input((WIDTH,))
    branches = []
    for name in names.split("+"):
        _, arguments, shape, call = table[name]
        inner = ("layer", "layers", "cells", "cell")
        made = {key: value() if key in inner else value for key, value in arguments.items()}
        x = layers.Reshape(shape)(inputs) if shape != VECTOR else inputs
        branches.append(layers.Flatten()(call(public("layers")[name](**made), x)))
    joined = layers.Concatenate()(branches) if len(branches) > 1 else branches[0]
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(joined))


def public(module):
    """Every class in `keras.layers` and its like, by the name that the class itself has."""
    import keras

    return {found.__name__: found for _, found in inspect.getmembers(getattr(keras, module), inspect.isclass)}


def named(reasons):
    """The names that are left out for any of these reasons."""
    return {name for names in reasons.values() for name in names}


OPTIMIZERS_LEFT_OUT = {
    "`keras.optimizers.get` does not know its name": ("Lamb",),
    "it wraps another optimizer, as Keras does with `mixed_float16`": ("LossScaleOptimizer",),
    "it is made from other optimizers: use it in a model that compiles itself": ("MultiOptimizer",),
    "it is not an optimizer by itself": ("Optimizer", "OptimizerMap"),
}
_VALUES = {
    "weight_decay": 0.01,
    "clipvalue": 0.05,
    "clipnorm": 0.5,
    "global_clipnorm": 0.5,
    "use_ema": True,
    "ema_momentum": 0.8,
    "ema_overwrite_frequency": 4,
    "loss_scale_factor": 8.0,
    "gradient_accumulation_steps": 2,
    "epsilon": 1e-5,
    "exclude_layers": ("none",),
    "muon_a": 3.4,
    "muon_b": -4.7,
    "muon_c": 2.0,  # farther from the defaults it makes a rounding large
}
# Only one way to clip at a time. Clipping by a norm is the base class's: an optimizer is tried with one or the other.
BY_NORM = ("clipnorm", "global_clipnorm")
_OF_THE_BASE = tuple(name for name in _VALUES if name.startswith(("use_ema", "ema_", "loss_scale", "gradient_acc")))
MAPPED = {"Adafactor", "Muon", "ScheduleFreeAdamW"}  # an element's update reads more than that element


def optimizer_arguments(name):
    """Its arguments but the rate, which differs in each trial anyway, and a value of each that is not the default."""

    def other(default):
        if isinstance(default, int | bool):
            return not default if isinstance(default, bool) else default + 1
        if isinstance(default, float):
            return default * 0.9 if default else 0.01
        raise LookupError(f"no value is known that could be given in place of {default!r}")

    parameters = inspect.signature(public("optimizers")[name].__init__).parameters
    return {
        key: _VALUES[key] if key in _VALUES else other(parameter.default)
        for key, parameter in parameters.items()
        if key not in ("self", "learning_rate", "name", "kwargs")
    }


def optimizer_trials(name):
    """Two sets of arguments that together hold each of them, but one of the two norms to clip by."""
    arguments = optimizer_arguments(name)
    norm = BY_NORM[len(name) % 2]
    return [
        {key: value for key, value in arguments.items() if key not in (*BY_NORM, *_OF_THE_BASE)},
        {key: arguments[key] for key in (norm, *_OF_THE_BASE)},
    ]


SPARSE, ONE_HOT, BINARY, NUMBERS = "class numbers", "one-hot classes", "two classes", "numbers"

# Losses by the labels that they are tried with.
LOSSES = {
    SPARSE: ("sparse_categorical_crossentropy", "circle"),
    ONE_HOT: (
        *("categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "dice", "tversky"),
        *("kl_divergence", "poisson", "cosine_similarity"),
    ),
    BINARY: ("binary_crossentropy", "binary_focal_crossentropy", "hinge", "squared_hinge"),
    NUMBERS: (
        *("huber", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error"),
        "mean_squared_logarithmic_error",
    ),
}
LOOK_AT_THE_BATCH = {"circle", "dice", "tversky", "hinge", "squared_hinge"}  # so lanes validate in fit's batches
# Metrics by their labels, all of one line in one trial.
METRICS = {
    SPARSE: ("sparse_categorical_accuracy", "sparse_categorical_crossentropy", "sparse_top_k_categorical_accuracy"),
    ONE_HOT: (
        *("binary_crossentropy", "categorical_accuracy", "categorical_crossentropy", "categorical_hinge"),
        *("top_k_categorical_accuracy", "cosine_similarity", "kl_divergence", "poisson"),
        *("pearson_correlation", "concordance_correlation", "accuracy", "auc"),
    ),
    BINARY: (
        *("binary_accuracy", "precision", "recall", "auc", "binary_io_u"),
        *("true_positives", "true_negatives", "false_positives", "false_negatives"),
    ),
    NUMBERS: (
        *("mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error"),
        *("mean_squared_logarithmic_error", "root_mean_squared_error", "log_cosh_error", "r2_score"),
    ),
}
# On one column of labels Keras sets each label of a batch against each output of it: fit's batches.
METRICS_OF_A_BATCH = {BINARY: ("hinge", "squared_hinge"), NUMBERS: ("poisson", "kl_divergence")}

LOSSES_LEFT_OUT = {
    "`keras.losses.get` does not know its name": ("categorical_generalized_cross_entropy",),
    "it takes sequences of labels and their lengths": ("ctc",),
    "it is not a loss": ("deserialize", "get", "serialize"),
}
METRICS_LEFT_OUT = {
    "it needs arguments: write it as a map, `{name: f_beta_score, average: macro}`": (
        *("IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU", "PrecisionAtRecall", "RecallAtPrecision"),
        *("SensitivityAtSpecificity", "SpecificityAtSensitivity", "F1Score", "FBetaScore"),
    ),
    "it is not a function of labels and outputs": ("Mean", "MeanMetricWrapper", "Metric", "Sum"),
}


def write_pages():
    """Return the path and the text of each page: what is written by hand, and the tables below its first heading."""
    for name, heading, make in (
        ("layers", "## Layers", _layers),
        ("optimizers", "## Optimizers", _optimizers),
        ("losses", "## Losses and metrics", _losses),
    ):
        path = REFERENCE / f"{name}.md"
        by_hand = path.read_text().partition(f"{heading}\n")[0]
        yield path, "\n".join([by_hand + heading, *make()])


def _layers():
    table = layer_table()
    yield from ["", "| trains | validates | layers |", "|---|---|---|"]
    for kind in (TOGETHER, ONE_BY_ONE, BY_FIT):
        for in_batches in (False, True):
            names = [name for name, (how, *_) in table.items() if how == kind and (name in IN_BATCHES) == in_batches]
            rows = "by `fit`" if kind == BY_FIT else "in the trial's batches" if in_batches else "many rows at once"
            if names:
                yield f"| {kind} | {rows} | {', '.join(sorted(names))} |"
    yield from _left_out(LAYERS_LEFT_OUT)


def _optimizers():
    from keras_sweep.training.lanes.signature import can_vary_per_lane

    yield from ["", "| optimizer | update | a number for each lane | compiled into the program |", "|---|---|---|---|"]
    for name in sorted(set(public("optimizers")) - named(OPTIMIZERS_LEFT_OUT)):
        arguments = optimizer_arguments(name)
        own = [key for key, value in arguments.items() if name not in MAPPED and can_vary_per_lane(name, key, value)]
        rest = [key for key in arguments if key not in (*own, "clipvalue", *BY_NORM, *_OF_THE_BASE)]
        update = "mapped" if name in MAPPED else "at once"
        yield f"| {name} | {update} | {_ticks(['learning_rate', *own])} | {_ticks(rest)} |"
    yield from _left_out(OPTIMIZERS_LEFT_OUT)


def _losses():
    yield from ["", "| validates | labels | losses | metrics |", "|---|---|---|---|"]
    for labels, losses in LOSSES.items():
        alone = [loss for loss in losses if loss not in LOOK_AT_THE_BATCH]
        batch = [loss for loss in losses if loss in LOOK_AT_THE_BATCH]
        yield f"| many rows at once | {labels} | {_ticks(alone)} | {_ticks(METRICS[labels])} |"
        if batch or labels in METRICS_OF_A_BATCH:
            metrics = METRICS_OF_A_BATCH.get(labels, ())
            yield f"| in the trial's batches | {labels} | {_ticks(batch)} | {_ticks(metrics)} |"
    yield from _left_out({**LOSSES_LEFT_OUT, **METRICS_LEFT_OUT})


def _ticks(names):
    return ", ".join(f"`{name}`" for name in names) or "none"


def _left_out(reasons):
    import keras

    yield from ["", f"## Not trained in the tests, with Keras {keras.__version__}", ""]
    yield from ["| name | why |", "|---|---|"]
    yield from [*(f"| {', '.join(names)} | {why} |" for why, names in reasons.items()), ""]


if __name__ == "__main__":
    for path, text in write_pages():
        path.write_text(text)
