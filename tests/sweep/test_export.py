"""A model file opens by the call that its card names, on every backend; Keras itself refuses one that is hostile."""

import errno
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from keras_sweep.errors import ModelError, RecordError
from keras_sweep.models.model_as_file import PLAIN, opening_call
from keras_sweep.space.sweep_spec import ModelSpec, SweepSpec
from keras_sweep.sweep.export import build_file_model, save_keras, write_page
from keras_sweep.training.build_trial import compile_model
from keras_sweep.trial.plan import training_plan
from tests.helpers import odd_models
from tests.helpers.factory import digits, make_spec

DATA = digits(64, 32)
HERE = Path(__file__).parents[2]


def spec_of(function: str) -> SweepSpec:
    return make_spec((), model=ModelSpec("python", f"tests.helpers.odd_models:{function}", {}), folder=HERE)


def written(function: str, folder: Path) -> tuple[str, Path, np.ndarray]:
    """(the call that opens it, the file, what the trained model gives)."""
    spec = spec_of(function)
    model = compile_model(spec, training_plan(spec, {}), DATA)
    model.fit(DATA.train.x, DATA.train.y, verbose=0)
    whole = build_file_model(spec, model, DATA)
    path = folder / f"{function}.keras"
    save_keras(whole, path, path)
    return opening_call(whole), path, model.predict(DATA.validation.x, verbose=0)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("subclassed", {}),  # without `get_config`: its layers, as a functional model
        ("own_step", {}),
        ("with_own_layer", {"custom_objects": {"Twice": odd_models.Twice}}),
        ("with_layer_of_a_program", {"custom_objects": {"OfAProgram": odd_models.OfAProgram}}),
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
    model = compile_model(spec, training_plan(spec, {}), DATA)
    with pytest.raises(ModelError, match=r"can't be written as a file: Object Unwritable was created"):
        build_file_model(spec, model, DATA)


def test_the_file_leaves_compiling_to_where_it_is_opened(tmp_path: Path) -> None:
    _, path, _ = written("subclassed", tmp_path)  # what each backend does then: test_backends.py
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("config.json"))["compile_config"]["jit_compile"] == "auto"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model's file."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return path


def with_weight(parts: dict[str, bytes], fill: Callable[[h5py.Group], object]) -> dict[str, bytes]:
    """The parts of `saved` with another first array in its dense layer."""
    stream = io.BytesIO(parts["model.weights.h5"])
    with h5py.File(stream, "r+") as file:
        group = file["layers/dense/vars"]
        del group["0"]
        fill(group)
    return {**parts, "model.weights.h5": stream.getvalue()}


@pytest.mark.parametrize(
    ("fill", "match"),
    [
        (lambda group: group.create_dataset("0", (10**7, 10**3), "f4", chunks=True), "declares 37.25 GB"),
        (lambda group: group.__setitem__("0", h5py.ExternalLink("/etc/passwd", "/")), "ExternalLink"),
    ],
)
def test_keras_refuses_weights_that_promise_too_much_or_lie_elsewhere(
    saved: Path, tmp_path: Path, fill: Callable[[h5py.Group], None], match: str
) -> None:
    path = archive(tmp_path / "bad.keras", with_weight(members(saved), fill))
    with pytest.raises(ValueError, match=match):
        keras.models.load_model(path)


def hostile_card() -> dict[str, object]:
    bad = "<img src=x onerror=alert(1)>"
    data = {"name": bad, "classes": [bad, "a*b"], "input": "rows", "inputs": "```", "train_rows": 8, "fingerprint": bad}
    return {
        "sweep": bad,
        "metric": {"name": "val_accuracy"},
        "data": {**data, "source": {"kind": "images"}, "validation_rows": 4},
        "estimate": None,
        "trial": 0,
        "trials": 1,
        "engine": bad,
        "validation": {"val_<b>": 0.5},
        "params": {bad: bad},
        "versions": {bad: bad},
        "open": "keras.models.load_model(path)\n```\n<b>",
        "loss": bad,
        "runner": bad,
        "seed": 1,
        "epoch": 1,
    }


def test_names_of_a_card_are_text_in_its_page(tmp_path: Path) -> None:
    """Classes are folders or texts of a table, and a card may be somebody else's."""
    write_page(tmp_path / "README.md", tmp_path / "it.keras", tmp_path / "it.card.json", hostile_card())
    page = (tmp_path / "README.md").read_text()
    prose = "".join(page.partition("\n# ")[2].split("\n```")[::2])
    assert "Its classes are \\<img src=x onerror=alert(1)\\>, a\\*b." in prose
    assert re.findall(r"(?<!\\)<(?!!-- Written)[^>]*>", prose) == []
    assert page.count("\n```") == 4 and "\n<b>" not in page


def test_a_page_that_can_not_be_written_names_the_option_for_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: int) -> int:
        raise OSError(errno.EROFS, "read-only", str(path))

    monkeypatch.setattr("keras_sweep.system.disk.open_new", refuse)
    with pytest.raises(RecordError) as refused:
        write_page(tmp_path / "README.md", tmp_path / "it.keras", tmp_path / "it.card.json", hostile_card())
    assert refused.value.hint == "The file system is read-only. Choose another folder with `--card`"
