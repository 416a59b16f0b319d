import os
import subprocess
import sys

SCRIPT = """
import random, sys
import numpy as np
import keras
from keras_sweep.process.without_tensorflow import without_tensorflow

def drawn():
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)])
    return [random.random(), np.random.rand(), *model.get_weights()[0].ravel(), *np.ravel(keras.random.normal((3,)))]

with without_tensorflow():
    keras.utils.set_random_seed(7)
assert "tensorflow" not in sys.modules
ours = drawn()
keras.utils.set_random_seed(7)
assert "tensorflow" in sys.modules
assert ours == drawn()
with without_tensorflow():
    assert keras.src.utils.module_utils.tensorflow.available
"""


def test_seeding_without_tensorflow_draws_the_same_numbers():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", SCRIPT], check=True, env=environment, timeout=120)
