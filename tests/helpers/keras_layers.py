"""Each layer of Keras in a small model, and those that no such model can hold, with the reason."""

import inspect

import numpy as np

WIDTH = 192  # numbers of a row: an image of 8x8x3, a sequence of 24x8, a volume of 4x4x4x3
CLASSES = 3

VECTOR, SEQUENCE, IMAGE, VOLUME = (WIDTH,), (24, 8), (8, 8, 3), (4, 4, 4, 3)
FRAMES = {1: (3, 8, 8), 2: (3, 4, 4, 4), 3: (3, 2, 2, 2, 8)}  # of ConvLSTM: time first

TOGETHER = "lanes"
ONE_BY_ONE = "one lane at a time, step by step"  # it convolves
BY_FIT = "fit"

# Validation changes their state, a seed in each: so it is in fit's own batches, and training goes on from there.
DRAW_IN_VALIDATION = {
    "GRU",
    "LSTM",
    "SimpleRNN",
    "MixUp",
    "RandomColorDegeneration",
    "RandomGrayscale",
    "RandomHue",
} | {
    "RandomPosterization",
    "RandomSaturation",
    "RandomSharpness",
}
SLOW = {"RandAugment"}  # half a minute to compile: in the long form


def _whole_numbers(x, top):
    from keras import ops

    return ops.cast(ops.floor(x * top), "int32")


def _row(kind, arguments=None, shape=VECTOR, call=None):
    """How a layer is made, and how it is called: `call(layer, x)`, with x of this shape."""
    return kind, arguments or {}, shape, call or (lambda layer, x: layer(x))


def _two(layer, x):
    return layer([x, x * 0.5])


def _rnn(**more):
    return _row(TOGETHER, {"units": 4, **more}, SEQUENCE)


def _cell(layer, x):
    from keras import layers

    return layers.RNN(layer)(x)


def layer_table():
    """Name -> (how it trains, arguments, shape of its input, how it is called). Made when asked: it imports Keras."""
    from keras import layers, ops

    sizes = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}
    table = {
        "Activation": _row(TOGETHER, {"activation": "gelu"}),
        "ActivityRegularization": _row(TOGETHER, {"l1": 0.01, "l2": 0.01}),
        "AlphaDropout": _row(TOGETHER, {"rate": 0.2}),
        "BatchNormalization": _row(TOGETHER),
        "CategoryEncoding": _row(TOGETHER, {"num_tokens": 9}, call=lambda layer, x: layer(_whole_numbers(x[:, :6], 9))),
        "Dense": _row(TOGETHER, {"units": 4}),
        "Discretization": _row(
            TOGETHER, {"bin_boundaries": [0.2, 0.5, 0.8]}, call=lambda layer, x: ops.cast(layer(x), "float32")
        ),
        "Dropout": _row(TOGETHER, {"rate": 0.2}),
        "EinsumDense": _row(TOGETHER, {"equation": "ab,bc->ac", "output_shape": 4}),
        "ELU": _row(TOGETHER),
        "Embedding": _row(
            TOGETHER, {"input_dim": 9, "output_dim": 4}, call=lambda layer, x: layer(_whole_numbers(x[:, :8], 9))
        ),
        "ReversibleEmbedding": _row(
            TOGETHER, {"input_dim": 9, "output_dim": 4}, call=lambda layer, x: layer(_whole_numbers(x[:, :8], 9))
        ),
        "Flatten": _row(TOGETHER, shape=IMAGE),
        "GaussianDropout": _row(TOGETHER, {"rate": 0.2}),
        "GaussianNoise": _row(TOGETHER, {"stddev": 0.2}),
        "GroupNormalization": _row(TOGETHER, {"groups": 3}, IMAGE),
        "Identity": _row(TOGETHER),
        "Lambda": _row(TOGETHER, {"function": lambda x: x * 2}),
        "LayerNormalization": _row(TOGETHER),
        "LeakyReLU": _row(TOGETHER),
        "Masking": _row(TOGETHER, shape=SEQUENCE, call=lambda layer, x: layers.LSTM(3)(layer(x))),
        "Normalization": _row(TOGETHER, {"mean": np.linspace(0, 1, WIDTH), "variance": np.linspace(1, 2, WIDTH)}),
        "Permute": _row(TOGETHER, {"dims": (2, 1)}, SEQUENCE),
        "PReLU": _row(TOGETHER),
        "ReLU": _row(TOGETHER),
        "RepeatVector": _row(TOGETHER, {"n": 2}),
        "Rescaling": _row(TOGETHER, {"scale": 2.0, "offset": 0.1}),
        "Reshape": _row(TOGETHER, {"target_shape": (96, 2)}),
        "RMSNormalization": _row(TOGETHER),
        "Softmax": _row(TOGETHER),
        "SpectralNormalization": _row(TOGETHER, {"layer": lambda: layers.Dense(4)}),
        "UnitNormalization": _row(TOGETHER),
        "TimeDistributed": _row(TOGETHER, {"layer": lambda: layers.Dense(2)}, SEQUENCE),
        "Bidirectional": _row(TOGETHER, {"layer": lambda: layers.GRU(3)}, SEQUENCE),
        "Pipeline": _row(TOGETHER, {"layers": lambda: [layers.Rescaling(0.5), layers.GaussianNoise(0.1)]}, IMAGE),
        "LSTM": _rnn(dropout=0.2, recurrent_dropout=0.2),
        "GRU": _rnn(dropout=0.2),
        "SimpleRNN": _rnn(dropout=0.2),
        "LSTMCell": _row(TOGETHER, {"units": 4}, SEQUENCE, _cell),
        "GRUCell": _row(TOGETHER, {"units": 4}, SEQUENCE, _cell),
        "SimpleRNNCell": _row(TOGETHER, {"units": 4}, SEQUENCE, _cell),
        "StackedRNNCells": _row(TOGETHER, {"cells": lambda: [layers.GRUCell(3), layers.LSTMCell(3)]}, SEQUENCE, _cell),
        "RNN": _row(TOGETHER, {"cell": lambda: layers.SimpleRNNCell(4)}, SEQUENCE),
        "Attention": _row(TOGETHER, {"use_scale": True, "dropout": 0.2}, SEQUENCE, _two),
        "AdditiveAttention": _row(TOGETHER, {"dropout": 0.2}, SEQUENCE, _two),
        "MultiHeadAttention": _row(
            TOGETHER, {"num_heads": 2, "key_dim": 3, "dropout": 0.2}, SEQUENCE, lambda layer, x: layer(x, x)
        ),
        "GroupedQueryAttention": _row(
            TOGETHER,
            {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2, "dropout": 0.2},
            SEQUENCE,
            lambda layer, x: layer(x, x),
        ),
        "Dot": _row(TOGETHER, {"axes": 1}, SEQUENCE, _two),
        "Concatenate": _row(TOGETHER, call=_two),
        "MelSpectrogram": _row(
            ONE_BY_ONE,
            {"fft_length": 16, "sequence_stride": 8, "num_mel_bins": 4, "sampling_rate": 100, "max_freq": 50},
        ),
        "STFTSpectrogram": _row(
            ONE_BY_ONE,
            {"frame_length": 8, "frame_step": 4, "fft_length": 8},
            shape=(WIDTH, 1),
        ),
        "UpSampling1D": _row(TOGETHER, {"size": 2}, SEQUENCE),
        "UpSampling2D": _row(TOGETHER, {"size": 2}, IMAGE),
        "UpSampling3D": _row(TOGETHER, {"size": 2}, VOLUME),
        "CenterCrop": _row(TOGETHER, {"height": 4, "width": 4}, IMAGE),
        "Resizing": _row(TOGETHER, {"height": 4, "width": 4}, IMAGE),
    }
    for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"):
        table[name] = _row(TOGETHER, call=_two)
    for rank, shape in sizes.items():
        for name in ("GlobalAveragePooling", "GlobalMaxPooling"):
            table[f"{name}{rank}D"] = _row(TOGETHER, shape=shape)
        for name in ("AveragePooling", "MaxPooling"):
            table[f"{name}{rank}D"] = _row(TOGETHER, {"pool_size": 2}, shape)
        for name in ("AdaptiveAveragePooling", "AdaptiveMaxPooling"):
            table[f"{name}{rank}D"] = _row(TOGETHER, {"output_size": 2}, shape)
        table[f"Cropping{rank}D"] = _row(TOGETHER, {"cropping": 1}, shape)
        table[f"ZeroPadding{rank}D"] = _row(TOGETHER, {"padding": 1}, shape)
        table[f"SpatialDropout{rank}D"] = _row(TOGETHER, {"rate": 0.2}, shape)
        table[f"Conv{rank}D"] = _row(ONE_BY_ONE, {"filters": 2, "kernel_size": 2}, shape)
        table[f"Conv{rank}DTranspose"] = _row(ONE_BY_ONE, {"filters": 2, "kernel_size": 2}, shape)
        table[f"ConvLSTM{rank}D"] = _row(ONE_BY_ONE, {"filters": 2, "kernel_size": 2}, FRAMES[rank])
        if rank < 3:
            table[f"DepthwiseConv{rank}D"] = _row(ONE_BY_ONE, {"kernel_size": 2}, shape)
            table[f"SeparableConv{rank}D"] = _row(ONE_BY_ONE, {"filters": 2, "kernel_size": 2}, shape)
    augmentations = {
        "AugMix": {"value_range": (0, 1)},
        "AutoContrast": {"value_range": (0, 1)},
        "ContrastLimitedAdaptiveHistogramEqualization": {"value_range": (0, 1), "tile_grid_size": (2, 2)},
        "CutMix": {},
        "MixUp": {},
        "RandAugment": {"value_range": (0, 1)},
        "RandomBrightness": {"factor": 0.2, "value_range": (0, 1)},
        "RandomColorDegeneration": {"factor": 0.5, "value_range": (0, 1)},
        "RandomColorJitter": {"value_range": (0, 1), "brightness_factor": 0.2, "hue_factor": 0.1},
        "RandomContrast": {"factor": 0.2, "value_range": (0, 1)},
        "RandomErasing": {"value_range": (0, 1)},
        "RandomFlip": {},
        "RandomGaussianBlur": {"value_range": (0, 1)},
        "RandomGrayscale": {},
        "RandomHue": {"factor": 0.2, "value_range": (0, 1)},
        "RandomInvert": {"factor": 0.5, "value_range": (0, 1)},
        "RandomPerspective": {},
        "RandomPosterization": {"factor": 4, "value_range": (0, 1)},
        "RandomRotation": {"factor": 0.2},
        "RandomSaturation": {"factor": 0.5, "value_range": (0, 1)},
        "RandomSharpness": {"factor": 0.5, "value_range": (0, 1)},
        "RandomShear": {"x_factor": 0.2},
        "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
        "RandomZoom": {"height_factor": 0.2},
        "Solarization": {"value_range": (0, 1)},
    }
    kinds = dict.fromkeys(("RandomGaussianBlur", "RandomSharpness", "RandAugment"), ONE_BY_ONE) | {"AugMix": BY_FIT}
    for name, arguments in augmentations.items():
        table[name] = _row(kinds.get(name, TOGETHER), arguments, IMAGE)
    return table


_NOT_ON_JAX = "`fit` itself fails with it on JAX, in Keras 3.15"

LEFT_OUT = {
    "Equalization": _NOT_ON_JAX,
    "HashedCrossing": _NOT_ON_JAX,
    "Hashing": _NOT_ON_JAX,
    "IntegerLookup": _NOT_ON_JAX,
    "RandomCrop": _NOT_ON_JAX,
    "RandomElasticTransform": _NOT_ON_JAX,
    "FlaxLayer": "holds a module of Flax, which is not among the packages",
    "InputLayer": "is every model's Input",
    "InputSpec": "is no layer: it describes inputs",
    "JaxLayer": "holds a function of JAX with states of its own",
    "Layer": "is the base class",
    "MaxNumBoundingBoxes": "works on bounding boxes, which are no plain array",
    "StringLookup": "takes text, which no array on a device holds",
    "TextVectorization": "takes text, which no array on a device holds",
    "TFSMLayer": "holds a SavedModel of TensorFlow",
    "TorchModuleWrapper": "holds a module of PyTorch",
    "Wrapper": "is the base class of SpectralNormalization, TimeDistributed and Bidirectional, which are here",
}


def public_layers():
    """Every class in `keras.layers`, by the name that the class itself has: that of the module may be another."""
    from keras import layers

    return {found.__name__: found for _, found in inspect.getmembers(layers, inspect.isclass)}


def with_layers(names):
    """A classifier whose branches hold one of these layers each."""
    import keras
    from keras import layers

    table = layer_table()
    inputs = keras.Input((WIDTH,))
    branches = []
    for name in names.split("+"):
        _, arguments, shape, call = table[name]
        made = {
            key: value() if key in ("layer", "layers", "cells", "cell") else value for key, value in arguments.items()
        }
        layer = public_layers()[name](**made)
        x = layers.Reshape(shape)(inputs) if shape != VECTOR else inputs
        branches.append(layers.Flatten()(call(layer, x)))
    joined = layers.Concatenate()(branches) if len(branches) > 1 else branches[0]
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(joined))
