"""Commands on a sweep's models: `sweep evaluate`, `export`, `verify`, `replay`."""

from pathlib import Path
from typing import Annotated

import typer

from keras_sweep.cli.options import (
    Backend,
    Format,
    Name,
    Runner,
    SweepsDir,
    TrialNumber,
    Trust,
    answer,
    at_work,
    number,
    one_of,
    opened,
    option,
)
from keras_sweep.errors import UsageError
from keras_sweep.space.text import escaped
from keras_sweep.views.terminal.console import stderr_console


def evaluate(
    name: Name = None,
    trust: Trust = False,
    backend: Backend = None,
    format: Format = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Evaluate the winner on the sealed test set. Every look is counted."""
    from keras_sweep.record.reader import read_facts
    from keras_sweep.sweep.finish import evaluate_winner, last_look
    from keras_sweep.views.leaderboard.formats import strict_json
    from keras_sweep.views.running.json_lines import event_record
    from keras_sweep.views.summary import look_lines

    with opened(name, sweeps_dir, trust, backend) as access:
        evaluate_winner(access)
    facts = read_facts(access.folder)
    look = last_look(facts)
    record = event_record(look, facts.objective)
    answer(lambda console: console.print(*look_lines(look), sep="\n"), strict_json(record) + "\n", format)


def export(
    name: Name = None,
    trial: Annotated[int | None, number("--trial", "Which trial.", show_default="the winner")] = None,
    format: Annotated[
        str,
        option("--format", "NAME", "keras, onnx, savedmodel, litert.", callback=one_of("sweep.export:EXPORT_FORMATS")),
    ] = "keras",
    output: Annotated[Path | None, option("--output -o", "FILE", "The file.", show_default="NAME.keras")] = None,
    quantize: Annotated[str | None, option("--quantize", "TYPE", "int8: smaller numbers, for litert.")] = None,
    page: Annotated[Path | None, option("--card", "FILE", "Write the card as Markdown, too: README.md.")] = None,
    trust: Trust = False,
    backend: Backend = None,
    sweeps_dir: SweepsDir = None,
) -> None:
    """Write a trial's model, with its card beside it. The winner's is copied; another trial's is built anew."""
    from keras_sweep.sweep.export import EXPORT_FORMATS, export_trial

    with opened(name, sweeps_dir, trust, backend) as access:
        sweep = access.folder.name
        path = output if output is not None else Path(f"{sweep}{EXPORT_FORMATS[format].suffix}")
        exported, beside, card = export_trial(access, path, trial, format=format, quantize=quantize, page=page)
    typer.echo(str(path))
    stderr_console().print(f"{exported.name} of {sweep}; its card is {escaped(str(beside))}")
    if (about := card.get("format")) is not None:
        words = f"its outputs on {about['rows']:,} validation rows are those of the .keras file, to"
        stderr_console().print(f"{words} {about['greatest_difference']:.1e}")
        if (scores := about.get("quantized")) is not None:
            words = ", ".join(f"as {kind} {value:.4f}" for kind, value in scores.items() if kind != "metric")
            stderr_console().print(f"{scores['metric']} on these rows: {words}")


def verify(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A .keras file, its card beside it.")],
    test: Annotated[
        bool, typer.Option("--test", help="Look at the test rows, too; the look is counted where the sweep is here.")
    ] = False,
    data_dir: Annotated[
        Path | None,
        option(
            "--data-dir", "PATH", "Where the card's data file lies.", show_default="the space file's folder, or here"
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Import and run the code that the card names for rows, the file for layers.")
    ] = False,
    backend: Backend = None,
    format: Format = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Open an exported model in safe mode, and see that the scores of its card still come out (exit code 0)."""
    from keras_sweep.record.sweep_folder import sweeps_dir as where
    from keras_sweep.sweep.verify import verify_model
    from keras_sweep.views.replay_view import print_verified, verify_json

    with at_work() as view:
        done = verify_model(
            model, view, sweeps=where(sweeps_dir), test=test, trust=trust, backend=backend, data_dir=data_dir
        )
    answer(lambda console: print_verified(console, done), verify_json(done), format)
    raise typer.Exit(0 if done.matches else 1)


def replay(
    name: Name = None,
    trial: TrialNumber = None,
    runner: Runner = None,
    script: Annotated[
        bool, typer.Option("--script", help="Train nothing; print a script of plain Keras that trains the trial.")
    ] = False,
    rows: Annotated[Path | None, option("--rows", "FILE", "Write the rows that the script reads, as .npz.")] = None,
    trust: Trust = False,
    backend: Backend = None,
    format: Format = "table",
    sweeps_dir: SweepsDir = None,
) -> None:
    """Train one trial again by plain `model.fit`, and say whether its numbers are those of the record (exit code 0)."""
    if rows is not None and not script:
        raise UsageError("`--rows` is for the script", hint="Give `--script` too")
    from keras_sweep.sweep.keras_script import trial_script
    from keras_sweep.sweep.replay import replay as replayed
    from keras_sweep.views.replay_view import print_replay, replay_json

    if script:
        with opened(name, sweeps_dir, trust, backend) as access:
            text = trial_script(access, trial, rows=rows)
        typer.echo(text, nl=False)
        return
    with opened(name, sweeps_dir, trust, backend) as access:
        done = replayed(access, trial, runner=runner)
    answer(lambda console: print_replay(console, done), replay_json(done), format)
    raise typer.Exit(0 if done.matches else 1)
