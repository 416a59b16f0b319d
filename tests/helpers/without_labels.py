"""Models that learn without labels."""

import keras
from keras import layers, ops


class Sampling(layers.Layer):
    """Draws a code, and adds how far its distribution is from the normal one to the loss."""

    def __init__(self, **more):
        super().__init__(**more)
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, inputs, training=False):
        mean, log_variance = inputs
        far = -0.5 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance))
        self.add_loss(0.01 * far)
        drawn = keras.random.normal(ops.shape(mean), seed=self.seed_generator) if training else 0.0
        return mean + ops.exp(0.5 * log_variance) * drawn


class Reconstruction(layers.Layer):
    """Adds how far outputs are from inputs to the loss."""

    def call(self, inputs):
        x, again = inputs
        self.add_loss(ops.mean(ops.square(x - again)))
        return again


def vae(units=8):
    """Layers add their losses, so that there is nothing but an optimizer to compile with."""
    x = keras.Input((64,))
    hidden = layers.Dense(units, "relu")(x)
    code = Sampling()([layers.Dense(2)(hidden), layers.Dense(2)(hidden)])
    again = layers.Dense(64, "sigmoid")(layers.Dense(units, "relu")(code))
    model = keras.Model(x, Reconstruction()([x, again]))
    model.compile(keras.optimizers.Adam(0.01))
    return model


def rows_of(data):
    return keras.utils.unpack_x_y_sample_weight(data)[0]


class OwnSteps(keras.Model):
    """A VAE's steps of its own, which record what they lose; of an encoder and a decoder."""

    def __init__(self, units):
        super().__init__()
        self.encoder = keras.Sequential([layers.Dense(units, "relu"), layers.Dense(2)])
        self.decoder = keras.Sequential([layers.Dense(units, "relu"), layers.Dense(64, "sigmoid")])
        self.lost = keras.metrics.Mean(name="reconstruction")

    @property
    def metrics(self):
        return [self.lost]

    def call(self, inputs):
        return self.decoder(self.encoder(inputs))

    def lose(self, trainable, rest, x):
        again, rest = self.stateless_call(trainable, rest, x)
        return ops.mean(ops.square(x - again)), rest

    def logged(self, value, variables):
        variables = self.lost.stateless_update_state(variables, value)
        return {"reconstruction": self.lost.stateless_result(variables)}, variables

    def train_step(self, state, data):
        import jax

        trainable, rest, optimizer, metrics = state
        (value, rest), grads = jax.value_and_grad(self.lose, has_aux=True)(trainable, rest, rows_of(data))
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, grads, trainable)
        logs, metrics = self.logged(value, metrics)
        return logs, (trainable, rest, optimizer, metrics)

    def test_step(self, state, data):
        trainable, rest, metrics = state
        value, _ = self.lose(trainable, rest, rows_of(data))
        logs, metrics = self.logged(value, metrics)
        return logs, (trainable, rest, metrics)


class TrainStepAlone(OwnSteps):
    """As a GAN, which Keras's own `test_step` finds no loss for."""

    test_step = keras.Model.test_step


def train_step_alone(units=8):
    """Compiled with its optimizer alone."""
    model = TrainStepAlone(units)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    return model


def own_steps(units=8):
    """Compiled with its optimizer alone."""
    model = OwnSteps(units)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    return model
