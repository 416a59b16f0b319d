"""Models as a user would bring them."""

import random

import jax
import keras
from keras import layers


def classifier(input_shape, classes, *hidden, **last):
    return keras.Sequential([layers.Input(input_shape), *hidden, layers.Dense(classes, activation="softmax", **last)])


def convolutional(input_shape, classes):
    """[64] pixels as an 8x8 image; BatchNormalization and Dropout have state that training changes."""
    return classifier(
        input_shape,
        classes,
        layers.Reshape((8, 8, 1)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Dropout(0.3),
        layers.Flatten(),
    )


def regularized(input_shape, classes, units=8):
    return classifier(input_shape, classes, layers.Dense(units, activation="relu", kernel_regularizer="l2"))


def constrained(input_shape, classes):
    """A kernel whose columns are held to a norm: no optimizer may treat its elements one by one."""
    return classifier(input_shape, classes, kernel_constraint=keras.constraints.MaxNorm(0.5))


def one_output(input_shape, activation="linear"):
    return keras.Sequential([layers.Input(input_shape), layers.Dense(1, activation=activation)])


def in_lists(input_shape, classes, units=8):
    rows = keras.Input(input_shape)
    return keras.Model(inputs=[rows], outputs=[layers.Dense(classes, activation="softmax")(layers.Dense(units)(rows))])


def failing(input_shape, classes, units=8):
    if units % 2:
        raise ValueError("units must be even")
    return regularized(input_shape, classes, units)


class OwnMetrics(keras.Model):
    """Names metrics of its own, which nothing updates, and no `test_step`."""

    def __init__(self):
        super().__init__()
        self.last = layers.Dense(1)
        self.mine = [keras.metrics.Mean(name="loss"), keras.metrics.MeanAbsoluteError(name="mae")]

    @property
    def metrics(self):
        return self.mine

    def call(self, inputs):
        return self.last(inputs)


def own_metrics():
    return OwnMetrics()


class OwnStep(keras.Sequential):
    def train_step(self, state, data):
        return super().train_step(state, data)


def own_step(input_shape, classes):
    return OwnStep([layers.Input(input_shape), layers.Dense(classes, activation="softmax")])


class OwnLog(keras.Sequential):
    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {**super().compute_metrics(x, y, y_pred, sample_weight), "one": 1.0}


def own_log(input_shape, classes):
    return OwnLog([layers.Input(input_shape), layers.Dense(classes, activation="softmax")])


class CallingBack(layers.Layer):
    def call(self, inputs):
        return jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct(inputs.shape, inputs.dtype), inputs)


def calling_back(input_shape, classes):
    return classifier(input_shape, classes, CallingBack())


class Centered(layers.Layer):
    def call(self, inputs):
        return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


class Counting(layers.Layer):
    """Counts its calls, in validation as in training, and shows the count."""

    def build(self, input_shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1.0)
        return inputs * (1 + 0.1 * self.calls)


class Noise(layers.Layer):
    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, inputs):
        return inputs + 0.3 * keras.random.normal(keras.ops.shape(inputs), seed=self.seed_generator)


OWN_LAYERS = {layer.__name__: layer for layer in (Centered, Counting, Noise)}


def with_own_layer(input_shape, classes, layer):
    return classifier(input_shape, classes, layers.Dense(6, activation="relu"), OWN_LAYERS[layer]())


def recurrent(input_shape, classes, layer="LSTM", dropout=0.3, recurrent_dropout=0.2):
    """The rows of a digit, one after the other."""
    kind = getattr(layers, layer)
    return classifier(
        input_shape, classes, layers.Reshape((8, 8)), kind(5, dropout=dropout, recurrent_dropout=recurrent_dropout)
    )


def half_precision(input_shape, classes):
    """A model under the policy `mixed_float16`, for which Keras scales the loss."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return classifier(input_shape, classes, layers.Dense(6, activation="relu"), dtype="float32")
    finally:
        keras.config.set_dtype_policy(before)


def frozen(input_shape, classes):
    model = regularized(input_shape, classes)
    model.trainable = False
    return model


def embedded(input_shape, classes, width=3):
    """Pixels in seventeen shades, each an embedding of a few numbers."""
    inputs = keras.Input(input_shape)
    shades = keras.ops.cast(keras.ops.round(inputs * 16), "int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(17, width)(shades))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


class Choosing(layers.Layer):
    """Chooses what it does when it is compiled, by Python's generator."""

    def call(self, inputs):
        return inputs * random.choice([1.0, 2.0])


def choosing(input_shape, classes):
    return classifier(input_shape, classes, Choosing())


def many_numbers(input_shape, units=12, rate=0.2, noise=0.1, slope=0.2, l1=0.01, l2=0.01):
    """Layers whose numbers may differ per lane; normalization between layers whose widths may."""
    regularizers = keras.regularizers
    return classifier(
        input_shape,
        10,
        layers.GaussianNoise(noise),
        layers.Dense(units, kernel_regularizer=regularizers.L1L2(l1, l2), bias_regularizer=regularizers.L1(l1)),
        layers.BatchNormalization(),
        layers.LeakyReLU(slope),
        layers.Dropout(rate),
        kernel_regularizer=regularizers.L2(l2),
    )


def penalized(input_shape, units=12, l1=0.0, l2=0.0, bias=0.0, activity=0.0, rate=0.0, noise=0.0, slope=0.0):
    """Every kind of penalty, and layers whose number may be zero; a number of None is left out as a user would."""
    regularizers = keras.regularizers
    return classifier(
        input_shape,
        10,
        layers.GaussianNoise(noise),
        layers.Dense(
            units,
            kernel_regularizer=None if l2 is None else regularizers.L1L2(l1, l2),
            bias_regularizer=None if bias is None else regularizers.L2(bias),
            activity_regularizer=regularizers.L1(activity) if activity else None,
        ),
        layers.LeakyReLU(slope),
        layers.Dropout(rate),
        kernel_regularizer=regularizers.L1(l1) if l1 else None,
    )


def with_a_lambda(input_shape, units=12, rate=0.2):
    return classifier(input_shape, 10, layers.Dense(units), layers.Lambda(lambda x: x * rate))


def functional(input_shape, units=12, rate=0.2):
    given = keras.Input(input_shape)
    hidden = layers.Dropout(rate)(layers.Dense(units, activation="tanh")(given))
    return keras.Model(given, layers.Dense(10, activation="softmax")(hidden))


def relu(x):
    """A function of the user's, by the name of one of Keras's."""
    return keras.ops.maximum(x, -0.5)


def of_own_relu(input_shape, units=12):
    """Configured as Keras's own would be."""
    hidden = layers.Dense(units, activation=relu)
    return classifier(input_shape, 10, hidden)


def with_a_skip(input_shape, units=12):
    given = keras.Input(input_shape)
    hidden = layers.Dense(units, activation="relu")(given)
    return keras.Model(given, layers.Dense(10, activation="softmax")(layers.Concatenate()([given, hidden])))


def orthogonal(input_shape, units=12):
    """A penalty of how alike the columns of a kernel are, averaged over all pairs of them."""
    penalty = keras.regularizers.OrthogonalRegularizer(factor=0.1, mode="columns")
    hidden = layers.Dense(units, activation="relu", kernel_regularizer=penalty)
    return classifier(input_shape, 10, hidden)


def of_low_rank(input_shape, units=12):
    """A frozen kernel, beside which a product of two small ones is trained."""
    hidden = layers.Dense(units, activation="relu")
    model = classifier(input_shape, 10, hidden)
    hidden.enable_lora(2)
    return model


def of_unit_norms(input_shape, units=12):
    """Kernels whose columns, and then rows, keep a length."""
    keeps = keras.constraints.UnitNorm, keras.constraints.MinMaxNorm
    hidden = [layers.Dense(units, "relu", kernel_constraint=keep(axis=axis)) for axis, keep in enumerate(keeps)]
    return classifier(input_shape, 10, *hidden)


def noisy(input_shape, classes, noise, rate, gaussian, alpha, units=12):
    """Noise on the inputs, and a dropout of each kind after what mixes columns."""
    return classifier(
        input_shape,
        classes,
        layers.GaussianNoise(noise),
        layers.Dense(units, activation="relu"),
        layers.LayerNormalization(),
        layers.Dropout(rate),
        layers.GaussianDropout(gaussian),
        layers.AlphaDropout(alpha),
    )


def halving():
    """A callback: the learning rate halves each epoch."""
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)


@keras.saving.register_keras_serializable()
class FitsInPairs(keras.layers.Dense):
    """A layer that needs too much memory in a program of more than two lanes."""

    def call(self, inputs):
        kernel = self.kernel.value
        if len(getattr(getattr(kernel, "val", None), "shape", ())) == 3 and kernel.val.shape[kernel.batch_dim] > 2:
            raise MemoryError(f"Unable to allocate {kernel.val.shape[kernel.batch_dim]} GiB")
        return super().call(inputs)


def fits_in_pairs():
    return keras.Sequential([keras.Input((64,)), FitsInPairs(10, activation="softmax")])


@keras.saving.register_keras_serializable()
class FitsNowhere(keras.layers.Dense):
    def call(self, inputs):
        if hasattr(self.kernel.value, "batch_dim"):  # in a program, however small
            raise MemoryError("Unable to allocate 8 TiB")
        return super().call(inputs)


def fits_nowhere():
    return keras.Sequential([keras.Input((64,)), FitsNowhere(10, activation="softmax")])
