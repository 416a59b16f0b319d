"""A sweep's trials against its winner, and the rows that all good ones miss: from the scores that the run kept."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.honest.estimate import FirstChoice, estimate_winner
from keras_sweep.honest.scores import MeanScores
from keras_sweep.record.candidates import stack_scores
from keras_sweep.record.facts import Facts
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import CHOOSE_AGAIN, RecordedSweep, why_none
from keras_sweep.record.saved import load_scores_of, save_scores, scores_file, select_part
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep.validation_outputs import find_missed_rows
from keras_sweep.trial.comparison import compare_by_value
from keras_sweep.trial.ranking import unsteadiness
from keras_sweep.trial.result import Result, Suggestion, TrialState
from keras_sweep.trial.row_scores import RowScores, from_outputs, from_values
from keras_sweep.trial.units import Units
from tests.helpers.ran import finished
from tests.helpers.results import ACCURACY, LOSS, result
from tests.helpers.space_texts import DIGITS, changed

SPACE = changed(DIGITS, epochs="  epochs: {min: 1, max: 3}", search="search: {trials: 16, seed: 42}\nfinalists: none")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    ran = finished(tmp_path_factory.mktemp("done"), SPACE)
    return ran.sweep, ran.ended


@pytest.fixture
def copy(done, tmp_path):
    shutil.copytree(done[0].path.parent, tmp_path / "sweeps")
    return SweepFolder(tmp_path / "sweeps" / "plain")


def read(sweep):
    return RecordedSweep.read(sweep).comparison


def on_disk(folder: SweepFolder, trial: Result, scores: RowScores) -> Result:
    """The trial, with scores that are kept as a run keeps them."""
    place = select_part(folder, trial).scores
    place.mkdir(parents=True, exist_ok=True)
    save_scores(scores_file(select_part(folder, trial), trial.number), scores)
    return replace(trial, scores_digest=scores.digest)


def scored(folder: SweepFolder, rows: np.ndarray, objective: Objective = ACCURACY, **facts) -> RecordedSweep:
    """A sweep of as many trials as there are rows of scores [trials, validation rows]."""
    results = [
        on_disk(folder, result(number, float(row.mean()), stderr=0.01), from_values(row))
        for number, row in enumerate(rows.astype(np.float32))
    ]
    return RecordedSweep(folder, Facts(objective.name, objective.goal, 42, "", {}, **facts), results)


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder(tmp_path / "plain")


@pytest.mark.parametrize("objective", [ACCURACY, LOSS], ids=["accuracy", "loss"])
def test_trials_are_compared_with_the_greatest_accuracy_or_the_least_loss(folder, objective):
    random, maximize = np.random.default_rng(0), objective is ACCURACY
    ease = random.random((1, 80))
    levels = np.array([0.3, 0.6, 0.78, 0.8, 0.81])[:, None]
    rows = ease < levels + random.normal(0, 0.03, (5, 80)) if maximize else ease - levels + random.random((5, 80)) / 5
    sweep = scored(folder, rows, objective)
    comparison, values = sweep.compare(), [one.value for one in sweep.results]
    best = int(np.argmax(values) if maximize else np.argmin(values))
    assert (comparison.best, comparison.rows, comparison.units) == (best, 80, "80 rows")
    signed = np.float32(rows) * (1 if maximize else -1)
    naive = values[best]
    assert comparison.estimate == estimate_winner(
        MeanScores(signed), best, Units.from_rows(80), 42, naive=naive, share=maximize, maximize=maximize
    )
    for number, one in comparison.behind.items():
        assert one.behind == pytest.approx(abs(values[number] - naive), abs=1e-6)
        if number != best:
            error = np.std(signed[best] - signed[number], ddof=1) / np.sqrt(80)
            assert one.stderr == pytest.approx(max(error, 0.5 / 81 if maximize else 0), abs=1e-5)
    ties = [number for number, one in comparison.behind.items() if one.tie]
    assert best in ties and len(ties) > 1 and not {0, 1} & {*ties}


def test_of_many_rows_a_sample_is_compared_that_the_seed_draws(folder, monkeypatch):
    random = np.random.default_rng(0)
    sweep = scored(folder, random.random((20, 900)) < np.linspace(0.6, 0.9, 20)[:, None])
    whole = sweep.compare()
    assert (whole.rows, whole.all_rows) == (900, None)
    monkeypatch.setattr("keras_sweep.record.candidates.MOST_ROWS", 900)
    assert sweep.compare() == whole  # as many rows as there may be: nothing is drawn
    monkeypatch.setattr("keras_sweep.record.candidates.MOST_ROWS", 300)
    drawn = sweep.compare()
    assert (drawn.rows, drawn.all_rows) == (300, 900) and drawn == sweep.compare()
    assert "300 rows" in drawn.estimate.method
    assert drawn.estimate.naive == whole.estimate.naive  # the score itself is of all rows
    assert drawn.estimate.high - drawn.estimate.low > 1.4 * (whole.estimate.high - whole.estimate.low)
    other = RecordedSweep(folder, replace(sweep.facts, seed=43), sweep.results).compare()
    assert other.estimate != drawn.estimate


def test_more_trials_are_not_spoken_of_where_no_point_is_left_and_look_at_trials_in_their_order(folder):
    rows = np.random.default_rng(0).random((16, 30)) < np.linspace(0.3, 0.9, 16)[:, None]
    sweep = scored(folder, rows)
    values = [one.value for one in sweep.results]
    assert sweep.compare().more.gain == pytest.approx(max(values) - max(values[:8]))
    for exhausted, said in ((16, False), (15, True)):
        facts = replace(sweep.facts, exhausted=exhausted)
        assert (RecordedSweep(folder, facts, sweep.results).compare().more is not None) is said
    losses = scored(folder, 2 - rows.astype(float), LOSS)  # in place of the others
    assert losses.compare().more.gain == pytest.approx(max(values) - max(values[:8]))


def finalist(folder: SweepFolder, number: int, trial: Result, rows: np.ndarray) -> Result:
    """The trial's recipe with another seed."""
    suggestion = Suggestion(number, {**trial.params, "seed": 43 + number}, recipe=trial.number)
    other = replace(trial, suggestion=suggestion, value=float(rows.mean()))
    return on_disk(folder, other, from_values(rows.astype(np.float32)))


def with_seeds(folder: SweepFolder, rows: np.ndarray, others: dict[int, np.ndarray]) -> RecordedSweep:
    """Trials, and of some of them [seeds, rows] scores with other seeds, which decide."""
    sweep = scored(folder, rows)
    numbers, results = iter(range(100)), list(sweep.results)
    for number, seeds in others.items():
        trained = tuple(finalist(folder, next(numbers), results[number], one) for one in seeds)
        results[number] = replace(results[number], finalists=trained, final=True)
    return replace(sweep, results=results)


def test_finalists_are_compared_by_their_means_and_others_with_the_winners_first_seed(folder):
    random = np.random.default_rng(3)
    rows, levels = random.random((5, 60)), np.array([0.5, 0.6, 0.7, 0.72, 0.74])
    others = {n: (random.random((2, 60)) < levels[n]).astype(float) for n in (2, 3, 4)}
    sweep = with_seeds(folder, rows < levels[:, None], others)
    first = (rows < levels[:, None]).astype(float)
    means = {n: np.mean([first[n], *others[n]], axis=0) for n in others}
    best = max(means, key=lambda n: means[n].mean())
    comparison = sweep.compare()
    assert comparison.best == best
    assert comparison.estimate.naive == pytest.approx(means[best].mean(), abs=1e-6)
    assert "over 3 of the models (means over 3 seeds, chosen among 5 trials)" in comparison.estimate.method
    for number, one in comparison.behind.items():
        if number != best:
            against, own = (means[best], means[number]) if number in means else (first[best], first[number])
            assert one.behind == pytest.approx(against.mean() - own.mean(), abs=1e-6)
            assert one.stderr == pytest.approx(max(np.std(against - own, ddof=1) / np.sqrt(60), 0.5 / 61), abs=1e-6)
    of_search = MeanScores(first.astype(np.float32))
    after = FirstChoice(
        of_search, np.full(5, 0.01), np.array([unsteadiness(one, ACCURACY) for one in sweep.results]), [2, 3, 4], 3
    )
    matrix = MeanScores(np.float32([*means.values()]))
    naive = comparison.estimate.naive
    expected = estimate_winner(
        matrix, [*means].index(best), Units.from_rows(60), 42, naive=naive, share=True, after=after
    )
    assert comparison.estimate.value == pytest.approx(expected.value, abs=1e-5)


def test_a_finalist_whose_scores_are_lost_leaves_the_values_alone_to_compare(folder):
    rows = np.random.default_rng(0).random((4, 40)) < 0.7
    sweep = with_seeds(folder, rows, {0: rows[1:3], 1: rows[2:4]})
    assert sweep.compare().rows == 40
    (folder.finalists.scores / "000003.npz").unlink()
    assert sweep.compare() == compare_by_value(sweep.results, ACCURACY)


def test_a_lone_finalist_with_the_winners_rows_has_no_estimate(folder):
    rows = np.random.default_rng(0).random((3, 40)) < 0.7
    sweep = with_seeds(folder, rows, {1: rows[:2]})
    comparison = sweep.compare()
    assert (comparison.best, comparison.rows, comparison.estimate) == (1, 40, None)


def test_with_the_scores_of_the_winner_or_of_more_than_half_lost_values_alone_compare(folder):
    rows = np.random.default_rng(0).random((6, 40)) < np.linspace(0.4, 0.9, 6)[:, None]
    sweep = scored(folder, rows)
    for number in (0, 1, 2):
        assert sweep.compare().rows == 40
        scores_file(folder, number).unlink()
    comparison = sweep.compare()
    assert (comparison.rows, comparison.best) == (40, 5)
    assert {number for number, one in comparison.behind.items() if one.stderr is not None} == {3, 4}
    scores_file(folder, 3).unlink()
    assert sweep.compare() == compare_by_value(sweep.results, ACCURACY)
    sweep = scored(folder, rows)
    scores_file(folder, 5).unlink()
    assert sweep.compare() == compare_by_value(sweep.results, ACCURACY)


def test_trials_with_other_rows_or_of_another_kind_are_not_compared_row_by_row(folder):
    rows = np.random.default_rng(0).random((6, 40)) < np.linspace(0.4, 0.9, 6)[:, None]
    sweep = scored(folder, rows)
    others = [
        replace(sweep.results[0], rows="other rows"),
        on_disk(folder, sweep.results[1], from_values(np.ones(39))),
        on_disk(folder, sweep.results[2], from_outputs(np.ones((40, 1)), np.ones((40, 1)))),
    ]
    comparison = replace(sweep, results=[*others, *sweep.results[3:]]).compare()
    assert comparison.rows == 40
    assert {number for number, one in comparison.behind.items() if one.stderr is not None} == {3, 4}
    assert "over 3 of the models" in comparison.estimate.method


def test_scores_that_less_is_better_of_are_turned_around_and_those_of_seeds_are_their_mean():
    one, two = from_values(np.float32([0.5, 1.5])), from_values(np.float32([2.0, 0.25]))
    assert stack_scores([[one], [one, two]], LOSS).sums.tolist() == [[-0.5, -1.5], [-1.25, -0.875]]
    assert stack_scores([[one], [two]], ACCURACY).sums.tolist() == [[0.5, 1.5], [2.0, 0.25]]


@pytest.mark.parametrize("weights", [(), (np.float32([1, 3, 0.5, 1]),)], ids=["alike", "weighed"])
def test_outputs_are_scored_by_the_metric_on_weighted_rows(weights):
    labels, outputs = np.float32([[1], [2], [3], [5]]), np.float32([[1], [2.5], [2], [5]])
    objective = Objective("val_root_mean_squared_error", Goal.MINIMIZE)
    matrix = stack_scores([[from_outputs(outputs, labels, *weights)]], objective)
    bags = np.float32([[1, 1, 1, 1], [0, 2, 1, 0]])
    every = bags * (weights[0] if weights else 1)
    expected = -np.sqrt(every @ np.float32([0, 0.25, 1, 0]) / every.sum(1))
    assert matrix.evaluate(bags)[:, 0] == pytest.approx(expected, abs=1e-6)
    assert matrix.shape == (1, 4)


def test_what_a_comparison_depends_on_is_in_its_digest(folder):
    sweep = scored(folder, np.random.default_rng(0).random((3, 8)) < 0.7)
    first, *rest = sweep.results
    facts = sweep.facts
    changed_sweeps = [
        replace(sweep, results=rest),
        *(
            replace(sweep, results=[replace(first, **change), *rest])
            for change in (
                {"value": 0.1}, {"stderr": 0.5}, {"engine": "import/optuna"}, {"scores_digest": "bits:0"},
                {"state": TrialState.PRUNED}, {"rows": "a"}, {"finalists": (rest[0],)}, {"curve": {}},
            )
        ),
        *(
            replace(sweep, facts=replace(facts, **change))
            for change in (
                {"seed": 1}, {"exhausted": 3}, {"metric": "val_loss"}, {"goal": Goal.MINIMIZE},
                {"spec": {"epochs.take": "best"}}, {"choose": "val_loss < 1"},
            )
        ),
    ]  # fmt: skip
    digests = [one.digest for one in changed_sweeps]
    assert len({sweep.digest, *digests}) == 1 + len(changed_sweeps)
    assert replace(sweep, facts=replace(facts, test_looks=3)).digest == sweep.digest


def test_a_trial_that_is_not_there_is_named_with_those_that_are(folder):
    sweep = scored(folder, np.ones((2, 4)))
    assert sweep.trial(1) is sweep.results[1] and sweep.trial(0) is sweep.results[0]
    for number in (-1, 2):
        with pytest.raises(UsageError, match=rf"the sweep 'plain' has no trial {number}: its trials are 0 to 1"):
            sweep.trial(number)
    with pytest.raises(UsageError, match="has no trial 0: it has no trials yet"):
        replace(sweep, results=[]).trial(0)


def test_rows_that_all_good_trials_miss_are_those_of_the_best_ten_where_fewer_than_five_tie(folder):
    rows = np.ones((12, 400))
    rows[:, :2] = 0  # wrong in all
    rows[:, 2:] = np.random.default_rng(0).random((12, 398)) < np.linspace(0.2, 0.95, 12)[:, None]
    rows[10, 2] = rows[11, 3] = 1
    sweep = scored(folder, rows)
    found = find_missed_rows(sweep)
    ties = [number for number, one in sweep.compare().behind.items() if one.tie]
    assert len(ties) < 5 and not found.tied
    assert found.trials == tuple(range(11, 1, -1))
    assert found.rows == tuple(np.flatnonzero(~rows[2:].any(0)))
    assert found.total == 400
    alike = np.repeat(rows[11:], 5, 0)
    sweep = scored(folder, np.concatenate([rows[:4], alike]))
    found = find_missed_rows(sweep)
    assert (set(found.trials), found.tied) == ({4, 5, 6, 7, 8}, True)
    assert found.rows == tuple(np.flatnonzero(rows[11] == 0))


def test_the_scores_of_every_trial_add_up_to_its_value(done):
    sweep, ended = done
    for trial in RecordedSweep.read(sweep).results:
        scores = load_scores_of(sweep, trial)
        assert scores.values().mean() == pytest.approx(trial.value, abs=1e-6)
        assert scores.rows == ended.comparison.rows


def test_a_reader_takes_what_the_run_kept_and_never_another_sweeps(copy, done, monkeypatch):
    kept = read(copy)
    assert kept == done[1].comparison == RecordedSweep.read(copy).compare()
    monkeypatch.setattr(RecordedSweep, "compare", lambda *_: "computed")
    assert read(copy) == kept
    fewer = RecordedSweep(copy, read_facts(copy), RecordedSweep.read(copy).results[:-1])
    assert fewer.comparison == "computed"  # as while it runs
    copy.comparison.write_text("{}")
    assert read(copy) == "computed"


def test_an_altered_comparison_is_computed_anew_and_written_again_by_the_next_run(copy):
    expected, file = read(copy), copy.comparison
    kept = file.read_text()
    said = json.loads(kept)
    said["estimate"]["value"] = 0.99
    said["behind"] = {number: [0.0, 0.0, True] for number in said["behind"]}
    file.write_text(json.dumps(said))
    assert read(copy) == expected
    assert finished(copy.path.parent.parent, SPACE).ended.comparison == expected
    assert file.read_text() == kept


@pytest.mark.posix
def test_what_stands_in_its_place_is_neither_waited_for_nor_followed(copy, tmp_path):
    expected = read(copy)
    for place in (os.mkfifo, lambda path: path.symlink_to(tmp_path / "mine")):
        copy.comparison.unlink()
        place(copy.comparison)
        with StudyFile.open(copy) as study:
            RecordedSweep.read(copy).keep_comparison(study)
        assert read(copy) == expected
        assert not copy.comparison.is_symlink() and copy.comparison.is_file()
    assert not (tmp_path / "mine").exists()


def dense(results, choose=""):
    return RecordedSweep(
        SweepFolder(Path("dense")), Facts("val_accuracy", Goal.MAXIMIZE, 42, "", {}, choose=choose), results
    )


def test_the_winner_is_needed_and_what_there_is_in_its_place_is_said():
    done, failed = result(1, 0.9), result(0, None, state=TrialState.FAIL, reason="diverged")
    assert dense([failed, done]).require_winner() is done
    foreign = result(0, 0.9, engine="import/wandb")
    with pytest.raises(RecordError, match=r"the sweep 'dense' has only imported trials"):
        dense([foreign]).require_winner()
    with pytest.raises(RecordError, match=r"'dense' has completed: 1 of 1 ended like trial 1") as refused:
        dense([foreign, replace(failed, suggestion=replace(failed.suggestion, number=1))]).require_winner()
    assert "`sweep show dense 1` shows more. If trials diverge, lower the learning rate" in refused.value.hint
    with pytest.raises(RecordError, match=r"no trial of the sweep 'dense' has completed\. Run the sweep") as refused:
        dense([]).require_winner()
    assert refused.value.message == "no trial of the sweep 'dense' has completed"
    with pytest.raises(RecordError, match=r"meets `parameters < 9`") as refused:
        dense([failed, done], "parameters < 9").require_winner()
    assert refused.value.hint == CHOOSE_AGAIN
    with pytest.raises(RecordError, match="has completed: 1 of 1"):
        dense([failed], "parameters < 9").require_winner()


def test_why_none_completed_is_said_by_what_befell_most_and_by_the_numbers_that_left_the_finite():
    inf, nan = float("inf"), float("nan")
    curve = {"accuracy": (0.1, 0.1), "loss": (2.0, inf), "val_loss": (3.0, nan), "empty": ()}
    wild = [result(number, None, state=TrialState.FAIL, reason="diverged", curve=curve) for number in (1, 2)]
    other = result(0, None, state=TrialState.FAIL, reason="ValueError: no", curve={})
    assert why_none([other, *wild]) == "2 of 3 ended like trial 1: diverged (loss inf, val_loss nan in epoch 2)"
    assert why_none([other]) == "1 of 1 ended like trial 0: ValueError: no"
    assert why_none([replace(other, reason=None)]) == "1 of 1 ended like trial 0: FAIL"
