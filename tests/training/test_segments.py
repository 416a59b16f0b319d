"""Which group trains next: the one with the most left, so many at once, and none while its segment is read."""

import pickle
import threading
from concurrent.futures import Future
from types import SimpleNamespace

from keras_sweep.training.group import Report, Segment
from keras_sweep.training.lanes.packing import CPU
from keras_sweep.training.lanes.programs import Programs
from keras_sweep.training.segments import Segments, train_segment
from tests.helpers.factory import digits, make_spec


class Counted:
    """A group that only counts what it has left."""

    def __init__(self, remaining: int) -> None:
        self.remaining = remaining
        self.taken = 0  # segments

    @property
    def training(self) -> bool:
        return self.remaining > 0

    def take(self, other) -> None:
        assert other is not self
        self.taken += 1
        self.remaining -= 1


class Pool:
    """Trains nothing until it is told that a segment has ended."""

    def __init__(self, at_once: int, can_go_on=lambda group: True) -> None:
        self.begun: list[tuple[Counted, Future]] = []
        self.segments = Segments(self.train, at_once, can_go_on)

    def train(self, group) -> Future:
        future: Future = Future()
        self.begun.append((group, future))
        return future

    @property
    def groups(self) -> list[Counted]:
        """Those that are being trained, in the order in which they began."""
        return [group for group, future in self.begun if not future.done()]

    def end(self, group, error: Exception | None = None) -> None:
        future = next(future for one, future in self.begun if one is group and not future.done())
        future.set_result(Segment(Counted(group.remaining), [])) if error is None else future.set_exception(error)


def test_the_group_with_the_most_left_is_next_and_only_so_many_train_at_once():
    short, long, longer, done = Counted(1), Counted(5), Counted(7), Counted(0)
    pool = Pool(2)
    assert not pool.segments.is_working
    pool.segments.set([short, long, longer, done])
    assert pool.groups == [longer, long] and pool.segments.is_working
    pool.end(longer)  # six are left, more than of any other
    assert pool.groups == [long, longer] and longer.taken == 1
    longer.remaining = 0
    pool.end(longer)
    assert pool.groups == [long, short]
    assert [group for group, _ in [*pool.segments.next(), *pool.segments.next()]] == [longer, longer]


def test_a_group_that_may_not_go_on_waits_until_it_is_looked_at_again():
    first, second = Counted(3), Counted(2)
    waiting = {first}
    pool = Pool(2, lambda group: group not in waiting)
    pool.segments.set([first])
    assert pool.groups == [] and pool.segments.is_working
    pool.segments.set([first, second])
    assert pool.groups == [second]
    waiting.clear()
    pool.segments.set([first, second])
    assert pool.groups == [second, first]


def test_a_lost_segment_is_told_and_trained_again_only_once_it_is_set():
    group, error = Counted(3), RuntimeError("the worker is gone")
    pool = Pool(1)
    pool.segments.set([group])
    pool.end(group, error)
    assert pool.groups == [] and group.taken == 0
    ((ended, segment),) = pool.segments.next()
    assert ended is group and segment.exception() is error
    pool.segments.set([group])
    assert pool.groups == [group]


def test_a_pause_hands_over_all_that_has_ended_and_begins_none():
    first, second = Counted(3), Counted(3)
    pool = Pool(2)
    pool.segments.set([first, second])

    def meanwhile() -> None:
        if pool.groups:
            pool.end(pool.groups[0])

    ended = pool.segments.pause(meanwhile)
    assert [group for group, _ in ended] == [first, second] and pool.groups == []
    assert pool.segments.next() == []
    pool.segments.set([first, second])
    assert pool.groups == [first, second]


def test_there_is_work_until_the_last_segment_was_read():
    group = Counted(1)
    pool = Pool(3)
    pool.segments.set([group])
    pool.segments.set([group])
    assert pool.groups == [group]  # which does not train twice at once
    pool.end(group)
    pool.segments.set([])
    assert pool.segments.is_working
    pool.segments.next()
    assert not pool.segments.is_working


def test_while_all_stand_still_no_group_takes_up_its_segment():
    group = Counted(2)
    pool = Pool(1)
    pool.segments.set([group])
    ended = threading.Thread(target=pool.end, args=(group,))
    with pool.segments.lock:
        ended.start()
        ended.join(0.05)
        assert ended.is_alive() and group.taken == 0
    ended.join()
    assert group.taken == 1


class Sent:
    """A group as it is sent to a worker."""

    moves = True

    def attach(self, programs):
        self.programs = programs
        return self

    def train(self, until, stopping):
        return Segment(self, [Report(until), self.programs, stopping])

    def at_rest(self):
        return "at rest"


def test_a_worker_trains_a_copy_of_the_group_on_programs_of_its_own_and_sends_it_back_at_rest():
    programs = SimpleNamespace()
    worker = SimpleNamespace(get_programs=lambda make: (programs, make), stopping=lambda: False)
    ended = train_segment(worker, CPU, pickle.dumps(Sent()), 7)
    report, (of_worker, make), stopping = ended.reports
    assert (ended.group, report.epoch, stopping()) == ("at rest", 7, False)
    made = make(make_spec(), digits())
    assert of_worker is programs and type(made) is Programs and made._device is CPU
    assert train_segment(worker, CPU, pickle.dumps(Sent()), 7, 0.0).reports[-1]()  # a while is over
