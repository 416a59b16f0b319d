from dataclasses import replace

import numpy as np

from keras_sweep.training import checkpoint
from keras_sweep.training.checkpoint import LatestCheckpoint, TrainingState
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import suggestions

STATE = TrainingState((np.arange(6.0).reshape(2, 3),), (np.array(3, np.int64), np.array([1], np.uint32)), ())


def test_a_checkpoint_reads_back_what_was_written(tmp_path):
    checkpoint.write(tmp_path / "a" / "x.npz", {"rows": [0.1, float("nan")]}, [STATE, None])
    facts, (read, none) = checkpoint.read(tmp_path / "a" / "x.npz")
    assert repr(facts) == repr({"rows": [0.1, float("nan")]})
    assert none is None
    for ours, theirs in zip((*read.trainable, *read.other), (*STATE.trainable, *STATE.other), strict=True):
        assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x.npz"]


def test_one_flipped_bit_anywhere_is_found(tmp_path):
    path = tmp_path / "x.npz"
    checkpoint.write(path, {"rows": []}, [STATE])
    content = path.read_bytes()
    whole = checkpoint.read(path)
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        try:
            found = checkpoint.read(path)
        except checkpoint.Damaged:
            continue
        assert repr(found) == repr(whole)  # a bit that nothing reads, as a date in the archive


def test_a_checkpoint_is_of_everything_that_the_numbers_depend_on(tmp_path):
    spec, data, trials = make_spec(), digits(), suggestions({"learning_rate": 0.1})

    def checkpoint_of(spec, data, lane_limit=0):
        return LatestCheckpoint(tmp_path, spec, data, print, 60.0, lane_limit)

    assert checkpoint_of(spec, data).read(trials) is None  # there is none
    checkpoint_of(spec, data).write(trials, {"rows": {}}, [])
    assert checkpoint_of(make_spec(), digits()).read(trials)
    assert not checkpoint_of(spec, data).read(suggestions({"learning_rate": 0.2}))
    assert not checkpoint_of(spec, data, lane_limit=4).read(trials)
    assert not checkpoint_of(spec, replace(data, fingerprint="another")).read(trials)
    assert not checkpoint_of(replace(spec, loss="mean_squared_error"), data).read(trials)
    assert not checkpoint_of(make_spec(take_best=True), data).read(trials)
