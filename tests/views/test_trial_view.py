import json
import math
from dataclasses import replace

from keras_sweep.trial.comparison import Behind, Comparison
from keras_sweep.trial.result import Seconds, TrialState
from keras_sweep.views.trial_view import print_trial, trial_json
from tests.helpers.results import dense_sweep, recorded, result
from tests.helpers.screen import on_pipe, on_terminal

RESULTS = dense_sweep()


def test_a_trial_is_shown_with_all_that_is_known_of_it():
    text = on_terminal(print_trial, recorded(RESULTS), RESULTS[55])
    for part in (
        "trial 55  COMPLETE",
        "val_accuracy 0.8538 ±0.0032  rank 8 of 64",
        "suggested by optuna/tpe in generation 6, trained by compiled/jax, seed 42",
        "learning_rate  0.00033870864500246725",
        "epoch  val_accuracy  val_loss  accuracy    loss",
        "val_accuracy after each epoch",
        "compile",
    ):
        assert part in text
    assert text.count("\n    ") >= 9
    trials = [result(0, 0.85, epochs=6, epoch=3), result(1, 0.85)]
    text = on_terminal(print_trial, recorded(trials), trials[0])
    assert "scored at epoch 3" in text and "≈" not in text  # values alone mark no best set


def test_a_trial_that_may_be_the_best_says_whether_it_was_trained_again():
    first = replace(result(0, 0.85), finalists=(result(0, 0.86), result(0, 0.84)), final=True)
    trials = [first, result(1, 0.82), result(2, 0.5)]
    sweep = recorded(trials)
    members = {0: Behind(0.0, None, True), 1: Behind(0.03, 0.02, True), 2: Behind(0.35, 0.02, False)}
    sweep.__dict__["comparison"] = Comparison(0, None, members, 500, units="500 rows")
    winner, member, loser = (on_terminal(print_trial, sweep, trial) for trial in trials)
    assert "\ntrained again with 2 new seeds\n" in winner and "may be the best" not in winner
    assert "≈ may be the best of all" in member
    assert "\nnot trained again with new seeds: trials with better values come first\n" in member
    assert "trained again" not in loser and "≈" not in loser


def test_the_plot_has_both_axes_and_uses_its_whole_height():
    trial = result(0, 0.85, epochs=16)
    text = on_terminal(print_trial, recorded([trial]), trial, width=80)
    _, *lines = text.split("val_accuracy after each epoch")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in (lines[0], lines[3], lines[6])] == ["0.8500", "0.8031", "0.7562"]
    assert lines[8].split() == ["1", "16", "epoch"]
    drawn = [line[8:] for line in lines[:7]]
    assert all(line.strip() for line in drawn) and [line[0] for line in drawn] == [*" " * 6, "▁"]


def test_a_failed_trial_says_why():
    failed = result(0, None, state=TrialState.FAIL, reason="ValueError: [red]no", traceback="Trace\n  \x1b[31mx\n")
    text = on_terminal(print_trial, recorded([failed]), failed)
    assert "trial 0  FAIL: ValueError: [red]no" in text and "traceback" in text and "\\x1b[31mx" in text
    assert "rank" not in text and "nan" in text
    trial = result(0, None, state=TrialState.FAIL, params={}, curve={}, seconds=Seconds(), engine="", runner="")
    assert on_terminal(print_trial, recorded([trial]), trial).splitlines()[0] == "trial 0  FAIL", "it never trained"


def test_a_long_curve_is_shortened_on_a_terminal_and_whole_on_a_pipe():
    trial = result(0, 0.85, epochs=300)
    assert "270 lines in the middle are left out" in on_terminal(print_trial, recorded([trial]), trial)
    text = on_pipe(print_trial, recorded([trial]), trial)
    assert "left out" not in text and text.count("\n") > 300


def test_json_is_one_strict_object():
    text = trial_json(recorded(RESULTS), RESULTS[21])
    record = json.loads(text)
    assert record["number"] == 21 and record["seed"] == 42 and record["rank"] > 60 and record["tie"] is False
    assert record["traceback"] is None and record["curve"]["val_accuracy"] == [None, None]
    assert text.isascii() and not any(math.isnan(v) for v in record["seconds"].values())


def test_an_imported_trial_claims_no_generation_and_no_seed():
    foreign = result(0, 0.9, engine="import/optuna", runner="import/optuna", curve={}, epoch=None)
    text = on_terminal(print_trial, recorded([foreign]), foreign, width=100)
    assert "trained elsewhere: import/optuna\n" in text
    assert "seed" not in text and "generation" not in text
