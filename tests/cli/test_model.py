"""Commands on a sweep's models: evaluate, verify, replay."""

import dataclasses
import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from keras_sweep.record.encoding import CHECKSUM, encode
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from tests.helpers.command import leaderboard, python, sweep
from tests.helpers.long_sweep import Started, wait_for
from tests.helpers.records import change


def test_a_model_whose_scores_come_out_exits_with_0_and_an_altered_card_with_1(finished, tmp_path):
    for name in ("best.keras", "card.json"):
        shutil.copy(finished / "sweeps" / "digits" / name, tmp_path / name)
    ended = sweep("verify", "best.keras", cwd=tmp_path).ok()
    assert ended.out.splitlines()[-1] == "the scores match the card on 288 validation rows"
    card = json.loads((tmp_path / "card.json").read_text())
    card["validation"]["val_loss"] += 0.001
    (tmp_path / "card.json").write_text(json.dumps(card))
    altered = sweep("verify", "best.keras", "--format", "json", cwd=tmp_path)
    assert (altered.code, json.loads(altered.out)["matches"]) == (1, False)


def test_a_replay_exits_with_0_where_the_numbers_are_those_of_the_record_and_else_with_1(finished, tmp_path):
    ended = sweep("replay", "digits", cwd=finished).ok()
    assert f"trial {leaderboard(finished)[0]['number']} of digits" in ended.out and "val_accuracy" in ended.out
    assert ended.out.splitlines()[-1] == "the numbers match the record"
    shutil.copytree(finished / "sweeps", tmp_path / "sweeps")
    folder = SweepFolder(tmp_path / "sweeps" / "digits")
    (first, *_) = RecordedSweep.read(folder).results
    other = dataclasses.replace(first, value=first.value + 0.01)
    change(folder, "UPDATE trial_values SET value = ? WHERE trial_id = 1", other.value)
    sql = "UPDATE trial_user_attributes SET value_json = ? WHERE trial_id = 1 AND key = ?"
    change(folder, sql, encode(other, 42)[CHECKSUM], CHECKSUM)
    ended = sweep("replay", "digits", "0", "--format", "json", cwd=tmp_path)
    record = json.loads(ended.out)
    assert (ended.code, record["matches"], record["again"]["value"]) == (1, False, first.value)
    assert record["again"]["differences"][0].startswith("the record contradicts itself: value")


def test_the_script_is_printed_and_its_rows_are_written(finished, tmp_path):
    ended = sweep("replay", "digits", "0", "--script", "--rows", tmp_path / "rows.npz", cwd=finished).ok()
    compile(ended.out, "trial.py", "exec")
    assert "model.fit(x, y" in ended.out
    assert (tmp_path / "rows.npz").exists()
    assert "Add `--rows rows.npz`" in sweep("replay", "digits", "0", "--script", cwd=finished).err


def test_every_look_at_the_test_rows_is_counted(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "copy")
    first, second = (json.loads(sweep("evaluate", "--format", "json", cwd=folder).ok().out) for _ in range(2))
    assert second["looks"] == first["looks"] + 1 > 2  # `run` has looked, too
    assert first["scores"] == second["scores"]


@pytest.mark.soak
def test_a_model_goes_to_litert_with_small_numbers_and_a_page(finished: Path, tmp_path: Path) -> None:
    model, page = tmp_path / "digits.tflite", tmp_path / "README.md"
    words = ["--format", "litert", "--quantize", "int8", "-o", model, "--card", page]
    ended = sweep("export", "digits", *words, cwd=finished).ok()
    scores = r"^val_accuracy on these rows: 0\.\d{4} with 32-bit weights, 0\.\d{4} with 8-bit weights$"
    assert re.search(scores, ended.err, re.MULTILINE)
    card = json.loads((tmp_path / "digits.tflite.card.json").read_text())
    assert 0.9 * card["format"]["quantized"]["float32"] < card["format"]["quantized"]["int8"]
    metadata = YAML(typ="safe").load(page.read_text().split("---\n", 2)[1])
    assert metadata["model-index"][0]["results"][0]["metrics"][0]["value"] == card["test"]["accuracy"]


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


def test_a_format_that_is_not_known_is_refused_with_all_that_are(finished: Path) -> None:
    ended = sweep("export", "digits", "--format", "pickle", cwd=finished)
    assert (ended.code, ended.out) == (2, "")
    assert "`--format` must be one of keras, onnx, savedmodel, litert, but got 'pickle'" in ended.err


def test_a_conversion_that_is_interrupted_leaves_nothing(finished: Path, tmp_path: Path) -> None:
    process = Started(finished, "--format", "savedmodel", "-o", str(tmp_path / "model"), command=("export", "digits"))
    wait_for(lambda: bool(list(tmp_path.glob(".model.*/call"))), process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does at Ctrl-C
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.soak
def test_a_conversion_that_is_killed_takes_its_process_and_its_rows_with_it(finished: Path, tmp_path: Path) -> None:
    process = Started(finished, "--format", "savedmodel", "-o", str(tmp_path / "model"), command=("export", "digits"))
    wait_for(lambda: bool(list(tmp_path.glob(".model.*/*.part"))), process)  # its process writes
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
