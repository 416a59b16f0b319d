import os
import subprocess
import sys

from tests.helpers.command import PATIENCE

SCRIPT = """
import sys, threading
from keras_sweep.process.keras_import import without_drawing

def found():
    import sklearn.utils

with without_drawing():
    import keras
    assert not {"matplotlib", "sklearn"} & set(sys.modules)
    thread = threading.Thread(target=found)
    thread.start()
    thread.join()
assert "sklearn.utils" in sys.modules
import matplotlib
keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
"""

RUN = """
import os, sys
os.environ["KERAS_BACKEND"] = "jax"
from keras_sweep.cli.main import main
try:
    main(["run", "space.yaml", "--quiet"])
except SystemExit as end:
    assert not end.code, end.code
print("matplotlib" in sys.modules)
"""
SPACE = """
data: {data}
model: {model}
loss: sparse_categorical_crossentropy
metric: {{name: val_loss}}
parameters: {{learning_rate: 0.1, epochs: 1}}
search: {{sampler: random, trials: 1}}
"""
BUILD = """
import keras
def build():
    assert keras.visualization.plot_image_gallery.__globals__["plt"] is not None
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
"""


def run(script, folder):
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    call = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.run(
        call, cwd=folder, env=environment, check=True, timeout=PATIENCE, stdout=subprocess.PIPE, text=True
    ).stdout.split()[-1:]


def test_keras_is_imported_without_what_draws_and_others_find_it(tmp_path):
    run(SCRIPT, tmp_path)


def test_the_dense_model_is_searched_without_matplotlib(tmp_path):
    (tmp_path / "space.yaml").write_text(SPACE.format(data="iris", model="{dense: {units: 3, activation: softmax}}"))
    assert run(RUN, tmp_path) == ["False"]


def test_a_model_of_ones_own_finds_keras_whole(tmp_path):
    (tmp_path / "space.yaml").write_text(SPACE.format(data="iris", model='{python: "mine:build"}'))
    (tmp_path / "mine.py").write_text(BUILD)
    assert run(RUN, tmp_path) == ["True"]
