"""Start the `sweep` command. From here on Ctrl-C or SIGTERM ends it with a single line, even during imports.

Ctrl-C as an exception can get lost: in callbacks of the garbage collector, during imports, in C code that does not
check for it. Once `sweep run` trains, Ctrl-C only asks it to stop (`process/stop_request.py`).
"""

import signal
import warnings

from keras_sweep.process.stop_request import SIGNALS, end_now


def main() -> None:
    """Run the command of the process's arguments, and exit."""
    for number in SIGNALS:
        # A signal that the shell has set to be ignored stays ignored.
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, lambda _number, _frame: end_now("interrupted"))
    # With PYTHONWARNINGS=error, a deprecation warning of a library would end a sweep.
    warnings.filters[:] = [rule for rule in warnings.filters if rule[0] != "error"]  # type: ignore[index]
    from keras_sweep.cli.main import main

    main()
