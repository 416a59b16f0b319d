import threading
import time

import pytest

from keras_sweep.training.lanes.shared_clock import SharedClock


def sleep(seconds):
    """The seconds that it took."""
    started = time.perf_counter()
    time.sleep(seconds)
    return time.perf_counter() - started


def test_what_runs_at_once_shares_each_moment():
    clock = SharedClock()
    both = threading.Barrier(2)

    def work():
        with clock.measure("train"):
            both.wait()
            time.sleep(0.05)
            both.wait()

    started = time.perf_counter()
    thread = threading.Thread(target=work)
    thread.start()
    with clock.measure("compile"):
        both.wait()
        both.wait()
    thread.join()
    wall = time.perf_counter() - started
    totals = clock.totals()
    assert totals["train"] > 0 and totals["compile"] > 0
    assert sum(totals.values()) <= wall


def test_a_piece_inside_another_is_charged_once():
    clock = SharedClock()
    started = time.perf_counter()
    with clock.measure("train") as outer, clock.measure("compile") as inner:
        slept = sleep(0.02)
    assert inner.seconds >= slept
    assert outer.seconds + inner.seconds == pytest.approx(sum(clock.totals().values()))
    assert outer.seconds <= time.perf_counter() - started - slept


def test_a_thread_that_waits_for_another_is_charged_nothing():
    clock = SharedClock()
    started = time.perf_counter()
    with clock.measure("train") as share, clock.waiting():
        slept = sleep(0.02)
    assert share.seconds <= time.perf_counter() - started - slept


def test_what_has_not_ended_yet_is_among_the_totals():
    clock = SharedClock()
    with clock.measure("compile"):
        time.sleep(0.01)
        assert clock.totals()["compile"] >= 0.01
