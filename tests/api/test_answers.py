"""Answers are short where they are printed, and tables in a notebook."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

import keras_sweep as ks


class Table(HTMLParser):
    """The cells of each line of a table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.lines.append([])
        if tag in ("td", "th"):
            self.lines[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.lines and self.lines[-1]:
            self.lines[-1][-1] += data


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
        ("replay", "ReplayedTrial(trial 0 of mine: fit/jax against the record", "the numbers are those of the record)"),
        ("verify", "VerifiedModel(", "the scores of the card come out on 120 validation rows)"),
    ],
)
def test_an_answer_is_said_in_a_few_words_and_shown_as_a_table(answers, name, begins, says):
    answer = answers[name]
    text = repr(answer)
    assert text.startswith(begins) and says in text
    assert len(text) < 400
    table = Table(answer._repr_html_())
    assert len(table.lines) > 2
    assert len({len(line) for line in table.lines}) == 1


def test_the_table_of_a_replay_has_an_epoch_a_line(answers, finished):
    replay = answers["replay"]
    epochs = finished.trial(0).epochs
    lines = Table(replay._repr_html_()).lines
    assert [line[0] for line in lines] == ["epoch", *(str(epoch + 1) for epoch in range(epochs))]
    assert replay.matches


def test_the_table_of_a_comparison_has_a_column_a_sweep(answers):
    lines = Table(answers["compare"]._repr_html_()).lines
    assert lines[0] == ["", "mine", "again"]
    assert ["trials", "5", "5"] in lines
