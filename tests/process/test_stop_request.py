"""Signals as they come to a process: the first asks, the second ends; what was ignored stays ignored."""

import gc
import os
import signal
import subprocess
import sys
import time

import pytest

from keras_sweep.errors import Interrupted
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.system.processes import SIGNALS


def has_seen(stop: StopRequest) -> bool:
    """Whether it has the signal, for which its thread is given as long as a busy machine may need."""
    deadline = time.monotonic() + 60
    while not stop.signalled and time.monotonic() < deadline:
        time.sleep(0.01)
    return stop.signalled


def test_the_time_runs_out() -> None:
    stop = StopRequest()
    stop.limit(60)
    assert not stop
    stop.limit(0)
    assert stop
    assert not stop.signalled


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_once_there_is_something_to_finish(number: signal.Signals) -> None:
    former = signal.signal(number, signal.default_int_handler)
    try:
        with StopRequest() as stop:
            stop.can_finish = True
            os.kill(os.getpid(), number)
            assert has_seen(stop)
        assert signal.getsignal(number) is signal.default_int_handler
        with StopRequest(ends_process=False) as stop, pytest.raises(Interrupted, match="the same command resumes"):
            os.kill(os.getpid(), number)
            signal.sigtimedwait([], 60)  # a signal ends the wait
    finally:
        signal.signal(number, former)


@pytest.mark.posix
def test_an_ignored_signal_stays_ignored() -> None:
    """Of two signals the later one is seen, after which the first would have been."""
    ways = {signal.SIGHUP: signal.SIG_IGN, signal.SIGINT: signal.default_int_handler}
    former = {number: signal.signal(number, handler) for number, handler in ways.items()}
    try:
        with StopRequest() as stop:
            stop.can_finish = True
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop
            os.kill(os.getpid(), signal.SIGINT)  # as a second signal it would end the process
            assert has_seen(stop)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


TWICE = """
import os, signal, sys, time
from keras_sweep.process.stop_request import StopRequest
signal.signal(signal.SIGTERM, signal.SIG_DFL)
with StopRequest() as stop:
    stop.can_finish = True
    os.kill(os.getpid(), signal.SIGTERM)
    while not stop.signalled:
        time.sleep(0.01)
    print("goes on", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""


def test_the_second_signal_ends_the_process_also_with_stderr_closed() -> None:
    for close in ("", "os.close(2)\n"):
        code = TWICE.replace("with StopRequest", close + "with StopRequest", 1)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
        assert done.returncode == 130, done.stderr
        assert done.stdout == "goes on\n"
        assert done.stderr == (
            "" if close else "stopped at once; every finished trial is kept, and the same command resumes\n"
        )


def test_a_signal_amid_an_import_raises_once_that_has_ended() -> None:
    steps = []
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where a shell runs this beside
    try:
        with StopRequest(ends_process=False) as stop, pytest.raises(Interrupted):
            with stop.guard_imports():
                signal.raise_signal(signal.SIGINT)
                steps.append("went on")
            steps.append("forgot the signal")
    finally:
        signal.signal(signal.SIGINT, former)
    assert steps == ["went on"]


def test_no_garbage_is_collected_while_packages_are_imported_and_again_after_that():
    with StopRequest() as stop:
        with stop.guard_imports():
            assert not gc.isenabled()
        assert gc.isenabled()
