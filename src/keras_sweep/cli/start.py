"""Where the `sweep` command begins: Ctrl-C or SIGTERM ends it in one line whatever it does, also amid imports.

As an exception Ctrl-C is lost in libraries: in callbacks of Python's garbage collector, amid imports, in C code that
does not look for it. `sweep run` asks to stop instead once it trains (`process/stop_request.py`).
"""

import signal
import warnings

from keras_sweep.process.stop_request import SIGNALS, end_now


def main() -> None:
    """Run the command of the process's arguments, and exit."""
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):  # not where it is to be ignored
            signal.signal(number, lambda _number, _frame: end_now("interrupted"))
    # By PYTHONWARNINGS=error a library that warns of its own future would end a sweep.
    warnings.filters[:] = [each for each in warnings.filters if each[0] != "error"]  # type: ignore[index]
    from keras_sweep.cli.main import main

    main()
