import os
import subprocess
import sys

from tests.helpers.command import PATIENCE

SCRIPT = """
import sys
from keras_sweep.process.keras_import import import_keras

import_keras()
import keras
heavy = {"matplotlib", "sklearn", "scipy", "IPython.core", "requests.api", "psutil._common"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
assert not heavy & set(sys.modules)

assert keras.visualization.plot_image_gallery.__globals__["plt"] is sys.modules["matplotlib.pyplot"]
import sklearn.base
assert issubclass(keras.wrappers.SKLearnClassifier, sklearn.base.ClassifierMixin)
import jax.experimental.sparse
assert jax.experimental.sparse.linalg.spsolve
from IPython.display import Markdown
import requests
requests.Request("GET", "http://localhost").prepare()
import psutil
psutil.virtual_memory()
"""

TUNER = """
import sys
from keras_sweep.process.keras_import import LATER, OF_NOTEBOOKS, import_keras, spared

import_keras()
with spared():
    import keras_tuner
heavy = {"sklearn.base", "scipy.optimize._minimize", "IPython.core", "grpc._cython"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
lazy = LATER | OF_NOTEBOOKS
assert lazy <= set(sys.modules), lazy - set(sys.modules)
from IPython import get_ipython
assert get_ipython() is None and "IPython.core" not in sys.modules
oracle = keras_tuner.oracles.BayesianOptimizationOracle()
assert type(oracle._make_gpr()).__module__ == "sklearn.gaussian_process._gpr"
from sklearn.linear_model import SGDClassifier
from scipy.optimize import minimize
import grpc
assert grpc.insecure_channel

from IPython.core.interactiveshell import InteractiveShell
assert get_ipython() is None
shell = InteractiveShell.instance()
import IPython
assert get_ipython() is shell is IPython.get_ipython()
assert IPython.version_info and IPython.display.Markdown
"""

RUN = """
import os, sys
os.environ["KERAS_BACKEND"] = "jax"
from keras_sweep.cli.main import main
try:
    main(["run", "space.yaml", "--quiet"])
except SystemExit as end:
    assert not end.code, end.code
print({"matplotlib", "polars", "scipy", "sklearn", "sqlalchemy"} & set(sys.modules) or "none")
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


def test_keras_is_imported_without_what_draws_and_whoever_asks_finds_it(tmp_path):
    run(SCRIPT, tmp_path)


def test_keras_tuner_is_imported_without_what_its_bayesian_search_uses(tmp_path):
    run(TUNER, tmp_path)


def test_the_dense_model_is_searched_without_what_it_does_not_use(tmp_path):
    (tmp_path / "space.yaml").write_text(SPACE.format(data="iris", model="{dense: {units: 3, activation: softmax}}"))
    assert run(RUN, tmp_path) == ["none"]


def test_a_model_of_ones_own_finds_keras_whole(tmp_path):
    (tmp_path / "space.yaml").write_text(SPACE.format(data="iris", model='{python: "mine:build"}'))
    (tmp_path / "mine.py").write_text(BUILD)
    assert "'matplotlib'" in run(RUN, tmp_path)[-1]
