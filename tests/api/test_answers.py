"""Answers are short where they are printed, and tables in a notebook."""

import re
import shutil
from html import unescape
from pathlib import Path

import pytest

import keras_sweep as ks


def lines(answer: object) -> list[list[str]]:
    """The cells of each line of the table that a notebook shows."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", answer._repr_html_())
    return [[unescape(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row)] for row in rows]


@pytest.fixture(scope="module")
def answers(finished: ks.Sweep, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder: Path = tmp_path_factory.mktemp("answers")
    shutil.copytree(finished.path, folder / "mine")
    shutil.copytree(finished.path, folder / "again")
    finished.export(folder / "mine.keras")
    return {
        "compare": ks.compare("mine", "again", sweeps_dir=folder),
        "replay": finished.replay(0),
        "verify": ks.verify(folder / "mine.keras", sweeps_dir=finished.path.parent),
    }


@pytest.mark.parametrize(
    ("name", "begins", "says"),
    [
        ("compare", "ComparedSweeps(mine has the best val_accuracy: 0.", "these rows can't tell their winners apart"),
        ("replay", "ReplayedTrial(trial 0 of mine: fit/jax compared with the record", "the numbers match the record)"),
        ("verify", "VerifiedModel(", "the scores match the card on 120 validation rows)"),
    ],
)
def test_an_answer_is_said_in_a_few_words_and_shown_as_a_table(answers, finished, name, begins, says):
    text, table = repr(answers[name]), lines(answers[name])
    assert text.startswith(begins) and says in text and len(text) < 400
    assert len(table) > 2 and len({len(line) for line in table}) == 1
    if name == "replay":
        epochs = range(1, finished.trial(0).epochs + 1)
        assert [line[0] for line in table] == ["epoch", *map(str, epochs)] and answers[name].matches
    if name == "compare":
        assert table[0] == ["", "mine", "again"] and ["trials", "5", "5"] in table
