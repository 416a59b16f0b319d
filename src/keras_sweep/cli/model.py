"""Commands on a sweep's models: `sweep evaluate`, `sweep export`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from keras_sweep.cli.options import Backend, Name, SweepsDir, found, one_of, set_backend, whole


def evaluate(
    name: Name = None,
    backend: Backend = None,
    format: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Evaluate the winner on the sealed test set. Every look is counted."""
    one_of("--format", format, ("table", "json"))
    folder = found(name, sweeps_dir)
    set_backend(backend)
    from keras_sweep.cli.recorded import recorded_data, recorded_spec, trial_of, weights_of
    from keras_sweep.errors import DataError
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
        spec, data = recorded_data(study, recorded_spec(study))
        best = trial_of(study, spec, None)
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
    format: Annotated[str, typer.Option("--format", help="keras, savedmodel, onnx or litert.")] = "keras",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file.", show_default="NAME.keras")] = None,
    backend: Backend = None,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Write a trial's model, with its card beside it."""
    from keras_sweep.sweep.export import FORMATS, SUFFIXES

    one_of("--format", format, FORMATS)
    folder = found(name, sweeps_dir)
    path = output if output is not None else Path(f"{folder.name}{SUFFIXES[format]}")
    set_backend(backend)
    from keras_sweep.cli.recorded import recorded_data, recorded_spec, trial_of, weights_of
    from keras_sweep.files.atomic import SHARED, write_text
    from keras_sweep.record.study_file import StudyFile
    from keras_sweep.sweep.card import model_card
    from keras_sweep.sweep.export import check_target, raw_model, save
    from keras_sweep.sweep.finish_winner import known_test
    from keras_sweep.sweep.winner import trained_model
    from keras_sweep.views.terminal.console import progress

    check_target(path, format)
    with StudyFile.open(folder) as study:
        spec = recorded_spec(study)
        result = trial_of(study, spec, trial)
        spec, data = recorded_data(study, spec)
        model = trained_model(spec, result, weights_of(study, spec, data, result), data)
        save(raw_model(spec, model, data), path, format)
        card = model_card(
            spec,
            result,
            data,
            trials=len(study.results()),
            test=known_test(study, result),
            looks=int(study.attributes.get("test_looks", 0)),
        )
        card_path = path.with_name(f"{path.stem}.card.json")
        write_text(card_path, json_module.dumps(card, indent=2) + "\n", mode=SHARED)
    typer.echo(str(path))
    progress().print(f"trial {result.number} of {folder.name}; its card is {card_path}")
