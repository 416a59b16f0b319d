"""Commands on a sweep's models: evaluate, verify, replay."""

import dataclasses
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from keras_sweep.record.encoding import CHECKSUM, encode
from keras_sweep.record.reader import read_results
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.command import leaderboard, sweep
from tests.helpers.space_texts import small


def test_a_model_whose_scores_come_out_exits_with_0_and_an_altered_card_with_1(finished, tmp_path):
    for name in ("best.keras", "card.json"):
        shutil.copy(finished / "sweeps" / "digits" / name, tmp_path / name)
    ended = sweep("verify", "best.keras", cwd=tmp_path).ok()
    assert ended.out.splitlines()[-1] == "the scores of the card come out on 288 validation rows"
    card = json.loads((tmp_path / "card.json").read_text())
    card["validation"]["val_loss"] += 0.001
    (tmp_path / "card.json").write_text(json.dumps(card))
    altered = sweep("verify", "best.keras", cwd=tmp_path)
    assert altered.code == 1
    assert altered.out.splitlines()[-1] == "on 288 validation rows: val_loss differs"


def test_what_is_no_model_is_refused(tmp_path):
    assert sweep("verify", "no.keras", cwd=tmp_path).code == 2
    (tmp_path / "x.keras").write_bytes(b"no archive")
    assert "there is no card" in sweep("verify", "x.keras", cwd=tmp_path).err
    (tmp_path / "x.card.json").write_text("{" * 100_000)
    ended = sweep("verify", "x.keras", cwd=tmp_path)
    assert (ended.code, "Traceback" in ended.err) == (1, False)
    assert "is no card of a model" in ended.err


def test_a_trial_that_has_its_recorded_numbers_exits_with_0_and_shows_every_epoch(finished):
    ended = sweep("replay", "digits", cwd=finished).ok()
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
    ended = sweep("replay", "digits", "0", "--script", "--rows", tmp_path / "rows.npz", cwd=finished).ok()
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


PARAMETERS = "{optimizer: sgd, learning_rate: {min: 0.01, max: 1.0, log: true}, epochs: 2}"


def test_evaluate_and_run_refuse_other_test_rows_and_take_the_former_ones_again(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    y = draw.integers(0, 2, 200)
    x = (draw.normal(size=(200, 3)) + y[:, None]).astype("float32")
    parts = {"x_train": x[:150], "y_train": y[:150], "x_test": x[150:], "y_test": y[150:]}
    np.savez(tmp_path / "it.npz", **parts)
    (tmp_path / "it.yaml").write_text(small(data="{npz: it.npz}", model="{dense: {}}", parameters=PARAMETERS))
    sweep("run", "it.yaml", cwd=tmp_path).ok()
    np.savez(tmp_path / "it.npz", **{**parts, "y_test": 1 - y[150:]})
    refused = sweep("evaluate", "it", cwd=tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert "the test rows of it.npz are not those that the sweep 'it' was begun with" in refused.err
    again = sweep("run", "it.yaml", cwd=tmp_path)
    assert again.code == 2 and "its test rows are not those that the sweep was begun with" in again.err
    np.savez(tmp_path / "it.npz", **parts)
    first, second = (json.loads(sweep("evaluate", "it", "--format", "json", cwd=tmp_path).out) for _ in range(2))
    assert (first["looks"], second["looks"]) == (2, 3)  # one by `run`, one by each call
    assert first["scores"] == second["scores"]
