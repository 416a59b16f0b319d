"""The `sweep` command: parse, call, print. Every error becomes one red line and an exit code."""

import atexit
import contextlib
import errno
import gc
import os
import sys
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


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"keras-sweep {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (anywhere in the call).")
    ] = False,
) -> None:
    del version, debug


def _add(name: str, function: Callable[..., None], call: str, short_help: str | None = None, **more: Any) -> None:
    """Add a command, which its help names together with the `call` of the Python API that it makes."""
    app.command(name, short_help=short_help, epilog=f"In Python: keras_sweep.{call}", **more)(function)


_add("init", data.init, "init(source)", "Write a first space file for your data, with comments.")
_add("check", run.check, "check(space).estimate()", "List the faults of a space file, and how long a sweep takes.")
_add("run", run.run, "run(space)", "Search, test the winner once, write the best model; resume.", cls=PlainHelp)
_add("list", recorded.list_sweeps, "sweeps()")
_add("leaderboard", recorded.leaderboard, "open(name).leaderboard()")
_add("show", recorded.show, "open(name).show(number)", "One trial: parameters, curve, time, and why it ended.")
_add("report", recorded.report, "open(name).report()", "Write a sweep as one self-contained page.")
_add("log", recorded.log, "open(name).log(to)", "Log the trials to MLflow, W&B or TensorBoard.")
_add("evaluate", recorded.evaluate, "open(name).evaluate()")
_add("export", recorded.export, "open(name).export()", "Write a trial's model, with its card beside it.")
_add("verify", recorded.verify, "verify(path)", "Open an exported model: do the scores of its card come out?")
_add(
    "replay",
    recorded.replay,
    "open(name).replay(number), or .script(number)",
    "Train a trial again by fit: are its numbers the record's?",
    cls=PlainHelp,
)
_add("compare", recorded.compare, "compare(*names)", "Sweeps side by side: do their winners differ?", cls=PlainHelp)
_add("dashboard", recorded.dashboard, "open(name).dashboard()", "Show the record in optuna-dashboard, until Ctrl-C.")
_add("data", data.data, "load_data(source)", "Shapes, class counts and samples of a data set.")
_add("baseline", data.baseline, "baseline(space)", "Fit a linear model on the same rows, as a reference.")
_add("import", data.import_search, "import_optuna(storage)", "Read an Optuna storage into a sweep.")


@replace_closed_streams()
def main(arguments: list[str] | None = None) -> None:
    """Run the command of the arguments (of the process by default) and exit the process with its code."""
    given = sys.argv[1:] if arguments is None else arguments
    command = IS_COMMAND.set(True)
    atexit.register(gc.freeze)  # at the end take nothing apart, which after a search with JAX is most of a second
    try:
        words = [one for one in given if one != "--debug"]
        code = app(words or ["--help"], prog_name="sweep", standalone_mode=False)
        if code == Interrupted.exit_code:  # typer's answer to Ctrl-C, which says nothing
            raise KeyboardInterrupt
    except BaseException as error:
        code = _exit_code(error, debug="--debug" in given)
    IS_COMMAND.reset(command)
    settle_streams()
    sys.exit(code if isinstance(code, int) else 0)


def _exit_code(error: BaseException, *, debug: bool) -> Any:
    """The exit code; the error is printed."""
    if isinstance(error.__context__ if isinstance(error, SystemExit) else error, BrokenPipeError):
        return 0  # the reader of our output has seen enough: typer answers that by `sys.exit(1)`
    frame = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][-1]
    if isinstance(error, SystemExit) and frame.f_globals["__name__"].startswith("typer."):
        return error.code  # it has completed a word, or installed completion in a shell
    if debug:
        traceback.print_exception(error)
    told = _told(error)
    with contextlib.suppress(OSError):  # there may be nobody left to tell
        print_error(stderr_console(), told)
    return told.exit_code


def _told(error: BaseException) -> SweepError:
    """The error as it is told."""
    if isinstance(error, SweepError):
        return error
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return Interrupted("interrupted")
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        hint = f"`{context.command_path if context else 'sweep'} --help` says what there is"
        if "SPACE" in error.format_message():
            hint = f"Write one with `sweep init plants.csv`, say; {hint}"
        return (UsageError if error.exit_code == 2 else SweepError)(error.format_message(), hint=hint)
    if isinstance(error, SystemExit):  # nothing of ours ends the process so
        message = f"code of yours ended the command by `sys.exit({error.code!r})`"
        return SweepError(message, hint="Raise an exception instead; everything finished is kept")
    if isinstance(error, OSError) and error.errno in NO_ROOM:  # of a stream: what fails of files is told by their names
        return SweepError(f"the output can't be written: {error.strerror}", hint="Make room, or send it elsewhere")
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119
    message = f"this should not have happened ({type(error).__name__} at {where}): {error}"
    return SweepError(message, hint="The same call with --debug shows where; please report it")
