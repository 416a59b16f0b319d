"""One order of trials, and one winner."""

from dataclasses import replace

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial import ranking
from keras_sweep.trial.result import Seconds, TrialState
from tests.helpers.results import ACCURACY, LOSS, dense_sweep, result

BEST_EPOCH = replace(ACCURACY, take_best=True)


def perfect(number, *losses, **more):
    """Every validation row is right after the last epoch."""
    values = (*(0.5 for _ in losses[1:]), 1.0)
    return result(number, 1.0, curve={"val_accuracy": values, "val_loss": losses}, epoch=len(losses), **more)


def order(*results, objective=ACCURACY):
    return [one.number for one in sorted(results, key=lambda each: ranking.order_key(each, objective))]


def test_equal_values_rank_by_the_loss_on_the_same_rows_then_by_epochs_then_by_number():
    results = [perfect(0, 0.9, 0.8), perfect(1, 0.2, 0.1), perfect(2, 0.1), perfect(3, 0.1), perfect(4, 0.01, 0.3)]
    assert order(*results) == [2, 3, 1, 4, 0]
    assert ranking.winner(results, ACCURACY) == results[2]


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
    assert ranking.winner([pruned], ACCURACY) is None
    assert order(pruned, complete, objective=BEST_EPOCH) == [0, 1]
    assert ranking.winner([pruned, complete], BEST_EPOCH) == pruned


def test_an_imported_trial_ranks_by_its_value_but_never_wins():
    theirs, ours = result(0, 0.9, engine="import/optuna"), result(1, 0.8)
    assert order(theirs, ours) == [0, 1]
    assert ranking.winner([theirs, ours], ACCURACY) == ours
    assert not ranking.can_win(theirs, ACCURACY)
    assert ranking.winner([theirs], ACCURACY) is None


def test_recipes_rank_by_how_many_seeds_failed_whatever_the_number_of_seeds():
    def recipe(number, value, *others):
        seeds = (result(9, v, state=TrialState.COMPLETE if v is not None else TrialState.FAIL) for v in others)
        return replace(result(number, value), finalists=tuple(seeds), final=True)

    results = [recipe(0, 0.7, 0.7, 0.7), recipe(1, 0.8, 0.8), recipe(2, 0.9, 0.9, None), recipe(3, 0.9, None, None)]
    assert order(*results) == [1, 0, 2, 3]
    assert [ranking.order_key(one, ACCURACY)[1] for one in results] == [0, 0, 1, 2]


def test_only_trials_that_an_engine_here_asked_for_were_searched():
    engines = {"optuna/tpe": True, "import/optuna": False, "added": False, "added/by": True}
    assert {engine: ranking.is_searched(result(0, 0.9, engine=engine)) for engine in engines} == engines


def test_good_enough_is_the_first_trial_that_can_win_and_has_the_value_or_a_better_one():
    results = [result(0, 0.95, engine="import/optuna"), result(1, 0.7), result(2, 0.8), result(3, 0.9)]
    assert ranking.good_enough(results, ACCURACY, 0.8).number == 2
    assert ranking.good_enough(results, ACCURACY, 0.81).number == 3
    assert ranking.good_enough(results, ACCURACY, 0.91) is None
    assert ranking.good_enough([result(0, 0.5), result(1, 0.3)], LOSS, 0.4).number == 1


def test_the_front_has_the_trials_that_no_other_beats_in_one_goal_and_equals_in_the_rest():
    small = Objective("parameters", Goal.MINIMIZE)
    two = replace(ACCURACY, further=(small, LOSS))

    def made(number, value, parameters, loss=0.3, **more):
        curve = {"val_accuracy": (value,), "val_loss": (loss,)}
        return result(number, value, curve=curve, epoch=1, measured={"parameters": parameters}, **more)

    results = [made(0, 0.9, 100.0), made(1, 0.9, 50.0), made(2, 0.9, 50.0), made(3, 0.8, 70.0), made(4, 0.8, 70.0, 0.1)]
    results += [made(5, 0.99, 1.0, engine="import/optuna"), result(6, None, state=TrialState.FAIL)]
    assert ranking.front(results, two) == {1, 2, 4}
    assert ranking.front(results, replace(two, further=(small,))) == {1, 2}
    assert ranking.front(results, ACCURACY) == set()
    assert ranking.front([replace(results[3], final=True), results[1]], replace(two, further=(small,))) == {1}


def test_a_winner_meets_what_its_goals_are_to_meet():
    two = replace(
        ACCURACY, further=(Objective("parameters", Goal.MINIMIZE),), where="parameters <= 60 and val_accuracy > 0.5"
    )
    results = [result(n, v, measured={"parameters": p}) for n, (v, p) in enumerate([(0.9, 90), (0.8, 60), (0.7, 5)])]
    assert ranking.winner(results, two) == results[1]
    assert [one for one in results if ranking.can_win(one, two)] == results[1:]
    assert ranking.winner(results, replace(two, where="parameters / 0 < 1")) is None
    assert ranking.winner([result(0, 0.9)], two) is None


TRIALS = dense_sweep(12)


def test_seconds_are_those_of_the_trials_one_after_the_other():
    timed = [replace(one, seconds=Seconds(train=float(one.number))) for one in TRIALS[:4]]
    assert ranking.sum_seconds(timed) == {0: 0.0, 1: 1.0, 2: 3.0, 3: 6.0}
    timed[2] = replace(timed[2], seconds=Seconds(train=float("nan")))
    assert ranking.sum_seconds(timed)[3] == 4.0


def test_improvements_are_the_trials_that_were_the_best_when_they_ended():
    found = ranking.improvements(reversed(TRIALS), ACCURACY)
    values = [one.value for one in found]
    assert values == sorted(values)
    assert [one.number for one in found] == sorted(one.number for one in found)
    assert found[-1].value == max(one.value for one in TRIALS if one.value is not None and one.state == "COMPLETE")


def test_epochs_that_a_promoted_trial_took_over_count_once():
    first, second = TRIALS[0], TRIALS[1]
    longer = {name: (*values, *values) for name, values in first.curve.items()}
    promoted = replace(second, curve=longer, suggestion=replace(second.suggestion, continues=0))
    assert ranking.count_epochs([first, promoted]) == 2 * first.epochs
