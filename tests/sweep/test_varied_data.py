"""Trials that differ in their data: each has the numbers of its data alone, and is compared on its rows."""

import shutil
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.sweep.replay import Match
from tests.helpers import user_rows
from tests.helpers.ran import ran_as
from tests.helpers.whole_spaces import SPACES

# Of half of the trials other digits are read, so that they are scored on other rows.
OTHER_ROWS = (
    SPACES["varied"]
    .replace("data.border: {values: [2, 1]}", "data.border: 1\n  data.first: {values: [0, 400]}")
    .replace("trials: 6", "trials: 7")
    + "finalists: none\n"
)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> ks.Sweep:
    folder: Path = tmp_path_factory.mktemp("varied")
    shutil.copy(user_rows.__file__, folder)
    return ran_as(folder, "varied", OTHER_ROWS)


def test_only_trials_with_the_rows_of_the_winner_are_compared_row_by_row(sweep: ks.Sweep) -> None:
    best, *others = sweep.leaderboard()
    alike = [row for row in others if row.params["data.first"] == best.params["data.first"]]
    unlike = [row for row in others if row not in alike]
    assert len(alike) >= 2 and len(unlike) >= 2
    assert all(row.behind_stderr is not None for row in alike)
    assert all(row.behind_stderr is None and row.behind is not None and not row.tie for row in unlike)
    told = f"{len(unlike)} trials with other validation rows than the winner"
    notes = sweep.leaderboard().to_markdown()
    assert told in notes and f"corrected for picking the best of {1 + len(alike)}" in notes


def test_a_trial_trains_with_those_of_its_data_and_to_the_same_bits_again(sweep: ks.Sweep) -> None:
    for first in (0, 400):
        number = next(one.number for one in sweep.trials if one.params["data.first"] == first)
        assert sweep.replay(number, runner="compiled").plain.match is Match.EQUAL


def test_validation_rows_are_those_of_the_winner(sweep: ks.Sweep) -> None:
    rows = sweep.validation()
    scores = sweep.load_model().evaluate(rows.x, rows.y, verbose=0, return_dict=True)
    assert scores["accuracy"] == pytest.approx(sweep.best.value)
