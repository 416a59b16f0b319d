import re
import shlex
from dataclasses import replace

import pytest
from optuna.distributions import distribution_to_json

from keras_sweep.record.facts import TestScores
from keras_sweep.sweep.events import EndReason, SweepEnded
from keras_sweep.trial.comparison import Behind, Comparison, Estimate, MoreTrials
from keras_sweep.trial.ranking import SeedScores
from keras_sweep.trial.result import Suggestion, TrialState
from keras_sweep.views.importance import Importance
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.leaderboard.texts import mismatch_text
from keras_sweep.views.summary import importance_lines, look_lines, next_commands, print_summary, time_parts
from tests.helpers.page_facts import DISTRIBUTIONS
from tests.helpers.results import ACCURACY, dense_sweep, looked, result
from tests.helpers.screen import on_terminal

RESULTS = tuple(dense_sweep())
SECONDS = {"train": 31.2, "compile": 6.1, "sampler": 1.2, "total": 41.5}
NAMES = ("Shirt", "Sandal", "Coat", "Bag", "Dress", "Sneaker", "Trouser", "Pullover", "T-shirt/top", "Ankle boot")
CLASSES = {name: 0.5 + 0.05 * index for index, name in enumerate(NAMES)}
TEST = looked(50, {"loss": 0.4612, "accuracy": 0.8413}, {"loss": 0.0061, "accuracy": 0.00365}, 1, CLASSES)
ENDED = SweepEnded("dense", EndReason.DONE, RESULTS, SECONDS, "sweeps/dense/best.keras")
SPACE = {name: distribution_to_json(each) for name, each in DISTRIBUTIONS.items()}


def text_of(ended=ENDED, test=TEST, width=100, **more):
    return on_terminal(print_summary, ended, ACCURACY, test=test, width=width, **more)


def test_the_end_says_all_there_is_to_say():
    text = text_of()
    for part in (
        "dense: 64 trials, 10 pruned, 4 failed; the best 10:",
        "the winner's val_accuracy is optimistic, as the best of 50 completed trials",
        "test trial 50: loss 0.4612 ±0.0061  accuracy 0.8413 ±0.0037  first look",
        "weakest of 10 classes: 0.5000 (Shirt), 0.5500 (Sandal), 0.6000 (Coat)",
        "time 42 s: train 75 %, compile 15 %, sampler 3 %, other 7 %",
        "model sweeps/dense/best.keras",
        "next sweep report dense\nnext sweep show dense 50\nnext sweep export dense\n",
    ):
        assert part in text
    assert "importance" not in text, "the record's distributions are not given"
    last, _, _, *commands = text.splitlines()[-6:]
    assert last.startswith("best trial 50: val_accuracy 0.8570 ±0.0032  optimizer=adam learning_rate=0.000966")
    assert last.endswith(f"epochs={RESULTS[50].epochs}") and len(commands) == 3
    lines = text_of(width=80, distributions=SPACE, times=True).splitlines()
    first = lines.index("importance") + 1
    assert lines[first].split()[0] == "learning_rate" and "━━━" in lines[first]
    assert re.search(r" 0\.\d\d \(0\.\d\d to [01]\.\d\d\)", lines[first + 2])
    assert "the order of the parameters may change" in lines[first + 3] and lines[first + 4].startswith("time ")
    assert "  train    ━━━━━━━━━━━━━━━" in lines[first + 5]


def test_with_finalists_and_importance_the_end_is_the_best_point_its_test_and_what_to_do_next():
    estimate = Estimate(0.8546, 0.8482, 0.8608, 0.857, "bootstrap")
    behind = {one.number: Behind(0.001, 0.0015, tie=False) for one in RESULTS if one.state is TrialState.COMPLETE}
    compared = Comparison(50, estimate, behind, 12_000, more=MoreTrials(32, 0.0017, 0.0033))
    again = replace(RESULTS[50], suggestion=Suggestion(0, {**RESULTS[50].params, "seed": 43}, recipe=50))
    best = replace(RESULTS[50], finalists=(again,), final=True)
    ended = replace(ENDED, comparison=compared, results=(*RESULTS[:50], best, *RESULTS[51:]))
    text = text_of(ended, width=80, distributions=SPACE)
    sections = ("rank first, by the mean", "\nexpected", "\nMore trials", "\nimportance", "\ntime", "\nmodel")
    places = [text.index(part) for part in (*sections, "\nbest trial", "\ntest", "\nnext")]
    assert places == sorted(places) and any(line.startswith("best trial") for line in text.splitlines()[-12:])
    assert "\nbest trial 50: val_accuracy 0.8570 ±" not in text and " over 2 seeds  optimizer=adam" in text


def test_an_order_that_the_trials_do_not_settle_is_said_so():
    ordered = (Importance("a", 0.7, 0.6, 0.8), Importance("b", 0.3, 0.2, 0.4))
    mixed = (Importance("a", 0.7, 0.3, 0.8), Importance("b", 0.3, 0.2, 0.7))
    for found, said in ((ordered, False), (mixed, True)):
        assert ("the order of the parameters may change with more trials" in str(importance_lines(found)[-1])) is said


def test_odd_names_are_escaped_cut_and_quoted():
    _, line = importance_lines([Importance("\x1b[31m" + "long" * 20, 0.7, 0.6, 0.8)])[:2]
    assert "\x1b[31m" not in line.plain and "\\x1b" in line.plain and len(line) <= 80
    text = "\n".join(line.plain for line in look_lines(looked(0, {"mse": 1234.5}, {}, 1, {"[red]\x1b": 0.5})))
    assert "mse 1234" in text and "[red]\\x1b" in text and "\x1b" not in text
    for command in next_commands("my sweep; rm -rf ~", leaderboard_rows(RESULTS, ACCURACY)):
        assert shlex.split(command)[2] == "my sweep; rm -rf ~"


def test_a_test_score_beyond_chance_is_laid_to_the_rows_and_not_to_luck():
    for score, said in ((0.8413, True), (0.8490, False)):
        estimate = Estimate(0.8546, 0.8482, 0.8608, 0.857, "bootstrap")
        ended = replace(ENDED, comparison=Comparison(50, estimate, {}, 12_000))
        text = text_of(ended, looked(50, {"accuracy": score}, {"accuracy": 0.0036}, 1))
        words = "The test score is 1.33 points worse than expected, and not by chance: the test rows"
        assert (words in text) is said
        assert "expected on new rows: 0.8546 (95 %: 0.8482 to 0.8608), corrected for picking the best of 50" in text
        assert "optimistic" not in text


def test_the_tested_seed_of_a_winner_with_several_may_differ_from_their_mean_as_seeds_do():
    estimate = Estimate(0.8546, 0.8482, 0.8608, 0.857, "bootstrap")
    winner = leaderboard_rows(RESULTS, ACCURACY)[0]
    for stderr, said in ((0.0001, True), (0.004, False)):
        row = replace(winner, seeds=SeedScores(4, 0.8546, stderr, unstable=False), final=True)
        test = TestScores(10_000, {"accuracy": 0.8413}, {"accuracy": 0.0036}, None)
        assert (mismatch_text(estimate, test, ACCURACY, row) is not None) is said


def test_the_parts_of_the_time_add_up_to_the_whole():
    parts = time_parts(SECONDS)
    assert sum(parts.values()) == pytest.approx(41.5)
    assert list(parts) == ["train", "compile", "sampler", "other"]
    assert time_parts({}) == {} and time_parts({"train": 2.0, "total": 1.0}) == {"train": 2.0}


def end(*results, reason=EndReason.DONE, **more):
    return SweepEnded("dense", reason, results, **more)


FAILED = [result(n, None, state=TrialState.FAIL, reason="diverged", stderr=None) for n in range(3)]
IMPORTED = (result(0, 0.99, engine="import/optuna", stderr=None), result(1, 0.7), result(2, 0.8))
STOPPED = {"reason": EndReason.INTERRUPTED}
ENDS = {
    "the error of one score": (
        ENDED,
        looked(50, {"loss": 0.5, "a": 1.0}, {"loss": 0.049}),
        "50: loss 0.5000 ±0.0490  a 1.0000  ",
    ),
    "a second look": (
        ENDED,
        looked(50, {"loss": 0.5}, {}, 2),
        "look 2 at the test set: after the first, it",
    ),
    "an earlier look": (ENDED, looked(50, {"loss": 0.5}, {}, 2, earlier=True), "evaluated 2 times, in an earlier run"),
    "out of time": (end(*RESULTS[:3], reason=EndReason.OUT_OF_TIME), None, "dense: 3 trials, 1 pruned; time is up"),
    "failures": (end(*FAILED), None, "no trial completed"),
    "the best trained here": (end(*IMPORTED), None, "\nbest trial 2: val_accuracy 0.8000"),
    "what to do next": (end(*IMPORTED), None, "sweep show dense 2"),
    "no trial": (end(**STOPPED), None, "dense: 0 trials; interrupted\n"),
    "kept": (end(**STOPPED, kept=dict.fromkeys(range(16), 8)), None, "interrupted: 16 trials are kept at epoch 8\n"),
    "kept and waiting": (
        end(**STOPPED, kept={0: 3, 2: 5}, waiting=(1,)),
        None,
        "interrupted: 1 trial that ended is kept, 2 more are kept at epochs 3 to 5\n",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_says_what_it_has_and_no_more(name):
    ended, test, said = ENDS[name]
    text = text_of(ended, test)
    assert said in text
    assert ended is ENDED or not any(f"\n{section}" in text for section in ("test ", "model ", "time "))
    assert ("export" in text) is (name in ("out of time", "the best trained here", "what to do next") or ended is ENDED)
    assert ("look 2 at" in text) is (name == "a second look")
