import time

import pytest

from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.events import EpochEnded
from tests.helpers.factory import make_spec
from tests.helpers.lane_trials import GENERATION, Watching, assert_same_bits, go_on, lanes, suggestions, train


def test_it_goes_on_after_every_stop(data, tmp_path):
    whole, done = lanes(make_spec(), data, GENERATION), {}
    for _ in range(60):
        runner = CompiledRunner(make_spec(), data, checkpoints=tmp_path)
        wanted = {trial.number for trial in GENERATION} - set(done)
        done |= train(runner, GENERATION, Watching(stop_after=len(wanted) + 3), wanted)
        if len(done) == len(GENERATION):
            break
    assert_same_bits(done, whole)


SAME_PROGRAM = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 4} for rate in (0.01, 0.02)))


class Slow(Watching):
    """Gives the program time to come to its rung and wait there, its reports unread."""

    def __call__(self, event):
        super().__call__(event)
        if isinstance(event, EpochEnded) and event.epoch == 1:
            time.sleep(1.0)


class LateStop(Watching):
    """Asks to stop when the program has gone on to its rung meanwhile."""

    def stopping(self):
        if super().stopping():
            time.sleep(1.0)
            return True
        return False


def test_a_generation_stopped_while_all_wait_at_a_rung_climbs_it_when_it_goes_on(data, tmp_path):
    rungs = {"rung_epochs": (2,), "stop_below": -1.0}
    whole = lanes(make_spec(), data, SAME_PROGRAM, Watching(**rungs))
    done = lanes(make_spec(), data, SAME_PROGRAM, LateStop(stop_after=2, **rungs), checkpoints=tmp_path)
    watch = Watching(**rungs)
    assert_same_bits(go_on(CompiledRunner, make_spec(), data, tmp_path, SAME_PROGRAM, done, watch), whole)
    assert [epoch for epoch, _ in watch.rungs_called] == [2]


def test_a_snapshot_that_reads_the_last_report_before_a_rung_does_not_stop_the_climb(data, tmp_path):
    rungs = {"rung_epochs": (2,), "stop_below": -1.0}
    whole = lanes(make_spec(), data, SAME_PROGRAM, Watching(**rungs))
    often = lanes(make_spec(), data, SAME_PROGRAM, Slow(**rungs), checkpoints=tmp_path, checkpoint_seconds=0.0)
    assert set(often) == set(whole)
    assert_same_bits(often, whole)


@pytest.mark.parametrize(
    "totals",
    [
        [(2, 5), (6, None)],
        [(2, 12), (4, 14), (6, None)],
        [(6, 9), (1, 3), (6, None)],
        [(3, 20), (5, 1), (2, 1), (6, None)],
    ],
    ids=str,
)
@pytest.mark.parametrize("rung_epochs", [(), (2, 6)], ids=["no rungs", "rungs"])
def test_a_larger_total_after_a_stop_trains_also_those_that_nobody_wanted_before(data, tmp_path, totals, rung_epochs):
    """Each total asks for the first so many trials, and is stopped after so many epochs were reported."""
    rungs = {"rung_epochs": rung_epochs, "stop_below": 0.3}
    whole, done = lanes(make_spec(), data, GENERATION, Watching(**rungs)), {}
    for total, after in totals:
        runner = CompiledRunner(make_spec(), data, checkpoints=tmp_path)
        done |= train(runner, GENERATION, Watching(stop_after=after, **rungs), set(range(total)) - set(done))
    assert set(done) == set(whole)
    assert_same_bits(done, whole)
