"""Opens an exported model and says whether what its card says of it still comes out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.raw_rows import raw_rows, whole
from keras_sweep.data.sealed_test import open_raw_test
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.errors import ChangedSweep, DataError, ModelError, RecordError, SweepError, UsageError
from keras_sweep.files.plain import file_digest
from keras_sweep.models.model_as_file import objects_in_file
from keras_sweep.process.backend import check_environment, choose_backend, use_keras_config, without_tensorflow
from keras_sweep.process.user_code import load_python
from keras_sweep.record.lock import SweepLock
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import sweep_folder
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.sweep_spec import Output, SweepSpec
from keras_sweep.sweep.card import Card, read_card
from keras_sweep.sweep.card_facts import Fact, card_facts
from keras_sweep.sweep.open_sweep import backend_of
from keras_sweep.sweep.replay import STDERR, Gap, Match, gap
from keras_sweep.sweep.trust import ask_for_trust
from keras_sweep.sweep.winner import count_look
from keras_sweep.training.build_trial import predict_rows
from keras_sweep.training.compiling import enable_compile_cache
from keras_sweep.training.losses import compile_arguments
from keras_sweep.training.outcome import Logged
from keras_sweep.trial.events import Listener, Noticed, PhaseBegan
from keras_sweep.trial.plan import DEFAULT_BATCH_SIZE

_QUIET: dict[str, Any] = {"verbose": 0, "return_dict": True}


@dataclass(frozen=True, slots=True)
class Check:
    """One number of a card, and what comes out now."""

    name: str  # "val_accuracy"; of test rows "test accuracy"
    card: float
    now: float
    gap: Gap


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of verifying a model."""

    model: Path
    card: Path
    sweep: str
    trial: int
    checks: tuple[Check, ...]
    validation_rows: int
    test_rows: int | None  # None where nobody asked for them
    looks: int | None  # at the test rows, this one included; None where the sweep is not here
    refit: bool  # trained on the validation rows, too: those that are evaluated are all that it was trained on
    facts: tuple[Fact, ...]  # what the card says beside its scores, as far as it was looked at
    unseen: tuple[str, ...]  # what was not
    why: str  # the record did not help

    @property
    def matches(self) -> bool:
        """Whether all numbers of the card come out, to rounding, as far as they were looked at."""
        return all(check.gap.match is not Match.PARTED for check in self.checks) and not self.wrong_facts

    @property
    def wrong_facts(self) -> list[Fact]:
        """What the card says beside its scores that is not so."""
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
    """Open a model's file in safe mode, and evaluate it on the rows that its card names; with `test` on test rows, too.

    The card's own sweep, if it is among `sweeps`, tells where its data lie, and counts a look at test rows. The rest,
    and what is raised, is as of `keras_sweep.verify`.
    """
    if not path.is_file() or path.suffix != ".keras":
        raise UsageError(f"there is no .keras file {path}", hint="Name one that `sweep export` wrote in this format")
    card_file, card, said = read_card(path)
    if (digest := file_digest(path)) != card.sha256:
        raise RecordError(
            f"{path} is not the file that {card_file} is of: its SHA-256 begins {digest[:12]}, the card's "
            f"{card.sha256[:12]!r}",
            hint="One of them was altered, or is another model's: `sweep export` writes both again",
        )
    if test and card.test is None:
        raise UsageError(f"{card_file} has no test scores to compare with", hint="Leave out `--test`")
    choose_backend(backend, default=backend_of(card.runner))
    if (words := use_keras_config(card.keras_config)) is not None:
        emit(Noticed(words))
    home = _sweep_of(card, sweeps)
    data_dir = data_dir or Path("." if home is None else home.facts.origin or ".")
    spec = _spec_of(card, data_dir, trust=trust, emit=emit)
    emit(PhaseBegan("data"))
    data = load_search_data(spec)
    spec = replace(spec, scale=data.scale)
    if data.fingerprint != card.data.fingerprint:
        raise ChangedSweep(
            f"the rows of {data.name} are not those that {card_file} is about",
            hint="Bring the former rows back, or say by `--data-dir` where they are",
        )
    emit(PhaseBegan("import"))
    model = _opened(path, card, spec, data, trust=trust, emit=emit)
    own = data if card.refit is None else whole(spec, data)
    x, rows, size = raw_rows(spec, own)[1], own.validation, card.params.get("batch_size")
    size = size if isinstance(size, int) and size > 0 else DEFAULT_BATCH_SIZE
    scores = model.evaluate(x, rows.labels, sample_weight=rows.weights, batch_size=size, **_QUIET)
    if card.refit is not None:
        checks = _checks("refit ", card.refit.scores, scores, rows)
    else:
        checks = _validation_checks(spec, card, scores, rows, lambda: predict_rows(model, x))
    if not checks:
        raise ModelError(
            f"{path} evaluates none of its card's scores: what a `fit` or steps of yours compute is not in the file",
            hint="Of steps define `get_config`, and register them, before the search; `sweep replay` trains it again",
        )
    looks = None
    if test:
        emit(PhaseBegan("test"))
        x, rows, looks = _test_rows(spec, card, data, own, home)
        scores = model.evaluate(x, rows.labels, sample_weight=rows.weights, **_QUIET)
        checks += _checks("test ", card.test or {}, scores, rows)
    seen = [_leaf(check.name) for check in checks]
    if f"validation.{card.metric.name}" in seen:
        seen.append("validation.value")  # which must be that
    facts, unseen, why = card_facts(said, home, model if data.preprocessing is None else None, seen)
    return Verified(
        model=path,
        card=card_file,
        sweep=card.sweep,
        trial=card.trial,
        checks=tuple(checks),
        validation_rows=len(own.validation),
        test_rows=len(rows) if test else None,
        looks=looks,
        refit=card.refit is not None,
        facts=tuple(facts),
        unseen=tuple(unseen),
        why=why,
    )


def _leaf(check: str) -> str:
    """Where in a card the number of a check stands."""
    part, blank, name = check.partition(" ")
    return f"{part.replace('refit', 'refit.scores')}.{name}" if blank else f"validation.{check}"


def _sweep_of(card: Card, sweeps: Path) -> RecordedSweep | None:
    """The card's sweep, if it is here, sound and of the same rows."""
    try:
        sweep = RecordedSweep.read(sweep_folder(card.sweep, sweeps))
    except SweepError:
        return None
    return sweep if card.data.fingerprint in (sweep.facts.fingerprint or "").split("+") else None


def _spec_of(card: Card, folder: Path, *, trust: bool, emit: Listener) -> SweepSpec:
    """As much of a sweep as it takes to read and to score its rows. Raises UsageError for code that is not trusted."""
    source = card.data.source
    place = str((folder / source.source).resolve()) if find_source(source.kind).is_path else source.source
    spec = SweepSpec(
        name=card.sweep,
        folder=folder,
        data=replace(source, source=place),
        loss=card.loss,
        metrics=card.metrics,
        objective=card.metric,
        loss_arguments=card.loss_arguments,
        metric_arguments=card.metric_arguments,
        outputs={name: Output(**one) for name, one in card.outputs.items()},
    )
    ask_for_trust(spec.code, folder, "card", trust=trust, emit=emit, data=spec.data)
    return spec


def _opened(path: Path, card: Card, spec: SweepSpec, data: SearchData, *, trust: bool, emit: Listener) -> Any:
    """The compiled model of a file; one that is compiled with code of the user's is compiled anew."""
    import keras

    check_environment()
    enable_compile_cache()
    own: dict[str, Any] = {}
    sources = objects_in_file(path, str(card.model["source"]), compiled=not spec.compiles_code)
    if sources and trust:
        ask_for_trust(sources.values(), spec.folder, "file", trust=trust, emit=emit)
        own = {name: load_python(source, spec.folder, ModelError) for name, source in sources.items()}
    anew = spec.compiles_code
    try:
        with without_tensorflow():
            model = keras.models.load_model(path, custom_objects=own, safe_mode=True, compile=not anew)
    except Exception as error:  # Keras raises nearly anything
        why = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
        hint = "If you know the file, open it in Python: its card says how under `open`"
        if sources and not trust:
            hint = f"If you know the code of {', '.join(sources.values())}, add `--trust`"
        raise ModelError(f"{path} can't be opened without code of its own: {why}", hint=hint) from error
    if anew:
        model.compile(**compile_arguments(spec, spec.loss_arguments, data))
    if not model.compiled:
        raise ModelError(f"{path} holds a model that is not compiled", hint="`sweep export` writes it again")
    return model


def _checks(prefix: str, said: Mapping[str, Any], scores: Mapping[str, float], rows: Rows) -> list[Check]:
    """Each score beside what the card says of it."""
    known = {name.removeprefix("val_"): float(value) for name, value in said.items() if isinstance(value, int | float)}
    return [
        Check(prefix + name, known[name], float(now), gap(name, float(now), known[name], len(rows), rows.weights))
        for name, now in scores.items()
        if name in known
    ]


def _validation_checks(
    spec: SweepSpec, card: Card, scores: Mapping[str, float], rows: Rows, predict: Callable[[], Any]
) -> list[Check]:
    """The scores on the validation rows, the value that ranked the trial, and its standard error."""
    said, metric = card.validation, card.metric.name
    checks = _checks("val_", said, scores, rows)
    ranked, scored, stderr = said.get("value"), said.get(metric), said.get("stderr")
    if ranked is not None and scored is not None and ranked != scored:  # the card must not contradict itself
        checks.append(Check(f"value ({metric})", ranked, scored, gap(metric, scored, ranked, len(rows))))
    if stderr is None or (value := scores.get(metric.removeprefix("val_"))) is None:
        return checks
    now = Logged(spec, spec.loss_arguments, metric, value, rows, predict).standard_error()
    if now is not None:
        close = Match.ROUNDING if math.isclose(stderr, now, rel_tol=STDERR) else Match.PARTED
        apart = abs(stderr - now) / now if now else math.inf
        checks.append(Check("stderr", stderr, now, Gap(Match.EQUAL if stderr == now else close, apart)))
    return checks


def _test_rows(
    spec: SweepSpec, card: Card, data: SearchData, own: SearchData, home: RecordedSweep | None
) -> tuple[Any, Rows, int | None]:
    """Test rows as the model's file takes them. The look is counted where its sweep is here."""
    if card.data.test_fingerprint != data.test_fingerprint:
        raise DataError(
            f"the test rows of {data.name} are not those that the card is about", hint="Bring the former rows back"
        )
    if home is None:
        return (*open_raw_test(spec, data, own), None)
    with SweepLock(home.folder), StudyFile.open(home.folder) as study:
        x, rows = open_raw_test(spec, data, own)
        return x, rows, count_look(study)
