from __future__ import annotations

import dataclasses
import json
import shutil
import sqlite3
from contextlib import closing

from keras_sweep.record.encoding import CHECKSUM, encode
from keras_sweep.record.reader import read_results
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.command import leaderboard, sweep


def test_a_trial_that_has_its_recorded_numbers_exits_with_0_and_shows_every_epoch(finished):
    ended = sweep("replay", "digits", cwd=finished)
    assert ended.code == 0, ended.err
    assert f"trial {leaderboard(finished)[0]['number']} of digits" in ended.out
    assert "val_accuracy" in ended.out
    assert ended.out.splitlines()[-1] == "the numbers are those of the record"


def test_a_record_that_contradicts_itself_exits_with_1_and_both_as_json(finished, tmp_path):
    shutil.copytree(finished / "sweeps", tmp_path / "sweeps")
    folder = SweepFolder(tmp_path / "sweeps" / "digits")
    (first, *_) = read_results(folder)
    other = dataclasses.replace(first, value=first.value + 0.01)
    with closing(sqlite3.connect(folder.study)) as connection, connection:
        connection.execute("UPDATE trial_values SET value = ? WHERE trial_id = 1", (other.value,))
    damaged = sweep("replay", "digits", "0", cwd=tmp_path)
    assert damaged.code == 1
    assert "checksum" in damaged.err
    with closing(sqlite3.connect(folder.study)) as connection, connection:
        crc = encode(other, 42)[CHECKSUM]
        sql = "UPDATE trial_user_attributes SET value_json = ? WHERE trial_id = 1 AND key = ?"
        connection.execute(sql, (crc, CHECKSUM))
    ended = sweep("replay", "digits", "0", "--format", "json", cwd=tmp_path)
    assert ended.code == 1, ended.err
    record = json.loads(ended.out)
    assert record["matches"] is False
    assert record["again"]["differences"][0].startswith("the record contradicts itself: value")
    assert record["again"]["value"] == first.value


def test_the_script_is_printed_and_its_rows_are_written(finished, tmp_path):
    ended = sweep("replay", "digits", "0", "--script", "--rows", tmp_path / "rows.npz", cwd=finished)
    assert ended.code == 0, ended.err
    compile(ended.out, "trial.py", "exec")
    assert "model.fit(x, y" in ended.out
    assert (tmp_path / "rows.npz").exists()


def test_a_script_and_a_file_for_its_rows_go_together(finished):
    for words, said in (
        (["--script"], "Give `--rows rows.npz`"),
        (["--rows", "rows.npz"], "`--rows` is for the script"),
    ):
        ended = sweep("replay", "digits", "0", *words, cwd=finished)
        assert (ended.code, said in ended.err) == (2, True)
