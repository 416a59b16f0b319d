"""Start the `sweep` command, which Ctrl-C or SIGTERM ends with a single line, even during imports.

The exception KeyboardInterrupt can get lost in the garbage collector, in imports, and in C code. Signal handlers can't.
While `sweep run` trains, Ctrl-C only asks the sweep to stop (`process/stop_request.py`).
"""

import os
import signal
import warnings

from keras_sweep.process.stop_request import end_now
from keras_sweep.system.processes import SIGNALS


def main() -> None:
    for number in SIGNALS:
        # A signal that the shell has set to be ignored stays ignored.
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, lambda _number, _frame: end_now("interrupted"))
    # With PYTHONWARNINGS=error, a deprecation warning of a library would end a sweep.
    warnings.filters[:] = [rule for rule in warnings.filters if rule[0] != "error"]  # type: ignore[index]
    # Otherwise each thread of OpenBLAS spins for 2 ** 28 cycles before it sleeps, also when NumPy is imported.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
    from keras_sweep.cli.main import main

    main()
