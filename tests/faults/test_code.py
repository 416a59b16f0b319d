"""A space file is data: it imports no code, except where it names `python:`, and `sweep check` says so.

So is a record, which may be somebody else's: alone it imports nothing at all.
"""

import json
import re
import shutil
from pathlib import Path

import pytest

from keras_sweep.files.plain import file_digest
from tests.helpers.fault_driver import forked
from tests.helpers.long_sweep import SLOW, write
from tests.helpers.records import change
from tests.helpers.whole_sweeps import folder_of

TRAP = "import pathlib\npathlib.Path('ran').touch()\n"


def test_check_says_which_code_a_run_would_import_and_imports_none(tmp_path: Path) -> None:
    write(tmp_path, trials=1, epochs=1)
    (tmp_path / "slow.py").write_text(TRAP)
    ended = forked(tmp_path, "check", "long.yaml").ok()
    assert "`sweep run` imports and runs slow:build from " in ended.err
    assert not (tmp_path / "ran").exists()


def test_a_file_with_tags_or_other_keys_runs_nothing(tmp_path: Path) -> None:
    for text in (
        "data: !!python/object/apply:os.system ['touch ran']\n",
        "data: digits\nprogram: slow.py\n",
        "data: {python: 'os:system'}\nmodel: dense\n",
    ):
        (tmp_path / "bad.yaml").write_text(text)
        (tmp_path / "slow.py").write_text(TRAP)
        ended = forked(tmp_path, "check", "bad.yaml")
        assert ended.code == 2, text
        assert "Traceback" not in ended.err
    assert not (tmp_path / "ran").exists()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of a model of the user's own, and its code; no test changes it."""
    folder = tmp_path_factory.mktemp("own")
    write(folder, trials=2, epochs=1)
    forked(folder, "run", "long.yaml", "--quiet").ok()
    return folder


def from_elsewhere(own: Path, folder: Path, *, model: str = "slow:build", data: str = "digits") -> Path:
    """The record as somebody may have sent it: it names that model and data, in a folder of traps."""
    shutil.copytree(own / "sweeps", folder / "sweeps")
    traps = folder / "traps"
    traps.mkdir()
    for name in ("slow", "sitecustomize", "keras_extra"):
        (traps / f"{name}.py").write_text(f"import pathlib\npathlib.Path({str(folder / 'ran')!r}).touch()\n" + SLOW)
    text = (own / "long.yaml").read_text().replace("slow:build", model).replace("data: digits", f"data: {data}")
    for key, value in (("space", text), ("origin", str(traps))):
        sql = "UPDATE study_user_attributes SET value_json = ? WHERE key = ?"
        change(folder_of(folder, "long"), sql, json.dumps(value), key)
    return folder


@pytest.mark.parametrize(
    ("model", "data", "said"),
    [
        ("slow:build", "digits", "the record of 'long' names code that runs only if you trust it: slow:build from "),
        ("keras_extra:build", "{python: 'slow:build'}", "slow:build from .*slow.py and keras_extra:build from "),
        ("slow:build", "{python: '__program__:arrays_1234'}", "arrays_1234 was defined in a running program"),
        ("os:system", "digits", "'os' is a module of Python"),
    ],
)
def test_a_record_alone_imports_nothing(own: Path, tmp_path: Path, model, data, said) -> None:
    folder = from_elsewhere(own, tmp_path, model=model, data=data)
    calls = [["evaluate", "long"], ["export", "long", "--trial", "1", "-o", "x.keras"]]
    calls += [["replay", "long", "1"], ["replay", "long", "1", "--script"]]
    if model == "os:system":  # no trust lets a record run what Python brings
        calls.append(["evaluate", "long", "--trust"])
    for words in calls:
        if words[0] == "export":  # the winner's model would be copied
            (folder / "sweeps/long/best.keras").unlink()
        ended = forked(folder, *words)
        assert ended.code == 2, ended.err
        assert re.search(said, ended.err), ended.err
        assert "Traceback" not in ended.err
    for words in (["list"], ["leaderboard", "long"], ["show", "long", "0"]):
        forked(folder, *words).ok()
    assert not (folder / "ran").exists()
    assert not (folder / "x.keras").exists()


def test_the_winner_is_exported_without_its_code(own: Path, tmp_path: Path) -> None:
    folder = from_elsewhere(own, tmp_path)
    ended = forked(folder, "export", "long", "-o", "best.keras")
    assert (ended.code, ended.out) == (0, "best.keras\n"), ended.err
    card = json.loads((folder / "best.card.json").read_text())
    assert card["sha256"] == file_digest(folder / "best.keras") == file_digest(folder / "sweeps/long/best.keras")
    assert card["test"]["looks"] == 1
    assert not (folder / "ran").exists()


def test_a_model_that_is_not_its_cards_is_not_copied(own: Path, tmp_path: Path) -> None:
    folder = from_elsewhere(own, tmp_path)
    card = folder / "sweeps/long/card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "sha256": "0" * 64}))
    ended = forked(folder, "export", "long", "-o", "best.keras")
    assert ended.code == 2
    assert "card.json was changed after the sweep wrote it. The model is built from the recorded weights" in ended.err
    assert "add `--trust`" in ended.err
    assert not (folder / "best.keras").exists()
    assert not (folder / "ran").exists()


def test_trust_says_first_what_it_imports_and_from_where(own: Path, tmp_path: Path) -> None:
    shutil.copytree(own, tmp_path / "mine")
    other = json.loads((own / "sweeps/long/card.json").read_text())["trial"] ^ 1
    said = f"`--trust`: imports and runs slow:build from {own / 'slow.py'}"  # where the sweep was run
    for words in (["evaluate", "long"], ["export", "long", "--trial", str(other), "-o", "other.keras"]):
        ended = forked(tmp_path / "mine", *words, "--trust").ok()
        assert said in " ".join(ended.err.split())
    assert json.loads((tmp_path / "mine/other.card.json").read_text())["trial"] == other
