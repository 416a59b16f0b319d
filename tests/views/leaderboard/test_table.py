import re
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from keras_sweep.record.facts import Baseline
from keras_sweep.trial.comparison import Behind, Comparison, Estimate, MoreTrials
from keras_sweep.trial.result import Seconds, Suggestion, TrialState
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.leaderboard.table import leaderboard_table, print_leaderboard
from tests.helpers.results import ACCURACY, LOSS, dense_sweep, ranking, result
from tests.helpers.screen import on_pipe, on_terminal

PRUNED = TrialState.PRUNED
ROWS = leaderboard_rows(dense_sweep(), ACCURACY, seed=42)
SHOWN = [*ROWS[:8], *ROWS[-2:]]


def text_of(results=None, objective=ACCURACY, comparison=None, baseline=None, draw=on_terminal, **terminal):
    """The leaderboard of these results; by default some rows of a whole sweep."""
    rows = ROWS if results is None else leaderboard_rows(results, objective, comparison)
    shown = ranking(rows, SHOWN if results is None else rows, objective, comparison)
    return draw(print_leaderboard, shown, baseline, **terminal)


def table_of(width, rows=SHOWN):
    """The lines of the table alone."""
    return on_terminal(Console.print, leaderboard_table(ranking(ROWS, rows), width)[0], width=width).splitlines()


def test_a_wide_terminal_shows_everything():
    lines = text_of(width=120).splitlines()
    heads = "# trial val_accuracy optimizer learning_rate momentum state epochs curve time"
    assert lines[0].split() == heads.split()
    assert lines[2].split()[:7] == ["1", "50", "0.8570", "±0.0032", "adam", "0.000966", "–"]
    assert "FAIL diverged" in lines[-4]
    assert lines[-3:] == [
        "in all trials: batch_size=32",
        "pruned trials rank below complete trials: their values are of earlier epochs",
        "the winner's val_accuracy is optimistic, as the best of 50 completed trials",
    ]


@given(st.integers(1, 200))
def test_no_line_is_wider_than_the_terminal_and_none_is_folded(width):
    lines = table_of(width)
    assert len(lines) in (len(SHOWN) + 2, len(SHOWN) + 3)  # a header may take two lines
    if width >= 30:
        assert all(cell_len(line) <= width for line in lines)


def test_a_narrow_terminal_keeps_what_matters_and_names_the_rest():
    text = text_of(width=60)
    assert "0.8570 ±0.0032" in text and "≈" not in text and "adam" in text and "0.000966" in text
    assert "columns that do not fit here: momentum, state, time, curve" in " ".join(text.split())
    assert "momentum" in table_of(80)[1] and "curve" not in table_of(80)[1]


def test_only_the_winner_is_bold_and_imported_trials_say_so():
    results = [result(0, 0.9, engine="import/optuna", stderr=None), result(1, 0.8), result(2, 0.7)]
    text = text_of(results)
    assert ["imported" in line for line in text.splitlines()[2:5]] == [True, False, False]
    assert "best trained here: trial 1; imported trials guide the search, but can't win" in text
    table, _ = leaderboard_table(ranking(leaderboard_rows(results, ACCURACY)), 100)
    bold = [any("bold green" in str(span.style) for span in line.spans) for line in table.renderables[2:]]
    assert bold == [False, True, False]


def test_an_imported_trial_without_a_curve_shows_the_epochs_asked_for_and_no_time():
    foreign = result(0, 0.9, engine="import/optuna", curve={}, epoch=None, seconds=Seconds())
    bare = replace(foreign, suggestion=Suggestion(1, {"learning_rate": 0.1}, 0))
    results = [foreign, bare, result(2, 0.8, engine="import/optuna")]
    text = text_of(results, width=140)
    assert re.findall(r"imported +(\S+) .* (-|0.20 s)\n", text) == [("4", "-"), ("-", "-"), ("4", "0.20 s")]
    assert [row.seed for row in leaderboard_rows(results, ACCURACY, seed=42)] == [None] * 3


PRUNED_ONE = result(1, 0.9, state=PRUNED, reason="pruned at epoch 3")
LOSSES = [result(0, 0.45, stderr=None), result(1, 0.45, stderr=None), result(2, 0.47)]
BEHIND_LOSS = Comparison(0, None, {0: Behind(0.0, None, True), 2: Behind(0.02, 0.003, False)}, 100)
EQUAL = "equal values rank by val_loss, then by fewer epochs, then by number"
SAID = {
    "one": ([result(0)], {}, (), ("equal values", "optimistic", "state", "in all trials")),
    "none": ([], {}, ("no trials",), ()),
    "equal": ([result(0), result(1)], {}, (EQUAL,), ("state",)),
    "different": ([result(0), result(1, 0.8)], {}, (), ("equal values",)),
    "shared": (
        [result(n, 0.8 + n / 100, params={"optimizer": "adam", "units": n}) for n in range(3)],
        {},
        ("in all trials: optimizer=adam",),
        (),
    ),
    "pruned": (
        [result(0, 0.8), PRUNED_ONE],
        {"objective": replace(ACCURACY, take_best=True)},
        ("  state", "PRUNED at epoch 3", "among the others: each is scored at its best epoch", "the best of 2 trials"),
        (),
    ),
    "engines": ([result(0), result(1, engine="keras-tuner/hyperband")], {}, ("keras-tuner/hyperband",), ()),
    "losses": (LOSSES[:2], {"objective": LOSS}, (EQUAL.replace("val_loss, then by ", ""),), ("±", "points", "≈")),
    "behind": (LOSSES, {"objective": LOSS, "comparison": BEHIND_LOSS}, ("0.0200 ±0.0030",), ("points",)),
}


@pytest.mark.parametrize("name", SAID)
def test_what_differs_is_a_column_and_what_must_be_said_a_note(name):
    results, more, said, unsaid = SAID[name]
    text = text_of(results, width=140, **more)
    assert [text.count(words) for words in said] == [1] * len(said)
    assert not any(words in text for words in unsaid)


def test_curves_are_drawn_on_one_scale_whatever_part_is_shown():
    assert table_of(120, ROWS[:1])[2].split()[-4:-2] == table_of(120, ROWS)[2].split()[-4:-2]


def test_failed_trials_alone():
    results = [result(n, None, state=TrialState.FAIL, reason="ValueError: " + "x" * 90, stderr=None) for n in range(3)]
    text = text_of(results)
    assert text.count("failed") == 3 and "optimistic" not in text and "…" in text
    piped = text_of(results, draw=on_pipe)
    assert "x" * 30 in piped and max(map(len, piped.splitlines())) < 120  # `sweep show` and other formats have it whole


def test_a_pipe_gets_every_column_whole_and_no_control_characters():
    odd = "a very long value that no terminal would show in one piece, although a pipe must"
    results = [result(0, params={"a": odd}), result(1, params={"a": "b"}), *dense_sweep(3)[2:]]
    text = text_of(results, draw=on_pipe)
    assert odd in text and "\x1b" not in text


def test_a_baseline_stands_below_the_trials_as_a_reference():
    baseline = Baseline("SGDClassifier()", "accuracy", (), {"val_accuracy": 0.834}, 1.0, 0.83)
    lines = text_of(baseline=baseline, width=120).splitlines()
    assert lines[2 + len(SHOWN)].split() == ["–", "baseline", "0.8340"]
    assert "baseline: SGDClassifier() on the same rows" in lines
    assert "baseline" not in text_of(baseline=replace(baseline, validation={"val_loss": 0.5}), width=120)


PAIRED_ROWS = [result(0, 0.85), result(1, 0.8493, stderr=0.0033), result(2, 0.82), result(3, 0.1)]
BEHIND = ((0.0, None, True), (0.0007, 0.0015, True), (0.03, 0.0021, False), (0.75, None, False))
COMPARED = Comparison(
    0,
    Estimate(0.8476, 0.8411, 0.8538, 0.85, "bootstrap"),
    {number: Behind(*each) for number, each in enumerate(BEHIND)},
    12_000,
    MoreTrials(32, 0.0002, 0.0041),
    units="12,000 rows in 40 groups",
)


def paired(width):
    return text_of(PAIRED_ROWS, comparison=COMPARED, width=width)


def test_the_trials_that_were_trained_again_are_named_and_why_the_others_were_not():
    def again(trial):
        return replace(trial, finalists=(replace(trial, value=0.85),), final=True)

    steady, jumpy = {"val_accuracy": (0.82, 0.83, 0.84, 0.85)}, {"val_accuracy": (0.1, 0.8, 0.1, 0.85)}
    trials = [
        again(result(0, 0.85, curve=steady)),
        again(result(1, 0.849, curve=steady)),
        result(2, 0.8502, curve=jumpy),
        result(3, 0.84, curve=steady),
        result(4, 0.86, state=PRUNED),
    ]
    members = {number: Behind(0.0, 0.001, True) for number in range(5)}
    compared = Comparison(0, None, members, 500, units="500 rows")
    lines = [line for line in text_of(trials, comparison=compared, width=250).splitlines() if "trained again" in line]
    assert lines == [
        "of these, trained again with new seeds: 0, 1; not: 2 (trials with as good a value have steadier curves); "
        "3 (trials with better values come first); 4 (training ended early)"
    ]
    assert "trained again" not in text_of(trials, width=250)  # values alone mark no best set


def test_how_far_trials_are_behind_is_told_in_points_with_their_own_error():
    lines = paired(140).splitlines()
    assert lines[0].split()[:4] == ["#", "trial", "val_accuracy", "behind"]
    assert lines[2].split()[:5] == ["1", "0", "0.8500", "±0.0033", "≈"]
    assert lines[3].split()[:7] == ["2", "1", "0.8493", "±0.0033", "≈", "0.07", "±0.15"]
    assert lines[4].split()[4:6] == ["3.00", "±0.21"]
    assert lines[5].split()[4] == "75.00"  # no scores of rows: no error
    assert lines[-4:] == [
        "≈ the best of all is among these 2 trials (95 %, judged on 12,000 rows in 40 groups)",
        "none of these was trained again with new seeds: the sweep has no finalists",
        "expected on new rows: 0.8476 (95 %: 0.8411 to 0.8538), corrected for picking the best of 4",
        "More trials are not worth it: 32 more would gain at most 0.02 points, "
        "and 12,000 rows in 40 groups show differences above 0.41.",
    ]


def test_where_some_rows_are_compared_the_estimate_says_of_how_many():
    comparison = replace(COMPARED, rows=200_000, all_rows=640_000)
    lines = text_of(PAIRED_ROWS, comparison=comparison, width=160).splitlines()
    assert "corrected for picking the best of 4, on 200,000 of 640,000 validation rows" in lines[-2]


def test_where_there_is_little_room_the_error_that_stays_is_that_of_the_difference():
    assert "±0.0033" not in paired(55) and "0.07 ±0.15" in paired(55)


def test_who_is_better_than_the_winner_with_the_seed_of_the_search_is_explained():
    again = result(0, 0.83, params={"seed": 43})
    best = replace(result(0, 0.85), finalists=(again,), final=True)
    behind = {0: Behind(0.0, None, True), 1: Behind(-0.0011, 0.0015, True)}
    compared = Comparison(0, None, behind, 12_000)
    note = "behind below 0: better than the winner with the search's seed; the winner ranks by its mean over 2 seeds"
    assert note in text_of([best, result(1, 0.8411)], comparison=compared, width=120).splitlines()
    assert "behind below 0" not in paired(120)


def test_a_long_leaderboard_says_how_many_trials_it_leaves_out():
    text = on_pipe(partial(print_leaderboard, most=3), ranking(ROWS))
    assert f"and {len(ROWS) - 3} more trials: `--top {len(ROWS)}` shows all" in text
    assert len([line for line in text.splitlines() if "adam" in line or "sgd" in line or "rmsprop" in line]) == 3
