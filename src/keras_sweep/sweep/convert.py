"""A model in another format than Keras's own: written by a process on TensorFlow, kept if it computes the same.

The process is `python -m keras_sweep.sweep.convert FOLDER PARENT`: one that runs Keras on JAX can't change to
TensorFlow. It ends with its parent, a process of that number.
The folder holds `request.json`, `model.keras` and `rows.npz`; `answer.json` is put beside them.
"""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array, Arrays, arrays_by_name, by_name, cut, each, leaves
from keras_sweep.data.raw_rows import raw_rows
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ModelError, SweepError
from keras_sweep.files import disk
from keras_sweep.models.model_as_file import objects_in_file
from keras_sweep.process.backend import keras_config, use_keras_config
from keras_sweep.process.given import is_given
from keras_sweep.process.stop_request import end_with_parent
from keras_sweep.process.user_code import load_python
from keras_sweep.space.sweep_spec import SweepSpec

ROWS = 256  # of validation, on which both are compared; of training, which show int8 the range of each number
MOST_APART = 1e-4  # of two outputs, in units of the largest one where that is above 1
MOST_SAID = 300  # characters of what Keras or a runtime says
# An accelerator has sums of its own and, on TensorFlow, a kernel for LSTMs that no other format knows.
ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}

Written = tuple[list[Array], dict[str, Any]]  # the outputs of the written file, and what its card should say


def convert_model(
    model: Any, folder: Path, part: Path, spec: SweepSpec, data: SearchData, format: str, quantize: str | None
) -> dict[str, Any]:
    """Write a compiled model, whose `model.keras` the folder holds, in another format to `part`, beside the folder.

    Returns what its card says. Its outputs are compared on validation rows; where they are others nothing is there.
    With `quantize` its numbers are those of 8 bits after that, and both are scored. `data` are the rows that it was
    trained on; it takes raw ones.

    Raises ModelError: the format can't hold the model; SweepError: its outputs are others; OSError: the disk fails.
    """
    other = "`--format savedmodel` takes whatever TensorFlow can run" if format != "savedmodel" else None
    if data.has_texts and other:
        raise ModelError(f"{format} has none of the operations by which a model reads raw text", hint=other)
    train, x = raw_rows(spec, data)
    places = np.linspace(0, len(leaves(train)[0]) - 1, ROWS).astype(int)  # of all parts: files may come sorted
    rows = by_name("train", each(lambda array: array[places], train)) | by_name("x", x if quantize else cut(x, 0, ROWS))
    texts = each(lambda array: array.astype(str) if array.dtype.kind == "O" else array, rows)
    np.savez(folder / "rows.npz", allow_pickle=False, **texts)
    request = {
        "format": format,
        "quantize": quantize,
        "source": spec.model.source,
        "folder": str(spec.folder.absolute()),
        "keras_config": keras_config(),
    }
    work = folder / part.name.lstrip(".")  # in the folder, which goes with a process that is killed
    answer = _answer_of_process(folder, request | {"path": str(work.absolute())})
    if "error" in answer:
        if os.strerror(errno.ENOSPC) in answer["error"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        unknown = is_given(spec.model.source) and "Could not locate" in answer["error"]
        hint = "Layers of your own must stand in a module" if unknown else other
        raise ModelError(f"the model can't be written as {format}: {answer['error']}", hint=hint)
    if not answer["greatest_difference"] <= MOST_APART:
        raise SweepError(
            f"as {format} the model gives other outputs than its .keras file: on {answer['rows']} validation rows "
            f"they are {answer['greatest_difference']:.2g} apart, and may be {MOST_APART}. Nothing was written"
        )
    if quantize and model.compiled:
        with np.load(folder / "outputs.npz", allow_pickle=False) as file:
            outputs = arrays_by_name(dict(file))
        scores = {name: _score(model, data.validation, one, spec.objective.name) for name, one in outputs.items()}
        answer["quantized"] = {"metric": spec.objective.name, **scores}
    disk.rename(work, part)
    return {"name": format, **answer}


def _score(model: Any, rows: Rows, outputs: tuple[Array, ...], metric: str) -> float:
    """The metric, "val_accuracy" say, of what is said of each row, by the functions that the model is compiled with."""
    import keras

    name = metric.removeprefix("val_")
    said = outputs[0] if len(outputs) == 1 else keras.tree.pack_sequence_as(model.output, outputs)
    given = {"y": rows.labels, "y_pred": said, "sample_weight": rows.weights}
    model.reset_metrics()
    return float(model.compute_loss(**given) if name == "loss" else model.compute_metrics(None, **given)[name])


def _answer_of_process(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """Have a process do what is asked, which finds modules where this one does."""
    (folder / "request.json").write_text(json.dumps(request))
    command = [sys.executable, "-P", "-m", "keras_sweep.sweep.convert", str(folder.absolute()), str(os.getpid())]
    environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": f"its process ended with {done.returncode}: {' '.join(done.stderr.split())[-MOST_SAID:]}"}
    return dict(json.loads((folder / "answer.json").read_text()))


def write_onnx(model: Any, path: str, rows: dict[str, Array]) -> Written:
    """Write an ONNX file, and compute by onnxruntime."""
    import onnx
    import onnxruntime

    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    opset = max(one.version for one in onnx.load(path, load_external_data=False).opset_import)
    return session.run(None, rows), {"opset": opset}


def write_savedmodel(model: Any, path: str, rows: dict[str, Array]) -> Written:
    """Write a SavedModel, and compute by TensorFlow without Keras."""
    import keras
    import tensorflow

    model.export(path, format="tf_saved_model", verbose=False)
    opened = tensorflow.saved_model.load(path)  # what it computes with is gone once this is
    return keras.tree.flatten(opened.signatures["serving_default"](**each(tensorflow.constant, rows))), {}


def write_litert(model: Any, path: str, rows: dict[str, Array], **options: Any) -> Written:
    """Write a LiteRT file, and compute by LiteRT, row by row.

    LiteRT has a loop, as that of an LSTM, among its own operations only where the number of rows is known. So a model
    that it refuses otherwise takes one row at a time.
    """
    import keras
    from ai_edge_litert.interpreter import Interpreter

    def outputs() -> list[Array]:
        run = Interpreter(path).get_signature_runner()
        count = len(next(iter(rows.values())))
        of_each = [run(**{name: array[row : row + 1] for name, array in rows.items()}) for row in range(count)]
        return [np.concatenate(parts) for parts in zip(*map(keras.tree.flatten, of_each), strict=True)]

    model.export(path, format="litert", verbose=False, **options)
    try:
        return outputs(), {}
    except RuntimeError:
        one_row = each(lambda it: keras.InputSpec(shape=(1, *it.shape[1:]), dtype=it.dtype, name=it.name), model.input)
        model.export(path, format="litert", verbose=False, input_signature=[one_row], **options)
        return outputs(), {"rows_at_once": 1}


WRITERS: dict[str, Callable[..., Written]]
WRITERS = {"onnx": write_onnx, "savedmodel": write_savedmodel, "litert": write_litert}


def name_inputs(model: Any, x: Arrays) -> tuple[Any, dict[str, str]]:
    """A functional model of it whose inputs have names that every format takes; and these, by those of the file.

    The columns of a table may have blanks in their names, which TensorFlow does not take.
    """
    import keras

    known = [symbol.name for symbol in getattr(model, "inputs", None) or ()] or [f"input_{n}" for n in range(len(x))]
    parts = x if isinstance(x, dict) else dict(zip(known, x if isinstance(x, tuple) else (x,), strict=False))
    names: dict[str, str] = {}
    inputs = {}
    for key, array in parts.items():
        plain = re.sub(r"^(?![a-zA-Z])", "x", re.sub(r"\W", "_", key, flags=re.ASCII))
        names[key] = f"{plain}_{len(names)}" if plain in names.values() else plain
        kind = "string" if array.dtype.kind == "U" else str(array.dtype)
        inputs[key] = keras.Input(array.shape[1:] or (1,), dtype=kind, name=names[key])
    symbols = tuple(inputs.values())
    given = inputs if isinstance(x, dict) else symbols if isinstance(x, tuple) else symbols[0]
    outputs = model(given, training=False)  # else layers that change rows at random would do it there, too
    named = {names[key]: symbol for key, symbol in inputs.items()} if len(symbols) > 1 else symbols[0]
    return keras.Model(named, outputs), names


def difference(ours: Array, theirs: Array) -> float:
    """The greatest one of two numbers, in units of the largest number where that is above 1."""
    first, second = (np.asarray(one, np.float64) for one in (ours, theirs))
    return float(np.abs(first - second).max() / max(1.0, np.abs(first).max()))


def answer_to(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write the file that is asked for, and say how far its outputs are from those of the Keras model.

    Raises whatever Keras and the runtimes raise.
    """
    import keras
    import tensorflow

    use_keras_config(request["keras_config"])
    sources = objects_in_file(folder / "model.keras", request["source"], compiled=False)
    own = {name: load_python(place, Path(request["folder"]), ModelError) for name, place in sources.items()}
    # The process that waits for this one has just written the file, of code that its user trusts.
    opened = keras.models.load_model(folder / "model.keras", custom_objects=own, compile=False, safe_mode=False)
    for layer in opened.layers:  # one that was adapted has tensors of its own, for which ONNX has no name
        if isinstance(layer, keras.layers.Normalization) and layer.built:
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
    with np.load(folder / "rows.npz", allow_pickle=False) as file:
        arrays = {name: array if array.ndim > 1 else array[:, None] for name, array in file.items()}  # texts are [N]
    model, names = name_inputs(opened, arrays_by_name(arrays)["x"])
    train, rows = (dict(zip(names.values(), leaves(one), strict=True)) for one in arrays_by_name(arrays).values())
    tensors = each(tensorflow.constant, rows)
    given = tensors if len(tensors) > 1 else tensors.popitem()[1]
    ours = keras.tree.flatten(model.predict(given, batch_size=ROWS, verbose=0))
    theirs, about = WRITERS[request["format"]](model, request["path"], rows)
    apart = float(np.max([difference(*both) for both in zip(ours, theirs, strict=True)]))  # NaN where one is
    answer = {"greatest_difference": apart, "rows": len(ours[0]), "inputs": names, **about}
    if request["quantize"]:
        shown = [{name: array[row : row + 1] for name, array in train.items()} for row in range(ROWS)]
        options = {"optimizations": [tensorflow.lite.Optimize.DEFAULT], "representative_dataset": lambda: iter(shown)}
        theirs, _ = write_litert(model, request["path"], rows, **options)
        of_both: dict[str, Any] = by_name("float32", tuple(ours)) | by_name(request["quantize"], tuple(theirs))
        np.savez(folder / "outputs.npz", **of_both)
    return answer


def main(folder: Path) -> None:
    """Do as `request.json` asks; `answer.json` says what came of it, or what was raised."""
    try:
        answer = answer_to(json.loads((folder / "request.json").read_text()), folder)
    except Exception as error:
        said = error.message if isinstance(error, SweepError) else f"{type(error).__name__}: {error}"
        answer = {"error": " ".join(said.split())[:MOST_SAID]}
    (folder / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]), Path(sys.argv[1]))
    main(Path(sys.argv[1]))
