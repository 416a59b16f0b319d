"""Drawings of their own: a trial's curves and a leaderboard as SVG that asks for nothing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from keras_sweep.errors import UsageError
from keras_sweep.trial.result import Suggestion, TrialState
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.plots import MOST_ROWS, leaderboard_plot, trial_plot
from tests.helpers.results import ACCURACY, dense_sweep, result

SVG = "{http://www.w3.org/2000/svg}"
ROWS = leaderboard_rows(dense_sweep(64), ACCURACY, seed=42)


def drawn(text: str) -> ET.Element:
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    return ET.fromstring(text)


def test_a_trial_has_a_panel_for_the_objective_and_one_for_the_loss_and_its_scored_epoch_ringed():
    root = drawn(trial_plot(result(3, 0.85, epochs=5), ACCURACY, sweep="dense"))
    assert root.findtext(f"{SVG}title") == "dense, trial 3: val_accuracy 0.8500 ±0.0033"
    lines = [path.get("class") for path in root.iter(f"{SVG}path")]
    assert (lines.count("ours"), lines.count("training")) == (2, 2)
    assert [circle.get("class") for circle in root.iter(f"{SVG}circle")] == ["scored", "scored"]


def test_one_epoch_is_a_point_and_none_is_refused():
    root = drawn(trial_plot(result(0, 0.5, epochs=1), ACCURACY, sweep="dense"))
    assert [circle.get("class") for circle in root.iter(f"{SVG}circle")].count("ours") == 2
    failed = result(0, None, state=TrialState.FAIL, curve={}, reason="ValueError: no")
    with pytest.raises(UsageError, match="trial 0 has no curve to draw"):
        trial_plot(failed, ACCURACY, sweep="dense")


def test_a_diverged_trial_is_drawn_as_far_as_it_is_finite():
    curve = {"val_accuracy": (0.5, 0.6, float("nan")), "val_loss": (1.0, float("inf"), float("nan"))}
    text = trial_plot(result(0, None, state=TrialState.FAIL, curve=curve, epoch=None), ACCURACY, sweep="dense")
    drawn(text)
    assert "nan" not in re.sub(r"<title>.*?</title>", "", text)


def test_the_best_of_a_leaderboard_are_points_with_their_standard_errors():
    root = drawn(leaderboard_plot(ROWS, ACCURACY, sweep="dense", of=ROWS))
    assert len(list(root.iter(f"{SVG}circle"))) == MOST_ROWS
    places = [float(circle.get("cx")) for circle in root.iter(f"{SVG}circle")]
    values = [row.value for row in ROWS[:MOST_ROWS]]
    best, worst = values.index(max(values)), values.index(min(values))
    assert places[best] == max(places)
    assert places[worst] == min(places)


def test_a_finalist_stands_where_its_mean_over_seeds_is():
    own, other = result(0, 0.9, stderr=0.02), result(1, 0.8, params={"optimizer": "sgd", "epochs": 4})
    seed = replace(result(0, 0.8), suggestion=Suggestion(0, {**own.params, "seed": 43}, recipe=0))
    rows = leaderboard_rows([replace(own, finalists=(seed,), final=True), other], ACCURACY, seed=42)
    text = leaderboard_plot(rows, ACCURACY, sweep="dense", of=rows)
    assert "from 0.8500 to 0.8000" in text and ">0 ×2<" in text
    first, second = (float(circle.get("cx")) for circle in drawn(text).iter(f"{SVG}circle"))
    assert first > second


def test_texts_of_a_record_are_text():
    bad = result(0, 0.5, params={"optimizer": "<script>alert(1)</script>", "x": 1})
    other = result(1, 0.4, params={"optimizer": "sgd", "x": 2})
    rows = leaderboard_rows([bad, other], ACCURACY, seed=1)
    root = drawn(leaderboard_plot(rows, ACCURACY, sweep="</title><script>", of=rows))
    assert not list(root.iter(f"{SVG}script"))


def test_nothing_to_draw_is_said():
    rows = leaderboard_rows([result(0, None, state=TrialState.FAIL, curve={})], ACCURACY, seed=1)
    with pytest.raises(UsageError, match="has a value"):
        leaderboard_plot(rows, ACCURACY, sweep="dense", of=rows)
