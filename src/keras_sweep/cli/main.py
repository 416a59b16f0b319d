"""Run the `sweep` command: parse, call the API, print. Every error becomes a red line and an exit code."""

import atexit
import contextlib
import errno
import gc
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Annotated, Any

import typer

from keras_sweep import __version__
from keras_sweep.cli import data, recorded, run
from keras_sweep.cli.options import PlainHelp
from keras_sweep.errors import Interrupted, SweepError, UsageError
from keras_sweep.process.stop_request import IS_COMMAND
from keras_sweep.process.streams import replace_closed_streams, settle_streams
from keras_sweep.views.terminal.console import print_error, stderr_console

app = typer.Typer(
    name="sweep",
    help="Finds the best way to train a Keras model, and proves it.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _print_version(is_set: bool) -> None:
    if is_set:
        typer.echo(f"keras-sweep {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Also print the traceback of an error.")] = False,
) -> None:
    del version, debug


def _add(name: str, function: Callable[..., None], call: str, short_help: str | None = None, **more: Any) -> None:
    """Add the command `name`. Its help ends with `call`, the call in Python. `more`: arguments of `app.command`."""
    app.command(name, short_help=short_help, epilog=f"In Python: keras_sweep.{call}", **more)(function)


_add("init", data.init, "init(source)", "Write a first space file for your data, with comments.")
_add("check", run.check, "check(space).estimate()", "Check a space file, and estimate the time of its sweep.")
_add("run", run.run, "run(space)", "Run or resume a sweep, and test and export its winner.", cls=PlainHelp)
_add("list", recorded.list_sweeps, "sweeps()")
_add("leaderboard", recorded.leaderboard, "open(name).leaderboard()")
_add("show", recorded.show, "open(name).show(number)", "Show a trial: parameters, curve, time, and why it ended.")
_add("report", recorded.report, "open(name).report()", "Write a sweep as a self-contained HTML page.")
_add("log", recorded.log, "open(name).log(to)", "Log the trials to MLflow, W&B or TensorBoard.")
_add("evaluate", recorded.evaluate, "open(name).evaluate()")
_add("export", recorded.export, "open(name).export()", "Write a trial's model with its model card.")
_add("verify", recorded.verify, "verify(path)", "Check an exported model against its model card.")
replay_call = "open(name).replay(number), or .script(number)"
_add("replay", recorded.replay, replay_call, "Train a trial again, and compare it with the record.", cls=PlainHelp)
_add("compare", recorded.compare, "compare(*names)", "Compare sweeps: do their winners differ?", cls=PlainHelp)
_add("dashboard", recorded.dashboard, "open(name).dashboard()", "Show a sweep in optuna-dashboard, until Ctrl-C.")
_add("data", data.data, "load_data(source)", "Show the shapes, class counts and samples of a data set.")
_add("baseline", data.baseline, "baseline(space)", "Fit a linear model on the same rows, as a reference.")
_add("import", data.import_search, "import_optuna(storage)", "Import the trials of an Optuna storage into a sweep.")


@replace_closed_streams()
def main(arguments: list[str] | None = None) -> None:
    """Run the command in `arguments` (default: `sys.argv[1:]`), and exit the process with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = IS_COMMAND.set(True)
    # Without this, garbage collection at the exit takes most of a second after a search with JAX.
    atexit.register(gc.freeze)
    try:
        words = [word for word in arguments if word != "--debug"]
        code = app(words or ["--help"], prog_name="sweep", standalone_mode=False)
        if code == Interrupted.exit_code:  # Typer's answer to Ctrl-C, without a message
            raise KeyboardInterrupt
    except BaseException as error:
        code = _report_error(error, debug="--debug" in arguments)
    IS_COMMAND.reset(command)
    settle_streams()
    sys.exit(code if isinstance(code, int) else 0)


def _report_error(error: BaseException, *, debug: bool) -> Any:
    # The reader of our output has closed the pipe, which Typer answers by `sys.exit(1)`.
    if isinstance(error.__context__ if isinstance(error, SystemExit) else error, BrokenPipeError):
        return 0
    frame = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1]
    # Typer exits like this after it has completed a word, or installed completion in a shell.
    if isinstance(error, SystemExit) and frame.f_globals["__name__"].startswith("typer."):
        return error.code
    if debug:
        traceback.print_exception(error)
    sweep_error = _to_sweep_error(error)
    with contextlib.suppress(OSError):  # the reader of stderr is gone
        print_error(stderr_console(), sweep_error)
    return sweep_error.exit_code


def _to_sweep_error(error: BaseException) -> SweepError:
    if isinstance(error, SweepError):
        return error
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Interrupted("interrupted")
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        hint = f"See `{context.command_path if context else 'sweep'} --help`"
        if "SPACE" in error.format_message():
            hint = f"`sweep init plants.csv` writes a space file. {hint}"
        return (UsageError if error.exit_code == 2 else SweepError)(error.format_message(), hint=hint)
    if isinstance(error, SystemExit):  # only the user's code calls `sys.exit`
        message = f"your code ended the command with `sys.exit({error.code!r})`"
        return SweepError(message, hint="Raise an exception instead. Every finished trial is kept")
    place = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, RuntimeError) and place.name == "expanduser":
        return UsageError("the home folder of this user is unknown, so `~` has no meaning", hint="Set HOME to a folder")
    if isinstance(error, OSError) and place.filename == tempfile.__file__:
        fault = f"can't write temporary files: {error.strerror}"
        return SweepError(fault, hint="Set TMPDIR to a folder that you can write to")
    # A failure of a file is a SweepError with the file's name, so stdout or stderr has failed here.
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return SweepError(f"can't write the output: {error.strerror}", hint="Free disk space, or write it elsewhere")
    where = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119
    message = f"unexpected error ({type(error).__name__} at {where}): {error}"
    return SweepError(message, hint="Run it again with --debug to see the traceback, and please report it")
