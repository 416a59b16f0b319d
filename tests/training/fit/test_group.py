"""A trial by `fit` that workers train: how far, and from where it goes on."""

import pickle

import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.segments import train_segment
from keras_sweep.training.workers.pool import ExecutorPool
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import Watching, assert_same_bits, suggestions, train

SPEC = make_spec()
TRIALS = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 9} for rate in (0.01, 1e-5)))


class Asked(ExecutorPool):
    """Keeps from which epoch to which each segment was asked for, by trial; loses those of one epoch once."""

    def __init__(self, executor, lost=None):
        super().__init__(executor)
        self.segments, self.lost = {}, lost

    def submit(self, function, *arguments):
        if train_segment in arguments:
            pickled, until = arguments[arguments.index(train_segment) + 2 :][:2]
            group = pickle.loads(pickled)
            self.segments.setdefault(group.lane.number, []).append((group.epoch, until))
            if self.lost == group.epoch:
                self.lost = None
                raise OSError("gone")
        return super().submit(function, *arguments)


@pytest.fixture(scope="module")
def data():
    return load_search_data(SPEC)  # as a worker reads them


def watching():
    return Watching(rung_epochs=(2, 6), stop_below=0.5)


def test_a_rung_spares_the_epochs_after_it_on_workers_too(data, threads):
    pool, watch, here = Asked(threads), watching(), watching()
    results = train(FitRunner(SPEC, data, workers=pool), TRIALS, watch)
    assert_same_bits(results, train(FitRunner(SPEC, data), TRIALS, here))
    assert [results[number].state for number in (0, 1)] == ["COMPLETE", "PRUNED"]
    assert [until for _, until in pool.segments[1]] == [2]
    assert [epoch for epoch, _ in pool.segments[0]] == [0, 2, 6]
    assert sorted(watch.epochs) == sorted(here.epochs) and len(watch.rungs_called) == len(here.rungs_called)


def test_a_trial_whose_worker_is_lost_goes_on_from_its_last_segment(data, threads):
    pool, notices = Asked(threads, lost=2), []
    results = train(FitRunner(SPEC, data, workers=pool, notice=notices.append), TRIALS[:1], watching())
    assert_same_bits(results, train(FitRunner(SPEC, data), TRIALS[:1], watching()))
    assert [epoch for epoch, _ in pool.segments[0]] == [0, 2, 2, 6]
    assert notices == ["workers train trial 0 from epoch 3 again: OSError: gone"]
