"""Convert a `.keras` model to ONNX, SavedModel or LiteRT. The new file is kept only if the outputs agree.

A process that runs Keras on JAX can't change to TensorFlow. So `convert_model` starts a process that converts.
"""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array, Arrays, cut, each, leaves
from keras_sweep.data.raw_rows import raw_rows
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ModelError, SweepError
from keras_sweep.models.model_as_file import objects_in_file
from keras_sweep.process.backend import keras_config, use_keras_config
from keras_sweep.process.user_code import load_python
from keras_sweep.process.user_objects import is_object_name
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.system import disk
from keras_sweep.system.processes import list_cores

ROWS = 256  # validation rows to compare outputs, and training rows to calibrate int8
MOST_APART = 1e-4  # difference of outputs, relative to the largest output if that is above 1
MOST_SAID = 300  # characters of an error from Keras or a runtime
# No accelerator: it sums in another order, and TensorFlow's LSTM kernel for it can't be exported.
ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}

Written = tuple[list[Array], dict[str, Any]]  # outputs of the file, facts for its card


def convert_model(
    model: Any, folder: Path, part: Path, spec: SweepSpec, data: SearchData, format: str, quantize: str | None
) -> dict[str, Any]:
    """Convert a model to `format`, and write the new file to `part`. Return facts about the file for the model's card.

    `folder` is a temporary folder beside `part`, and holds the model as `model.keras`. The model takes raw rows. `data`
    holds the rows that trained it. `format` is "onnx", "savedmodel" or "litert". If `quantize` is "int8", the new file
    has 8-bit numbers, and the facts have the scores with 8-bit and with float numbers. If `quantize` is None, the
    numbers stay floats. Raises ModelError if the format can't hold the model, OSError if the disk fails. Raises
    SweepError if a file with floats has other outputs on validation rows than the model. After an error nothing is at
    `part`.
    """
    advice = "Use `--format savedmodel`, which supports all that TensorFlow runs" if format != "savedmodel" else None
    if data.has_texts and advice:
        raise ModelError(f"{format} can't hold a model that reads raw text", hint=advice)
    train, x = raw_rows(spec, data)
    # Rows from all parts, because a file may be sorted.
    places = np.linspace(0, len(leaves(train)[0]) - 1, ROWS).astype(int)
    rows = each(lambda array: array[places], train), x if quantize else cut(x, 0, ROWS)
    file, folder_of_code = folder.absolute() / "model.keras", spec.folder.absolute()
    work = file.with_name(part.name.lstrip("."))  # in `folder`: after a kill, the next export removes both
    answer = _ask_process(file, work, format, quantize, spec.model.source, folder_of_code, keras_config(), *rows)
    if "error" in answer:
        if os.strerror(errno.ENOSPC) in answer["error"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        unknown = is_object_name(spec.model.source) and "Could not locate" in answer["error"]
        hint = "Move your own layers into a module" if unknown else advice
        raise ModelError(f"the model can't be written as {format}: {answer['error']}", hint=hint)
    if not answer["greatest_difference"] <= MOST_APART:
        raise SweepError(
            f"the {format} file gives other outputs than the .keras file: on {answer['rows']} validation rows they "
            f"differ by {answer['greatest_difference']:.2g}, more than {MOST_APART}. Nothing was written"
        )
    outputs = answer.pop("outputs", {})
    if quantize and model.compiled:
        scores = {name: _score(model, data.validation, parts, spec.objective.name) for name, parts in outputs.items()}
        answer["quantized"] = {"metric": spec.objective.name, **scores}
    disk.rename(work, part)
    return {"name": format, **answer}


def _score(model: Any, rows: Rows, outputs: list[Array], metric: str) -> float:
    import keras

    name = metric.removeprefix("val_")
    predictions = outputs[0] if len(outputs) == 1 else keras.tree.pack_sequence_as(model.output, outputs)
    arguments = {"y": rows.labels, "y_pred": predictions, "sample_weight": rows.weights}
    model.reset_metrics()
    return float(model.compute_loss(**arguments) if name == "loss" else model.compute_metrics(None, **arguments)[name])


def _ask_process(file: Path, *arguments: Any) -> dict[str, Any]:
    """Call `convert_file` in a new process with TensorFlow. Return its facts, or {"error": text}."""
    from keras_sweep.training.workers.processes import PoolProcess

    process = PoolProcess(list_cores(), file.with_name("call"), ENVIRONMENT)
    try:
        return dict(process.call(try_to_convert, file, *arguments))
    except ChildProcessError as error:
        return {"error": str(error)}
    finally:
        process.end()


def write_onnx(model: Any, path: str, rows: dict[str, Array]) -> Written:
    """Write an ONNX file to `path`. Return (outputs that onnxruntime computes for `rows`, {"opset": version}). `rows`
    maps names of inputs to arrays."""
    import onnx
    import onnxruntime

    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    opset = max(entry.version for entry in onnx.load(path, load_external_data=False).opset_import)
    return session.run(None, rows), {"opset": opset}


def write_savedmodel(model: Any, path: str, rows: dict[str, Array]) -> Written:
    """Write a SavedModel to `path`. Return (outputs that TensorFlow computes for `rows` without Keras, {}). `rows` maps
    names of inputs to arrays."""
    import keras
    import tensorflow

    model.export(path, format="tf_saved_model", verbose=False)
    opened = tensorflow.saved_model.load(path)  # keep a reference: the signatures fail without this object
    return keras.tree.flatten(opened.signatures["serving_default"](**each(tensorflow.constant, rows))), {}


def write_litert(model: Any, path: str, rows: dict[str, Array], **options: Any) -> Written:
    """Write a LiteRT file. Return (outputs that LiteRT computes for `rows`, row by row; facts for the card).

    `rows` maps names of inputs to arrays. `options` go to `model.export`. LiteRT supports loops, as in an LSTM, only
    for a known number of rows. If LiteRT refuses the model, the file is written again to take a single row at a time.
    """
    import keras
    from ai_edge_litert.interpreter import Interpreter

    def compute_outputs() -> list[Array]:
        run = Interpreter(path).get_signature_runner()
        count = len(next(iter(rows.values())))
        row_outputs = [run(**{name: array[row : row + 1] for name, array in rows.items()}) for row in range(count)]
        return [np.concatenate(parts) for parts in zip(*map(keras.tree.flatten, row_outputs), strict=True)]

    model.export(path, format="litert", verbose=False, **options)
    try:
        return compute_outputs(), {}
    except RuntimeError:
        one_row = each(lambda x: keras.InputSpec(shape=(1, *x.shape[1:]), dtype=x.dtype, name=x.name), model.input)
        model.export(path, format="litert", verbose=False, input_signature=[one_row], **options)
        return compute_outputs(), {"rows_at_once": 1}


WRITERS: dict[str, Callable[..., Written]]
WRITERS = {"onnx": write_onnx, "savedmodel": write_savedmodel, "litert": write_litert}


def name_inputs(model: Any, x: Arrays) -> tuple[Any, dict[str, str]]:
    """Wrap a model, so that every format accepts the names of its inputs: TensorFlow refuses spaces, as in names of
    columns. Return (new model, {old name: new name}). `x` has example rows of each input."""
    import keras

    known = [symbol.name for symbol in getattr(model, "inputs", None) or ()] or [f"input_{n}" for n in range(len(x))]
    parts = x if isinstance(x, dict) else dict(zip(known, x if isinstance(x, tuple) else (x,), strict=False))
    names: dict[str, str] = {}
    inputs = {}
    for key, array in parts.items():
        plain = re.sub(r"^(?![a-zA-Z])", "x", re.sub(r"\W", "_", key, flags=re.ASCII))
        names[key] = f"{plain}_{len(names)}" if plain in names.values() else plain
        kind = "string" if array.dtype.kind in "OU" else str(array.dtype)
        inputs[key] = keras.Input(array.shape[1:] or (1,), dtype=kind, name=names[key])
    symbols = tuple(inputs.values())
    arguments = inputs if isinstance(x, dict) else symbols if isinstance(x, tuple) else symbols[0]
    outputs = model(arguments, training=False)  # without layers that change rows at random
    symbols_by_name = {names[key]: symbol for key, symbol in inputs.items()} if len(symbols) > 1 else symbols[0]
    return keras.Model(symbols_by_name, outputs), names


def difference(ours: Array, theirs: Array) -> float:
    """Return the largest difference of two outputs, divided by the largest magnitude in `ours` if that is above 1."""
    first, second = (np.asarray(array, np.float64) for array in (ours, theirs))
    return float(np.abs(first - second).max() / max(1.0, np.abs(first).max()))


def try_to_convert(*arguments: Any) -> dict[str, Any]:
    """Return the facts of `convert_file`, or {"error": text}, because some errors of TensorFlow can't be pickled."""
    for descriptor in (1, 2):  # TensorFlow and its converters print remarks
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    try:
        return convert_file(*arguments)
    except Exception as error:
        message = error.message if isinstance(error, SweepError) else f"{type(error).__name__}: {error}"
        return {"error": " ".join(message.split())[:MOST_SAID]}


def convert_file(
    file: Path, path: Path, format: str, quantize: str | None, source: str, code: Path, config: Any, train: Any, x: Any
) -> dict[str, Any]:
    """Convert the `.keras` file `file` to `path`, and return facts about the new file.

    `source` is the model's in the space file, `code` the folder of user code, and `config` Keras's settings. `train`
    and `x` are training and validation rows. With `quantize`, the facts have the `outputs` for `x`, with 8-bit and with
    float numbers.
    """
    import keras
    import tensorflow

    use_keras_config(config)
    sources = objects_in_file(file, source, compiled=False)
    objects = {name: load_python(place, code, ModelError) for name, place in sources.items()}
    # The waiting parent process has just written this file, from code that its user trusts.
    opened = keras.models.load_model(file, custom_objects=objects, compile=False, safe_mode=False)
    # An adapted layer holds tensors, which ONNX can't name.
    for layer in opened.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.built:
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
    train, x = (each(lambda array: array if array.ndim > 1 else array[:, None], part) for part in (train, x))  # texts
    model, names = name_inputs(opened, x)
    train, rows = (dict(zip(names.values(), leaves(part), strict=True)) for part in (train, x))
    tensors = each(tensorflow.constant, rows)
    inputs = tensors if len(tensors) > 1 else tensors.popitem()[1]
    ours = keras.tree.flatten(model.predict(inputs, batch_size=ROWS, verbose=0))
    theirs, facts = WRITERS[format](model, str(path), rows)
    largest = float(np.max([difference(*both) for both in zip(ours, theirs, strict=True)]))  # NaN if an output has NaN
    answer = {"greatest_difference": largest, "rows": len(ours[0]), "inputs": names, **facts}
    if quantize:
        shown = [{name: array[row : row + 1] for name, array in train.items()} for row in range(ROWS)]
        options = {"optimizations": [tensorflow.lite.Optimize.DEFAULT], "representative_dataset": lambda: iter(shown)}
        theirs, _ = write_litert(model, str(path), rows, **options)
        answer["outputs"] = {"float32": ours, quantize: theirs}
    return answer
