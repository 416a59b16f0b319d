"""A trial that trains on, unless a rung stops it, and whose `epochs` is read off its curve."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from keras_sweep import Sweep
from keras_sweep.models.inspect_model import load_rows
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.training.choose import RUNNERS
from keras_sweep.training.runner import Watch
from keras_sweep.trial.result import Suggestion, TrialState
from tests.helpers.ran import finished, ran_as
from tests.helpers.whole_spaces import PLAIN

TEXT = PLAIN.replace("{min: 1, max: 3}", "{min: 2, max: 7}").replace("finalists: none", "finalists: {top: 2, seeds: 1}")
HALVED = TEXT + "early_terminate: {type: successive_halving, min_iter: 1, eta: 2}\n"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return ran_as(tmp_path_factory.mktemp("halved"), "halved", HALVED, trials=8)


def test_a_trial_has_its_best_epoch_from_the_least_on_as_its_parameter(swept: Sweep) -> None:
    ends = {TrialState.COMPLETE: 7, TrialState.PRUNED: None}
    for trial in swept.trials:
        curve = trial.curve["val_accuracy"]
        assert trial.params["epochs"] == curve.index(max(curve[1:]), 1) + 1, trial
        assert trial.value == curve[trial.params["epochs"] - 1]
        assert ends[trial.state] in (None, len(curve)) and len(curve) in (2, 4, 7)
    study = swept.study
    assert [one.params["epochs"] for one in study.trials] == [one.params["epochs"] for one in swept.trials]
    assert isinstance(study.trials[0].distributions["epochs"], optuna.distributions.IntDistribution)


def test_finalists_train_so_many_epochs_and_their_last_one_counts(swept: Sweep) -> None:
    best = swept.best
    assert best.seeds is not None and best.seeds.count == 2
    finalists = [one for one in swept.trials if one.seeds is not None]
    assert len(finalists) == 2 and swept.replay().matches


def test_it_equals_the_trial_of_so_many_epochs_by_fit(tmp_path: Path) -> None:
    ran = finished(tmp_path, HALVED + "", trials=3, runner="fit")
    spec, data = load_rows(ran.spec)
    for trial in ran.ended.results:
        objective = replace(spec.objective, take_best=False, epochs_from=0)
        alone = replace(spec, objective=objective, early_terminate=None, space=SearchSpace((), trial.params))
        runner = RUNNERS.find("fit")(alone, data)
        again = next(iter(runner.run([Suggestion(0, trial.params)], frozenset({0}), Watch())))
        assert (again.value, again.epochs) == (trial.value, trial.params["epochs"])
        assert again.light().weights_digest == trial.weights_digest
