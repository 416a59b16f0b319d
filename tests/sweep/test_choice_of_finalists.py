"""Which recipes are trained again with new seeds, and what their values over all seeds come to."""

import math
from dataclasses import replace
from statistics import fmean, stdev

import pytest
from scipy.stats import chi2

from keras_sweep.record.facts import ChosenFinalists
from keras_sweep.record.reader import add_finalists
from keras_sweep.space.sweep_spec import Finalists, SearchSettings
from keras_sweep.sweep.finalists import choose_finalists, describe_cut, suggest_finalists
from keras_sweep.trial.ranking import best_training, order_key, score, seed_scores, unsteadiness, winner
from keras_sweep.trial.result import Suggestion, TrialState
from tests.helpers.factory import make_spec
from tests.helpers.results import ACCURACY, result

ASKED = make_spec(finalists_asked=True)


def search(count=40, epochs=4, **more):
    """Trials whose values fall by far more than their errors, so that none tie."""
    return [result(number, 0.9 - number / 50, epochs=epochs, stderr=0.001, **more) for number in range(count)]


def finalist(recipe, seed, value=0.9, number=0, **more):
    suggestion = Suggestion(number, {**recipe.params, "seed": seed}, recipe=recipe.number)
    state = TrialState.FAIL if value is None else TrialState.COMPLETE
    return replace(recipe, suggestion=suggestion, value=value, state=state, finalists=(), final=False, **more)


def trained(results, choice, values=lambda recipe, seed: 0.9):
    """Every training of a choice."""
    return [finalist(results[r], s, values(r, s), number) for number, (r, s) in enumerate(choice)]


def decided(results, choice, values=lambda recipe, seed: 0.9):
    """The trials with every training of a choice."""
    return add_finalists(results, trained(results, choice, values), choice, len(results))


@pytest.mark.parametrize(
    ("trials", "recipes", "seeds"),
    [(60, 5, 3), (59, 4, 3), (47, 3, 3), (35, 2, 3), (23, 2, 2), (16, 2, 2), (15, 3, 1), (8, 2, 1)],
)
def test_a_quarter_of_the_epochs_goes_to_five_recipes_with_three_seeds_or_fewer_recipes_then_fewer_seeds(
    trials, recipes, seeds
):
    assert choose_finalists(make_spec(), search(trials)) == ChosenFinalists(
        trials, tuple(range(recipes)), (43, 44, 45)[:seeds]
    )


def test_a_search_too_small_for_all_says_so_and_how_to_ask():
    few, none = (describe_cut(choose_finalists(make_spec(), search(trials)), 5, 3) for trials in (8, 7))
    assert few.startswith("the finalists are 2 configurations with 1 new seed each")
    assert none.startswith("no configuration is trained again with new seeds")
    assert {text.partition("; ")[2] for text in (few, none)} == {
        "`finalists: {top: 5, seeds: 3}` in the space file trains all"
    }


def test_a_small_search_has_none_unless_it_is_asked_for():
    assert not choose_finalists(make_spec(), search(7)).recipes
    assert len(choose_finalists(ASKED, search(7))) == 15
    assert len(choose_finalists(replace(ASKED, finalists=Finalists(top=2, seeds=1)), search(2))) == 2
    assert not choose_finalists(ASKED, search(1)).recipes
    assert not choose_finalists(make_spec(finalists=None), search(60)).recipes


def test_epochs_that_were_taken_over_from_another_trial_or_program_were_not_trained_by_the_search():
    results = search(8)
    promoted = replace(results[7], suggestion=replace(results[7].suggestion, continues=0))
    assert choose_finalists(make_spec(), results).recipes
    assert not choose_finalists(make_spec(), [*results[:7], promoted]).recipes
    assert not choose_finalists(make_spec(), [*results[:7], replace(results[7], engine="import/optuna")]).recipes


def test_steady_curves_come_first_among_those_that_tie_with_the_best():
    jumpy = {"val_accuracy": (0.5, 0.9, 0.6, 0.9)}
    results = [result(0, 0.9, curve=jumpy), result(1, 0.899), result(2, 0.898), result(3, 0.7)]
    assert choose_finalists(ASKED, results).recipes == (2, 1, 0, 3)
    too_short = result(0, 0.9, epochs=2)  # to be judged: it counts as the least steady
    assert choose_finalists(ASKED, [too_short, result(1, 0.899)]).recipes == (1, 0)


def test_trials_tie_within_the_larger_of_their_two_standard_errors():
    def order(*errors):
        values = (0.75, 0.6875, 0.5)  # a sixteenth apart
        pairs = enumerate(zip(values, errors, strict=True))
        return choose_finalists(ASKED, [result(n, v, stderr=e) for n, (v, e) in pairs])

    assert order(1 / 16, 0.01, 0.01).recipes == (1, 0, 2)  # curves to lower values are steadier
    assert order(0.01, 1 / 16, 0.01).recipes == (1, 0, 2)
    assert order(0.01, None, 0.01).recipes == (0, 1, 2)
    assert order(0.06, 0.06, 0.2).recipes == (0, 1, 2)
    assert order(None, 0.01, 0.01).recipes == (0, 1, 2)
    jumpy = {"val_accuracy": (0.5, 0.1, 0.5, 0.0), "val_loss": (1.0, 1.0, 1.0, 1.0)}
    steady = {"val_accuracy": (0.0, 0.0, 0.0, 0.0), "val_loss": (1.0, 1.0, 1.0, 1.0)}
    assert choose_finalists(ASKED, [result(0, 0.0, curve=jumpy), result(1, 0.0, curve=steady)]).recipes == (1, 0)


def test_a_curve_is_as_unsteady_as_its_last_five_changes_up_to_the_scored_epoch():
    curve = (0.1, 0.9, 0.5, 0.52, 0.5, 0.55, 0.53, 0.56, 0.1)
    changes = [0.02, -0.02, 0.05, -0.02, 0.03]
    trial = result(0, 0.56, curve={"val_accuracy": curve}, epochs=8)
    assert unsteadiness(trial, ACCURACY) == pytest.approx(stdev(changes))
    assert unsteadiness(replace(trial, epoch=3), ACCURACY) == pytest.approx(stdev([0.8, -0.4]))
    assert unsteadiness(replace(trial, epoch=2), ACCURACY) == math.inf
    assert unsteadiness(replace(trial, curve={}), ACCURACY) == math.inf
    assert unsteadiness(result(0, 0.5, curve={"val_accuracy": (0.1, math.inf, 0.5)}, epochs=3), ACCURACY) == math.inf


def test_pruned_imported_and_failed_trials_are_no_finalists():
    results = search(3)
    results += [result(3, 0.99, state=TrialState.PRUNED), result(4, 0.99, engine="import/optuna")]
    results += [result(5, None, state=TrialState.FAIL)]
    assert choose_finalists(ASKED, results).recipes == (0, 1, 2)
    assert choose_finalists(replace(ASKED, objective=replace(ACCURACY, take_best=True)), results).recipes == (0, 1, 2)


def test_the_seeds_follow_that_of_the_search_and_begin_anew_after_the_last():
    spec = make_spec(finalists_asked=True, search=SearchSettings(seed=2**32 - 2))
    assert choose_finalists(spec, search(3)).seeds == (2**32 - 1, 0, 1)


def test_finalists_of_an_earlier_end_keep_their_numbers_and_the_others_follow():
    results = {one.number: one for one in search(8)}
    first = ChosenFinalists(4, (0, 1), (43, 44))
    before = [finalist(results[r], s, number=n) for n, (r, s) in enumerate(first)]
    later = ChosenFinalists(8, (2, 1), (43, 44))
    asked = [suggest_finalists(later, 1, [seed], results, before) for seed in later.seeds]
    assert [[one.number for one in part] for part in asked] == [[4, 1], [5, 3]]
    assert [[one.recipe for one in part] for part in asked] == [[2, 1], [2, 1]]
    assert all(one.params["seed"] == seed for part, seed in zip(asked, later.seeds, strict=True) for one in part)
    whole = [*before, finalist(results[2], 43, number=4)]
    assert [one.number for one in suggest_finalists(later, 1, later.seeds, results, before)] == [4, 1, 5, 3]
    assert suggest_finalists(later, 1, [44], results, whole) == [asked[1][0], before[3].suggestion]


def test_finalists_decide_only_once_all_are_there_and_until_the_search_goes_on():
    results, choice = search(4), ChosenFinalists(4, (1, 2), (43, 44))
    ended = trained(results, choice, lambda recipe, seed: 0.95 if recipe == 2 else 0.8)
    partly = add_finalists(results, ended[:3], choice, 4)
    assert winner(partly, ACCURACY).number == 0
    assert [len(one.finalists) for one in partly] == [0, 2, 1, 0]
    whole = add_finalists(results, ended, choice, 4)
    assert winner(whole, ACCURACY).number == 2
    assert [one.number for one in sorted(whole, key=lambda one: order_key(one, ACCURACY))] == [2, 1, 0, 3]
    assert winner(add_finalists([*results, result(4, 0.1)], ended, choice, 5), ACCURACY).number == 0


def test_seeds_that_were_not_chosen_are_not_counted_where_the_chosen_decide():
    results, choice = search(2), ChosenFinalists(2, (0, 1), (43,))
    others = [finalist(results[1], 50, 0.99, number=9)]
    whole = add_finalists(results, [*trained(results, choice), *others], choice, 2)
    assert [len(one.finalists) for one in whole] == [1, 1]


def test_the_best_seed_stands_for_a_recipe_once_the_seeds_decide():
    results, choice = search(2), ChosenFinalists(2, (0, 1), (43, 44))
    ended = trained(results, choice, lambda recipe, seed: 0.95 if seed == 44 else 0.8)
    whole = add_finalists(results, ended, choice, 2)
    assert best_training(whole[0], ACCURACY).finalist_seed == 44
    assert best_training(whole[0], ACCURACY).recipe == 0
    worse = decided(results, choice, lambda r, s: 0.5)
    assert best_training(worse[0], ACCURACY) is worse[0]
    partly = add_finalists(results, ended[:3], choice, 2)
    assert best_training(partly[0], ACCURACY) is partly[0]


def test_mean_and_standard_error_are_those_of_all_seeds():
    values = [0.9, 0.91, 0.93, 0.92]
    results, choice = [result(0, values[0], stderr=0.02), *search(2)[1:]], ChosenFinalists(2, (0, 1), (43, 44, 45))
    alike = seed_scores(decided(results, choice, lambda r, s: values[0])[0])
    assert (alike.mean, alike.stderr, alike.unstable) == (pytest.approx(0.9), None, False)
    scores = seed_scores(decided(results, choice, lambda r, s: values[s - 42])[0])
    assert scores.count == 4
    assert math.isclose(scores.mean, fmean(values))
    assert math.isclose(scores.stderr, stdev(values) / 2)
    assert not scores.unstable
    assert seed_scores(results[0]) is None


@pytest.mark.parametrize("others", [(0.9,), (0.9, 0.8), (0.91, 0.93, 0.92, 0.87)])
def test_seeds_are_unstable_where_chance_in_the_rows_spreads_one_search_of_twenty_as_far(others):
    choice = ChosenFinalists(2, (0, 1), tuple(43 + index for index in range(len(others))))
    spread = stdev((0.85, *others))
    chance = math.sqrt(chi2.ppf(0.95, len(others)) / len(others))
    for stderr, unstable in ((1.02 * spread / chance, False), (0.98 * spread / chance, True)):
        results = [result(0, 0.85, stderr=stderr), result(1, 0.8)]
        assert seed_scores(decided(results, choice, lambda r, s: others[s - 43])[0]).unstable is unstable


def test_a_finalist_is_ranked_by_its_mean_once_seeds_decide_and_by_its_value_before():
    results, choice = [result(0, 0.9, stderr=0.02), result(1, 0.8)], ChosenFinalists(2, (0, 1), (43,))
    whole = decided(results, choice, lambda r, s: 0.8)[0]
    assert score(whole) == (pytest.approx(0.85), pytest.approx(stdev((0.9, 0.8)) / math.sqrt(2)))
    assert score(replace(whole, final=False)) == (0.9, 0.02)
    assert seed_scores(replace(whole, value=None, state=TrialState.FAIL)) is None
