"""`sweep import --space` from another program's trials to the winner trained here, as a user does it."""

import json
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from tests.helpers.command import leaderboard, sweep
from tests.helpers.space_texts import small

SPACE = small(
    data="iris",
    model="dense",
    parameters="{learning_rate: {min: 1e-3, max: 1.0, log: true}, epochs: {min: 2, max: 4}}",
    search="{sampler: random, trials: 3, seed: 1}",
)


def storage(path: Path) -> None:
    """A study of one trial, better than any that is trained here."""
    space: dict[str, BaseDistribution] = {
        "learning_rate": FloatDistribution(1e-3, 1.0, log=True),
        "epochs": IntDistribution(2, 4),
    }
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="old", direction="maximize")
    params = {"learning_rate": 0.1, "epochs": 3}
    study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=1.5))


def test_imported_trials_lead_the_board_and_the_trial_trained_here_wins(tmp_path: Path) -> None:
    storage(tmp_path / "old.db")
    (tmp_path / "mine.yaml").write_text(SPACE)
    sweep("import", "old.db", "--space", "mine.yaml", cwd=tmp_path).ok()
    for command in ("evaluate", "export"):
        early = sweep(command, "mine", cwd=tmp_path)
        assert early.code == 1
        assert "the sweep 'mine' has only imported trials, which have no weights and can't win" in early.err
    cut = sweep("run", "mine.yaml", "--for", "0.001s", cwd=tmp_path).ok()
    assert "the time was up before any trial finished its first epoch: allow more time with `--for`" in cut.err
    done = sweep("run", "mine.yaml", cwd=tmp_path).ok()
    assert "imported trials guide the search, but can't win" in done.out
    board = leaderboard(tmp_path, "mine")
    assert len(board) == 1 + 3  # beside what was imported as many as the space file asks for
    assert board[0]["number"] == 0 and board[0]["seed"] is None
    best = board[1]["number"]
    assert f"best trial {best}: " in done.out and f"test trial {best}:" in done.out
    assert f"trial {best} of mine" in sweep("export", "mine", "-o", "best.keras", cwd=tmp_path).err
    (listed,) = json.loads(sweep("list", "--format", "json", cwd=tmp_path).out)
    assert (listed["value"], listed["imported"], listed["state"]) == (board[1]["value"], False, "done")


def test_without_a_space_file_there_is_no_model_to_work_on(tmp_path: Path) -> None:
    storage(tmp_path / "old.db")
    sweep("import", "old.db", cwd=tmp_path).ok()
    for command in ("evaluate", "export"):
        refused = sweep(command, "old", cwd=tmp_path)
        assert (refused.code, "without a space file" in " ".join(refused.err.split())) == (2, True), refused.err
