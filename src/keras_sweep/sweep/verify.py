"""Open an exported model, and check that the numbers in its card are reproduced."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.raw_rows import raw_rows, whole
from keras_sweep.data.sealed_test import open_test
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ChangedSweep, DataError, ModelError, RecordError, SweepError, UsageError
from keras_sweep.files.plain import file_digest
from keras_sweep.models.model_as_file import objects_in_file
from keras_sweep.process.backend import check_environment, choose_backend, use_keras_config, without_tensorflow
from keras_sweep.process.compiling import enable_compile_cache
from keras_sweep.process.user_code import load_python
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import sweep_folder
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.sweep_spec import Output, SweepSpec
from keras_sweep.sweep.card import Card, read_card
from keras_sweep.sweep.card_facts import Fact, compare_card_facts
from keras_sweep.sweep.open_sweep import backend_of
from keras_sweep.sweep.replay import STDERR, Gap, Match, gap
from keras_sweep.sweep.trust import ask_for_trust
from keras_sweep.sweep.winner import count_look
from keras_sweep.training.build_trial import describe_rows
from keras_sweep.training.logged_metric import LoggedMetric
from keras_sweep.training.losses import compile_arguments
from keras_sweep.trial.events import Listener, Noticed, PhaseBegan
from keras_sweep.trial.plan import DEFAULT_BATCH_SIZE

_QUIET: dict[str, Any] = {"verbose": 0, "return_dict": True}


@dataclass(frozen=True, slots=True)
class Check:
    name: str  # "val_accuracy", "test accuracy"
    card: float  # the number in the card
    now: float  # the number that is computed now
    gap: Gap


@dataclass(frozen=True, slots=True)
class Verified:
    model: Path
    card: Path
    sweep: str
    trial: int
    checks: tuple[Check, ...]
    validation_rows: int
    test_rows: int | None  # None if not requested
    looks: int | None  # evaluations on the test rows, including this evaluation; None without the sweep
    refit: bool  # whether the model was trained on all rows, and is evaluated on them
    facts: tuple[Fact, ...]  # checked values of the card beside its scores
    unseen: tuple[str, ...]  # keys of the card that were not checked
    why: str  # why the record could not check all keys; "" if it could

    @property
    def matches(self) -> bool:
        """Whether all checked values of the card match, to rounding."""
        return all(check.gap.match is not Match.PARTED for check in self.checks) and not self.wrong_facts

    @property
    def wrong_facts(self) -> list[Fact]:
        return [fact for fact in self.facts if not fact.matches]


def verify_model(
    path: Path,
    emit: Listener,
    *,
    sweeps: Path,
    test: bool = False,
    trust: bool = False,
    backend: str | None = None,
    data_dir: Path | None = None,
) -> Verified:
    """Open a model's file in safe mode, evaluate it on the rows of its card, and compare the scores with the card.

    With `test`, the test rows are evaluated, too. If the folder `sweeps` has the card's sweep, its record tells where
    the data are, and counts the evaluation on test rows. Other arguments and errors are as in `keras_sweep.verify`.
    """
    if not path.is_file() or path.suffix != ".keras":
        raise UsageError(f"there is no .keras file {path}", hint="Name a file that `sweep export` wrote")
    card_file, card, card_keys = read_card(path)
    if (digest := file_digest(path)) != card.sha256:
        raise RecordError(
            f"{path} is not the model that {card_file} describes: its SHA-256 begins with {digest[:12]}, but the card "
            f"has {card.sha256[:12]!r}",
            hint="The model or the card was changed or replaced. `sweep export` writes both again",
        )
    if test and card.test is None:
        raise UsageError(f"{card_file} has no test scores to compare with", hint="Leave out `--test`")
    choose_backend(backend, default=backend_of(card.runner))
    if (notice := use_keras_config(card.keras_config)) is not None:
        emit(Noticed(notice))
    home = _find_sweep(card, sweeps)
    data_dir = data_dir or Path("." if home is None else home.facts.origin or ".")
    spec = _spec_from_card(card, data_dir, trust=trust, emit=emit)
    emit(PhaseBegan("data"))
    data = load_search_data(spec)
    spec = replace(spec, scale=data.scale)
    if data.fingerprint != card.data.fingerprint:
        message = f"the rows of {data.name} have changed since {card_file} was written"
        raise ChangedSweep(message, hint="Restore the old rows, or name their folder with `--data-dir`")
    emit(PhaseBegan("import"))
    model = _open_model(path, card, spec, data, trust=trust, emit=emit)
    trained_rows = data if card.refit is None else whole(spec, data)
    x, rows, batch_size = raw_rows(spec, trained_rows)[1], trained_rows.validation, card.params.get("batch_size")
    batch_size = batch_size if isinstance(batch_size, int) and batch_size > 0 else DEFAULT_BATCH_SIZE
    scores = model.evaluate(x, rows.labels, sample_weight=rows.weights, batch_size=batch_size, **_QUIET)
    if card.refit is not None:
        checks = _compare_scores("refit ", card.refit.scores, scores, rows)
    else:
        checks = _check_validation(spec, card, scores, rows, describe_rows(model, x, batch_size))
    if not checks:
        raise ModelError(
            f"{path} can't compute the scores of its card: your own `fit` or `test_step` computed them",
            hint="Use `sweep replay`. Before the next search, register your class and define its `get_config`",
        )
    looks = None
    if test:
        emit(PhaseBegan("test"))
        rows, looks = _open_test_rows(spec, card, data, trained_rows, home)
        scores = model.evaluate(rows.x, rows.labels, sample_weight=rows.weights, batch_size=batch_size, **_QUIET)
        checks += _compare_scores("test ", card.test or {}, scores, rows)
    checked = [_find_card_key(check.name) for check in checks]
    if f"validation.{card.metric.name}" in checked:
        checked.append("validation.value")  # equal to that score
    facts, unseen, why = compare_card_facts(card_keys, home, model if data.preprocessing is None else None, checked)
    return Verified(
        model=path,
        card=card_file,
        sweep=card.sweep,
        trial=card.trial,
        checks=tuple(checks),
        validation_rows=len(trained_rows.validation),
        test_rows=len(rows) if test else None,
        looks=looks,
        refit=card.refit is not None,
        facts=tuple(facts),
        unseen=tuple(unseen),
        why=why,
    )


def _find_card_key(check: str) -> str:
    """Return the card's key for a check: "validation.val_loss" for "val_loss", "test.loss" for "test loss"."""
    part, space, name = check.partition(" ")
    return f"{part.replace('refit', 'refit.scores')}.{name}" if space else f"validation.{check}"


def _find_sweep(card: Card, sweeps: Path) -> RecordedSweep | None:
    """Return the sweep of the card. If the sweep is missing, damaged or has other rows, return None."""
    try:
        sweep = RecordedSweep.read(sweep_folder(card.sweep, sweeps))
    except SweepError:
        return None
    return sweep if card.data.fingerprint in (sweep.facts.fingerprint or "").split("+") else None


def _spec_from_card(card: Card, folder: Path, *, trust: bool, emit: Listener) -> SweepSpec:
    """Return a spec to read and score the card's rows, with paths relative to `folder`. Raises UsageError if the card
    names code and `trust` is false."""
    source = card.data.source
    location = str((folder / source.source).resolve()) if find_source(source.kind).is_path else source.source
    spec = SweepSpec(
        name=card.sweep,
        folder=folder,
        data=replace(source, source=location),
        loss=card.loss,
        metrics=card.metrics,
        objective=card.metric,
        loss_arguments=card.loss_arguments,
        metric_arguments=card.metric_arguments,
        outputs={name: Output(**keys) for name, keys in card.outputs.items()},
    )
    ask_for_trust(spec.code, folder, "card", trust=trust, emit=emit, data=spec.data)
    return spec


def _open_model(path: Path, card: Card, spec: SweepSpec, data: SearchData, *, trust: bool, emit: Listener) -> Any:
    """Load the compiled model of a file. If the loss or the metrics are user code, compile the model here."""
    import keras

    check_environment()
    enable_compile_cache()
    objects: dict[str, Any] = {}
    compiled = not spec.needs_user_code
    sources = objects_in_file(path, str(card.model["source"]), compiled=compiled)
    if sources and trust:
        ask_for_trust(sources.values(), spec.folder, "file", trust=trust, emit=emit)
        objects = {name: load_python(source, spec.folder, ModelError) for name, source in sources.items()}
    try:
        with without_tensorflow():
            model = keras.models.load_model(path, custom_objects=objects, safe_mode=True, compile=compiled)
    except Exception as error:  # Keras raises nearly anything
        reason = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
        hint = "If you trust the file, open it in Python with the call in `open` of its card"
        if sources and not trust:
            hint = f"If you trust the code of {', '.join(sources.values())}, add `--trust`"
        raise ModelError(f"can't open {path} without its Python code: {reason}", hint=hint) from error
    if not compiled:
        model.compile(**compile_arguments(spec, spec.loss_arguments, data))
    if not model.compiled:
        raise ModelError(f"the model in {path} is not compiled", hint="`sweep export` writes it again")
    return model


def _compare_scores(prefix: str, recorded: Mapping[str, Any], scores: Mapping[str, float], rows: Rows) -> list[Check]:
    """Compare new `scores` with the `recorded` scores of the card. `prefix` begins the names of the checks ("val_")."""
    known = {name.removeprefix("val_"): float(x) for name, x in recorded.items() if isinstance(x, int | float)}
    return [
        Check(prefix + name, known[name], float(now), gap(name, float(now), known[name], len(rows), rows.weights))
        for name, now in scores.items()
        if name in known
    ]


def _check_validation(
    spec: SweepSpec, card: Card, scores: Mapping[str, float], rows: Rows, facts_of_rows: Mapping[str, Any]
) -> list[Check]:
    """Check the card's validation scores, value and standard error. `facts_of_rows` are arguments of `LoggedMetric`."""
    if card.first_seed:  # `validation` has means over the seeds
        return _compare_scores("first_seed ", card.first_seed, scores, rows)
    in_card, metric = card.validation, card.metric.name
    checks = _compare_scores("val_", in_card, scores, rows)
    ranked, scored, stderr = in_card.get("value"), in_card.get(metric), in_card.get("stderr")
    if ranked is not None and scored is not None and ranked != scored:  # the card must not contradict itself
        checks.append(Check(f"value ({metric})", ranked, scored, gap(metric, scored, ranked, len(rows))))
    if stderr is None or (value := scores.get(metric.removeprefix("val_"))) is None:
        return checks
    now = LoggedMetric.from_spec(spec, spec.loss_arguments, metric, value, rows, **facts_of_rows).standard_error()
    if now is not None:
        checks.append(Check("stderr", stderr, now, gap("stderr", now, stderr, 0, tolerance=STDERR)))
    return checks


def _open_test_rows(
    spec: SweepSpec, card: Card, data: SearchData, trained_rows: SearchData, home: RecordedSweep | None
) -> tuple[Rows, int | None]:
    """Open the test rows, and count the evaluation in the sweep `home`. Return (rows as the model takes them, new count
    or None without `home`). `trained_rows` are the rows that trained the model."""
    if card.data.test_fingerprint != data.test_fingerprint:
        message = f"the test rows of {data.name} have changed since the card was written"
        raise DataError(message, hint="Restore the old rows")
    if home is None:
        return open_test(spec, data, trained_rows, exported=True), None
    with SweepLock(home.folder), StudyFile.open(home.folder) as study:
        return open_test(spec, data, trained_rows, exported=True), count_look(study)
