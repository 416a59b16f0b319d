import time

import pytest

from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.lanes.snapshot import FILE
from keras_sweep.trial.events import EpochEnded
from tests.helpers.factory import EPOCHS, LEARNING_RATE, make_spec
from tests.helpers.lane_trials import Watching, assert_same_bits, lanes, suggestions, train, user_spec

TRIALS = suggestions(
    {"optimizer": "adam", "learning_rate": 0.01, "epochs": 18},
    {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 12},
    {"optimizer": "rmsprop", "learning_rate": 0.001, "epochs": 15},
    {"optimizer": "adam", "learning_rate": 0.001, "epochs": 6},
    {"optimizer": "adam", "learning_rate": 0.003, "epochs": 15, "batch_size": 100},
    {"optimizer": "adam", "learning_rate": 1e-4, "epochs": 15},
)


def stopped(spec, data, folder, trials=TRIALS, after=5, **watching):
    done = lanes(spec, data, trials, Watching(stop_after=after, **watching), checkpoints=folder)
    assert (folder / FILE).exists()
    return done


def go_on(spec, data, folder, done, trials=TRIALS, watch=None, notice=None):
    runner = CompiledRunner(spec, data, checkpoints=folder, notice=notice)
    return done | train(runner, trials, watch, {trial.number for trial in trials} - set(done))


@pytest.mark.parametrize("after", [1, 10, 30])
def test_a_stopped_generation_goes_on_from_its_snapshot_and_ends_with_the_same_bits(data, tmp_path, after):
    whole = lanes(make_spec(), data, TRIALS)
    done = stopped(make_spec(), data, tmp_path, after=after)
    watch = Watching()
    results = go_on(make_spec(), data, tmp_path, done, watch=watch)
    assert set(results) == set(whole)
    assert_same_bits(results, whole)
    assert len(watch.epochs) < sum(trial.params["epochs"] for trial in TRIALS)
    assert not (tmp_path / FILE).exists()


def test_it_goes_on_after_every_stop(data, tmp_path):
    whole, done = lanes(make_spec(), data, TRIALS), {}
    for _ in range(60):
        runner = CompiledRunner(make_spec(), data, checkpoints=tmp_path)
        wanted = {trial.number for trial in TRIALS} - set(done)
        done |= train(runner, TRIALS, Watching(stop_after=len(wanted) + 3), wanted)
        if len(done) == len(TRIALS):
            break
    assert_same_bits(done, whole)


def test_rungs_that_were_called_are_called_again_with_the_same_values(data, tmp_path):
    rungs = {"rung_epochs": (2, 6), "stop_below": 0.3}
    unbroken = Watching(**rungs)
    whole = lanes(make_spec(), data, TRIALS, unbroken)
    done = stopped(make_spec(), data, tmp_path, after=14, **rungs)
    watch = Watching(**rungs)
    assert_same_bits(go_on(make_spec(), data, tmp_path, done, watch=watch), whole)
    assert watch.rungs_called == unbroken.rungs_called
    assert any(result.reason for result in whole.values())


def test_best_weights_and_the_state_of_layers_survive_a_stop(data, tmp_path):
    spec = user_spec("convolutional", take_best=True)
    trials = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 20} for rate in (0.3, 0.03)))
    whole = lanes(spec, data, trials)
    done = stopped(spec, data, tmp_path, trials, after=4)
    assert_same_bits(go_on(spec, data, tmp_path, done, trials), whole)


@pytest.mark.parametrize("damage", ["cut", "altered", "empty", "text"])
def test_a_damaged_snapshot_is_ignored_with_a_notice(data, tmp_path, damage):
    trials = TRIALS[:2]
    done = stopped(make_spec(), data, tmp_path, trials, after=3)
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(byte ^ 255 for byte in content[middle : middle + 200])  # beyond any header
    path.write_bytes({"cut": content[:middle], "altered": content, "empty": b"", "text": b"no snapshot"}[damage])
    notices = []
    results = go_on(make_spec(), data, tmp_path, done, trials, notice=notices.append)
    assert_same_bits(results, lanes(make_spec(), data, trials))
    assert len(notices) == 1
    assert "a snapshot is not usable, so its trials train from their start" in notices[0]
    assert not path.exists()


def test_a_snapshot_of_other_trials_is_not_taken_up(data, tmp_path):
    stopped(make_spec(), data, tmp_path)
    other = suggestions({"optimizer": "adam", "learning_rate": 0.02, "epochs": 2})
    assert_same_bits(go_on(make_spec(), data, tmp_path, {}, other), lanes(make_spec(), data, other))


def test_snapshots_are_written_while_it_trains(data, tmp_path):
    found = []

    class Looking(Watching):
        def __call__(self, event):
            super().__call__(event)
            if isinstance(event, EpochEnded):
                found.append((tmp_path / FILE).exists())

    whole = lanes(make_spec(), data, TRIALS)
    results = lanes(make_spec(), data, TRIALS, Looking(), checkpoints=tmp_path, snapshot_seconds=0.0)
    assert any(found)
    assert_same_bits(results, whole)
    assert not (tmp_path / FILE).exists()


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
    assert_same_bits(go_on(make_spec(), data, tmp_path, done, SAME_PROGRAM, watch), whole)
    assert [epoch for epoch, _ in watch.rungs_called] == [2]


def test_a_snapshot_that_reads_the_last_report_before_a_rung_does_not_stop_the_climb(data, tmp_path):
    rungs = {"rung_epochs": (2,), "stop_below": -1.0}
    whole = lanes(make_spec(), data, SAME_PROGRAM, Watching(**rungs))
    often = lanes(make_spec(), data, SAME_PROGRAM, Slow(**rungs), checkpoints=tmp_path, snapshot_seconds=0.0)
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
    whole, done = lanes(make_spec(), data, TRIALS, Watching(**rungs)), {}
    for total, after in totals:
        runner = CompiledRunner(make_spec(), data, checkpoints=tmp_path)
        done |= train(runner, TRIALS, Watching(stop_after=after, **rungs), set(range(total)) - set(done))
    assert set(done) == set(whole)
    assert_same_bits(done, whole)


def test_lanes_of_other_depths_penalties_and_batch_sizes_go_on_with_the_same_bits(data, tmp_path):
    l2 = Parameter("model.l2", Categorical((0.0, 0.01)))
    hidden = Parameter("model.hidden", Categorical(((), (7,), (33, 20))))
    activation = Parameter("model.hidden_activation", Categorical(("relu", "tanh")))
    spec = make_spec((LEARNING_RATE, EPOCHS, Parameter("batch_size", Categorical((32, 64))), hidden, activation, l2))
    values = (
        ((), "relu", 32, 0.0),
        ((7,), "tanh", 64, 0.01),
        ((33, 20), "relu", 64, 0.0),
        ((33, 20), "tanh", 32, 0.01),
    )
    trials = suggestions(
        *(
            {
                "optimizer": "adam",
                "learning_rate": 0.01,
                "epochs": 18,
                "batch_size": size,
                "model.hidden": widths,
                "model.hidden_activation": name,
                "model.l2": factor,
            }
            for widths, name, size, factor in values
        )
    )
    whole = lanes(spec, data, trials)
    done = stopped(spec, data, tmp_path, trials, after=9)
    assert_same_bits(go_on(spec, data, tmp_path, done, trials), whole)
