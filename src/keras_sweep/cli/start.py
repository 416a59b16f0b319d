"""Where the `sweep` command begins: Ctrl-C ends it in one line whatever it does, also while it is still imported.

As an exception Ctrl-C is lost in libraries: in callbacks of Python's garbage collector, amid imports, in C code that
does not look for it. `sweep run` asks to stop instead once it trains (`process/stop_request.py`).
"""

import signal
import warnings

from keras_sweep.process.stop_request import end_now


def main() -> None:
    """Run the command of the process's arguments, and exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is to be ignored
        signal.signal(signal.SIGINT, lambda _number, _frame: end_now("interrupted"))
    # By PYTHONWARNINGS=error a library that warns of its own future would end a sweep.
    warnings.filters[:] = [each for each in warnings.filters if each[0] != "error"]  # type: ignore[index]
    from keras_sweep.cli.main import main

    main()
