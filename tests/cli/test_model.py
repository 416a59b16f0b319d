"""Commands on a sweep's models: evaluate, verify, replay."""

import dataclasses
import json
import os
import re
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from keras_sweep.record.encoding import CHECKSUM, encode
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.command import leaderboard, python, sweep
from tests.helpers.long_sweep import Started, wait_for
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
    (first, *_) = RecordedSweep.read(folder).results
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


def test_a_script_goes_with_a_file_for_its_rows_and_with_nothing_that_trains(finished):
    for words, said in (
        (["--script"], "Give `--rows rows.npz`"),
        (["--rows", "rows.npz"], "`--rows` is for the script"),
        (["--script", "--rows", "rows.npz", "--workers", "2"], "`--runner` and `--workers` say who trains"),
        (["--script", "--rows", "rows.npz", "--runner", "fit"], "`--runner` and `--workers` say who trains"),
    ):
        ended = sweep("replay", "digits", "0", *words, cwd=finished)
        assert (ended.code, said in ended.err) == (2, True)


@pytest.mark.soak
def test_a_model_goes_to_litert_with_small_numbers_and_a_page(finished: Path, tmp_path: Path) -> None:
    model, page = tmp_path / "digits.tflite", tmp_path / "README.md"
    words = ["--format", "litert", "--quantize", "int8", "-o", str(model), "--card", str(page)]
    ended = sweep("export", "digits", *words, cwd=finished).ok()
    assert re.search(r"^val_accuracy on these rows: as float32 0\.\d{4}, as int8 0\.\d{4}$", ended.err, re.MULTILINE)
    card = json.loads((tmp_path / "digits.tflite.card.json").read_text())
    scores = card["format"]["quantized"]
    assert scores["float32"] == pytest.approx(card["validation"]["val_accuracy"], abs=1e-6)
    assert 0.9 * scores["float32"] < scores["int8"]
    _, metadata, text = page.read_text().split("---\n", 2)
    about = YAML(typ="safe").load(metadata)
    assert (about["library_name"], about["metrics"]) == ("keras", ["accuracy"])
    (result,) = about["model-index"][0]["results"]
    assert result["dataset"] == {"type": "digits", "name": "digits", "split": "test"}
    assert result["metrics"][0]["value"] == card["test"]["accuracy"]
    assert f"- learning_rate: {card['params']['learning_rate']}\n" in text
    assert f"(95 %: {card['estimate']['low']:.4g} to {card['estimate']['high']:.4g})" in text

    refused = sweep("verify", model, cwd=tmp_path)
    assert (refused.code, "there is no .keras file" in refused.err) == (2, True)
    page.write_text("mine")
    refused = sweep("export", "digits", "-o", tmp_path / "digits.keras", "--card", page, cwd=finished)
    assert (refused.code, "README.md is there, and not by `sweep`" in " ".join(refused.err.split())) == (2, True)
    assert page.read_text() == "mine" and not (tmp_path / "digits.keras").exists()


WITHOUT = """
import sys
sys.modules["onnxruntime"] = None
from keras_sweep.cli.main import main
main(["export", "digits", "--format", "onnx"])
"""


def test_a_format_whose_package_is_missing_is_refused_with_the_command_that_installs_it(finished: Path) -> None:
    ended = python(WITHOUT, cwd=finished)
    assert (ended.code, ended.out) == (2, "")
    assert "pip install 'keras-sweep[onnx]'" in ended.err


def test_a_conversion_that_is_interrupted_leaves_nothing(finished: Path, tmp_path: Path) -> None:
    process = Started(finished, "--format", "savedmodel", "-o", str(tmp_path / "model"), command=("export", "digits"))
    wait_for(lambda: bool(list(tmp_path.glob(".model.*/request.json"))), process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak
def test_a_conversion_that_is_killed_takes_its_process_and_its_rows_with_it(finished: Path, tmp_path: Path) -> None:
    process = Started(finished, "--format", "savedmodel", "-o", str(tmp_path / "model"), command=("export", "digits"))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_for(lambda: bool(list(tmp_path.glob(".model.*/request.json")) and children.read_text()), process)
    process.send_signal(signal.SIGKILL)  # it alone, whose own process sees that it is gone
    wait_for(lambda: list(tmp_path.iterdir()) == [])


def test_a_model_whose_card_has_no_place_is_not_written_without_it(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "it.card.json").mkdir()
    (tmp_path / "it.keras").write_text("a former model")
    (tmp_path / ".it.999999999.part.keras").touch()  # of an export that was killed
    ended = sweep("export", "digits", "-o", tmp_path / "it.keras", cwd=finished)
    assert (ended.code, ended.out) == (1, "")
    assert f"error: can't write {tmp_path / 'it.card.json'}: Is a directory" in " ".join(ended.err.split())
    assert (tmp_path / "it.keras").read_text() == "a former model"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["it.card.json", "it.keras"]


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
