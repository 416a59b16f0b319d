"""A trial as plain Keras: what it is made of, and that a record's texts stay values."""

import ast
import sys
from dataclasses import replace
from pathlib import Path

import jax
import keras
import numpy as np
import pytest

from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.sweep.keras_script import _arguments, keras_script
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.command import python
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import FOLDER, fitted, user_spec

DATA = digits()
PARAMS = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}


def result(**params):
    return Result(Suggestion(7, {**PARAMS, **params}), TrialState.COMPLETE, 0.5, {"val_accuracy": (0.5,) * 3}, 3)


def script(spec=None, **params):
    return keras_script(spec or make_spec(), result(**params), DATA, backend="jax", rows=Path("rows.npz"))


def test_a_dense_model_is_written_layer_by_layer():
    model = ModelSpec("dense", "dense", {"hidden": (8, 4), "dropout": 0.1, "l2": 0.01, "use_bias": False})
    text = script(make_spec(model=model))
    assert text.count("keras.layers.Dense(") == 3
    assert "keras.layers.Dropout(0.1)" in text
    assert "kernel_regularizer=keras.regularizers.L2(0.01)" in text
    assert "use_bias=False" in text


def test_settings_that_move_numbers_are_set_as_they_are_here(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    keras.config.set_max_epochs(9)
    try:
        with jax.default_matmul_precision("float32"):
            before, _, after = script().partition("import keras\n")
    finally:
        keras.config.set_max_epochs(None)
    assert "os.environ['JAX_DEFAULT_MATMUL_PRECISION'] = 'float32'\n" in before
    assert "os.environ['XLA_FLAGS'] = '--xla_cpu_enable_fast_math=true'\n" in before
    assert "\nkeras.config.set_max_epochs(9)\n" in after


WITH_DROPOUT = """
import sys
from pathlib import Path
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.sweep.keras_script import keras_script
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.factory import digits, make_spec
spec = make_spec(model=ModelSpec("dense", "dense", {"hidden": (8,), "dropout": 0.1}))
result = Result(Suggestion(0, {"learning_rate": 0.1, "epochs": 1}), TrialState.COMPLETE, 0.5, {"val_accuracy": (0.5,)})
text = keras_script(spec, result, digits(), backend="jax", rows=Path("rows.npz"))
print("Dropout" in text, "tensorflow" in sys.modules)
"""


def test_writing_it_imports_no_tensorflow(tmp_path):
    assert python(WITH_DROPOUT, cwd=tmp_path).out == "True False\n"


def test_a_users_function_is_imported_and_called_as_the_sweep_calls_it():
    spec = user_spec("regularized")
    text = script(spec, **{"model.units": 5})
    assert f"sys.path.insert(0, {str(FOLDER.resolve())!r})" in text
    assert "from user_models import regularized" in text
    assert "units=5" in text


TUNED = """
import keras
import keras_tuner
def by_hp(hp):
    layers = [keras.layers.Dense(hp.Int("units", 4, 8)), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.layers.Input((64,)), *layers])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    return model
class Tuned(keras_tuner.HyperModel):
    def build(self, hp):
        return by_hp(hp)
instance = Tuned()
"""


@pytest.mark.parametrize("name", ["by_hp", "Tuned", "instance"])
def test_a_hyper_model_is_built_from_its_values_and_trained_by_its_own_optimizer(name, tmp_path, monkeypatch):
    module = f"tuned_{name}"
    (tmp_path / f"{module}.py").write_text(TUNED)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    spec = make_spec(folder=tmp_path, model=ModelSpec("python", f"{module}:{name}", {}), space=SearchSpace(()))
    trial = replace(result(), suggestion=Suggestion(7, {"epochs": 1, "model.units": 5}))
    x, y, x_val, y_val = DATA.train.x, DATA.train.y, DATA.validation.x, DATA.validation.y
    np.savez("rows.npz", x=x, y=y, x_val=x_val, y_val=y_val)
    names = {}
    exec(keras_script(spec, trial, DATA, backend="jax", rows=Path("rows.npz")), names)
    assert names["model"].layers[0].units == 5
    assert type(names["model"].optimizer) is keras.optimizers.Adam
    assert float(names["model"].optimizer.learning_rate) == pytest.approx(0.02)


def test_where_a_trial_was_stopped_the_script_stops_too():
    assert "epochs = 3  # of 9: it was stopped there" in script(epochs=9)


def test_a_script_has_the_trials_own_schedule(tmp_path, monkeypatch):
    text = script(schedule="linear", warmup=0.25, batch_size=72)
    assert "keras_schedule(float(optimizer.learning_rate), 'linear', 12, 0.25)" in text
    monkeypatch.chdir(tmp_path)
    x, y, x_val, y_val = DATA.train.x, DATA.train.y, DATA.validation.x, DATA.validation.y
    np.savez("rows.npz", x=x, y=y, x_val=x_val, y_val=y_val)
    names = {}
    exec(text, names)
    names["rows"].close()
    trial = Suggestion(0, {**PARAMS, "schedule": "linear", "warmup": 0.25, "batch_size": 72})
    expected = fitted(make_spec(), DATA, [trial])[0].curve["val_accuracy"]
    assert tuple(names["log"].history["val_accuracy"]) == expected


def test_averaged_weights_are_swapped_in():
    assert "callbacks=[keras.callbacks.SwapEMAWeights()]" in script(use_ema=True)


@pytest.mark.parametrize("text", ["__import__('os')", "x'); import os #", 'a"""\nimport os', "\n1/0"])
def test_texts_of_a_record_stay_values(text):
    model = ModelSpec("dense", "dense", {"activation": "softmax"})
    spec = replace(make_spec(model=model, loss=text, metrics=(text,)), name=text)
    spec = replace(spec, objective=replace(spec.objective, name=text))
    tree = ast.parse(keras_script(spec, replace(result(), reason=text), DATA, backend="jax", rows=FOLDER / text))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"os", "keras", "numpy"}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert called == {"enumerate", "print"}


def test_a_name_that_is_no_identifier_is_no_code():
    assert _arguments({"units": 5, "a=b": 1, "class": (1, 2)}) == "units=5, **{'a=b': 1, 'class': [1, 2]}"
