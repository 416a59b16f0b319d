"""One order of trials, and one winner."""

from __future__ import annotations

from dataclasses import replace

from keras_sweep.trial.ranking import can_win, order_key, winner
from keras_sweep.trial.result import TrialState
from tests.helpers.results import ACCURACY, LOSS, result

BEST_EPOCH = replace(ACCURACY, take_best=True)


def perfect(number, *losses, **more):
    """Every validation row is right after the last epoch."""
    values = (*(0.5 for _ in losses[1:]), 1.0)
    return result(number, 1.0, curve={"val_accuracy": values, "val_loss": losses}, epoch=len(losses), **more)


def order(*results, objective=ACCURACY):
    return [one.number for one in sorted(results, key=lambda each: order_key(each, objective))]


def test_equal_values_rank_by_the_loss_on_the_same_rows_then_by_epochs_then_by_number():
    results = [perfect(0, 0.9, 0.8), perfect(1, 0.2, 0.1), perfect(2, 0.1), perfect(3, 0.1), perfect(4, 0.01, 0.3)]
    assert order(*results) == [2, 3, 1, 4, 0]
    assert winner(results, ACCURACY) == results[2]


def test_the_loss_of_the_scored_epoch_counts():
    early = result(0, 1.0, curve={"val_accuracy": (1.0, 0.9), "val_loss": (0.3, 0.1)}, epoch=1)
    late = result(1, 1.0, curve={"val_accuracy": (0.9, 1.0), "val_loss": (0.3, 0.2)}, epoch=2)
    assert order(early, late, objective=BEST_EPOCH) == [1, 0]


def test_a_loss_that_is_missing_or_no_number_ranks_last_among_equals():
    nothing, nan = perfect(0), perfect(1, float("nan"))
    assert order(replace(nothing, epoch=None, curve={}), nan, perfect(2, 9.0)) == [2, 0, 1]


def test_a_pruned_trial_ranks_below_complete_ones_unless_its_best_epoch_counts():
    pruned, complete = result(0, 0.8554, state=TrialState.PRUNED), result(1, 0.4787)
    assert order(pruned, complete) == [1, 0]
    assert winner([pruned], ACCURACY) is None
    assert order(pruned, complete, objective=BEST_EPOCH) == [0, 1]
    assert winner([pruned, complete], BEST_EPOCH) == pruned


def test_an_imported_trial_ranks_by_its_value_but_never_wins():
    theirs, ours = result(0, 0.9, engine="import/optuna"), result(1, 0.8)
    assert order(theirs, ours) == [0, 1]
    assert winner([theirs, ours], ACCURACY) == ours
    assert not can_win(theirs, ACCURACY)
    assert winner([theirs], ACCURACY) is None


def test_a_loss_is_minimized():
    results = [result(0, 0.5), result(1, 0.4)]
    assert order(*results, objective=LOSS) == [1, 0]
