"""What holds of every view that ends in a terminal."""

import pytest

from keras_sweep.sweep.events import EndReason, SweepEnded
from keras_sweep.trial.result import TrialState
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from keras_sweep.views.leaderboard.table import print_leaderboard
from keras_sweep.views.summary import print_summary
from keras_sweep.views.sweep_list import SweepRow, print_sweeps
from keras_sweep.views.trial_view import print_trial
from tests.helpers.results import ACCURACY, dense_sweep, ranking, recorded, result
from tests.helpers.screen import on_terminal

RESULTS = tuple(dense_sweep())
ODD = "[red]\x1b[31m\x07\u202e"  # markup and control characters
WRITTEN = "[red]\\x1b[31m\\x07\\u202e"


def sweep_row(name, **more):
    fields = {"metric": "val_accuracy", "goal": "maximize", "engine": "optuna/tpe", "state": "done"} | more
    return SweepRow(name, 64, 64, 4, 0.857, 0.0032, last_activity=0.0, **fields)


def views(results, name):
    """Every view of these results, each as a function of the console."""
    rows = leaderboard_rows(results, ACCURACY)
    ended = SweepEnded(name, EndReason.DONE, tuple(results), {"train": 3.0, "total": 4.0}, name)

    def trials(console):
        for one in (results[0], results[-1]):
            print_trial(console, recorded(results), one)

    sweeps = [sweep_row(name), sweep_row("b", state=name, engine=name)]
    return {
        "leaderboard": lambda console: print_leaderboard(console, ranking(rows, rows[:10])),
        "trial": trials,
        "sweeps": lambda console: print_sweeps(console, sweeps, 1e6),
        "summary": lambda console: print_summary(console, ended, ACCURACY),
    }


PLAIN = views(RESULTS, "a-very-long-name-" * 3)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("width", [42, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(name, width):
    assert all(len(line) <= width for line in on_terminal(PLAIN[name], width=width).splitlines())


@pytest.mark.parametrize("name", PLAIN)
def test_ascii_terminals_get_ascii(name):
    text = on_terminal(PLAIN[name], width=120, encoding="ascii")
    assert text.isascii() and "\\u" not in text and "?" not in text


@pytest.mark.parametrize("name", PLAIN)
def test_markup_and_control_characters_are_shown_as_they_are_written(name):
    params = {ODD: ODD, "wide": "学習率"}
    odd = result(0, params=params, engine=ODD, runner=ODD)
    failed = result(1, None, state=TrialState.FAIL, reason=ODD, traceback=ODD, engine="b", params={})
    text = on_terminal(views([odd, failed], ODD)[name], width=300)
    assert WRITTEN in text and not any(char in text for char in "\x1b\x07\u202e")
