"""The way of a newcomer, on digits: run, look, resume, export, load."""

import csv
import io
import json
import shutil

from tests.helpers.command import leaderboard, sweep
from tests.helpers.space_texts import DIGITS


def test_a_run_shows_the_leaderboard_the_test_and_the_model(finished):
    out = (finished / "out.txt").read_text()
    assert "digits: 6 trials" in out
    assert "test trial" in out
    assert "sweeps/digits/best.keras" in out
    assert "sweep export digits" in out
    assert "6/6" in (finished / "err.txt").read_text()


def test_the_folder_holds_what_is_promised(finished):
    folder = finished / "sweeps" / "digits"
    names = {path.name for path in folder.iterdir()}
    assert {"study.db", "space.yaml", "weights", "best.keras", "card.json", "run.log"} <= names
    assert (folder / "space.yaml").read_text() == DIGITS
    assert (folder.stat().st_mode & 0o777, (folder / "study.db").stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_leaderboard_ranks_every_trial(finished):
    rows = leaderboard(finished)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6]
    values = [row["value"] for row in rows]
    assert values == sorted(values, reverse=True)
    assert sweep("leaderboard", "digits", "--top", "3", cwd=finished).out.count("±") >= 3
    listed = csv.DictReader(io.StringIO(sweep("leaderboard", "--format", "csv", cwd=finished).out))
    assert [float(row["value"]) for row in listed] == values
    assert "| 1 |" in sweep("leaderboard", "--format", "markdown", cwd=finished).out


def test_rows_are_chosen_and_sorted(finished):
    none = sweep("leaderboard", "--where", "optimizer=adamw", cwd=finished)
    assert (none.code, none.out) == (0, "no trials\n")
    assert none.err == "note: no trial has optimizer=adamw; values of optimizer: 'adam', 'sgd'\n"
    rows = leaderboard(finished, "--sort", "trial", "--where", "trial>=2")
    assert [row["number"] for row in rows] == [2, 3, 4, 5]


def test_list_and_show(finished):
    assert "digits" in sweep("list", cwd=finished).out
    shown = sweep("show", "digits", "0", cwd=finished).out
    assert "learning_rate" in shown and "val_accuracy" in shown
    best = leaderboard(finished, "--top", "1")[0]["number"]
    assert sweep("show", "digits", cwd=finished).out.splitlines()[0].startswith(f"trial {best} ")


def test_a_trial_whose_weights_are_not_kept_is_trained_again_where_it_was_trained(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "copy")
    (tmp_path / "copy/sweeps/digits/weights/000000.npz").unlink()
    exported = sweep("export", "digits", "--trial", "0", cwd=tmp_path / "copy").ok()
    assert "trial 0 is trained again, since only the best trials keep their weights" in exported.err
    assert json.loads((tmp_path / "copy/digits.card.json").read_text())["trial"] == 0


def test_a_run_in_two_halves_equals_one_in_one_piece_and_tells_an_event_a_line(finished, tmp_path):
    (tmp_path / "digits.yaml").write_text(DIGITS)
    sweep("run", "digits.yaml", "--trials", "2", "--no-test", cwd=tmp_path).ok()
    events = [
        json.loads(line) for line in sweep("run", "digits.yaml", "--more", "4", "--json", cwd=tmp_path).out.splitlines()
    ]
    names = [event["event"] for event in events]
    before = names.index("sweep_started")
    assert [event["phase"] for event in events[:before]] == ["import", "data", "build", "record"]
    assert names[-1] == "sweep_ended"
    assert (names.count("trial_ended"), names.count("test_evaluated")) == (4, 1)
    halves = leaderboard(tmp_path)
    whole = leaderboard(finished)
    for row in (*halves, *whole):
        del row["seconds"]
    assert halves == whole
