import json
import time
from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.files.arrays import write_arrays
from keras_sweep.space.sweep_spec import Output, Training
from keras_sweep.training import checkpoint
from keras_sweep.training.checkpoint import LatestCheckpoint, TrainingState, join_states, read_kept_epochs, split_state
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
    checkpoint_of(spec, data).write([trials], {"rows": {}}, [])
    assert checkpoint_of(make_spec(), digits()).read(trials)
    assert not checkpoint_of(spec, data, lane_limit=4).read(trials)
    assert not checkpoint_of(spec, replace(data, fingerprint="another")).read(trials)
    for changes in (
        {"loss": "mean_squared_error"},
        {"objective": replace(spec.objective, take_best=True)},
        {"metrics": ("accuracy", "mae")},
        {"training": Training(class_weight="balanced")},
        {"loss_arguments": {"from_logits": True}},
        {"metric_arguments": {"accuracy": {"k": 2}}},
        {"outputs": {"a": Output("mse")}},
    ):
        assert not checkpoint_of(replace(spec, **changes), data).read(trials)
    for changes in ({"params": {"learning_rate": 0.2}}, {"continues": 3}, {"number": 1}):
        assert not checkpoint_of(spec, data).read([replace(trials[0], **changes)])
    again = [replace(trials[0], params=dict(reversed(({**trials[0].params, "a": 1}).items())))]
    checkpoint_of(spec, data).write([[replace(trials[0], params={"a": 1, **trials[0].params})]], {"rows": {}}, [])
    assert checkpoint_of(spec, data).read(again)  # values in another order are the same


def test_a_checkpoint_that_can_not_be_used_is_said_and_its_trials_train_from_their_start(tmp_path):
    said, trials = [], suggestions({})
    latest = LatestCheckpoint(tmp_path / "a", make_spec(), digits(), said.append, 60.0)
    latest.remove()  # where there is none
    latest.write([trials], {"rows": {"0": []}}, [STATE])
    path = tmp_path / "a" / "training.npz"
    assert latest.read(trials)[0]["rows"] == {"0": []} and not said
    path.write_bytes(path.read_bytes()[:100])
    assert latest.read(trials) is None
    (words,) = said
    assert words.startswith("the checkpoint can't be used, so its trials start again: ")
    latest.remove()
    assert not path.exists()
    (tmp_path / "file").touch()
    LatestCheckpoint(tmp_path / "file", make_spec(), digits(), said.append, 60.0).write([trials], {}, [])
    assert said[1].startswith("training continues without a checkpoint: ")


def test_files_of_another_version_or_without_their_facts_are_damaged(tmp_path):
    path = tmp_path / "x.npz"
    for text, why in (
        (
            json.dumps({"version": checkpoint.VERSION - 1}),
            f"must have version {checkpoint.VERSION}, but got {checkpoint.VERSION - 1}",
        ),
        (json.dumps({"facts": {}}), "can't be read"),
        (json.dumps([1]), "can't be read"),
        ("{", "can't be read"),
    ):
        write_arrays(path, [], text=text)
        with pytest.raises(checkpoint.Damaged, match=why):
            checkpoint.read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(checkpoint.Damaged):
        checkpoint.read(path)


def test_a_checkpoint_is_due_once_so_many_seconds_have_passed_since_the_last(tmp_path, monkeypatch):
    moments = iter([100.0, *(130.0, 160.0, 161.0, 162.0, 221.0, 222.0), 300.0, *(359.0, 361.0)])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    latest = LatestCheckpoint(tmp_path, make_spec(), digits(), print, 60.0)
    assert [latest.is_due() for _ in range(6)] == [False, False, True, False, False, True]
    latest.read([])  # training begins
    assert [latest.is_due(), latest.is_due()] == [False, True]


def test_of_each_trial_in_the_folder_it_is_known_how_far_it_is(tmp_path):
    assert read_kept_epochs(tmp_path) == {}
    checkpoint.write(tmp_path / checkpoint.FILE, {"rows": {"0": [{}, {}], "3": []}}, [])
    assert read_kept_epochs(tmp_path) == {0: 2, 3: 0}
    (tmp_path / checkpoint.FILE).write_text("cut off")
    assert read_kept_epochs(tmp_path) == {}


def test_the_states_of_folds_are_one_state_and_come_apart_again():
    def state(number):
        return TrainingState((number, number + 0.1), (number + 0.2,), (number + 0.3, number + 0.4, number + 0.5), ())

    folds = [state(1), state(2), state(3)]
    whole = join_states(folds)
    assert whole.trainable == (1, 1.1, 2, 2.1, 3, 3.1) and whole.other == (1.2, 2.2, 3.2)
    assert split_state(whole, 3) == folds
    bits = [one._replace(right=(f"bits of fold {number}",)) for number, one in enumerate(folds)]
    assert join_states(bits).right == ("bits of fold 0", "bits of fold 1", "bits of fold 2")
