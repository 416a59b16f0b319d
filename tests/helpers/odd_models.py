"""Models as users bring them that a sweep trains with a word, or refuses with one."""

import sys
import warnings

import jax.numpy as jnp
import keras
from keras import layers


class Subclassed(keras.Model):
    """No `build`, no `get_config`; its `call` takes `training`."""

    def __init__(self, units, classes):
        super().__init__()
        self.hidden = layers.Dense(units, activation="relu")
        self.dropout = layers.Dropout(0.2)
        self.last = layers.Dense(classes, activation="softmax")

    def call(self, inputs, training=False):
        return self.last(self.dropout(self.hidden(inputs), training=training))


class WithBuild(keras.Model):
    """A `build` with a weight of its own, and a `get_config`."""

    def __init__(self, classes, **more):
        super().__init__(**more)
        self.classes = classes

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
        self.last = layers.Dense(self.classes, activation="softmax")
        self.last.build(input_shape)
        self.built = True

    def call(self, inputs):
        return self.last(inputs * self.scale)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


class OwnStep(Subclassed):
    def train_step(self, *state_and_data):
        return super().train_step(*state_and_data)


class Unwritable(Subclassed):
    """What its `call` does Keras can't follow on symbols, and it has no `get_config`."""

    def call(self, inputs, training=False):
        return super().call(jnp.multiply(inputs, 1.0), training)


class Wanting(keras.Model):
    """Its `call` wants its inputs by name."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(10)

    def call(self, inputs):
        return self.last(inputs["pixels"])


class Twice(layers.Layer):
    def call(self, inputs):
        return inputs * 2


def _model(*inner, shape=(64,), last=None):
    return keras.Sequential([layers.Input(shape), *inner, last or layers.Dense(10, activation="softmax")])


def subclassed(classes):
    return Subclassed(8, classes)


def with_build(classes):
    return WithBuild(classes)


def own_step(classes):
    return OwnStep(8, classes)


def wanting():
    return Wanting()


def compiled():
    model = _model()
    model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["mae"])
    return model


def tuned(hp):
    model = _model(layers.Dense(hp.Int("units", 4, 8)))
    hp.Choice("unused", [1, 2])
    model.compile(keras.optimizers.Adam(hp.Float("lr", 1e-4, 1e-1, sampling="log")), loss=hp.Choice("loss", ["mse"]))
    return model


def ending_with(activation, units=10):
    return _model(last=layers.Dense(units, activation=activation))


def ending_with_layer():
    return _model(layers.Dense(10), layers.Dropout(0.1), last=layers.Softmax())


def ending_with_own_layer():
    return _model(layers.Dense(10), last=Twice())


def with_lambda():
    return _model(layers.Lambda(lambda x: x * 2))


def with_function_of_keras():
    return _model(layers.Lambda(keras.activations.relu))


def twice(inputs):
    return inputs * 2


def with_own_function():
    return _model(layers.Dense(10, activation=twice))


def with_own_layer():
    return _model(Twice())


def too_small(units):
    if units < 5:
        raise ValueError("at least 5 units")
    return _model(layers.Dense(units))


def too_small_for_hp(hp):
    return too_small(hp.Int("units", 4, 8))


def frozen():
    model = _model()
    model.trainable = False
    return model


def two_inputs():
    left, right = layers.Input((32,), name="left"), layers.Input((32,), name="right")
    return keras.Model([left, right], layers.Dense(10)(layers.Concatenate()([left, right])))


def two_outputs():
    pixels = layers.Input((64,))
    return keras.Model(pixels, [layers.Dense(10)(pixels), layers.Dense(1)(pixels)])


def in_a_list(units=4):
    pixels = layers.Input((64,))
    digit = layers.Dense(10, "softmax", name="digit")(layers.Dense(units)(pixels))
    return keras.Model(pixels, [digit, layers.Dense(1, name="dark")(pixels)])


def of_grey_pictures():
    return keras.Sequential(
        [layers.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(10, "softmax")]
    )


def of_rows_of_pixels():
    pixels = layers.Input((8, 8))
    return keras.Model(pixels, layers.Dense(10, "softmax")(layers.Flatten()(pixels)))


def without_call():
    model = WithoutCall(name="both")
    model.first, model.second = _model(), _model()
    return model


class WithoutCall(keras.Model):
    pass


def output_by_name():
    pixels = layers.Input((64,))
    return keras.Model(pixels, {"digit": layers.Dense(10)(pixels)})


def named_input():
    pixels = layers.Input((64,), name="pixels")
    return keras.Model({"pixels": pixels}, layers.Dense(10, activation="softmax")(pixels))


OfAProgram = type("OfAProgram", (layers.Dense,), {"__module__": "__main__"})  # as in a script or a cell


def with_layer_of_a_program():
    return keras.Sequential([layers.Input((64,)), OfAProgram(10, activation="softmax")])


def listed_inputs():
    picture, age = layers.Input((8, 8, 1), name="picture"), layers.Input((1,), name="age")
    both = layers.Concatenate()([layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(picture)), age])
    return keras.Model([picture, age], layers.Dense(10, activation="softmax")(both))


def other_rows():
    return _model(shape=(7,))


def nothing():
    _model()


def a_class():
    return Subclassed


def exits():
    sys.exit(0)


def recursion():
    return recursion()


def unwritable(classes):
    return Unwritable(8, classes)


def changing_the_process():
    import os
    import tempfile

    print("building")  # noqa: T201
    warnings.simplefilter("error")
    sys.excepthook = None
    os.chdir(tempfile.gettempdir())
    return _model()


class _Silent(keras.layers.Layer):
    """Does not tell the shape of its outputs, as `keras.layers.TorchModuleWrapper`."""

    def __init__(self, classes):
        super().__init__()
        self.inner = keras.layers.Dense(classes, "softmax")

    def call(self, x):
        return self.inner(x)

    def compute_output_spec(self, *args, **kwargs):
        raise NotImplementedError


def silent(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), _Silent(classes)])
