"""Sweeps of the same rows beside each other: what they reached, and whether their winners differ."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.errors import RecordError, UsageError
from keras_sweep.record.facts import Facts
from keras_sweep.record.saved import load_scores_of
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Objective
from keras_sweep.sweep.compare import Side, SideBySide, _find_differences, _pair_winners, compare_sweeps
from keras_sweep.trial.ranking import improvements, seed_scores, sum_seconds
from keras_sweep.trial.result import Seconds, Suggestion
from keras_sweep.trial.row_scores import from_outputs, from_values
from keras_sweep.views.compare import compare_json, print_comparison, verdict_lines
from keras_sweep.views.terminal.console import console_on
from tests.helpers.ran import ran_as
from tests.helpers.records import new_folder
from tests.helpers.results import ACCURACY, LOSS, result
from tests.helpers.whole_spaces import SPACES

WEAK = SPACES["plain"].replace("learning_rate: {min: 1e-4, max: 0.3, log: true}", "learning_rate: 0.0001")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sweeps `good` and `weak` of digits, the second with rates that learn nothing."""
    folder: Path = tmp_path_factory.mktemp("compared")
    for name, text in (("good", SPACES["plain"]), ("weak", WEAK)):
        ran_as(folder, name, text.replace("trials: 18", "trials: 6"), test=name == "good")
    return folder / "sweeps"


@pytest.fixture(scope="module")
def found(folder: Path) -> SideBySide:
    return ks.compare("weak", "good", sweeps_dir=folder)


def printed(found: SideBySide, width: int) -> list[str]:
    file = io.StringIO()
    print_comparison(console_on(file, width=width), found)
    return file.getvalue().splitlines()


def test_each_side_says_what_its_leaderboard_says(found, folder):
    weak, good = found.sides
    for side in (weak, good):
        sweep = ks.open(side.name, sweeps_dir=folder)
        assert (side.best.number, side.best.value) == (sweep.best.number, sweep.best.value)
        assert side.estimate == sweep.estimate
        assert side.epochs == sum(trial.epochs for trial in sweep.trials)
        assert side.seconds == pytest.approx(sum(trial.seconds.total for trial in sweep.trials))
    assert good.test is not None
    assert weak.test is None


def test_the_winners_differ_by_what_they_differ_on_the_same_rows(found, folder):
    weak, good = (load_scores_of(SweepFolder(folder / side.name), side.best).values() for side in found.sides)
    difference = good - weak
    behind = found.behind["weak"]
    assert found.first.name == "good"
    assert behind.behind == pytest.approx(difference.mean(), abs=1e-6)
    assert behind.stderr == pytest.approx(difference.std(ddof=1) / np.sqrt(len(difference)), rel=1e-4)
    assert not behind.tie
    assert found.behind["good"].tie
    assert (found.rows, json.loads(compare_json(found))["rows"]) == (288, 288)
    assert "weak is behind by" in verdict_lines(found)[1]


def test_what_can_not_be_compared_is_refused(folder, tmp_path):
    good, made_up, empty = SweepFolder(folder / "good"), new_folder(tmp_path), new_folder(tmp_path / "none", trials=0)
    with pytest.raises(UsageError, match="at least two different sweeps"):
        compare_sweeps([good, good])
    with pytest.raises(UsageError, match=r"the data of good is digits \(rows .*, dense is "):
        compare_sweeps([good, made_up])
    with pytest.raises(RecordError, match="no trial of the sweep 'dense' has completed"):
        compare_sweeps([good, empty])


def test_where_scores_of_rows_are_gone_that_is_said(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "sweeps")
    shutil.rmtree(tmp_path / "sweeps" / "weak" / "scores")
    found = ks.compare("weak", "good", sweeps_dir=tmp_path / "sweeps")
    assert found.behind == {}
    assert "weak kept no scores per row" in verdict_lines(found)[1]


def test_in_80_columns_sweeps_stand_side_by_side_and_in_a_narrow_terminal_below_each_other(found):
    for width, values in ((80, 1), (45, 2)):
        lines = printed(found, width)
        assert max(map(len, lines)) <= width
        assert sum(line.startswith("best value") for line in lines) == values


def side(name: str, *values: float, objective: Objective = ACCURACY, seeds: tuple[float, ...] = (), **more) -> Side:
    """A sweep whose trials took a second each; `seeds` are the best one's values with other seeds."""
    results = [result(number, value, stderr=0.01, seconds=Seconds(train=1.0)) for number, value in enumerate(values)]
    facts = Facts(objective.name, objective.goal, 42, "", {}, **more)
    best = min(results, key=lambda one: objective.key(one.value))
    if seeds:
        others = tuple(
            replace(best, suggestion=Suggestion(9, {"seed": 43}, recipe=best.number), value=v) for v in seeds
        )
        best = replace(best, finalists=others, final=True)
    over_seeds = seed_scores(best) if seeds else None
    return Side(
        name, facts, results, best, None, over_seeds, (), improvements(results, objective), sum_seconds(results)
    )


def beside(*sides: Side, objective: Objective = ACCURACY) -> SideBySide:
    return SideBySide(objective, sides, {}, None)


def test_near_the_best_is_within_one_standard_error_whichever_way_the_metric_goes() -> None:
    found = beside(side("a", 0.5, 0.7, 0.795, 0.8), side("b", 0.6))
    assert found.within == pytest.approx(0.79)
    assert found.sides[0].seconds_until(found.within, ACCURACY) == 3.0
    assert found.sides[0].seconds_until(0.7, ACCURACY) == 2.0  # just as good
    assert (found.sides[0].seconds, replace(found.sides[0], spent={}).seconds) == (4.0, 0.0)
    assert found.sides[1].seconds_until(found.within, ACCURACY) is None
    losses = beside(side("a", 0.9, 0.5, objective=LOSS), side("b", 0.4, 0.6, objective=LOSS), objective=LOSS)
    assert losses.within == pytest.approx(0.41)
    assert [one.seconds_until(0.5, LOSS) for one in losses.sides] == [2.0, 1.0]
    assert losses.first.name == "b"


def test_the_first_of_equals_comes_first_and_means_count_where_all_have_them() -> None:
    assert beside(side("a", 0.7), side("b", 0.8), side("c", 0.8)).first.name == "b"
    lucky, steady, plain = side("lucky", 0.9, seeds=(0.5,)), side("steady", 0.8, seeds=(0.82,)), side("plain", 0.85)
    means = beside(lucky, steady)
    assert means.by_mean and means.first.name == "steady"
    assert means.score(steady)[0] == pytest.approx(0.81)
    assert means.score(steady)[1] == pytest.approx(0.01)  # of the mean: half the difference
    assert json.loads(compare_json(means))["compared_by"] == "mean over seeds"
    assert verdict_lines(means)[1] == "the winners are compared by their means over seeds"
    some = beside(lucky, steady, plain)
    assert json.loads(compare_json(some))["compared_by"] == "value"
    assert verdict_lines(some)[1] == "the winners are compared by the seed of the search: plain has no other seeds"
    assert not some.by_mean and some.first.name == "lucky"
    assert some.score(steady) == (0.8, 0.01)


def test_without_scores_of_rows_or_with_other_rows_winners_are_not_compared_row_by_row() -> None:
    scores = [from_values(row.astype(np.float32)) for row in np.random.default_rng(0).random((3, 50)) < 0.6]
    a, b = (replace(side(name, 0.6), scores=scores[n : n + 1]) for n, name in enumerate("ab"))
    behind, rows = _pair_winners(beside(a, b))
    difference = scores[0].values() - scores[1].values()
    assert rows == 50
    assert (behind["a"].stderr, behind["a"].behind, behind["a"].tie) == (None, 0.0, True)
    assert behind["b"].behind == pytest.approx(difference.mean(), abs=1e-6)
    assert behind["b"].stderr == pytest.approx(difference.std(ddof=1) / np.sqrt(50), abs=1e-6)
    outputs = from_outputs(np.ones((50, 1)), np.ones((50, 1)))
    shorter = from_values(np.ones(49))
    for other in (
        replace(b, scores=()),
        replace(b, scores=(outputs,)),
        replace(b, scores=(shorter,)),
        replace(b, best=replace(b.best, rows="others")),
    ):
        assert _pair_winners(beside(a, other)) == ({}, None)
    several = replace(side("c", 0.6), scores=scores)  # with several seeds the search's own counts alone
    assert _pair_winners(beside(a, several))[0]["c"].behind == pytest.approx(0, abs=1e-9)
    steady, lucky = side("steady", 0.6, seeds=(0.6,)), side("lucky", 0.6, seeds=(0.4,))  # but where all have means
    by_mean = _pair_winners(beside(replace(steady, scores=scores[:2]), replace(lucky, scores=scores[1:])))[0]["lucky"]
    away = np.mean([one.values() for one in scores[:2]], axis=0) - np.mean([one.values() for one in scores[1:]], axis=0)
    assert by_mean.behind == pytest.approx(away.mean(), abs=1e-6)
    assert by_mean.stderr == pytest.approx(away.std(ddof=1) / np.sqrt(50), rel=1e-3)


def test_what_differs_between_sweeps_is_named_with_each_ones_value() -> None:
    same = [side(name, 0.5, spec={"data": "digits"}, fingerprint="0123456789") for name in "ab"]
    assert _find_differences(same) == []
    other = side("c", 0.5, spec={"data": "digits"}, fingerprint="abcdefghij")
    assert _find_differences([*same, other]) == [
        "the data of a is digits (rows 01234567), b is digits (rows 01234567), c is digits (rows abcdefgh)"
    ]
    (metric,) = _find_differences(
        [same[0], side("c", 0.5, objective=LOSS, spec={"data": "digits"}, fingerprint="0123456789")]
    )
    assert metric.startswith("the metric of a is val_accuracy") and "c is val_loss" in metric
    assert "to maximize" in metric and "to minimize" in metric
    assert _find_differences([side("a", 0.5), side("b", 0.5)]) == []
    assert len(_find_differences([side("a", 0.5), other])) == 1


def test_trials_that_two_sweeps_share_are_counted(folder: Path, tmp_path: Path) -> None:
    """The first trials of `tpe` are drawn at random: with the same seed they are those of `random`."""
    tpe = SPACES["plain"].replace("trials: 18", "trials: 6")
    text = tpe.replace("sampler: tpe", "sampler: random")
    assert text != tpe
    shutil.copytree(folder, tmp_path / "sweeps")
    ran_as(tmp_path, "drawn", text, test=False)
    compared = ks.compare("good", "drawn", "weak", sweeps_dir=tmp_path / "sweeps")
    assert compared.same_trials == {("good", "drawn"): 6}
    assert "good and drawn have 6 equal trials: parameters, seed and value" in verdict_lines(compared)
    assert json.loads(compare_json(compared))["equal_trials"] == [{"sweeps": ["good", "drawn"], "trials": 6}]
    other = replace(compared.sides[1], facts=replace(compared.sides[1].facts, seed=7))
    assert replace(compared, sides=(compared.sides[0], other)).same_trials == {}
