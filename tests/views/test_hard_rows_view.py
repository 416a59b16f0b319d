"""How rows that no good trial gets right are shown: pictures on a terminal, a table in a pipe, foreign text escaped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.sweep.hard_rows import HardRow, HardRows, Missed
from keras_sweep.views.hard_rows_view import HardRowsView, hard_picture, missed_sentence
from tests.helpers.screen import on_pipe, on_terminal

NAMES = ("cat", "a long-haired dog", "\x1b[2Jfox")
X = np.random.default_rng(0).random((40, 64)).astype(np.float32)
DATA = SearchData("pets", Rows(X, np.arange(40) % 3), Rows(X, np.arange(40) % 3), "abc", 3, NAMES, image_shape=(8, 8))
ROWS = tuple(HardRow(row, NAMES[row % 3], NAMES[(row + 1) % 3], 5 - row % 2) for row in range(30))
FOUND = HardRows(Missed((4, 2), True, tuple(range(30)), 40), ROWS, (4, 2), "", DATA, None)


def in_pipe(view: HardRowsView) -> str:
    return on_pipe(lambda console: console.print(view))


def test_pictures_stand_on_a_terminal_with_label_and_what_they_are_taken_for() -> None:
    text = on_terminal(HardRowsView(FOUND), 50)
    words = " ".join(text.split())
    assert "30 of 40 validation rows are wrong in each of the 2 trials that tie with the best." in words
    assert "what trials 4, 2 say together" in words and "cat taken for a long-haired dog (10)" in words
    assert "row, label, taken for" in text and "and 10 more" in text
    assert max(len(line) for line in text.splitlines()) <= 50


def test_a_pipe_has_a_table_of_all_rows() -> None:
    lines = in_pipe(HardRowsView(FOUND)).splitlines()
    assert lines[-1].split() == ["29", "\\x1b[2Jfox", "cat", "4", "of", "2"]
    assert sum(line.lstrip()[:1].isdigit() for line in lines) == 30 + 1  # the sentence, too, begins with a number


@pytest.mark.parametrize("show", [on_terminal, in_pipe])
def test_names_cannot_steer_the_terminal(show) -> None:
    text = show(HardRowsView(FOUND))
    assert "\x1b[2J" not in text and "x1b[2Jf" in text


def test_rows_of_a_table_have_their_columns() -> None:
    table = pl.DataFrame({"colour": ["red", "blue\x1b"] * 20, "size": [1.5] * 40})
    text = on_terminal(HardRowsView(replace(FOUND, data=replace(DATA, image_shape=None), table=table)), 80)
    assert "colour" in text and "blue\\x1b" in text and "1.5" in text and "and 10 more" in text


def test_what_could_not_be_asked_is_said() -> None:
    rows = tuple(replace(row, said=None, votes=0) for row in ROWS)
    text = in_pipe(HardRowsView(replace(FOUND, rows=rows, asked=(), why_not="the weights are not kept")))
    assert "not known: the weights are not kept." in text
    assert text.splitlines()[-1].split() == ["29", "\\x1b[2Jfox"]


@pytest.mark.parametrize(
    ("missed", "sentence"),
    [
        (Missed((1, 2, 3), False, (), 40), "no validation row is wrong in each of the best 3 trials"),
        (Missed((1, 2, 3), False, (7,), 40), "1 of 40 validation rows is wrong in each of the best 3 trials"),
        (Missed((1,), False, (7, 8), 1200), "2 of 1,200 validation rows are wrong in the only trial"),
    ],
)
def test_the_sentence(missed: Missed, sentence: str) -> None:
    assert missed_sentence(missed) == sentence
    if not missed.rows:
        assert sentence in in_pipe(HardRowsView(replace(FOUND, missed=missed, rows=())))


def test_the_picture_holds_ten_of_them_a_line() -> None:
    assert hard_picture(FOUND).shape == (3 * 8 + 2 * 2, 10 * 8 + 9 * 2)
