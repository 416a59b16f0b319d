"""A recorded sweep is worked on again on its own terms: its backend, its rows, its code by trust, and trials it has."""

import os
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.errors import ChangedSweep, RecordError, UsageError
from keras_sweep.process.given import give_function
from keras_sweep.record.facts import Facts
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.recorded import (
    CHOOSE_ANEW,
    SweepAccess,
    allows_setting,
    ask_for_trust,
    backend_of,
    needed_winner,
    refuse_imported,
    trial_of,
    unfollowed_spec,
    why_none,
)
from keras_sweep.trial.events import Noticed
from keras_sweep.trial.result import TrialState
from tests.helpers.results import ACCURACY, result
from tests.helpers.whole_spaces import PLAIN

FACTS = Facts("val_accuracy", Goal.MAXIMIZE, 42, PLAIN, {}, engine="optuna/random", origin="/somewhere")
FOLDER = SweepFolder(Path("sweeps/plain"))
SPEC = read_space_file(Path("plain.yaml"), text=PLAIN)
PARAMS = {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 383, "epochs": 4}
FAILED = TrialState.FAIL


@pytest.fixture(scope="module")
def fingerprint() -> str:
    return load_search_data(SPEC).fingerprint


@pytest.fixture
def recorded(tmp_path, fingerprint):
    """Record some trials of the plain sweep; attributes are as a record has them."""

    def record(*results, **attributes):
        facts = {"engine": "optuna/tpe", "fingerprint": fingerprint, **attributes}
        folder = SweepFolder(tmp_path / "plain")
        StudyFile.create(folder, SPEC, facts, [replace(one, suggestion=one.suggestion) for one in results]).close()
        return folder

    return record


def trial(number=0, value=0.9, **more):
    return result(number, value, params=PARAMS, **more)


def test_a_runners_name_ends_with_the_backend_unless_it_is_another_programs():
    names = {"compiled/jax": "jax", "fit/tensorflow": "tensorflow", "fit/torch": "torch"}
    assert {name: backend_of(name) for name in names} == names
    assert [backend_of(name) for name in ("keras-tuner", "wandb/sweep", "jax", "")] == [None] * 4


def test_the_winner_is_needed_and_what_there_is_in_its_place_is_said():
    done, failed = result(1, 0.9), result(0, None, state=FAILED, reason="diverged")
    assert needed_winner("dense", [failed, done], ACCURACY) is done
    foreign = result(0, 0.9, engine="import/wandb")
    with pytest.raises(RecordError, match=r"no trial of sweep 'dense' was trained here: those imported can't win"):
        needed_winner("dense", [foreign], ACCURACY)
    with pytest.raises(RecordError, match=r"no trial of sweep 'dense' has completed: 1 of 2 as trial"):
        needed_winner("dense", [replace(foreign, state=FAILED, value=None), failed], ACCURACY)
    with pytest.raises(RecordError, match=r"no trial of sweep 'dense' has completed\. Run it") as refused:
        needed_winner("dense", [], ACCURACY)
    assert refused.value.message == "no trial of sweep 'dense' has completed"
    small = replace(ACCURACY, where="parameters < 9")
    with pytest.raises(RecordError, match=r"meets `parameters < 9`") as refused:
        needed_winner("dense", [failed, done], small)
    assert refused.value.hint == CHOOSE_ANEW
    with pytest.raises(RecordError, match="has completed: 1 of 1"):
        needed_winner("dense", [failed], small)


def test_why_none_completed_is_said_by_what_befell_most_and_by_the_numbers_that_left_the_finite():
    inf, nan = float("inf"), float("nan")
    curve = {"accuracy": (0.1, 0.1), "loss": (2.0, inf), "val_loss": (3.0, nan), "empty": ()}
    wild = [result(number, None, state=FAILED, reason="diverged", curve=curve) for number in (1, 2)]
    other = result(0, None, state=FAILED, reason="ValueError: no", curve={})
    assert why_none([other, *wild]) == "2 of 3 as trial 1: diverged (loss inf, val_loss nan in epoch 2)"
    assert why_none([other]) == "1 of 1 as trial 0: ValueError: no"
    assert why_none([replace(other, reason=None)]) == "1 of 1 as trial 0: FAIL"


def test_the_recorded_space_is_read_as_it_was_run_and_its_paths_start_where_it_was():
    spec = unfollowed_spec(FACTS, "mine", FOLDER)
    assert (spec.name, spec.folder) == ("mine", Path("/somewhere"))
    assert (spec.search.engine, spec.search.sampler) == ("optuna", "random")
    assert unfollowed_spec(replace(FACTS, engine="", origin=None), "mine", FOLDER).search.sampler == SPEC.search.sampler
    many, single = (
        r"can't be used: sweeps/plain/space.yaml: data: .* \(and 4 more faults\)\.",
        r"can't be used: [^(]*0\. It was",
    )
    for text, message in (("loss: 3\n", many), (PLAIN.replace("trials: 18", "trials: 0"), single)):
        with pytest.raises(UsageError, match=message) as refused:
            unfollowed_spec(replace(FACTS, space=text), "mine", FOLDER)
        assert str(FOLDER.study) in refused.value.message and "give `sweep run`" in refused.value.hint
    with pytest.raises(UsageError, match="the sweep 'mine' was imported from wandb without a space file"):
        unfollowed_spec(replace(FACTS, imported="wandb"), "mine", FOLDER)
    refuse_imported(FACTS, "mine")


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
    assert refused.value.message.startswith(
        f"this needs code that the record of 'plain' names: {where}. A record alone"
    )
    assert "`--trust`" in refused.value.hint and told == []
    ask_for_trust(names, tmp_path, "record of 'plain'", trust=True, emit=told.append)
    assert told == [Noticed(f"`--trust`: imports and runs {where}")]


def test_what_this_program_has_given_needs_no_trust_and_what_another_gave_can_not_be_had(tmp_path):
    def build():
        return None

    ask_for_trust([give_function(build)], tmp_path, "record", trust=False, emit=pytest.fail)
    ask_for_trust([], tmp_path, "record", trust=True, emit=pytest.fail)
    for trust in (False, True):
        with pytest.raises(UsageError, match="stands in a Python program, not in a file"):
            ask_for_trust(["__program__:build_000000000000"], tmp_path, "record", trust=trust, emit=print)


def test_a_trial_is_opened_with_its_rows_and_the_winner_where_none_is_named(recorded, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    access = SweepAccess(recorded(trial(0, 0.8), trial(1, 0.9), trial(2, 0.7)))
    with access.opened(None) as opened:
        assert opened.trial.number == 1 and opened.spec.name == "plain" and len(opened.data.train) > 0
        assert trial_of(opened.study, ACCURACY, 2).number == 2
        assert (opened.emit, opened.runner, opened.workers, opened.stopping()) == (access.emit, None, None, False)
    with access.opened(2) as opened:
        assert opened.trial.number == 2
    with pytest.raises(UsageError, match="has no trial 3"), access.opened(3):
        pass
    rows = access.validation()
    np.testing.assert_array_equal(rows.x, opened.data.validation.x)


def test_the_backend_is_that_of_the_trial_unless_another_is_asked_for(recorded):
    access = SweepAccess(recorded(trial(0, runner="fit/torch")), backend="torch")
    said = r"`--backend` is 'torch', but this process has imported Keras on 'jax'"
    with pytest.raises(UsageError, match=said), access.opened(0):
        pass
    with replace(access, backend=None).opened(0):
        assert keras.backend.backend() == "jax" == os.environ["KERAS_BACKEND"]  # Keras is there already


def test_a_trial_of_another_program_is_not_worked_on(recorded):
    folder = recorded(trial(0, engine="import/wandb"), trial(1, 0.5))
    with pytest.raises(UsageError, match="trial 0 was trained elsewhere") as refused, SweepAccess(folder).opened(0):
        pass
    assert refused.value.hint == "Choose a trial that was trained here"
    with SweepAccess(folder).opened(None) as opened:
        assert opened.trial.number == 1


def test_validation_rows_need_no_trial_that_completed(recorded):
    """Unless trials differ in their rows: then they are the winner's."""
    assert len(SweepAccess(recorded(trial(0, None, state=FAILED, reason="diverged"))).validation()) > 0


def test_rows_that_have_changed_are_refused_and_so_is_a_model_whose_code_has(recorded):
    folder = recorded(trial(), fingerprint="of other rows")
    access = SweepAccess(folder)
    for look in (lambda: access.opened(0).__enter__(), access.validation):
        with pytest.raises(ChangedSweep, match="the data of the sweep 'plain' have changed since") as refused:
            look()
        assert "under another name" in refused.value.hint


def test_a_model_whose_code_has_changed_is_refused_by_its_file(recorded, tmp_path):
    (tmp_path / "mine.py").write_text("import keras\ndef build():\n    return keras.Sequential()\n")
    text = PLAIN.replace("model:\n  dense: {units: 10, activation: softmax}", "model: {python: mine:build}")
    spec = read_space_file(tmp_path / "plain.yaml", text=text)
    folder = recorded(trial(), model_code={"mine.py": "another digest"})
    access = SweepAccess(folder, spec=spec)
    with pytest.raises(ChangedSweep, match=r"the code of the model has changed .*: mine\.py in .*; its trials are of"):
        access.validation()


def test_a_spec_that_the_user_gives_stands_for_the_recorded_one(recorded):
    access = SweepAccess(recorded(trial()), spec=replace(SPEC, name="given"))
    with access.opened(0) as opened:
        assert opened.spec.name == "given"


def test_keras_is_configured_as_it_was_and_that_is_told(recorded):
    told = []
    folder = recorded(trial(), keras_config={"epsilon": 1e-5})
    before = keras.config.epsilon()
    try:
        with SweepAccess(folder, told.append).opened(0):
            assert keras.config.epsilon() == 1e-5
    finally:
        keras.config.set_epsilon(before)
    (notice,) = told
    assert notice.message.startswith("Keras is configured as it was for these trials: ")
