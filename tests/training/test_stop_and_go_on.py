"""Training that was stopped goes on from its checkpoint, and ends with the bits of a run left alone."""

from functools import cache

import pytest

from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Parameter
from keras_sweep.training import checkpoint
from keras_sweep.training.checkpoint import FILE
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.segments import Segments
from tests.helpers.factory import EPOCHS, LEARNING_RATE, make_spec
from tests.helpers.lane_trials import (
    GENERATION,
    Watching,
    assert_same_bits,
    go_on,
    lanes,
    stopped,
    suggestions,
    train,
    user_spec,
)
from tests.helpers.long_sweep import wait_for

BY_FIT = suggestions(
    {"optimizer": "adam", "learning_rate": 0.01, "epochs": 6},
    {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 4},
)
ADAM = suggestions({"optimizer": "adam", "learning_rate": 0.03, "epochs": 8})
TRIALS = {CompiledRunner: GENERATION, FitRunner: BY_FIT}
RUNGS = {"rung_epochs": (2, 6), "stop_below": 0.3}
AT_THE_ENDS = [(FitRunner, 1), (FitRunner, 8), (CompiledRunner, 1)]
either = pytest.mark.parametrize("kind", TRIALS)


def whole(kind, spec, data, trials, watch=None, **arguments):
    return train(kind(spec, data, **arguments), trials, watch)


@pytest.fixture(scope="module")
def left_alone(data):
    """What the first so many trials of a kind come to if nothing stops them; each trained once for all tests."""
    return cache(lambda kind, first=None: whole(kind, make_spec(), data, TRIALS[kind][:first]))


@pytest.fixture(scope="module")
def with_rungs(data):
    """And if they are compared at rungs; what was watched is told, too."""

    @cache
    def trained(kind):
        watch = Watching(**RUNGS)
        return whole(kind, make_spec(), data, TRIALS[kind], watch), watch

    return trained


@pytest.mark.parametrize(
    ("kind", "after"),
    [(FitRunner, 5), (CompiledRunner, 8), *(pytest.param(*case, marks=pytest.mark.soak) for case in AT_THE_ENDS)],
)
def test_what_was_stopped_goes_on_from_its_epoch_and_ends_with_the_same_bits(data, left_alone, tmp_path, kind, after):
    trials, watch = TRIALS[kind], Watching()
    done = stopped(kind, make_spec(), data, tmp_path, trials, after)
    results = go_on(kind, make_spec(), data, tmp_path, trials, done, watch)
    assert set(results) == set(left_alone(kind))
    assert_same_bits(results, left_alone(kind))
    spared = sum(trial.params["epochs"] for trial in trials) - len(watch.epochs)
    assert spared == after - 1 if kind is FitRunner else spared > 0
    assert not (tmp_path / FILE).exists()


def test_stopped_after_its_last_epoch_a_trial_has_ended(data, tmp_path):
    watch = Watching(stop_after=6)
    (result, *more) = whole(FitRunner, make_spec(), data, BY_FIT[:1], watch, checkpoints=tmp_path).values()
    assert not more
    assert len(result.curve["val_accuracy"]) == 6


MODEL = (("hidden", ((), (7,), (33, 20))), ("hidden_activation", ("relu", "tanh")), ("l2", (0.0, 0.01)))
SHARING = make_spec(
    (
        LEARNING_RATE,
        EPOCHS,
        Parameter("batch_size", Categorical((32, 64))),
        *(Parameter(f"model.{name}", Categorical(choices)) for name, choices in MODEL),
    )
)
OWN_MODELS = [
    {"batch_size": size, "model.hidden": widths, "model.hidden_activation": name, "model.l2": factor}
    for size, widths, name, factor in ((32, (), "relu", 0.0), (64, (33, 20), "tanh", 0.01))
]
LONG = {"optimizer": "adam", "learning_rate": 0.03, "epochs": 18}
AVERAGED = [{"use_ema": True, "ema_momentum": 0.9}]
MOMENTA = [{"optimizer": "sgd", "momentum": momentum} for momentum in (0.9, 0.5, 0.1)]


@pytest.mark.parametrize(
    ("kind", "spec", "params"),
    [
        (CompiledRunner, user_spec("convolutional", take_best=True), [{"learning_rate": 0.3}, {}]),
        pytest.param(FitRunner, user_spec("convolutional", take_best=True), [{}], marks=pytest.mark.soak),
        pytest.param(CompiledRunner, user_spec("recurrent"), [{"learning_rate": 0.3}, {}], marks=pytest.mark.soak),
        pytest.param(CompiledRunner, make_spec(), AVERAGED, marks=pytest.mark.soak),  # in short by fit
        (FitRunner, make_spec(), AVERAGED),
        (CompiledRunner, make_spec((Parameter("momentum", Float(0.0, 1.0)),)), MOMENTA),
        pytest.param(CompiledRunner, SHARING, OWN_MODELS, marks=pytest.mark.soak),
    ],
    ids=[
        *("dropout, moving averages and best weights, lanes", "and by fit", "a recurrent model, alone in its program"),
        *("averages of the weights, lanes", "averages, by fit"),
        *("numbers of lanes of one program", "other depths, penalties and batch sizes"),
    ],
)
def test_whatever_a_trial_has_goes_on_too(data, tmp_path, kind, spec, params):
    trials, done = suggestions(*({**LONG, **each} for each in params)), {}
    for after in (2, 4) if kind is FitRunner else (3,):  # a checkpoint of a checkpoint; lanes have several below
        done |= stopped(kind, spec, data, tmp_path, trials, after)
    assert_same_bits(go_on(kind, spec, data, tmp_path, trials, done), whole(kind, spec, data, trials))


@pytest.mark.parametrize(("kind", "after"), [(CompiledRunner, 14), (FitRunner, 5)])
def test_rungs_that_were_called_are_called_again_with_the_same_values(data, with_rungs, tmp_path, kind, after):
    trials, watch = TRIALS[kind], Watching(**RUNGS)
    expected, unbroken = with_rungs(kind)
    done = stopped(kind, make_spec(), data, tmp_path, trials, after, **RUNGS)
    assert_same_bits(go_on(kind, make_spec(), data, tmp_path, trials, done, watch), expected)
    assert watch.rungs_called == unbroken.rungs_called
    assert kind is FitRunner or any(result.reason for result in expected.values())


def test_the_time_before_the_stop_counts(data, tmp_path):
    stopped(FitRunner, make_spec(), data, tmp_path, ADAM, 7)
    facts, _ = checkpoint.read(tmp_path / FILE)
    (result,) = go_on(FitRunner, make_spec(), data, tmp_path, ADAM, {}).values()
    assert result.seconds.train > facts["lanes"]["0"]["seconds"]["train"] > 0


@pytest.mark.parametrize(("kind", "damage"), [(FitRunner, "altered"), (FitRunner, "empty"), (CompiledRunner, "cut")])
def test_a_damaged_checkpoint_is_ignored_with_a_notice(data, left_alone, tmp_path, kind, damage):
    trials = TRIALS[kind][:2]
    done = stopped(kind, make_spec(), data, tmp_path, trials, 3)
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(byte ^ 255 for byte in content[middle : middle + 200])  # beyond any header
    path.write_bytes({"cut": content[:middle], "altered": content, "empty": b""}[damage])
    notices = []
    results = go_on(kind, make_spec(), data, tmp_path, trials, done, notice=notices.append)
    assert_same_bits(results, left_alone(kind, 2))
    (notice,) = notices
    assert "the checkpoint can't be used, so its trials start again" in notice
    assert not path.exists()


@either
def test_checkpoints_are_written_while_it_trains(data, left_alone, tmp_path, kind):
    found = set()

    class Looking(Watching):
        def stopping(self):
            found.update(tmp_path.iterdir())
            return super().stopping()

    trials = TRIALS[kind][:2]
    results = whole(kind, make_spec(), data, trials, Looking(), checkpoints=tmp_path, checkpoint_seconds=0.0)
    assert tmp_path / FILE in found and not (tmp_path / FILE).exists()
    assert_same_bits(results, left_alone(kind, 2))


@either
def test_a_checkpoint_that_can_not_be_written_costs_no_trial(data, left_alone, tmp_path, kind):
    folder = tmp_path / "folder"
    folder.symlink_to(tmp_path / "gone")
    trials, notices = TRIALS[kind][:2], []
    arguments = {"checkpoints": folder, "checkpoint_seconds": 0.0, "notice": notices.append}
    assert_same_bits(whole(kind, make_spec(), data, trials, **arguments), left_alone(kind, 2))
    assert notices and all("training continues without a checkpoint" in notice for notice in notices)


def test_a_generation_goes_on_after_every_stop(data, left_alone, tmp_path):
    done = {}
    for _ in range(30):
        runner = CompiledRunner(make_spec(), data, checkpoints=tmp_path)
        wanted = {trial.number for trial in GENERATION} - set(done)
        done |= train(runner, GENERATION, Watching(stop_after=len(wanted) + 24), wanted)
        if len(done) == len(GENERATION):
            break
    assert_same_bits(done, left_alone(CompiledRunner))


SAME_PROGRAM = suggestions(*({"optimizer": "adam", "learning_rate": rate, "epochs": 4} for rate in (0.01, 0.02)))


@pytest.fixture
def at_rung(monkeypatch):
    """A watch that looks on only once all programs have come to the rung after epoch 2, their reports unread."""
    groups, begin = [], Segments.set

    def begin_and_note(self, those):
        groups[:] = those
        begin(self, those)

    class AtRung(Watching):
        def stopping(self):
            wait_for(lambda: all(group.epoch >= 2 for group in groups))
            return super().stopping()

    monkeypatch.setattr(Segments, "set", begin_and_note)
    return AtRung


def test_a_generation_goes_on_from_a_rung_where_all_wait_after_a_stop_or_a_checkpoint(data, at_rung, tmp_path):
    climbed = lanes(make_spec(), data, SAME_PROGRAM, Watching((2,)))
    done = lanes(make_spec(), data, SAME_PROGRAM, at_rung((2,), stop_after=2), checkpoints=tmp_path)
    watch = Watching((2,))
    assert_same_bits(go_on(CompiledRunner, make_spec(), data, tmp_path, SAME_PROGRAM, done, watch), climbed)
    assert [epoch for epoch, _ in watch.rungs_called] == [2]
    often = lanes(make_spec(), data, SAME_PROGRAM, at_rung((2,)), checkpoints=tmp_path, checkpoint_seconds=0.0)
    assert set(often) == set(climbed)
    assert_same_bits(often, climbed)


@pytest.mark.parametrize(
    ("rungs", "totals"),
    [
        ({}, [(3, 20), (5, 1), (6, None)]),
        pytest.param(RUNGS, [(2, 12), (4, 14), (6, None)], marks=pytest.mark.soak),
        (RUNGS, [(6, 9), (1, 3), (6, None)]),
    ],
    ids=str,
)
def test_a_larger_total_after_a_stop_trains_also_those_that_nobody_wanted_before(
    data, left_alone, with_rungs, tmp_path, rungs, totals
):
    """Each total asks for the first so many trials, and is stopped after so many epochs were reported."""
    expected, done = with_rungs(CompiledRunner)[0] if rungs else left_alone(CompiledRunner), {}
    for total, after in totals:
        runner = CompiledRunner(make_spec(), data, checkpoints=tmp_path)
        done |= train(runner, GENERATION, Watching(stop_after=after, **rungs), set(range(total)) - set(done))
    assert set(done) == set(expected)
    assert_same_bits(done, expected)


@pytest.mark.full_effort
@pytest.mark.parametrize(("name", "values"), [("batch_size", (32, 64)), ("seed", (1, 2))])
def test_trials_whose_others_have_ended_train_alone_to_the_bits_that_they_have_beside_them(data, name, values):
    """As finalists of several seeds after a stop: a program that trains for long has as many lanes as beside others."""
    spec = make_spec((LEARNING_RATE, Parameter("epochs", Int(1, 20_000)), Parameter("batch_size", Int(1, 128))))
    pairs = [(rate, value) for value in values for rate in (0.001, 0.01, 0.1)]
    usual = {"optimizer": "adam", "epochs": 3}
    trials = suggestions(*({**usual, "learning_rate": rate, name: value} for rate, value in pairs))
    expected = lanes(spec, data, trials)
    assert_same_bits(
        lanes(spec, data, trials, wanted=range(3)) | lanes(spec, data, trials, wanted=(3, 5)),
        {number: result for number, result in expected.items() if number != 4},
    )
