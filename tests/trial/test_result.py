"""What a result says of its trial: its epochs, metrics, seconds, recipe, and what is kept of it without its arrays."""

from dataclasses import replace

import numpy as np
import pytest

from keras_sweep.trial.result import Result, Seconds, Suggestion, TrialState
from keras_sweep.trial.row_scores import arrays_digest, from_values

CURVE = {"loss": (3.0, 2.0, 1.0), "val_loss": (3.5, 2.5, 2.0), "late": (9.0,)}
TRIAL = Result(Suggestion(7, {"epochs": 9, "seed": 43}), TrialState.COMPLETE, 2.5, CURVE, epoch=2)


def test_seconds_add_up_part_by_part_and_training_is_what_its_epochs_took():
    seconds = Seconds(1.0, 20.0, 300.0, 4000.0)
    assert (seconds.training, seconds.total) == (4300.0, 4321.0)
    assert seconds + Seconds(1.0, 1.0, 1.0, 2.0) == Seconds(2.0, 21.0, 301.0, 4002.0)
    assert Seconds() == Seconds(0.0, 0.0, 0.0, 0.0)


def test_metrics_are_those_of_the_scored_epoch_and_epochs_all_that_were_trained():
    assert TRIAL.metrics == {"loss": 2.0, "val_loss": 2.5}
    assert replace(TRIAL, epoch=1).metrics == {"loss": 3.0, "val_loss": 3.5, "late": 9.0}
    assert replace(TRIAL, epoch=None).metrics == {}
    assert TRIAL.epochs == 3
    bare = Result(Suggestion(0, {}), TrialState.FAIL, None)
    assert (bare.epochs, bare.metrics, bare.curve, bare.measured) == (0, {}, {}, {})


def test_a_goal_is_a_metric_or_what_was_measured_of_the_model_or_its_seconds():
    trial = replace(TRIAL, measured={"parameters": 650.0}, seconds=Seconds(1.0, 2.0, 3.0, 4.0))
    goals = {name: trial.goal(name) for name in ("loss", "parameters", "train_seconds", "late")}
    assert goals == {"loss": 2.0, "parameters": 650.0, "train_seconds": 7.0, "late": None}


def test_epochs_that_are_read_off_the_curve_are_the_scored_one():
    assert TRIAL.params["epochs"] == 9
    assert replace(TRIAL, reads_epochs=True).params == {"epochs": 2, "seed": 43}
    assert replace(TRIAL, reads_epochs=True, epoch=None).params["epochs"] == 9


@pytest.mark.parametrize(
    ("state", "reads_epochs", "whole"),
    [
        (TrialState.COMPLETE, False, True),
        (TrialState.COMPLETE, True, True),
        (TrialState.PRUNED, False, False),
        (TrialState.PRUNED, True, True),
        (TrialState.FAIL, True, False),
        (TrialState.FAIL, False, False),
    ],
)
def test_a_trial_that_a_rung_stopped_is_whole_if_its_epochs_are_read_off_the_curve(state, reads_epochs, whole):
    assert replace(TRIAL, state=state, reads_epochs=reads_epochs).is_whole is whole


def test_a_finalist_bears_the_number_of_its_recipe_and_its_seed():
    assert (TRIAL.number, TRIAL.recipe, TRIAL.finalist_seed, TRIAL.name) == (7, 7, None, "trial 7")
    finalist = replace(TRIAL, suggestion=replace(TRIAL.suggestion, recipe=0))
    assert (finalist.number, finalist.recipe, finalist.finalist_seed) == (7, 0, 43)
    assert finalist.name == "trial 0 with seed 43"
    plain = Suggestion(0, {})
    assert (plain.generation, plain.continues, plain.recipe, plain.sampler_seconds) == (0, None, None, 0.0)


def test_a_light_result_has_the_digests_of_the_arrays_that_it_had():
    weights, scores = (np.ones((2, 3), np.float32), np.zeros(3)), from_values(np.array([1, 0, 1]))
    light = replace(TRIAL, weights=weights, scores=scores).light()
    assert (light.weights, light.scores) == (None, None)
    assert light.weights_digest == arrays_digest(weights) != arrays_digest(weights[:1])
    assert light.scores_digest == scores.digest
    assert light.light() == light
    assert TRIAL.light() == TRIAL
