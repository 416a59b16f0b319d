"""A trial trained again has the weights that it had, to the bit; another trial's in their place are never used."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import keras_sweep as ks
from keras_sweep.errors import Interrupted, RecordError
from keras_sweep.files.arrays import read_arrays
from keras_sweep.record.reader import read_facts
from keras_sweep.record.saved import weights_file
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.distributions import Int
from keras_sweep.space.search_space import Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.sweep.replay import weights_of
from keras_sweep.sweep.winner import evaluate_winner
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.trial.events import Event, Noticed
from keras_sweep.trial.result import TrialState
from keras_sweep.trial.row_scores import arrays_digest
from tests.helpers.factory import LEARNING_RATE, OPTIMIZER, digits, make_spec
from tests.helpers.in_memory_record import NOWHERE, Asked, InMemory, open_to_run, searched
from tests.helpers.ran import finished
from tests.helpers.records import identical, saved_trials
from tests.helpers.space_texts import DIGITS, changed

DATA = digits()
SPEC = make_spec(
    (OPTIMIZER, LEARNING_RATE),
    constants={"epochs": 4, "batch_size": 96},
    early_terminate=EarlyTerminate("hyperband", 1, 2),
    search=SearchSettings("optuna", "random", 18, 42),
)


def again(results, runner, number, spec=SPEC, *, is_stopped=False):
    study = SimpleNamespace(results=lambda: [replace(one, weights=None) for one in results], folder=NOWHERE)
    sweep = open_to_run(spec, runner, study=study, data=DATA)
    sweep.stop.signalled = is_stopped
    return weights_of(sweep, results[number])


@pytest.mark.parametrize(
    ("make", "trials", "numbers"), [(CompiledRunner, 18, (0, 7, 15, 16, 17)), (FitRunner, 3, (2, 1))]
)
def test_a_runner_gives_the_same_weights_again(make, trials, numbers) -> None:
    results = searched(SPEC, make(SPEC, DATA), trials).results()  # the last generation is not trained to its end
    assert make is FitRunner or any(one.state is TrialState.PRUNED for one in results)
    with_weights = [results[number] for number in numbers if results[number].weights is not None]
    assert with_weights
    for one in with_weights:
        assert identical(again(results, make(SPEC, DATA), one.number), one.weights)


@pytest.mark.parametrize(
    ("changes", "stopped", "error", "said"),
    [
        ({"value": 0.123}, False, RecordError, r"the record has 0.123 for trial 0, but the new training has"),
        ({"state": TrialState.FAIL, "value": None, "reason": "diverged"}, False, RecordError, "trial 0 failed"),
        ({}, True, Interrupted, "The same command starts it again"),
    ],
    ids=["other numbers", "failed", "stopped"],
)
def test_no_other_weights_are_passed_off_as_those_of_the_record(changes, stopped, error, said):
    results = searched(SPEC, CompiledRunner(SPEC, DATA), 1).results()
    results[0] = replace(results[0], **changes)
    with pytest.raises(error, match=said):
        again(results, CompiledRunner(SPEC, DATA), 0, is_stopped=stopped)


@pytest.mark.soak
def test_a_promoted_trial_gives_the_same_weights_again_though_its_predecessors_states_are_gone() -> None:
    spec = replace(
        make_spec(
            (OPTIMIZER, LEARNING_RATE, Parameter("epochs", Int(1, 4))), objective=Objective("val_loss", Goal.MINIMIZE)
        ),
        search=SearchSettings("keras-tuner", "hyperband", 40, 1),
    )
    results = searched(spec, CompiledRunner(spec, DATA, keep_states=True), 40).results()
    promoted = [one for one in results if one.suggestion.continues is not None and one.weights is not None]
    for one in (promoted[0], promoted[-1]):
        runner = CompiledRunner(spec, DATA, keep_states=True)
        assert identical(again(results, runner, one.number, spec), one.weights)


@pytest.mark.soak
def test_what_the_sweep_keeps_of_trials_in_training_stays_when_a_trial_is_trained_again(tmp_path: Path) -> None:
    for folder, make in ((tmp_path / "lanes", CompiledRunner), (tmp_path / "fit", FitRunner)):
        record, kept = InMemory(), []
        for looks in range(4, 60):  # stopped again and again, until that was within a later trial
            searched(SPEC, make(SPEC, DATA, checkpoints=folder), 20, record=record, stop=Asked(record, looks=looks))
            kept = sorted(folder.glob("*.npz"))
            if record.kept and kept:
                break
        before = [(path, path.read_bytes()) for path in kept]
        assert before
        number = next(one.number for one in record.kept if one.state is not TrialState.FAIL)
        again(record.results(), make(SPEC, DATA, checkpoints=folder), number)
        assert [(path, path.read_bytes()) for path in sorted(folder.glob("*.npz"))] == before


SPACE = changed(DIGITS, epochs="  epochs: {min: 1, max: 3}", search="search: {trials: 4, seed: 42}\nfinalists: none")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepFolder, int]:
    ran = finished(tmp_path_factory.mktemp("done"), SPACE)
    return ran.sweep, ran.ended.comparison.best  # type: ignore[union-attr, return-value]


@pytest.fixture
def swapped(done: tuple[SweepFolder, int], tmp_path: Path) -> SweepFolder:
    """A copy, the winner's weights another trial's, and its model gone."""
    shutil.copytree(done[0].path.parent, tmp_path / "sweeps")
    sweep = SweepFolder(tmp_path / "sweeps" / "plain")
    other = next(number for number in saved_trials(sweep) if number != done[1])
    shutil.copy(weights_file(sweep, other), weights_file(sweep, done[1]))
    sweep.best.unlink()
    return sweep


def test_another_trials_weights_are_set_aside_and_the_trial_is_trained_again(done, swapped, tmp_path):
    notices, best = finished(tmp_path, SPACE).notices, done[1]
    file = weights_file(swapped, best)
    assert any(f"{file} are damaged: the weights do not match the digest in the record" in notice for notice in notices)
    assert any(f"trial {best} is trained again" in notice for notice in notices)
    assert file.with_name(f"{file.name}~1").exists()
    right = arrays_digest(read_arrays(weights_file(done[0], best)))
    assert arrays_digest(read_arrays(file)) == right
    import keras

    assert arrays_digest(keras.models.load_model(swapped.best).get_weights()) == right


def test_nothing_is_evaluated_loaded_or_exported_by_another_trials_weights(done, swapped, tmp_path):
    events: list[Event] = []
    scores = evaluate_winner(OpenSweep(swapped, events.append))
    assert scores.scores == read_facts(done[0]).test.scores
    assert any("is trained again, since the weights" in event.message for event in events if isinstance(event, Noticed))
    with pytest.warns(UserWarning, match="is trained again, since the weights"):
        sweep = ks.open("plain", sweeps_dir=swapped.path.parent)
        loaded = sweep.load_model().get_weights()
    assert arrays_digest(loaded) == arrays_digest(read_arrays(weights_file(done[0], done[1])))
    with pytest.warns(UserWarning, match="is trained again, since the weights"):
        sweep.export(tmp_path / "best.keras")
    assert ks.verify(tmp_path / "best.keras", sweeps_dir=swapped.path.parent).matches
