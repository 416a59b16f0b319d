"""Kills a small sweep before and after its n-th call to the disk, for every n; run as a program of its own.

    python -m tests.helpers.kill_everywhere FOLDER STEP [begun]

Each time the files must be sound, and the same sweep run again must complete. Prints how many kills it survived. One
process that has imported everything forks for each kill, so that hundreds take seconds.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.disk_faults import KILL, Faults, injected
from tests.helpers.records import new_folder
from tests.helpers.small_record import check_done, check_sound, run


def killed(folder: SweepFolder, nth: int, *, after: bool) -> bool:
    """Whether a sweep on the folder was killed at its n-th call; False when it has fewer."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with injected(Faults(nth, KILL, after=after)):
                run(folder)
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        raise AssertionError(f"the sweep that was to be killed at call {nth} ended with {code}")
    return code != 0


def main(sweeps: Path, step: int, *, begun: bool) -> int:
    """The number of kills survived, over every `step`-th call."""
    first = new_folder(sweeps, 0)
    survived = 0
    for after in (False, True):
        nth = 1
        while True:
            folder = SweepFolder(sweeps / f"{nth}-{after}")
            if begun:
                shutil.copytree(first.path, folder.path)
            if not killed(folder, nth, after=after):
                break
            check_sound(folder)
            run(folder)
            check_done(folder)
            shutil.rmtree(folder.path)
            survived += 1
            nth += step
    return survived


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), int(sys.argv[2]), begun=sys.argv[3:] == ["begun"]))  # noqa: T201
