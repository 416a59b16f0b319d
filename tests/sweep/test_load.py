"""What a sweep is run with: pictures are read while Keras is imported."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from keras_sweep.data.image_sets import FASHION_MNIST
from keras_sweep.errors import SweepError
from keras_sweep.process.stop_request import StopRequest
from keras_sweep.process.wall_time import WallTime
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.sweep_spec import ModelSpec, SearchSettings, Training, UserCallback
from keras_sweep.sweep import load as load_module
from keras_sweep.sweep.load import Running, load, short_path, sweep_started
from keras_sweep.training.fit.runner import FitRunner
from tests.helpers.command import sweep
from tests.helpers.factory import digits, make_spec
from tests.helpers.results import result
from tests.helpers.space_texts import DENSE


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


def test_pictures_read_beside_the_import_are_those_that_any_command_reads(tmp_path: Path) -> None:
    (tmp_path / "dense.yaml").write_text(DENSE.replace("trials: 64", "trials: 1"))
    sweep("run", "dense.yaml", "--quiet", cwd=tmp_path, new=True).ok()
    sweep("verify", "sweeps/dense/best.keras", cwd=tmp_path).ok()  # which compares the fingerprints of the rows


DATA, SPEC = digits(64, 32), make_spec()
FIRST, SECOND = (("data.noise", 0),), (("data.noise", 1),)


def varied(**changes):
    """Rows of two variants of the data."""
    second = replace(DATA, validation=replace(DATA.validation, y=DATA.validation.y[::-1]))
    return replace(DATA, variants={FIRST: DATA, SECOND: second}, **changes)


def running(data=DATA, told=None):
    runner = FitRunner(SPEC, DATA)
    study = SimpleNamespace(folder=SweepFolder(Path("sweeps/digits")))
    emit = (told or []).append
    return Running(study, replace(SPEC, folder=Path()), data, runner, emit, WallTime(), StopRequest())


def test_the_trials_of_each_variant_of_the_data_have_a_runner_of_their_own(monkeypatch):
    made = []

    def choose(spec, data, kind, **how):
        made.append((data, kind, how))
        return FitRunner(spec, data), None

    monkeypatch.setattr(load_module, "choose_runner", choose)
    plain, several = running(), running(varied())
    assert plain.runner_of(()) is plain.runner and several.runner_of(FIRST) is several.runner
    other = several.runner_of(SECOND)
    assert other is not several.runner and several.runner_of(SECOND) is other and len(made) == 1
    ((data, kind, how),) = made
    assert data is several.data.variants[SECOND] and kind == "fit"
    assert how["checkpoints"] == several.study.folder.checkpoints and how["workers"] is None


def test_validation_labels_are_digested_where_trials_differ_in_their_data():
    several = running(varied())
    assert running().rows_of(()) is None and several.rows_of(()) is None
    first, second = several.rows_of(FIRST), several.rows_of(SECOND)
    assert first is not None and first != second
    same = varied()
    other_pixels = replace(DATA, validation=replace(DATA.validation, x=DATA.validation.x * 2))
    assert running(replace(same, variants={FIRST: other_pixels})).rows_of(FIRST) == first


def test_a_trial_is_opened_with_the_runner_that_trained_it_and_stops_by_a_signal_alone():
    here = running()
    opened = here.opened(result(3))
    assert (opened.trial.number, opened.runner, opened.workers) == (3, here.runner, None)
    assert opened.data is DATA and opened.emit == here.emit and not opened.stopping()
    here.stop.limit(0.0)
    assert here.stop and not opened.stopping()  # the time for the search is over, not that for its end


def test_a_path_is_told_as_a_user_would_type_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path(tmp_path / "sweeps" / "a") == "sweeps/a"
    assert short_path(Path("/a")) == "/a"
    started = sweep_started(SPEC, SweepFolder(tmp_path / "sweeps" / "a"), "fit/jax", 9, [result(0)])
    assert (started.name, started.folder, started.runner, started.total) == ("digits", "sweeps/a", "fit/jax", 9)
    assert (started.engine, started.space_size) == ("optuna/tpe", SPEC.space.size)
    assert started.parameters == ("optimizer", "learning_rate", "epochs") and len(started.finished) == 1
    assert started.objective == SPEC.objective


def loaded(spec, runner=None, workers=None, **data):
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_module, "load_rows", lambda spec, read: (spec, replace(DATA, **data)))
        stop = StopRequest(ends_process=False)
        spec, _, chosen = load(spec, None, runner, told.append, WallTime(), stop, workers)
    return spec, chosen, told


def test_what_to_know_of_the_data_and_the_runner_is_told_before_the_search():
    asks = make_spec(training=Training(callbacks=(UserCallback("a:b"),)))
    _, chosen, told = loaded(asks, notices=("it was shuffled",), leaks=("the order tells",))
    why = "trials train one by one with plain fit, since callbacks of your own are called by `fit` alone"
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

    monkeypatch.setattr(load_module, "choose_runner", choose)
    (said,) = [one.message for one in loaded(SPEC, workers=object())[2]]
    assert said.startswith("optuna/tpe learns from each trial by `fit`") and "{generation: 8}" in said
    assert loaded(make_spec(search=SearchSettings(generation=8)), workers=object())[2] == []
    assert loaded(make_spec(sampler="random"), workers=object())[2] == [] == loaded(SPEC)[2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search": SearchSettings(start=({"learning_rate": 9.0},))}, "learning_rate"),
        ({"training": Training(class_weight={"cat": 2.0})}, "names the class"),
        ({"loss": "huber", "loss_arguments": {"no_such": 1.0}, "metrics": ()}, "does not take"),
        ({"model": ModelSpec("dense", "dense", {"units": 3, "activation": "softmax"})}, "needs 10 outputs"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(changes, said):
    with pytest.raises(SweepError, match=said):
        loaded(make_spec(**changes))
