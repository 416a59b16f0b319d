"""A process on TensorFlow in which Keras writes a model in another format, and that format's own runtime opens it.

`python -m keras_sweep.sweep.keras_export FOLDER`: the folder holds `request.json`, `model.keras` and `rows.npz`, and
gets `answer.json`. Keras converts to LiteRT on TensorFlow, and a process that runs it on JAX can't change to that.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array, Arrays, each, of_names
from keras_sweep.errors import ModelError, SweepError
from keras_sweep.models.model_as_file import objects_in_file
from keras_sweep.process.backend import use_keras_config
from keras_sweep.process.user_code import load_python

ROWS = 256  # that a model is given at once
MOST = 300  # characters of what Keras or a runtime says

ByName = dict[str, Array]  # rows, or outputs, by the names that inputs and outputs have in the file
Written = tuple[list[Array], dict[str, Any]]  # the outputs of the written file, and what its card should say


def write_onnx(model: Any, path: str, rows: ByName) -> Written:
    """Write an ONNX file, and compute by onnxruntime."""
    import onnx
    import onnxruntime

    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = each(lambda array: array.astype(object) if array.dtype.kind == "U" else array, rows)
    opset = max(one.version for one in onnx.load(path, load_external_data=False).opset_import)
    return _outputs(lambda some: session.run(None, some), given), {"opset": opset}


def write_savedmodel(model: Any, path: str, rows: ByName) -> Written:
    """Write a SavedModel, and compute by TensorFlow without Keras."""
    import tensorflow

    model.export(path, format="tf_saved_model", verbose=False)
    opened = tensorflow.saved_model.load(path)
    run = opened.signatures["serving_default"]
    return _outputs(lambda some: run(**each(tensorflow.constant, some)), rows), {}


def write_litert(model: Any, path: str, rows: ByName, **options: Any) -> Written:
    """Write a LiteRT file, and compute by LiteRT.

    LiteRT has a loop, as that of an LSTM, among its own operations only where the number of rows is known. So a model
    that it refuses otherwise takes one row at a time.
    """
    import keras
    from ai_edge_litert.interpreter import Interpreter

    def outputs(at_once: int) -> list[Array]:
        runner = Interpreter(path).get_signature_runner()
        return _outputs(lambda some: runner(**some), rows, at_once)

    model.export(path, format="litert", verbose=False, **options)
    try:
        return outputs(ROWS), {}
    except RuntimeError:
        specs = {
            name: keras.InputSpec(shape=(1, *array.shape[1:]), dtype=_dtype(array), name=name)
            for name, array in rows.items()
        }
        signature = [specs if len(specs) > 1 else specs.popitem()[1]]
        model.export(path, format="litert", verbose=False, input_signature=signature, **options)
        return outputs(1), {"rows_at_once": 1}


WRITERS: Mapping[str, Callable[..., Written]] = {
    "onnx": write_onnx,
    "savedmodel": write_savedmodel,
    "litert": write_litert,
}


def _outputs(run: Callable[[ByName], Any], rows: ByName, at_once: int = ROWS) -> list[Array]:
    """[N, ...] of each output on all rows; several come in the order of their names."""
    import keras

    starts = range(0, len(next(iter(rows.values()))), at_once)
    parts = [run({name: array[start : start + at_once] for name, array in rows.items()}) for start in starts]
    of_each = zip(*(keras.tree.flatten(part) for part in parts), strict=True)
    return [np.concatenate([np.asarray(part) for part in output]) for output in of_each]


def _dtype(array: Array) -> str:
    return "string" if array.dtype.kind == "U" else str(array.dtype)


def with_names(model: Any, x: Arrays) -> tuple[Any, dict[str, str]]:
    """A model whose inputs have names that every format takes, and these names by those of the inputs in the file.

    The columns of a table may have blanks in their names, which TensorFlow does not take.
    """
    import keras

    symbols = getattr(model, "inputs", None) or []  # a class of the user's may have none
    known = [symbol.name for symbol in symbols] or [f"input_{place}" for place in range(len(x))]
    parts = x if isinstance(x, dict) else dict(zip(known, x if isinstance(x, tuple) else (x,), strict=False))
    names: dict[str, str] = {}
    for key in parts:
        plain = re.sub(r"^(?![a-zA-Z])", "x", re.sub(r"\W", "_", key, flags=re.ASCII))
        names[key] = f"{plain}_{len(names)}" if plain in names.values() else plain
    if len(names) == 1 and names == {key: key for key in names}:
        return model, names
    inputs = {key: keras.Input(array.shape[1:], dtype=_dtype(array), name=names[key]) for key, array in parts.items()}
    given = inputs if isinstance(x, dict) else tuple(inputs.values())
    outputs = model(given if isinstance(x, dict | tuple) else given[0])
    return keras.Model({names[key]: symbol for key, symbol in inputs.items()}, outputs, name=model.name), names


def rows_by_name(model: Any, names: Mapping[str, str], x: Arrays) -> ByName:
    """Rows as the model of `with_names` takes them, of the types of its inputs."""
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, tuple) else [x]
    rows = dict(zip(names.values(), parts, strict=True))
    for symbol in getattr(model, "inputs", None) or []:
        array = rows[symbol.name]
        array = array if array.ndim == len(symbol.shape) else array[:, None]  # one text a row, [N]
        rows[symbol.name] = array if array.dtype.kind == "U" else array.astype(str(symbol.dtype))
    return rows


def difference(ours: Array, theirs: Array) -> float:
    """The greatest one of two numbers, in units of the largest number where that is above 1."""
    first, second = (one.astype(np.float64) for one in (ours, theirs))
    return float(np.abs(first - second).max() / max(1.0, np.abs(first).max()))


def answer_to(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write the file that is asked for, and say how far its outputs are from those of the Keras model.

    Raises whatever Keras and the runtimes raise.
    """
    import keras
    import tensorflow

    use_keras_config(request["keras_config"])
    path, home = folder / "model.keras", Path(request["folder"])
    with np.load(folder / "rows.npz", allow_pickle=False) as file:
        arrays = of_names(dict(file))
    sources = objects_in_file(path, request["source"])
    own = {name: load_python(source, home, ModelError) for name, source in sources.items()}
    # The process that waits for this one has just written the file, of code that its user trusts.
    opened = keras.models.load_model(path, custom_objects=own, compile=False, safe_mode=False)
    model, names = with_names(opened, arrays["x"])
    rows = rows_by_name(model, names, arrays["x"])
    tensors = each(tensorflow.constant, rows)
    predicted = model.predict(tensors if len(tensors) > 1 else tensors.popitem()[1], batch_size=ROWS, verbose=0)
    ours, write = [np.asarray(one) for one in keras.tree.flatten(predicted)], WRITERS[request["format"]]
    theirs, about = write(model, request["path"], rows)
    apart = max(map(difference, ours, theirs))
    return {"greatest_difference": apart, "rows": len(theirs[0]), "inputs": names, **about}


def main(folder: Path) -> None:
    """Do as `request.json` asks; `answer.json` says what came of it, or what was raised."""
    try:
        answer = answer_to(json.loads((folder / "request.json").read_text()), folder)
    except Exception as error:
        said = error.message if isinstance(error, SweepError) else f"{type(error).__name__}: {error}"
        answer = {"error": " ".join(said.split())[:MOST]}
    (folder / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
