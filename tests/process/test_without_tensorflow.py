import os
import subprocess
import sys

from tests.helpers.command import PATIENCE

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


OTHER_KERAS = """
import sys, keras
from keras_sweep.process.without_tensorflow import without_tensorflow
sys.modules["keras.src.utils.module_utils"] = None  # which can't be imported
with without_tensorflow():
    keras.utils.set_random_seed(7)
assert "tensorflow" in sys.modules
"""


def test_a_keras_that_keeps_the_flag_elsewhere_only_imports_tensorflow():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", OTHER_KERAS], check=True, env=environment, timeout=PATIENCE)


RUN = """
import os, sys
os.environ["KERAS_BACKEND"] = "jax"
from keras_sweep.cli.main import main
try:
    main(["run", "mine.yaml", "--quiet"])
except SystemExit as end:
    assert not end.code, end.code
assert "tensorflow" not in sys.modules
"""
SPACE = """
data: iris
model: {python: "mine:build"}
loss: sparse_categorical_crossentropy
metric: {name: val_loss}
parameters: {learning_rate: 0.1, epochs: 1}
search: {sampler: random, trials: 1}
"""
BUILD = """
import keras
def build():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
"""


def test_a_sweep_of_a_model_of_ones_own_imports_no_tensorflow_from_its_inspection_to_its_file(tmp_path):
    (tmp_path / "mine.yaml").write_text(SPACE)
    (tmp_path / "mine.py").write_text(BUILD)
    subprocess.run([sys.executable, "-W", "ignore", "-c", RUN], check=True, cwd=tmp_path, timeout=PATIENCE)
    assert (tmp_path / "sweeps" / "mine" / "best.keras").exists()
