"""Commands on a sweep's models: `sweep evaluate`, `sweep export`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keras_sweep.cli.options import Backend, Name, SweepsDir, found, objective_of, one_of, set_backend, whole

if TYPE_CHECKING:
    from keras_sweep.record.study_file import StudyFile
    from keras_sweep.trial.result import Result

Trust = Annotated[
    bool, typer.Option("--trust", help="Import and run the `python:` code that the sweep's record names.")
]


def evaluate(
    name: Name = None,
    trust: Trust = False,
    backend: Backend = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Evaluate the winner on the sealed test set. Every look is counted."""
    one_of("--format", format, ("table", "json"))
    folder = found(name, sweeps_dir)
    from keras_sweep.cli.recorded import backend_of, recorded_data, recorded_spec, trial_of, weights_of
    from keras_sweep.errors import DataError
    from keras_sweep.process.library_output import LibraryNoise
    from keras_sweep.record.lock import SweepLock
    from keras_sweep.record.study_file import StudyFile
    from keras_sweep.sweep.finish_winner import look_at_test
    from keras_sweep.sweep.winner import trained_model
    from keras_sweep.trial.events import Event, TestEvaluated
    from keras_sweep.views.leaderboard.formats import strict_json
    from keras_sweep.views.running.json_lines import event_record
    from keras_sweep.views.summary import print_test
    from keras_sweep.views.terminal.console import answers

    seen: list[Event] = []
    with SweepLock(folder), StudyFile.open(folder) as study:
        spec = recorded_spec(study, trust=trust)
        best = trial_of(study, spec.objective, None)
        set_backend(backend, default=backend_of(best))
        with LibraryNoise():
            spec, data = recorded_data(study, spec)
            model = trained_model(spec, best, weights_of(study, spec, data, best), data)
            if look_at_test(spec, study, best, model, data, seen.append) is None:
                raise DataError(f"{data.name} has no test rows", hint="Give `split: {test: 0.2}` in the space file")
    if format == "json":
        typer.echo(strict_json(event_record(seen[0], spec.objective)))
    else:
        assert isinstance(seen[0], TestEvaluated)
        print_test(answers(), seen[0])


def export(
    name: Name = None,
    trial: Annotated[
        int | None, typer.Option("--trial", parser=whole, metavar="N", help="Which trial.", show_default="the winner")
    ] = None,
    format: Annotated[str, typer.Option("--format", help="keras.")] = "keras",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file.", show_default="NAME.keras")] = None,
    trust: Trust = False,
    backend: Backend = None,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Write a trial's model, with its card beside it. The winner's is copied; another trial's is built anew."""
    from keras_sweep.sweep.export import FORMATS, check_target

    one_of("--format", format, FORMATS)
    folder = found(name, sweeps_dir)
    path = output if output is not None else Path(f"{folder.name}.keras")
    check_target(path)
    from keras_sweep.cli.recorded import refuse_imported, trial_of
    from keras_sweep.files.atomic import SHARED, write_text
    from keras_sweep.record.study_file import StudyFile
    from keras_sweep.views.terminal.console import progress
    from keras_sweep.views.terminal.text import safe

    with StudyFile.open(folder) as study:
        refuse_imported(study)
        result = trial_of(study, objective_of(study.attributes), trial)
        card = _copied(study, result, path) or _built(study, result, path, trust=trust, backend=backend)
        card_path = path.with_name(f"{path.stem}.card.json")
        write_text(card_path, json_module.dumps(card, indent=2) + "\n", mode=SHARED)
    typer.echo(str(path))
    progress().print(f"trial {result.number} of {folder.name}; its card is {safe(str(card_path))}")


def _copied(study: StudyFile, result: Result, path: Path) -> dict[str, Any] | None:
    """Copy the model that the sweep itself wrote, if it is this trial's: that runs no code. Returns its card."""
    from keras_sweep.errors import RecordError
    from keras_sweep.sweep.card import test_record
    from keras_sweep.sweep.finish_winner import known_test, looks_at_test
    from keras_sweep.sweep.kept_model import copy_kept, kept_card
    from keras_sweep.views.terminal.console import progress
    from keras_sweep.views.terminal.messages import print_notice

    try:
        card = kept_card(study.folder, result.number)
    except RecordError as error:
        print_notice(progress(), f"{error.message}: the model is built anew")
        return None
    if card is None:
        return None
    copy_kept(study.folder, card, path)
    # The test rows may have been looked at since the card was written.
    return {**card, "test": test_record(known_test(study, result), looks_at_test(study))}


def _built(study: StudyFile, result: Result, path: Path, *, trust: bool, backend: str | None) -> dict[str, Any]:
    """Build the trial's model with its weights, and write it. Returns its card."""
    from keras_sweep.cli.recorded import backend_of, recorded_data, recorded_spec, weights_of
    from keras_sweep.process.library_output import LibraryNoise
    from keras_sweep.sweep.card import model_card
    from keras_sweep.sweep.export import raw_model, save_keras
    from keras_sweep.sweep.finish_winner import known_test, looks_at_test
    from keras_sweep.sweep.winner import trained_model

    spec = recorded_spec(study, trust=trust)
    set_backend(backend, default=backend_of(result))
    with LibraryNoise():
        spec, data = recorded_data(study, spec)
        model = trained_model(spec, result, weights_of(study, spec, data, result), data)
        save_keras(raw_model(spec, model, data), path)
    return model_card(
        spec,
        result,
        data,
        trials=len(study.results()),
        test=known_test(study, result),
        looks=looks_at_test(study),
    )
