"""One process has one Keras backend: the tests run on JAX, others are run in processes of their own."""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
