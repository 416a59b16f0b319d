"""A sweep that learns from the trials of an earlier one of other ranges."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.errors import ChangedSweep, UsageError
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.distributions import Categorical, Float
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.sweep.earlier import select_fitting
from keras_sweep.sweep.events import GenerationAsked
from keras_sweep.trial.result import Result
from tests.helpers.ran import Ran, quiet
from tests.helpers.results import result
from tests.helpers.whole_spaces import SIZE, SPACES, write_earlier

LEARNED = SPACES["learned"] + "finalists: none\n"


def begun(folder: Path, text: str = LEARNED, **options: object) -> Ran:
    """A call that is still to be made, beside the earlier sweep."""
    ran = Ran(folder, text=text, trials=None, **options)
    if not (folder / "sweeps").exists():
        write_earlier(folder / "plain.yaml", SweepFolder(folder / "sweeps" / "earlier"))
    return ran


def asked(ran: Ran) -> list[object]:
    return [one.params for event in ran.of(GenerationAsked) for one in event.suggestions]


def test_earlier_trials_guide_the_sampler_beside_as_many_of_its_own_as_were_asked_for(tmp_path: Path) -> None:
    ran = begun(tmp_path)
    results = ran().results
    assert ran.notices == [
        "the search learns from 16 trials of 'earlier', before its own 6",
        "skipped 4 trials: `epochs` is outside the space",
    ]
    assert [one.engine for one in results] == ["import/earlier"] * 16 + ["optuna/tpe"] * 6
    assert read_facts(ran.sweep).trials == 22
    best = ks.open("plain", sweeps_dir=tmp_path / "sweeps").best
    assert best.number >= 16 and best.value < max(one.value for one in results)  # which was not trained here
    shutil.rmtree(tmp_path / "sweeps" / "earlier")
    again = begun(tmp_path)
    assert (len(again().results), asked(again)) == (22, [])
    longer = begun(tmp_path, more=2)
    assert len(longer().results) == 24
    with pytest.raises(ChangedSweep, match=r"search.learn_from: earlier -> not set"):
        begun(tmp_path, LEARNED.replace(", learn_from: earlier", ""))()


def test_begun_anew_a_sweep_may_learn_from_what_it_was_itself(tmp_path: Path) -> None:
    spec = ks.Spec(
        data="digits",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        maximize="val_accuracy",
        parameters={"learning_rate": ks.Float(1e-3, 0.3, log=True), "epochs": 1, "batch_size": 256},
        search=ks.Optuna("random", trials=3),
        finalists="none",
    )
    options: dict[str, object] = {"name": "own", "sweeps_dir": tmp_path, "listener": quiet}
    first = ks.run(spec, **options)
    values = [one.value for one in first.trials]
    named = {"search.learn_from": str(tmp_path / "own"), "learning_rate.max": 0.5}
    second = ks.run(spec, set=named, fresh=True, **options)
    assert [one.value for one in second.trials][:3] == values and len(second.trials) == 6
    assert [one.value for one in RecordedSweep.read(SweepFolder(tmp_path / "own~1")).results] == values


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("learn_from: earlier", "learn_from: earlie", "there is no sweep 'earlie' in .*sweeps. Did you mean `earlier`"),
        (
            "data: digits",
            "split: {seed: 1}\ndata: digits",
            "the sweep 'earlier' had other rows: .* may be test rows now",
        ),
        ("val_accuracy, goal: maximize", "val_loss", "was run to maximize val_accuracy, but this sweep is run to min"),
        (
            f"batch_size: {SIZE}",
            "batch_size: 128",
            f"no trial that fits the space. Change `parameters`; skipped .*`batch_size` is {SIZE}",
        ),
    ],
)
def test_what_it_cannot_learn_from_is_refused_before_anything_is_written(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    begun(tmp_path)
    ran = begun(tmp_path, LEARNED.replace(old, new))
    with pytest.raises(UsageError, match=words):
        ran()
    assert not ran.sweep.path.exists()


def test_a_loss_of_another_kind_is_another_metric(tmp_path: Path) -> None:
    text = LEARNED.replace("val_accuracy, goal: maximize", "val_loss")
    begun(tmp_path, text)
    ran = begun(tmp_path, text.replace("sparse_categorical", "categorical"))
    words = r"val_loss \(loss: sparse_categorical_crossentropy\), .* val_loss \(loss: categorical_crossentropy\)"
    with pytest.raises(UsageError, match=words):
        ran()


RATE, UNITS = Parameter("learning_rate", Float(0.01, 0.1)), Parameter("model.units", Categorical((8, 16)))
FOR_SGD = Parameter("momentum", Float(0.0, 0.9), (Condition("optimizer", ("sgd",)),))
OPTIMIZERS = Parameter("optimizer", Categorical(("adam", "sgd")))


def fit(*given: dict[str, object], where: tuple[str, ...] = ()) -> tuple[list[Result], list[str]]:
    """Those of these trials that fit a space."""
    space = SearchSpace((RATE, UNITS, OPTIMIZERS, FOR_SGD), {"epochs": 3}, where)
    return select_fitting(space, [result(number, 0.5, params=params) for number, params in enumerate(given)], "it")


USUAL = {"learning_rate": 0.05, "units": 8, "optimizer": "adam"}


def test_trials_that_fit_have_the_names_and_values_of_the_space_and_numbers_from_zero() -> None:
    kept, notes = fit({"learning_rate": 9.0}, {**USUAL, "learning_rate": 0.1})
    assert [one.number for one in kept] == [0] and [one.suggestion.generation for one in kept] == [0]
    assert kept[0].params == {"epochs": 3, "learning_rate": 0.1, "model.units": 8, "optimizer": "adam"}
    assert len(notes) == 1
    assert fit({**USUAL, "epochs": 3})[0]
    with pytest.raises(UsageError, match="it has no trial that fits the space"):
        fit({**USUAL, "epochs": 4})


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({**USUAL, "epochs": 4}, "`epochs` is 4, not 3"),
        ({"learning_rate": 0.05, "optimizer": "adam"}, "`model.units` is missing"),
        ({**USUAL, "units": 9}, "`model.units` is outside the space"),
        ({**USUAL, "momentum": 0.5}, "the space has no `momentum`"),
        ({**USUAL, "rho": 0.5}, "the space has no `rho`"),
        ({**USUAL, "learning_rate": 0.01}, "`where` forbids it"),
    ],
)
def test_why_a_trial_is_left_out_is_counted(params: dict[str, object], why: str) -> None:
    kept, notes = fit(params, USUAL, params, where=("learning_rate > 0.02",))
    assert len(kept) == 1 and notes == [f"skipped 2 trials: {why}"]


def test_a_trial_that_continues_one_that_is_left_out_continues_none() -> None:
    space = SearchSpace((RATE,), {})

    def trial(number: int, rate: float, continues: int | None) -> Result:
        made = result(number, 0.5, params={"learning_rate": rate})
        return replace(made, suggestion=replace(made.suggestion, continues=continues, generation=3))

    trials = [trial(0, 9.0, None), trial(1, 0.05, None), trial(2, 0.05, 1), trial(3, 0.05, 0)]
    kept, _ = select_fitting(space, trials, "it")
    assert [(one.number, one.suggestion.continues) for one in kept] == [(0, None), (1, 0), (2, None)]
