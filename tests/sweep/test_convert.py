"""What Keras converts on TensorFlow computes the same in a format's own runtime, whatever a model takes and gives."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ModelError, SweepError
from keras_sweep.sweep.convert import converted
from tests.helpers.command import python
from tests.helpers.factory import digits, make_spec

# Each model is written as FORMAT in a process that runs Keras on TensorFlow, as `converted` starts one.
PROGRAM = """
import json, sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_sweep.data.arrays import by_name
from keras_sweep.sweep.convert import main

draw = np.random.default_rng(0)


def series():
    return keras.Sequential([keras.Input((6, 2)), layers.LSTM(4), layers.Dense(1)]), draw.normal(size=(9, 6, 2))


def several():
    size, other = keras.Input((4,), name="size of it"), keras.Input((3,), name="b")
    both = layers.Concatenate()([layers.Dense(8, activation="relu")(size), other])
    outputs = {"one": layers.Dense(3, activation="softmax")(both), "another": layers.Dense(1)(both)}
    x = {"size of it": draw.normal(size=(9, 4)), "b": 1000 * draw.normal(size=(9, 3))}
    return keras.Model({"b": other, "size of it": size}, outputs), x


def rough():
    x = draw.normal(3.0, 2.0, size=(9, 4))
    usual = layers.Normalization()
    usual.adapt(x)
    return keras.Sequential([keras.Input((4,)), usual, layers.GaussianNoise(0.9), layers.Reshape((2, 2, 1)),
                             layers.RandomFlip(), layers.Flatten(), layers.Dense(3)]), x


def texts():
    x = np.array(["good day", "bad day", "so so"] * 3)
    words = layers.TextVectorization(max_tokens=9, output_sequence_length=3)
    words.adapt(x)
    return keras.Sequential([keras.Input((1,), dtype="string"), words, layers.Embedding(9, 2), layers.Flatten()]), x


for case in sys.argv[1:]:
    name, format = case.split("-")
    model, x = globals()[name]()
    x = keras.tree.map_structure(lambda one: one.astype(np.float32) if one.dtype.kind == "f" else one, x)
    folder = Path(case)
    folder.mkdir()
    model.save(folder / "model.keras")
    np.savez(folder / "rows.npz", **by_name("train", x), **by_name("x", x))
    request = {"format": format, "quantize": None, "source": "dense", "folder": ".", "keras_config": None}
    suffix = ".tflite" if format == "litert" else ""
    (folder / "request.json").write_text(json.dumps({**request, "path": str(folder / f"model{suffix}")}))
    main(folder)
"""
CASES = ["series-litert", "several-litert", "rough-onnx", "rough-savedmodel", "texts-savedmodel", "texts-onnx"]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What comes of each case."""
    folder = tmp_path_factory.mktemp("converted")
    python(PROGRAM, *CASES, cwd=folder, backend="tensorflow").ok()
    return {case: json.loads((folder / case / "answer.json").read_text()) for case in CASES}


@pytest.mark.soak
@pytest.mark.parametrize("case", [case for case in CASES if case != "texts-onnx"])
def test_outputs_are_those_of_the_keras_model(case: str, answers: dict[str, dict[str, Any]]) -> None:
    assert answers[case]["greatest_difference"] < 1e-5, answers[case]
    assert answers[case]["rows"] == 9


@pytest.mark.soak
def test_a_loop_goes_to_litert_where_one_row_is_taken_at_a_time(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["series-litert"]["rows_at_once"] == 1
    assert "rows_at_once" not in answers["several-litert"]


@pytest.mark.soak
def test_an_input_whose_name_tensorflow_refuses_gets_another_that_is_told(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["several-litert"]["inputs"] == {"size of it": "size_of_it", "b": "b"}


@pytest.mark.soak
def test_what_a_format_lacks_is_told(answers: dict[str, dict[str, Any]]) -> None:
    assert "StaticRegexReplace" in answers["texts-onnx"]["error"]


def test_raw_text_goes_as_a_savedmodel_alone(tmp_path: Path) -> None:
    rows = Rows(np.array(["good day", "bad day"], object), np.array([1, 0]))
    with pytest.raises(ModelError, match=r"onnx has none .* reads raw text. `--format savedmodel` takes"):
        converted(None, tmp_path, tmp_path / "a.onnx", make_spec(), replace(digits(), train=rows), "onnx", None)


@pytest.mark.soak
def test_a_model_that_answers_otherwise_each_time_is_refused_and_nothing_is_there(tmp_path: Path) -> None:
    import keras

    noise = keras.layers.Lambda(lambda x: x + __import__("keras").random.uniform(x.shape[1:]))
    model = keras.Sequential([keras.Input((64,)), noise])
    (tmp_path / "work").mkdir()
    model.save(tmp_path / "work" / "model.keras")
    path = tmp_path / "model.savedmodel"
    with pytest.raises(SweepError, match=r"gives other outputs than its .keras file: on 96 validation rows .* 0.0001"):
        converted(model, tmp_path / "work", path, make_spec(), digits(), "savedmodel", None)
    assert [one.name for one in tmp_path.iterdir()] == ["work"]
