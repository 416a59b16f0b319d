"""Write the model of a trial with its card: for `sweep export`, and for `best.keras` at the end of a run."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import MissingPackage, ModelError, RecordError, SweepError, UsageError
from keras_sweep.files.atomic import check_file, clear_parts, folder_beside, replacing_path, write_text
from keras_sweep.files.plain import file_digest, open_plain, plain_errors
from keras_sweep.models.model_as_file import PLAIN, fileable, opening_call, opening_words
from keras_sweep.models.own_compile import choose_jit_on_opening, own_arguments
from keras_sweep.process.backend import BACKENDS, can_import, without_tensorflow
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import set_aside
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.plugins import find_member
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import escape_markdown
from keras_sweep.sweep.card import build_card, card_text, is_card_of, read_kept_card, test_record
from keras_sweep.sweep.convert import convert_model
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.trust import refuse_imported_sweep
from keras_sweep.sweep.winner import build_final_model, evaluate, last_look, look_at_test
from keras_sweep.system import disk
from keras_sweep.training.losses import metrics_argument
from keras_sweep.trial.events import Listener, Noticed, PhaseBegan
from keras_sweep.trial.result import Result

PLACE = "-o"  # the command's option for another path
MARK = "Written by `sweep export`"  # in a page: `sweep` may write the page again
OF_THE_MODEL = ("trial", "seed", "trials", "seeds", "refit")  # keys of a card that identify its model


@dataclass(frozen=True, slots=True)
class ExportFormat:
    suffix: str  # ".keras"
    opening: str | None = None  # the Python call that opens the file; None: Keras opens it
    packages: tuple[str, ...] = ()  # required beside Keras; the extra with the format's name installs them
    folder: bool = False  # whether the format is a folder, of any name


def build_file_model(spec: SweepSpec, model: Any, data: SearchData) -> Any:
    """Return the model to write to a trial's file. It takes raw rows, and has the trial's loss and metrics.

    `model` is the trained model. `data` holds the rows that trained it, with the preprocessing that the file will
    include. Raises ModelError if Keras can't save the model.
    """
    import keras

    try:
        whole = fileable(model, data.train.x)
    except ValueError as error:
        raise ModelError(
            f"the model of {spec.model.source} can't be written as a file: {error}",
            hint="Define `get_config` in it, as keras.io/guides/serialization_and_saving shows, or return a functional "
            "model. The weights are kept in the sweep's folder",
        ) from error
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:  # the user's own loop trains the model, and nothing evaluates it
        return data.preprocessing.wrap(whole) if data.preprocessing is not None else whole
    arguments = {**own_arguments(spec, model, data), **metrics_argument(spec, data), "loss": model.loss}
    compiled = {name: argument for name, argument in arguments.items() if "loss" in name or "metrics" in name}
    if whole is not model:
        whole.compile(optimizer=type(optimizer).from_config(optimizer.get_config()), **compiled)
    if data.preprocessing is not None:
        if spec.needs_user_code and getattr(whole, "inputs", None):  # Keras would compile a nested model again
            whole = keras.Model(whole.inputs, whole.outputs, name=whole.name)
        whole = data.preprocessing.wrap(whole)
        whole.compile(**compiled)
    if whole is not model:
        whole.optimizer.build(whole.trainable_variables)  # else loading the file causes a warning
    choose_jit_on_opening(whole)
    return whole


def save_keras(model: Any, part: Path, path: Path) -> None:
    """Write a `.keras` file, which every backend opens with `load_model`, to `part`. Errors name the final `path`.
    Raises SweepError if Keras can't write."""
    with without_tensorflow():
        try:
            model.save(part)
        except ValueError as error:  # a zip file can't hold times before 1980, and a board's clock may be reset
            hint = "If the clock is wrong, set it, then run the same command again. Every finished trial is kept"
            raise SweepError(f"can't write {path}: {error}", hint=hint) from None


def check_target(path: Path, form: ExportFormat) -> None:
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}", hint="Make the folder, or choose another with `-o`")
    hint = f"For example `-o model{form.suffix}`"
    if form.folder:
        if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
            raise UsageError(f"{path} already exists", hint="Choose a new folder with `-o`")
    elif path.suffix != form.suffix:
        raise UsageError(f"a model's file must end in {form.suffix}, but got {path.name!r}", hint=hint)
    elif path.is_dir():
        raise UsageError(f"`-o` must be a file, but {path} is a folder", hint=hint)


EXPORT_FORMATS: Mapping[str, ExportFormat] = {
    "keras": ExportFormat(".keras"),
    "onnx": ExportFormat(
        ".onnx", "onnxruntime.InferenceSession(path)", ("tensorflow", "onnx", "onnxruntime", "tf2onnx")
    ),
    "savedmodel": ExportFormat(".savedmodel", "tensorflow.saved_model.load(path)", ("tensorflow",), folder=True),
    "litert": ExportFormat(
        ".tflite",
        "ai_edge_litert.interpreter.Interpreter(path).get_signature_runner()",
        ("tensorflow", "ai_edge_litert"),
    ),
}


def export_trial(
    sweep: OpenSweep,
    path: Path,
    number: int | None,
    *,
    format: str = "keras",
    quantize: str | None = None,
    page: Path | None = None,
) -> tuple[Result, Path, Mapping[str, Any]]:
    """Write the model of a trial to `path`, and its card beside it. Return (trial, path of the card, card).

    `number` is the trial's number; None: the winner. `format` is "keras", "onnx", "savedmodel" or "litert". `quantize`
    is "int8" (LiteRT only) or None. If `page` is a path, the card is also written there as Markdown. The winner as
    `.keras` is a copy of the sweep's `best.keras`, which needs no user code. Every other model is built again. Raises
    UsageError for an unknown format or an unusable path, MissingPackage if the format needs another package. Also
    raises as `RecordedSweep.training`, `OpenSweep.load` and `convert_model`.
    """
    form = find_member(EXPORT_FORMATS, "export format", format)
    check_target(path, form)
    if page is not None:
        check_file(page, MARK, "--card")
    if quantize is not None and (format, quantize) != ("litert", "int8"):
        message = f"`--quantize` must be int8, with the format litert, but got {quantize} with {format}"
        raise UsageError(message, hint="Use `--format litert --quantize int8`, or leave out `--quantize`")
    if missing := [BACKENDS.get(module, module) for module in form.packages if not can_import(module)]:
        message = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
        raise MissingPackage(message, hint=f"pip install 'keras-sweep[{format}]'")
    clear_parts(path.parent, of=path)  # of an export that was killed
    card_path = path.with_name(f"{path.stem if format == 'keras' else path.name}.card.json")
    opening = ""
    recorded = sweep.read()
    refuse_imported_sweep(recorded.facts, sweep.study.name)
    trial = recorded.training(number)
    card = _copy_kept_model(recorded, trial, path, card_path, sweep.emit) if format == "keras" else None
    if card is None:
        model, training_data, refit = build_final_model(sweep, trial)
        spec, data = sweep.load(trial)
        whole = build_file_model(spec, model, training_data)
        opening = form.opening or opening_call(whole)
        card = build_card(recorded, spec, trial, data, opening=opening, refit=refit)
        if spec.search.seeds > 1 and refit is None:
            card["first_seed"] = evaluate(spec, trial, model, data.validation, data).scores
        # Ctrl-C leaves no incomplete file.
        with StopRequest(ends_process=False), replacing_path(path, option=PLACE) as part:
            if format == "keras":
                save_keras(whole, part, path)
            else:
                sweep.emit(PhaseBegan(f"converting to {format}"))
                with folder_beside(path) as folder:
                    save_keras(whole, Path(folder, "model.keras"), path)
                    facts = convert_model(whole, Path(folder), part, spec, training_data, format, quantize)
                card["format"] = {**facts, "packages": {name: version(name) for name in form.packages}}
            _write_card(card_path, card, part)
    if form.opening is None and (notice := opening_words(str(card.get("open", PLAIN)))) is not None:
        if not (opening or sweep.trusts):  # the card is untrusted
            notice = "`keras.models.load_model` alone can't open the model: the key `open` of its card has the call"
        sweep.emit(Noticed(notice))
    if page is not None:
        write_page(page, path, card_path, card)
    return trial, card_path, card


def _copy_kept_model(
    recorded: RecordedSweep, result: Result, path: Path, card_path: Path, emit: Listener
) -> dict[str, Any] | None:
    """Copy `best.keras` and its card, and return the card; None if `best.keras` is damaged or not of `result`."""
    try:
        card = read_kept_card(recorded.folder, recorded.facts)
    except RecordError as error:
        emit(Noticed(f"{error.message}. The model is built from the recorded weights instead"))
        return None
    if not is_card_of(card, result, recorded.facts.seed):
        return None
    # The test rows may have been looked at since the card was written.
    card |= {"test": test_record(recorded.facts, result)}
    with replacing_path(path, option=PLACE) as part:
        with open_plain(recorded.folder.best) as source, part.open("xb") as target:
            shutil.copyfileobj(source, target)
        if file_digest(part) != card["sha256"]:
            raise RecordError(f"{recorded.folder.best} changed during the export", hint="Run the same command again")
        _write_card(card_path, card, part)
    return card


def _write_card(card_path: Path, card: dict[str, Any], part: Path) -> None:
    """Write the card with the SHA-256 of `part`, the model's file before the last rename. If the disk is full, the
    caller then deletes `part`, so neither file is left."""
    if part.is_file():
        card["sha256"] = file_digest(part)
    write_text(card_path, card_text(card), option=PLACE)


def write_page(path: Path, model: Path, card_path: Path, card: Mapping[str, Any]) -> None:
    """Write a card as a Markdown page for the Hugging Face hub. The page names the files `model` and `card_path`."""
    from jinja2 import Environment  # only a page needs it

    environment = Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = escape_markdown
    template = environment.from_string(Path(__file__).with_name("model_card.md.j2").read_text("utf-8"))
    names = {"model": model.name, "beside": card_path.name, "mark": MARK, "number": "{:.4g}".format}
    kind = card["data"]["source"]["kind"]
    is_table = kind == "named" or find_source(kind).is_table
    write_text(path, template.render(card=card, is_table=is_table, **names).lstrip(), option="--card")


def finish(sweep: OpenSweep, results: Sequence[Result], best: Result, *, test: bool = True) -> bool:
    """Evaluate the winner on the test rows unless an earlier run did, and write `best.keras` and `card.json`.

    `results` are all trials, and `best` is the winner's training with the best seed. `test=False` skips the evaluation.
    Files that are undamaged and up to date are not written again. The card has the model file's checksum, and is
    written last. So a killed run may leave a model without a card, but never a model with another model's card. Return
    whether both files exist: False if Keras can't save the model. Raises as `OpenSweep.load`, `build_final_model` and
    `look_at_test`.
    """
    (spec, data), study, emit, folder, wall = sweep.load(best), sweep.study, sweep.emit, sweep.folder, sweep.wall
    refit, scores = study.facts.refit_of(best), study.facts.test_of(best)
    if scores is not None:
        emit(last_look(study.facts, earlier=True))
    old_card = _read_sound_card(study, emit)
    opening = str(old_card.get("open", PLAIN))
    recorded = RecordedSweep(folder, study.facts, results)
    new_card = build_card(recorded, spec, best, data, opening=opening, refit=refit)
    is_sound = all(old_card.get(key) == new_card.get(key) for key in OF_THE_MODEL)
    must_test, first = test and scores is None and bool(data.test_rows), old_card.get("first_seed")
    is_current = old_card.get("estimate") == new_card["estimate"] and (old_card.get("test") is None) == (scores is None)
    if is_sound and is_current and not must_test:
        return True
    if must_test or not is_sound:
        with wall.phase("build"):
            model, training_data, _ = build_final_model(sweep, best)
            if spec.search.seeds > 1 and refit is None:
                first = evaluate(spec, best, model, data.validation, data).scores
        if must_test:
            try:
                with wall.phase("test"):
                    look_at_test(sweep, best, model, training_data)
            except ModelError as error:
                emit(Noticed(error.message))
        if not is_sound:
            try:
                with wall.phase("export"):
                    as_file = build_file_model(spec, model, training_data)
            except ModelError as error:  # trials and weights stay usable
                emit(Noticed(str(error)))
                return False
            opening = opening_call(as_file)
            with plain_errors("remove", folder.card):
                disk.remove(folder.card)  # so that a card never describes another model
            with wall.phase("export"), replacing_path(folder.best) as part:
                save_keras(as_file, part, folder.best)
    final_keys = {"open": opening, "test": test_record(study.facts, best), "sha256": file_digest(folder.best)}
    text = card_text({**new_card, **final_keys, **({"first_seed": first} if first else {})})
    study.set_attributes({"card": hashlib.sha256(text.encode()).hexdigest()})
    write_text(folder.card, text, option="--sweeps-dir")
    return True


def _read_sound_card(study: StudyFile, emit: Listener) -> dict[str, Any]:
    """Return the card of `best.keras`, or {} if a file is missing. If a file was altered, rename both and return {}."""
    try:
        return read_kept_card(study.folder, study.facts)
    except RecordError as error:
        for path in (study.folder.card, study.folder.best):
            if path.exists() or path.is_symlink():
                emit(Noticed(f"{error.message}: {path} is renamed to {set_aside(path).name}, and written again"))
        return {}
