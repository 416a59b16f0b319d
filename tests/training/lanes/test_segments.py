"""Which group trains next, and what becomes of a segment that ends, is lost, or waits to be read."""

import pickle
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from keras_sweep.training.lanes import programs
from keras_sweep.training.lanes.packing import Device
from keras_sweep.training.lanes.segments import Segments, train_segment


@dataclass(eq=False)
class Epochs:
    """A group of which only the number of epochs left is known."""

    remaining: int
    took: list[object] = field(default_factory=list)

    @property
    def training(self):
        return self.remaining > 0

    def take(self, group):
        self.took.append(group)
        self.remaining -= 1


class Threads:
    """Trains by hand: each segment ends when the test says so."""

    def __init__(self, at_once=1, may_go_on=lambda group: True):
        self.begun = []
        self.segments = Segments(self.train, at_once, may_go_on)

    def train(self, group):
        future = Future()
        self.begun.append((group, future))
        return future

    @property
    def groups(self):
        return [group for group, _ in self.begun]

    def end(self, index=-1, error=None):
        group, future = self.begun[index]
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(SimpleNamespace(group=f"segment of {group.remaining}"))
        return group, future


def test_the_group_with_the_most_to_do_goes_first_and_so_many_at_once():
    few, most, some, done = Epochs(1), Epochs(9), Epochs(4), Epochs(0)
    threads = Threads(at_once=2)
    assert not threads.segments.working and threads.begun == []
    threads.segments.set([few, most, done, some])
    assert threads.groups == [most, some] and threads.segments.working
    threads.end(0)
    assert threads.groups == [most, some, most]  # 8 are more than 4 and 1
    assert most.took == ["segment of 9"]


def test_a_group_trains_one_segment_at_a_time_until_it_is_done():
    group, threads = Epochs(2), Threads(at_once=3)
    threads.segments.set([group])
    assert threads.groups == [group]
    ended = threads.end()
    assert threads.groups == [group, group]
    last = threads.end()
    assert threads.groups == [group, group] and group.remaining == 0
    assert [threads.segments.next(), threads.segments.next()] == [[ended], [last]]
    threads.segments.set([group])
    assert not threads.segments.working


def test_what_has_ended_is_there_to_be_read_though_nothing_trains():
    group, threads = Epochs(1), Threads()
    threads.segments.set([group])
    threads.end()
    threads.segments.set([])
    assert threads.segments.working
    assert len(threads.segments.next()) == 1
    assert not threads.segments.working
    assert threads.segments.next() == []


def test_a_group_that_may_not_go_on_waits_until_it_may():
    allowed, group = [], Epochs(3)
    threads = Threads(may_go_on=lambda one: one in allowed)
    threads.segments.set([group])
    assert threads.begun == [] and threads.segments.working
    allowed.append(group)
    threads.segments.set([group])
    assert threads.groups == [group]


def test_a_segment_that_is_lost_changes_nothing_and_is_trained_again_where_that_is_asked():
    lost, other, threads = Epochs(5), Epochs(2), Threads()
    threads.segments.set([lost, other])
    assert threads.groups == [lost]
    failed = threads.end(error=RuntimeError("gone"))
    assert lost.took == [] and lost.remaining == 5
    assert threads.groups == [lost, other]  # not the lost one at once, which would be lost again
    assert threads.segments.next() == [failed]
    threads.end()
    assert threads.groups == [lost, other, other]
    threads.segments.set([lost, other])
    threads.end()
    assert threads.groups == [lost, other, other, lost]


def test_a_pause_waits_for_what_trains_and_begins_nothing_until_groups_are_set():
    group, other = Epochs(9), Epochs(8)
    threads, looked = Threads(at_once=2), []
    threads.segments.set([group, other])

    def meanwhile():
        looked.append(len(threads.begun))
        if len(looked) == 1:
            threads.end(0)
        elif len(looked) == 2:
            threads.end(1)

    ended = threads.segments.pause(meanwhile)
    assert [one for one, _ in ended] == [group, other]
    assert looked == [2, 2] and threads.groups == [group, other]
    assert threads.segments.next() == []
    threads.segments.set([group, other])
    assert len(threads.begun) == 4


def test_a_pause_ends_at_once_where_nothing_trains():
    threads = Threads()
    looked = []
    assert threads.segments.pause(lambda: looked.append(1)) == [] and looked == [1]


def test_a_pause_is_told_of_an_end_in_another_thread(monkeypatch):
    monkeypatch.setattr("keras_sweep.training.lanes.segments.LOOK_SECONDS", 60)  # so that only a notice wakes it
    threads = Threads()
    threads.segments.set([Epochs(3)])
    ending = threading.Timer(0, threads.end)
    assert len(threads.segments.pause(ending.start)) == 1
    ending.join()


def test_inside_still_no_group_takes_up_what_its_segment_came_to():
    group, threads = Epochs(3), Threads()
    threads.segments.set([group])
    ending = threading.Thread(target=threads.end)
    with threads.segments.still():
        with ThreadPoolExecutor(1) as another:
            assert another.submit(threads.segments.still().acquire, False).result() is False
        ending.start()
        assert group.took == []
        threads.segments.set([group])  # the same thread may
    ending.join()
    assert group.took == ["segment of 3"]


class Sent:
    """A group that is sent to a worker."""

    def on(self, tool):
        self.tool = tool
        return self

    def train(self, until, stopping):
        self.trained = until, stopping
        return Answer(self)

    def at_rest(self):
        return "at rest", self.tool, self.trained


@dataclass(frozen=True)
class Answer:
    group: object
    rows: int = 7


def test_a_worker_trains_a_copy_of_the_group_and_sends_back_where_it_stands():
    asked, device, group = [], Device(lanes=3), Sent()

    def tool(key, make):
        asked.append((key, make.func, make.keywords))
        return "programs of the worker"

    worker = SimpleNamespace(tool=tool, stopping="whether it is to stop")
    found = train_segment(worker, device, pickle.dumps(group), 12)
    assert found == Answer(("at rest", "programs of the worker", (12, "whether it is to stop")), 7)
    assert asked == [(device, programs.Programs, {"device": device})]
    assert not hasattr(group, "tool")


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_never_more_train_than_may_at_once(at_once):
    threads = Threads(at_once)
    threads.segments.set([Epochs(3) for _ in range(4)])
    while threads.segments.working:
        running = [index for index, (_, future) in enumerate(threads.begun) if not future.done()]
        assert len(running) <= at_once
        if running:
            threads.end(running[0])
        threads.segments.next()
        if not running:
            break
    assert len(threads.begun) == 12
