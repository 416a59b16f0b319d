"""A real search whose best recipes are trained again with new seeds: run, stopped, made longer, and worked on."""

import json
from pathlib import Path
from typing import Any

import pytest

import keras_sweep as ks
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.sweep import events as happened
from keras_sweep.sweep.events import FinalistEnded, FinalistEpochEnded, FinalistsChosen, TrialEnded
from keras_sweep.trial.ranking import best_training, seed_scores, winner
from tests.helpers.command import called
from tests.helpers.in_memory_record import plain
from tests.helpers.ran import Ran, finished
from tests.helpers.whole_spaces import FEW_FINALISTS, PLAIN, SPACES
from tests.helpers.whole_sweeps import outcome

ALL = SPACES["plain"] + "finalists: {top: 3, seeds: 2}\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A sweep that nobody stopped."""
    return finished(tmp_path_factory.mktemp("whole"), ALL, trials=6)


def test_the_best_recipes_are_trained_with_each_new_seed_after_the_search(whole: Ran) -> None:
    (chosen,) = whole.of(FinalistsChosen)
    assert len(chosen.recipes) == 3
    assert chosen.seeds == (43, 44)
    ended = [event.result for event in whole.of(FinalistEnded)]
    assert {(one.recipe, one.finalist_seed) for one in ended} == {(r, s) for r in chosen.recipes for s in chosen.seeds}
    assert all(one.params == {**results_of(whole)[one.recipe].params, "seed": one.finalist_seed} for one in ended)
    assert len(whole.of(FinalistEpochEnded)) == chosen.epochs == sum(one.epochs for one in ended)
    kinds = [type(event) for event in whole.events]
    assert max(i for i, kind in enumerate(kinds) if kind is TrialEnded) < kinds.index(FinalistsChosen)


def results_of(ran: Ran):
    return RecordedSweep.read(ran.sweep).results


def test_each_has_the_numbers_of_a_trial_with_that_seed(whole: Ran, tmp_path: Path) -> None:
    """A search with another seed trains its trials with it: one of the same parameters has the same numbers."""
    one = results_of(whole)[whole.of(FinalistsChosen)[0].recipes[0]]
    values = "".join(f"  {name}: {value}\n" for name, value in one.params.items())
    head = SPACES["plain"].partition("parameters:")[0]
    (result,) = finished(tmp_path, f"{head}parameters:\n{values}", trials=1, seed=43).ended.results
    (finalist,) = (each for each in one.finalists if each.finalist_seed == 43)
    assert (finalist.value, finalist.curve["val_accuracy"]) == (result.value, result.curve["val_accuracy"])


def test_the_recipe_with_the_best_mean_wins_and_its_best_seed_is_tested_and_exported(whole: Ran) -> None:
    results = results_of(whole)
    best = winner(results, whole.spec.objective)
    values = {one.number: [one.value, *(each.value for each in one.finalists)] for one in results if one.final}
    means = {number: sum(each) / 3 for number, each in values.items()}
    assert means[best.number] == max(means.values())
    training = best_training(best, whole.spec.objective)
    assert training.value == max(values[best.number])
    (test,) = whole.of(happened.TestEvaluated)
    assert (test.number, test.seed) == (best.number, training.finalist_seed)
    card = json.loads(whole.sweep.card.read_text())
    assert (card["trial"], card["seed"]) == (best.number, training.params.get("seed", 42))
    assert card["validation"]["value"] == training.value
    assert card["seeds"]["count"] == 3
    assert list(card["seeds"]["values"].values()) == values[best.number]
    sweep = ks.open("plain", sweeps_dir=whole.sweep.path.parent)
    rows = sweep.validation()
    scores = sweep.load_model().evaluate(rows.x, rows.y, verbose=0, return_dict=True)
    assert scores["accuracy"] == pytest.approx(training.value, abs=1e-6)
    found = sweep.best
    assert (found.number, found.seeds) == (best.number, sweep.trial(best.number).seeds)
    assert (found.seeds.mean, found.seeds.exported) == (seed_scores(best).mean, card["seed"])
    assert [one.value for one in found.finalists] == values[best.number][1:]
    own = sweep.load_model(best.number).evaluate(rows.x, rows.y, verbose=0, return_dict=True)
    assert own["accuracy"] == pytest.approx(best.value, abs=1e-6)


def listed(ran: Ran) -> dict[str, Any]:
    (row,) = json.loads(called(["list", "--format", "json"], ran.sweep.path.parent)[1])
    return row


def test_the_list_shows_the_mean(whole: Ran) -> None:
    scores, row = seed_scores(winner(results_of(whole), whole.spec.objective)), listed(whole)
    assert (row["value"], row["stderr"], row["state"]) == (scores.mean, scores.stderr, "done")


def test_the_engine_learns_nothing_of_them(tmp_path: Path) -> None:
    finished(tmp_path, ALL, trials=6)
    longer = finished(tmp_path, ALL, trials=17)
    (tmp_path / "without").mkdir()
    without = finished(tmp_path / "without", PLAIN, trials=17)
    assert plain(results_of(longer)) == plain(results_of(without))
    assert not without.of(FinalistsChosen)
    (chosen,) = longer.of(FinalistsChosen)
    assert chosen.estimate() == without.ended.comparison.estimate is not None
    assert winner(results_of(without), without.spec.objective).finalists == ()


@pytest.mark.parametrize("epochs", [1, *(pytest.param(one, marks=pytest.mark.soak) for one in (0, 4))])
def test_a_sweep_whose_time_is_up_while_they_train_goes_on_to_the_same_end(
    whole: Ran, tmp_path: Path, epochs: int
) -> None:
    stopped = Ran(tmp_path, text=ALL, trials=6, test=False)
    seen = []

    def time_is_up(event: object) -> bool:
        seen.append(event)
        kind = FinalistEpochEnded if epochs else FinalistsChosen
        return sum(isinstance(one, kind) for one in seen) > max(epochs - 1, 0)

    stopped.time_is_up = time_is_up
    reason = stopped().reason  # the last epochs may be trained before the first one is told of
    assert reason == "time is up" or (epochs and reason == "done")
    assert winner(results_of(stopped), stopped.spec.objective).final is (reason == "done")
    assert listed(stopped)["state"] == ("done" if reason == "done" else "stopped")
    finished(tmp_path, ALL, trials=6)
    assert {**outcome(stopped.sweep), "files": None} == {**outcome(whole.sweep), "files": None}


def test_those_of_an_earlier_end_stay_and_are_used_again(whole: Ran, tmp_path: Path) -> None:
    finished(tmp_path, ALL, trials=4)
    longer = Ran(tmp_path, text=ALL, trials=6)
    before = {one.number: one.finalists for one in results_of(longer)}
    longer()
    after = {one.number: one for one in results_of(longer)}
    assert all(one in after[number].finalists for number, each in before.items() for one in each)
    (chosen,) = longer.of(FinalistsChosen)
    again = [number for number in chosen.recipes if before.get(number)]
    trained = {event.result.recipe for event in longer.of(FinalistEnded)}
    assert trained == set(chosen.recipes) - set(again)
    expected = {one.number: one for one in results_of(whole)}
    assert winner(after.values(), longer.spec.objective).number == json.loads(whole.sweep.card.read_text())["trial"]
    for number in chosen.recipes:
        assert [one.value for one in after[number].finalists] == [one.value for one in expected[number].finalists]


def test_lost_weights_of_a_finalist_are_trained_again_to_the_bit(whole: Ran, tmp_path: Path) -> None:
    ran = finished(tmp_path, ALL, trials=6)
    for path in (*ran.sweep.finalists.weights.iterdir(), *ran.sweep.weights.iterdir(), ran.sweep.best):
        path.unlink()
    finished(tmp_path, ALL, trials=6)
    assert outcome(ran.sweep)["best"] == outcome(whole.sweep)["best"]


@pytest.mark.parametrize("space", ["fit", pytest.param("bands", marks=pytest.mark.soak)])
def test_other_runners_engines_and_rules_have_them_too(space: str, tmp_path: Path) -> None:
    ran = finished(tmp_path, SPACES[space] + FEW_FINALISTS, runner="fit" if space == "fit" else None)
    best = winner(results_of(ran), ran.spec.objective)
    assert best.final
    (finalist,) = best.finalists
    assert finalist.epochs == best.epochs
    assert (finalist.engine, finalist.runner) == ("finalists", best.runner)
    assert finalist.suggestion.continues is None
