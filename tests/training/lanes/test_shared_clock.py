import threading
import time

import pytest

from keras_sweep.training.lanes.shared_clock import SharedClock


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
    with clock.measure("train") as outer, clock.measure("compile") as inner:
        time.sleep(0.02)
    assert inner.seconds >= 0.02
    assert outer.seconds + inner.seconds == pytest.approx(sum(clock.totals().values()))
    assert outer.seconds < inner.seconds


def test_a_thread_that_waits_for_another_is_charged_nothing():
    clock = SharedClock()
    with clock.measure("train") as share, clock.waiting():
        time.sleep(0.02)
    assert share.seconds < 0.02


def test_what_has_not_ended_yet_is_among_the_totals():
    clock = SharedClock()
    with clock.measure("compile"):
        time.sleep(0.01)
        assert clock.totals()["compile"] >= 0.01
