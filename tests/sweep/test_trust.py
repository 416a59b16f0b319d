"""What a record names is read as data, and imported by trust alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from keras_sweep.errors import UsageError
from keras_sweep.process.user_objects import register_function
from keras_sweep.record.facts import Facts
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.trust import allows_setting, ask_for_trust, read_unfollowed_spec, refuse_imported_sweep
from keras_sweep.trial.events import Noticed
from tests.helpers.whole_spaces import PLAIN

FACTS = Facts("val_accuracy", Goal.MAXIMIZE, 42, PLAIN, {}, engine="optuna/random", origin="/somewhere")
FOLDER = SweepFolder(Path("sweeps/plain"))
SPEC = read_space_file(Path("plain.yaml"), text=PLAIN)


def test_the_recorded_space_is_read_as_it_was_run_and_its_paths_start_where_it_was():
    spec = read_unfollowed_spec(FACTS, "mine", FOLDER)
    assert (spec.name, spec.folder) == ("mine", Path("/somewhere"))
    assert (spec.search.engine, spec.search.sampler) == ("optuna", "random")
    assert (
        read_unfollowed_spec(replace(FACTS, engine="", origin=None), "mine", FOLDER).search.sampler
        == SPEC.search.sampler
    )
    many, single = (
        r"can't read the space file in .*: sweeps/plain/space.yaml: data: .* \(and 4 more faults\)\.",
        r"can't read the space file in [^(]*0\. Another version",
    )
    for text, message in (("loss: 3\n", many), (PLAIN.replace("trials: 18", "trials: 0"), single)):
        with pytest.raises(UsageError, match=message) as refused:
            read_unfollowed_spec(replace(FACTS, space=text), "mine", FOLDER)
        assert str(FOLDER.study) in refused.value.message and "Run `sweep run`" in refused.value.hint
    with pytest.raises(UsageError, match="the sweep 'mine' was imported from wandb without a space file"):
        read_unfollowed_spec(replace(FACTS, imported="wandb"), "mine", FOLDER)
    refuse_imported_sweep(FACTS, "mine")


def test_a_setting_is_tried_on_the_recorded_space_file():
    assert allows_setting(FACTS, "search.generation=8")
    assert not allows_setting(FACTS, "search.generation=-1") and not allows_setting(FACTS, "serch.trials=8")


def test_code_that_a_record_names_is_told_and_imported_by_trust_alone(tmp_path):
    (tmp_path / "mine.py").touch()
    told = []
    names = ("mine:build", "mine:rows", "mine:build")
    with pytest.raises(UsageError) as refused:
        ask_for_trust(names, tmp_path, "record of 'plain'", trust=False, emit=told.append)
    where = f"mine:build from {tmp_path / 'mine.py'} and mine:rows from {tmp_path / 'mine.py'}"
    assert refused.value.message == f"the record of 'plain' names code that runs only if you trust it: {where}"
    assert "`--trust`" in refused.value.hint and told == []
    ask_for_trust(names, tmp_path, "record of 'plain'", trust=True, emit=told.append)
    assert told == [Noticed(f"`--trust`: imports and runs {where}")]


def test_what_this_program_has_given_needs_no_trust_and_what_another_gave_can_not_be_had(tmp_path):
    def build():
        return None

    ask_for_trust([register_function(build)], tmp_path, "record", trust=False, emit=pytest.fail)
    ask_for_trust([], tmp_path, "record", trust=True, emit=pytest.fail)
    for trust in (False, True):
        with pytest.raises(UsageError, match="was defined in a running program"):
            ask_for_trust(["__program__:build_000000000000"], tmp_path, "record", trust=trust, emit=print)
