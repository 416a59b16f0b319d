"""Trials that do not fit into memory together are trained again in smaller programs."""

from dataclasses import replace

from keras_sweep.training.lanes.packing import CPU
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import Noticed
from tests.helpers.factory import digits
from tests.helpers.lane_trials import assert_same_bits, lanes, suggestions, user_spec

TRIALS = suggestions(*({"optimizer": "sgd", "learning_rate": rate, "epochs": 2} for rate in (0.1, 0.2, 0.3, 0.4)))


def test_lanes_that_need_too_much_memory_together_train_again_in_halves_with_the_same_numbers():
    spec, data, events = user_spec("fits_in_pairs"), digits(64, 32), []
    runner = CompiledRunner(spec, data)
    watch = Watch(emit=events.append)
    results = {one.number: one for one in runner.run(TRIALS, frozenset(range(4)), watch)}
    in_pairs = lanes(spec, data, TRIALS, device=replace(CPU, lanes=2))
    assert_same_bits(results, in_pairs)
    (notice,) = [event.message for event in events if isinstance(event, Noticed)]
    assert "trial 0, 1, 2 and 3" in notice and "MemoryError: Unable to allocate 4 GiB" in notice
    again = suggestions(*({"optimizer": "sgd", "learning_rate": 0.5 + place / 10, "epochs": 2} for place in range(4)))
    events.clear()
    assert len(list(runner.run(again, frozenset(range(4)), watch))) == 4
    assert not any(isinstance(event, Noticed) for event in events)  # the runner has learned how many fit


def test_a_trial_that_needs_too_much_memory_alone_fails_once():
    events = []
    runner = CompiledRunner(user_spec("fits_nowhere"), digits(64, 32))
    results = list(runner.run(TRIALS, frozenset(range(4)), Watch(emit=events.append)))
    assert [one.is_out_of_memory for one in results] == [True] * 4
