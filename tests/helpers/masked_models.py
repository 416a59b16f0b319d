"""Models whose outputs have a mask: words in rows of unequal length, and a label for each word."""

import warnings

import keras
import numpy as np
from keras import layers

from keras_sweep.data.search_data import Rows, SearchData
from tests.helpers import keras_catalogue as catalogue

WORDS, STEPS, CLASSES = 9, 6, 3
SEQUENCES = {"LSTM", "GRU", "SimpleRNN", "RNN"}  # they can return a value for each step
SIZES = (24, 20)  # rows: validation ends in a short batch


def tagged_words(sizes=SIZES, seed=0):
    """Words [N, 6], zero after the end of a row, and a label for each of them [N, 6]; past the end it is wrong."""
    draw, parts = np.random.default_rng(seed), []
    for count in sizes:
        words = draw.integers(1, WORDS, (count, STEPS))
        ends = draw.integers(1, STEPS + 1, (count, 1))
        inside = np.arange(STEPS) < ends
        labels = np.where(inside, words % CLASSES, draw.integers(0, CLASSES, words.shape))
        parts.append(Rows(np.where(inside, words, 0).astype(np.int32), labels.astype(np.int32)))
    return SearchData("words", *parts, "none", CLASSES)


class OwnMask(layers.Layer):
    """A layer of the user's that makes a mask: only the first steps count."""

    def __init__(self, steps=4, **more):
        super().__init__(**more)
        self.steps, self.supports_masking = steps, True

    def call(self, inputs):
        return inputs * 2

    def compute_mask(self, inputs, previous_mask=None):
        first = keras.ops.logical_and(inputs[..., 0] < 1e9, keras.ops.arange(STEPS) < self.steps)
        return first if previous_mask is None else keras.ops.logical_and(first, previous_mask)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.embed, self.last = layers.Embedding(WORDS, 4, mask_zero=True), layers.Dense(CLASSES, "softmax")

    def call(self, inputs):
        return self.last(self.embed(inputs))


def subclassed():
    return Subclassed()


def list_passing_layers():
    """Names of Keras's layers that take a masked sequence and give one, with a mask or without."""
    names = []
    for name, (how, _, shape, _) in sorted(catalogue.layer_table().items()):
        if how == catalogue.TOGETHER and shape in (catalogue.VECTOR, catalogue.SEQUENCE):
            keras.utils.clear_session()
            made, steps = _make_layer(name), keras.Input((STEPS, 4))
            if not getattr(made, "supports_masking", False):
                continue
            try:
                shape = _call(name, made, steps).shape
            except (TypeError, ValueError, AttributeError):  # it takes no sequence of numbers
                continue
            if len(shape) == 3 and shape[1] == STEPS and _takes_a_mask(name):
                names.append(name)
    return names


def _takes_a_mask(name):
    """Whether Keras itself can call the layer with a masked sequence: a softmax over features can't be masked by steps,
    and attention by grouped queries warns that it loses the mask."""
    try:
        with warnings.catch_warnings(action="error"):
            of_words(name)(np.ones((2, STEPS), np.int32))
    except (ValueError, UserWarning):
        return False
    return True


def _make_layer(name):
    if name == "OwnMask":
        return OwnMask()
    _, arguments, _, _ = catalogue.layer_table()[name]
    inner = ("layer", "layers", "cells", "cell")
    made = {key: value() if key in inner else value for key, value in arguments.items()}
    if name in SEQUENCES:
        made["return_sequences"] = True
    if name == "Bidirectional":
        made["layer"] = layers.GRU(3, return_sequences=True)
    return catalogue.public("layers")[name](**made)


def _call(name, layer, inputs):
    return layer(inputs) if name == "OwnMask" else catalogue.layer_table()[name][3](layer, inputs)


def of_words(names, joins="Add"):
    """A model of masked words, with a branch for each of the layers `names`."""
    inputs = keras.Input((STEPS,), dtype="int32")
    words = layers.Embedding(WORDS, 4, mask_zero=True)(inputs)
    branches = [layers.Dense(3)(_call(name, _make_layer(name), words)) for name in names.split("+")]
    joined = getattr(layers, joins)()(branches) if len(branches) > 1 else branches[0]
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(joined))


def of_numbers():
    """The mask is of steps that are all zero."""
    inputs = keras.Input((STEPS,))
    x = layers.Masking()(layers.Reshape((STEPS, 1))(inputs))
    return keras.Model(
        inputs, layers.Dense(CLASSES, activation="softmax")(layers.SimpleRNN(3, return_sequences=True)(x))
    )


def nested():
    inner = keras.Sequential([layers.Embedding(WORDS, 4, mask_zero=True), layers.Dropout(0.2), layers.Dense(4)])
    return keras.Sequential(
        [keras.Input((STEPS,)), inner, layers.BatchNormalization(), layers.Dense(CLASSES, "softmax")]
    )
