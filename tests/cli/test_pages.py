"""Commands that show sweeps in a browser or side by side."""

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.sweep import validation_outputs
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.views.report.facts import PageContent
from keras_sweep.views.terminal.text import score_text
from tests.helpers.command import leaderboard, process, sweep


@pytest.fixture(scope="module")
def reported(finished: Path) -> Path:
    """The report of a finished sweep."""
    ended = sweep("report", cwd=finished)
    assert (ended.code, ended.out) == (0, "reports/digits/index.html\n"), ended.err
    return finished / "reports" / "digits"


def test_a_report_is_a_page_and_two_tables_and_written_over_nothing_else(reported: Path, finished: Path) -> None:
    assert sorted(path.name for path in reported.iterdir()) == ["index.html", "leaderboard.csv", "leaderboard.md"]
    assert list(reported.parent.iterdir()) == [reported]
    ended = sweep("report", "-o", "sweeps", cwd=finished)
    assert (ended.code, "--output" in ended.err) == (2, True)


def test_a_report_draws_mistakes_and_opens_the_model_in_a_process_of_its_own(finished: Path, tmp_path: Path) -> None:
    code = "import sys, keras_sweep as ks; ks.open('digits').report(sys.argv[1]); print('keras' in sys.modules)"
    assert process([sys.executable, "-c", code, tmp_path / "page"], finished).ok().out == "False\n"
    assert 'id="confusion"' in (tmp_path / "page" / "index.html").read_text()


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [
        ("MOST_SECONDS", 0.1, "the winner's outputs need more than 0.1 s or "),
        pytest.param("MOST_MEMORY", 1e-4, "", marks=pytest.mark.posix),  # Windows limits no memory
    ],
)
def test_a_report_says_that_its_mistakes_are_left_out_beyond_a_limit(
    finished: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: float, reason: str
) -> None:
    monkeypatch.setattr(validation_outputs, limit, value)
    with OpenSweep(SweepFolder(finished / "sweeps" / "digits")) as opened:
        outputs = PageContent.read(opened).outputs
    assert isinstance(outputs, str)
    assert outputs.startswith(reason)


def test_numbers_of_the_page_are_those_of_the_leaderboard(reported: Path, finished: Path) -> None:
    rows = leaderboard(finished)
    page = (reported / "index.html").read_text()
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    data = json.loads(text)
    assert set(data["trials"]) == {str(row["number"]) for row in rows}
    for row in rows:
        values = dict(zip((axis["name"] for axis in data["axes"]), data["trials"][str(row["number"])], strict=True))
        assert values.pop("val_accuracy") == row["value"]
        for axis in data["axes"][:-1]:
            value = values[axis["name"]]
            assert (axis["choices"][int(value)] if axis["choices"] else value) == row["params"][axis["name"]]
        cells = re.search(rf'<tr data-t="{row["number"]}"[^>]*>(.*?)</tr>', page, re.DOTALL)
        for number in (row["value"], row["behind"], row["params"]["learning_rate"], row["seconds"]):
            assert f'data-v="{number!r}"' in cells[1] or f">{number!r}<" in cells[1]


def test_the_winner_s_numbers_are_those_of_its_card(reported: Path, finished: Path) -> None:
    card = json.loads((finished / "sweeps" / "digits" / "card.json").read_text())
    page = (reported / "index.html").read_text()
    numbers = re.findall(r"<dd>(.*?)</dd>", page)
    estimate, validation, test = card["estimate"], card["validation"], card["test"]
    assert numbers[:3] == [
        score_text(estimate["value"]),
        score_text(validation["value"], validation["stderr"]),
        score_text(test["accuracy"], test["stderr"]),
    ]
    words = re.findall(r"<dt>(.*?)</dt>", page)
    assert f"(95 %: {score_text(estimate['low'])} to {score_text(estimate['high'])})" in words[0]
    assert f"{card['data']['validation_rows']} validation rows" in words[1]
    assert f"{test['rows']} sealed test rows" in words[2]
    assert numbers[3] == str(sum(row["tie"] for row in leaderboard(finished)))
    assert f"Trial {card['trial']} is the best of 6 trials" in page
    assert set(re.findall(r'class="[^"]* won[^"]*" data-t="(\d+)"', page)) == {str(card["trial"])}


def test_a_sweep_and_its_copy_are_told_to_be_one_as_good_as_the_other(finished, tmp_path):
    for name in ("digits", "again"):
        shutil.copytree(finished / "sweeps" / "digits", tmp_path / "sweeps" / name)
    words = ["compare", "digits", "again"]
    assert "these rows can't tell their winners apart" in sweep(*words, cwd=tmp_path).ok().out
    record = json.loads(sweep(*words, "--format", "json", cwd=tmp_path).out)
    assert [one["behind"] for one in record["sweeps"]] == [0.0, 0.0]


def test_the_address_is_printed_and_the_signal_of_ctrl_c_ends_it_quietly(finished):
    call = [sys.executable, "-m", "keras_sweep", "dashboard", "digits", "--port", "0"]
    with subprocess.Popen(call, cwd=finished, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")
