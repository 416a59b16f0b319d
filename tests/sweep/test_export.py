"""A model file: it opens by the call that its card names, on every backend, also of a model of one's own."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_sweep.errors import ModelError
from keras_sweep.models.model_as_file import PLAIN, opening_call
from keras_sweep.space.sweep_spec import ModelSpec, SweepSpec
from keras_sweep.sweep.export import file_model, save_keras
from keras_sweep.training.build_trial import compiled_model
from keras_sweep.trial.plan import training_plan
from tests.helpers import odd_models
from tests.helpers.command import python
from tests.helpers.factory import digits, make_spec

DATA = digits(64, 32)
HERE = Path(__file__).parents[2]


def spec_of(function: str) -> SweepSpec:
    return make_spec((), model=ModelSpec("python", f"tests.helpers.odd_models:{function}", {}), folder=HERE)


def written(function: str, folder: Path) -> tuple[str, Path, np.ndarray]:
    """(the call that opens it, the file, what the trained model gives)."""
    spec = spec_of(function)
    model = compiled_model(spec, training_plan(spec, {}), DATA)
    model.fit(DATA.train.x, DATA.train.y, verbose=0)
    whole = file_model(spec, model, DATA)
    path = folder / f"{function}.keras"
    save_keras(whole, path)
    return opening_call(whole), path, model.predict(DATA.validation.x, verbose=0)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("subclassed", {}),  # without `get_config`: its layers, as a functional model
        ("own_step", {}),
        ("named_input", {}),
        ("with_build", {"custom_objects": {"WithBuild": odd_models.WithBuild}}),
        ("with_own_layer", {"custom_objects": {"Twice": odd_models.Twice}}),
        ("with_own_function", {"custom_objects": {"twice": odd_models.twice}}),
        ("with_lambda", {"safe_mode": False}),
        ("with_function_of_keras", {}),
    ],
)
def test_the_call_of_the_card_opens_the_file(function: str, arguments: dict[str, object], tmp_path: Path) -> None:
    call, path, outputs = written(function, tmp_path)
    assert sorted(arguments) == [name for name in ("custom_objects", "safe_mode") if f"{name}=" in call]
    if arguments:
        with pytest.raises((TypeError, ValueError)):
            keras.models.load_model(path)
    else:
        assert call == PLAIN
    again = keras.models.load_model(path, **arguments)
    np.testing.assert_allclose(again.predict(DATA.validation.x, verbose=0), outputs, rtol=1e-5, atol=1e-6)
    assert again.evaluate(DATA.validation.x, DATA.validation.y, verbose=0)[0] > 0  # compiled


def test_a_model_that_keras_cant_write_is_refused_in_a_sentence() -> None:
    spec = spec_of("unwritable")
    model = compiled_model(spec, training_plan(spec, {}), DATA)
    with pytest.raises(ModelError, match=r"can't be written as a file: the class Unwritable has no `get_config`"):
        file_model(spec, model, DATA)


def test_the_file_leaves_compiling_to_where_it_is_opened(tmp_path: Path) -> None:
    _, path, outputs = written("subclassed", tmp_path)
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("config.json"))["compile_config"]["jit_compile"] == "auto"
    np.save(tmp_path / "x.npy", DATA.validation.x)
    code = (
        "import keras, numpy, sys, warnings\n"
        "warnings.simplefilter('error', RuntimeWarning)\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2]), verbose=0))\n"
        "print(keras.backend.backend(), model.jit_compile)\n"
    )
    for backend in ("torch", "tensorflow", "jax"):
        ended = python(code, path, tmp_path / "x.npy", tmp_path / "y.npy", cwd=tmp_path, backend=backend)
        assert ended.code == 0, ended.err
        assert ended.out.split()[0] == backend
        if backend == "torch":  # for minutes, else
            assert ended.out.split()[1] == "False"
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), outputs, rtol=1e-4, atol=1e-5)
