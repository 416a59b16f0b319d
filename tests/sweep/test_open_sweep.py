"""A sweep is loaded before it is run, and opened again on its own terms: its backend, its rows, its code by trust."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.image_sets import FASHION_MNIST
from keras_sweep.errors import ChangedSweep, SweepError, UsageError
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import ModelSpec, SearchSettings, Training, UserCallback
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep import open_sweep as open_sweep_module
from keras_sweep.sweep.open_sweep import OpenSweep, load_for_run
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.result import TrialState
from tests.helpers.command import sweep
from tests.helpers.factory import digits, make_spec
from tests.helpers.results import result
from tests.helpers.space_texts import DENSE
from tests.helpers.whole_spaces import PLAIN


def test_pictures_that_are_damaged_end_the_command_though_keras_is_still_imported(tmp_path: Path) -> None:
    (tmp_path / "dense.yaml").write_text(DENSE)
    for file in FASHION_MNIST.files:
        (tmp_path / file).write_bytes(b"no picture")
    ended = sweep("run", "dense.yaml", cwd=tmp_path, new=True, SWEEP_DATA_DIR=str(tmp_path))
    assert (ended.code, ended.out) == (2, "")
    assert f"{tmp_path / FASHION_MNIST.images.file} can't be read" in ended.err
    assert "Remove it or replace it" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "sweeps").exists()


DATA, SPEC = digits(64, 32), make_spec()


def loaded(spec, runner=None, workers=None, **data):
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_sweep_module, "load_rows", lambda spec, read: (spec, replace(DATA, **data)))
        stop = StopRequest(ends_process=False)
        spec, _, chosen = load_for_run(spec, None, runner, told.append, WallTime(), stop, workers)
    return spec, chosen, told


def test_what_to_know_of_the_data_and_the_runner_is_told_before_the_search():
    asks = make_spec(training=Training(callbacks=(UserCallback("a:b"),)))
    _, chosen, told = loaded(asks, notices=("it was shuffled",), leaks=("the order tells",))
    why = "trials train one by one with `fit`: only `fit` calls your callbacks"
    assert [(one.message, one.leak) for one in told] == [
        ("it was shuffled", False),
        ("the order tells", True),
        (why, False),
    ]
    assert chosen.name == "fit/jax" and loaded(SPEC)[1].name == "compiled/jax" and loaded(SPEC)[2] == []


def test_workers_that_would_wait_for_each_other_are_told_what_to_do(monkeypatch):
    def choose(spec, data, kind, **how):
        runner = FitRunner(spec, data)
        runner.generation = spec.search.generation or 1
        return runner, None

    monkeypatch.setattr(open_sweep_module, "choose_runner", choose)
    (said,) = [one.message for one in loaded(SPEC, workers=SimpleNamespace(note=None))[2]]
    assert said.startswith("with `fit`, optuna/tpe suggests a single trial at a time") and "{generation: 8}" in said
    assert loaded(make_spec(search=SearchSettings(generation=8)), workers=SimpleNamespace(note=None))[2] == []
    assert loaded(make_spec(sampler="random"), workers=SimpleNamespace(note=None))[2] == [] == loaded(SPEC)[2]


def test_more_workers_than_the_lanes_of_a_generation_need_are_told_who_names_a_setting(monkeypatch):
    monkeypatch.setattr(
        open_sweep_module, "choose_runner", lambda spec, data, *_, **__: (CompiledRunner(spec, data), None)
    )
    workers = SimpleNamespace(note="each uses a GPU", count=lambda: 8)
    few, note = [one.message for one in loaded(SPEC, workers=workers)[2]]
    assert few == (
        "16 trials at a time may keep only 4 of 8 workers busy; "
        "`sweep check SPACE --workers 8` says which setting of `search` uses more"
    )
    assert note == "each uses a GPU"
    workers.count = lambda: 4
    assert [one.message for one in loaded(SPEC, workers=workers)[2]] == [note]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search": SearchSettings(start=({"learning_rate": 9.0},))}, "learning_rate"),
        ({"training": Training(class_weight={"cat": 2.0})}, "names the class"),
        ({"loss": "huber", "loss_arguments": {"no_such": 1.0}, "metrics": ()}, "does not accept"),
        ({"model": ModelSpec("dense", "dense", {"units": 3, "activation": "softmax"})}, "needs 10 outputs"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(changes, said):
    with pytest.raises(SweepError, match=said):
        loaded(make_spec(**changes))


PARAMS = {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 383, "epochs": 4}
PLAIN_SPEC = read_space_file(Path("plain.yaml"), text=PLAIN)


@pytest.fixture(scope="module")
def fingerprint() -> str:
    return load_search_data(PLAIN_SPEC).fingerprint


@pytest.fixture
def recorded(tmp_path, fingerprint):
    """Record some trials of the plain sweep; attributes are as a record has them."""

    def record(*results, **attributes):
        facts = {"engine": "optuna/tpe", "fingerprint": fingerprint, **attributes}
        folder = SweepFolder(tmp_path / "plain")
        StudyFile.create(
            folder, PLAIN_SPEC, facts, [replace(one, suggestion=one.suggestion) for one in results]
        ).close()
        return folder

    return record


def trial(number=0, value=0.9, **more):
    return result(number, value, params=PARAMS, **more)


def test_a_trial_is_opened_with_its_rows_and_the_winner_where_none_is_named(recorded, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with OpenSweep(recorded(trial(0, 0.8), trial(1, 0.9), trial(2, 0.7))) as sweep:
        best = sweep.read().training(None)
        spec, data = sweep.load(best)
        assert best.number == 1 and spec.name == "plain" and len(data.train) > 0
        assert sweep.read().training(2).number == 2 and sweep.load(sweep.read().training(2)) == (spec, data)
        assert not sweep.is_running and not sweep.stop.signalled and sweep.workers is None
        with pytest.raises(UsageError, match="has no trial 3"):
            sweep.read().training(3)
        np.testing.assert_array_equal(sweep.validation().x, data.validation.x)


def test_the_backend_is_that_of_the_trial_unless_another_is_asked_for(recorded):
    folder = recorded(trial(0, runner="fit/torch"))
    said = r"`--backend` is 'torch', but this process has imported Keras with 'jax'"
    with OpenSweep(folder, backend="torch") as sweep, pytest.raises(UsageError, match=said):
        sweep.load(sweep.read().trial(0))
    with OpenSweep(folder) as sweep:
        sweep.load(sweep.read().trial(0))
        assert keras.backend.backend() == "jax" == os.environ["KERAS_BACKEND"]  # Keras is there already


def test_a_trial_of_another_program_is_not_worked_on(recorded):
    folder = recorded(trial(0, engine="import/wandb"), trial(1, 0.5))
    with OpenSweep(folder) as sweep:
        with pytest.raises(UsageError, match="trial 0 is imported") as refused:
            sweep.load(sweep.read().trial(0))
        assert sweep.read().training(None).number == 1
    assert refused.value.hint == "Choose a trial that this sweep trained"


def test_validation_rows_need_no_trial_that_completed(recorded):
    """Unless trials differ in their rows: then they are the winner's."""
    with OpenSweep(recorded(trial(0, None, state=TrialState.FAIL, reason="diverged"))) as sweep:
        assert len(sweep.validation()) > 0


def test_rows_that_have_changed_are_refused_and_so_is_a_model_whose_code_has(recorded):
    folder = recorded(trial(), fingerprint="of other rows")
    with OpenSweep(folder) as sweep:
        for look in (lambda: sweep.load(sweep.read().trial(0)), sweep.validation):
            with pytest.raises(ChangedSweep, match="the rows have changed since the sweep 'plain'") as refused:
                look()
            assert "under another name" in refused.value.hint


def test_a_model_whose_code_has_changed_is_refused_by_its_file(recorded, tmp_path):
    (tmp_path / "mine.py").write_text("import keras\ndef build():\n    return keras.Sequential()\n")
    text = PLAIN.replace("model:\n  dense: {units: 10, activation: softmax}", "model: {python: mine:build}")
    spec = read_space_file(tmp_path / "plain.yaml", text=text)
    folder = recorded(trial(), model_code={"mine.py": "another digest"})
    said = r"the code of the model has changed .*: mine\.py in .*; its trials used"
    with OpenSweep(folder, spec=spec) as sweep, pytest.raises(ChangedSweep, match=said):
        sweep.validation()
