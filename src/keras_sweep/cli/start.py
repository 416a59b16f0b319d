"""Where the `sweep` command begins: Ctrl-C is said in one line also while the rest of the command is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command of the process's arguments, and exit."""
    try:
        from keras_sweep.cli.main import main

        main()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
