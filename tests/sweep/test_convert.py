"""What Keras converts on TensorFlow computes the same in a format's own runtime, whatever a model takes and gives."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ModelError, SweepError
from keras_sweep.sweep import convert
from keras_sweep.sweep.convert import convert_model, difference, name_inputs
from tests.helpers.command import python
from tests.helpers.factory import digits, make_spec

# Each model is written as FORMAT in a process that runs Keras on TensorFlow, as `convert_model` starts one.
PROGRAM = """
import json, sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_sweep.sweep.convert import try_to_convert

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
    path = folder / ("model.tflite" if format == "litert" else "model")
    answer = try_to_convert(folder / "model.keras", path, format, None, "dense", Path(), None, x, x)
    (folder / "answer.json").write_text(json.dumps(answer))
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
    with pytest.raises(ModelError, match=r"onnx can't hold a model that reads raw text. Use `--format savedmodel`"):
        convert_model(None, tmp_path, tmp_path / "a.onnx", make_spec(), replace(digits(), train=rows), "onnx", None)


def answering(monkeypatch: pytest.MonkeyPatch, **answer: Any) -> dict[str, Any]:
    """Has the process answer this; what it is asked, with the rows that it is given."""
    asked: dict[str, Any] = {}

    def process(file: Path, path: Path, *arguments: Any) -> dict[str, Any]:
        asked.update(zip(("format", "quantize", "source", "code", "config", "train", "x"), arguments, strict=True))
        path.write_bytes(b"a model")
        return {"greatest_difference": 1e-5, "rows": 256, **answer}

    monkeypatch.setattr(convert, "_ask_process", process)
    return asked


def test_both_models_are_compared_on_the_first_validation_rows_and_int8_is_shown_rows_of_all_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, data = answering(monkeypatch, opset=18), digits(1000, 400)
    said = convert_model(None, tmp_path, tmp_path / "a.onnx", make_spec(folder=tmp_path), data, "onnx", None)
    assert said == {"name": "onnx", "greatest_difference": 1e-5, "rows": 256, "opset": 18}
    assert (tmp_path / "a.onnx").read_bytes() == b"a model"
    assert (asked["format"], asked["quantize"], asked["source"]) == ("onnx", None, "dense")
    assert asked["code"] == tmp_path and asked["config"]["dtype_policy"] == "float32"
    shown = asked["train"]
    np.testing.assert_array_equal(asked["x"], data.validation.x[:256])
    assert len(shown) == 256
    np.testing.assert_array_equal(shown[[0, -1]], data.train.x[[0, -1]])


def test_two_outputs_are_compared_in_units_of_the_largest_number_above_one() -> None:
    assert difference(np.array([0.5, 0.25]), np.array([0.5, 0.0])) == 0.25
    assert difference(np.array([-4.0, 0.0]), np.array([-4.0, 1.0])) == 0.25
    assert np.isnan(difference(np.array([1.0, np.nan]), np.array([1.0, 1.0])))


@pytest.mark.parametrize(("apart", "fine"), [(1e-4, True), (1.1e-4, False), (float("nan"), False)])
def test_outputs_may_be_a_ten_thousandth_apart_and_else_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: float, fine: bool
) -> None:
    answering(monkeypatch, greatest_difference=apart)
    path, work = tmp_path / "a.onnx", tmp_path / "work"
    work.mkdir()
    if fine:
        assert convert_model(None, work, path, make_spec(), digits(), "onnx", None)["greatest_difference"] == apart
    else:
        with pytest.raises(SweepError, match=r"on 256 validation rows they differ by .*, more than 0\.0001"):
            convert_model(None, work, path, make_spec(), digits(), "onnx", None)
    assert path.exists() is fine


def test_what_a_format_can_not_hold_is_said_with_another_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, error="Could not locate class 'Twice'")
    hints = {}
    for source, format in (("mine:build", "onnx"), ("mine:build", "savedmodel"), ("__program__:build_1", "onnx")):
        spec = make_spec(model=replace(make_spec().model, kind="python", source=source))
        with pytest.raises(
            ModelError, match=f"can't be written as {format}: Could not locate class 'Twice'"
        ) as refused:
            convert_model(None, tmp_path, tmp_path / "a.onnx", spec, digits(), format, None)
        hints[source, format] = refused.value.hint
    assert list(hints.values()) == [
        "Use `--format savedmodel`, which supports all that TensorFlow runs",
        None,
        "Move your own layers into a module",
    ]


def test_a_quantized_model_is_scored_on_all_validation_rows_beside_the_one_of_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    data = digits(300, 300)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    loss = "sparse_categorical_crossentropy"
    model.compile(loss=loss, metrics=["accuracy"])
    right = np.full((300, 10), 0.01, np.float32)
    right[np.arange(300), data.validation.y] = 0.91
    half = right.copy()
    half[:150] = half[:150, ::-1]
    asked = answering(monkeypatch, outputs={"float32": [right], "int8": [half]})
    for name, scores in (("val_accuracy", (1.0, 0.5)), ("val_loss", (0.0943, 2.3497))):
        spec = make_spec(objective=replace(make_spec().objective, name=name))
        said = convert_model(model, tmp_path, tmp_path / "a.tflite", spec, data, "litert", "int8")["quantized"]
        assert said["metric"] == name and len(asked["x"]) == 300
        assert (said["float32"], said["int8"]) == pytest.approx(scores, abs=0.01)
    model.compiled = False  # a loop of the user's trains it: nothing scores it
    assert "quantized" not in convert_model(model, tmp_path, tmp_path / "b.tflite", spec, data, "litert", "int8")


def test_inputs_have_names_that_every_format_takes() -> None:
    import keras

    names = ("size of it", "size_of_it", "2nd")
    inputs = {name: keras.Input((2,), name=name) for name in names}
    model = keras.Model(inputs, keras.layers.add(list(inputs.values())))
    x = {name: np.full((3, 2), place, np.float32) for place, name in enumerate(names)}
    plain, known = name_inputs(model, x)
    assert known == {"size of it": "size_of_it", "size_of_it": "size_of_it_1", "2nd": "x2nd"}
    assert sorted(plain.input) == ["size_of_it", "size_of_it_1", "x2nd"]
    np.testing.assert_array_equal(
        plain.predict({known[name]: x[name] for name in names}, verbose=0), np.full((3, 2), 3)
    )
    single = keras.Sequential([keras.Input((2,), name="a b"), keras.layers.GaussianNoise(0.9)])
    plain, known = name_inputs(single, x["2nd"])
    assert known == {"a b": "a_b"} and plain.input.name == "a_b"
    np.testing.assert_array_equal(plain.predict(x["2nd"], verbose=0), x["2nd"])


def describe_process(file: Path, *arguments: str) -> dict[str, Any]:
    if arguments:
        os._exit(1)
    return {name: os.environ[name] for name in convert.ENVIRONMENT} | {"file": str(file)}


def test_the_process_runs_on_tensorflow_without_an_accelerator_and_its_end_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "try_to_convert", describe_process)
    file = tmp_path / "model.keras"
    assert convert._ask_process(file) == convert.ENVIRONMENT | {"file": str(file)}
    assert convert._ask_process(file, "end") == {"error": "a worker process ended: it was killed or ran out of memory"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ModelError('no\\n such  module', hint='Make it')", "no such module"),
        ("ValueError('x' * 999)", "ValueError: " + "x" * 288),
    ],
)
def test_whatever_is_raised_there_is_the_answer(error: str, said: str, tmp_path: Path) -> None:
    program = f"""
import json, sys
from keras_sweep.errors import ModelError
from keras_sweep.sweep import convert

def raises():
    raise {error}

convert.convert_file = raises
json.dump(convert.try_to_convert(), open("answer.json", "w"))
"""
    python(program, cwd=tmp_path).ok()
    assert json.loads((tmp_path / "answer.json").read_text()) == {"error": said}
