"""Commands that show sweeps in a browser: a report is whole or absent, and written over nothing else."""

import csv
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from keras_sweep.views.terminal.text import score_text
from tests.helpers.command import leaderboard, sweep


@pytest.fixture(scope="module")
def reported(finished: Path) -> Path:
    """The report of a finished sweep."""
    ended = sweep("report", cwd=finished)
    assert (ended.code, ended.out) == (0, "reports/digits/index.html\n"), ended.err
    return finished / "reports" / "digits"


def card_of(finished: Path) -> Any:
    return json.loads((finished / "sweeps" / "digits" / "card.json").read_text())


def test_a_report_is_a_page_and_two_tables(reported: Path) -> None:
    assert sorted(path.name for path in reported.iterdir()) == ["index.html", "leaderboard.csv", "leaderboard.md"]
    assert list(reported.parent.iterdir()) == [reported]


def test_numbers_of_the_page_are_those_of_the_leaderboard(reported: Path, finished: Path) -> None:
    rows = leaderboard(finished)
    page = (reported / "index.html").read_text()
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    data = json.loads(text)
    names = [axis["name"] for axis in data["axes"]]
    assert set(data["trials"]) == {str(row["number"]) for row in rows}
    for row in rows:
        shown = dict(zip(names, data["trials"][str(row["number"])], strict=True))
        assert shown.pop("val_accuracy") == row["value"]
        for axis in data["axes"][:-1]:
            value = shown[axis["name"]]
            assert (axis["choices"][int(value)] if axis["choices"] else value) == row["params"][axis["name"]]
        cells = re.search(rf'<tr data-t="{row["number"]}"[^>]*>(.*?)</tr>', page, re.DOTALL)
        numbers = [row["value"], row["behind"], row["params"]["learning_rate"], row["seconds"]]
        if row["seeds_mean"] is not None:
            numbers.append(row["seeds_mean"])
        for number in numbers:
            assert f'data-v="{number!r}"' in cells[1] or f">{number!r}<" in cells[1]
    assert [row["rank"] for row in csv.DictReader(io.StringIO((reported / "leaderboard.csv").read_text()))] == [
        str(row["rank"]) for row in rows
    ]


def test_the_winner_s_numbers_are_those_of_its_card(reported: Path, finished: Path) -> None:
    card, page = card_of(finished), (reported / "index.html").read_text()
    numbers = re.findall(r"<dd>(.*?)</dd>", page)
    estimate, validation, test = card["estimate"], card["validation"], card["test"]
    assert numbers[:3] == [
        score_text(estimate["value"]),
        score_text(validation["value"], validation["stderr"]),
        score_text(test["accuracy"], test["stderr"]),
    ]
    words = re.findall(r"<dt>(.*?)</dt>", page)
    assert f"95 % between {score_text(estimate['low'])} and {score_text(estimate['high'])}" in words[0]
    assert f"{card['data']['validation_rows']} validation rows" in words[1]
    assert f"{test['rows']} sealed test rows" in words[2]
    assert numbers[3] == str(sum(row["tie"] for row in leaderboard(finished)))
    assert f"Trial {card['trial']} is the best of 6 trials" in page
    assert set(re.findall(r'class="[^"]* won[^"]*" data-t="(\d+)"', page)) == {str(card["trial"])}


def test_the_matrix_is_of_the_score_on_the_leaderboard(reported: Path, finished: Path) -> None:
    page = (reported / "index.html").read_text()
    cells = re.findall(r"<title>(\S+) named (\S+): ([\d,]+) of ([\d,]+)</title>", page)
    counts = {(true, named): int(count.replace(",", "")) for true, named, count, _ in cells}
    right = sum(count for (true, named), count in counts.items() if true == named)
    card = card_of(finished)
    assert right / sum(counts.values()) == pytest.approx(card["validation"]["value"], abs=1e-6)


def test_a_report_is_written_anew(reported: Path, finished: Path) -> None:
    (reported / "note.txt").write_text("mine")
    (reported / "leaderboard.md").write_text("old")
    sweep("report", cwd=finished).ok()
    assert (reported / "note.txt").read_text() == "mine"
    assert "old" not in (reported / "leaderboard.md").read_text()
    (reported / "note.txt").unlink()


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_nothing_that_was_there_is_written_over(what: str, finished: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    if what == "folder":
        place.mkdir()
        (place / "index.html").write_text("a page of mine")
    elif what == "file":
        place.write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    ended = sweep("report", "-o", place, cwd=finished)
    assert ended.code == 2
    assert "--output" in ended.err
    left = sorted(path.name for path in tmp_path.rglob("*"))
    assert left == {"folder": ["index.html", "place"], "file": ["place"], "link": ["elsewhere", "place"]}[what]


def test_a_sweep_and_its_copy_are_told_to_be_one_as_good_as_the_other(finished, tmp_path):
    sweeps = tmp_path / "sweeps"
    shutil.copytree(finished / "sweeps", sweeps)
    shutil.copytree(sweeps / "digits", sweeps / "again")
    ended = sweep("compare", "digits", "again", cwd=tmp_path).ok()
    assert "these rows can't tell their winners apart" in ended.out
    record = json.loads(sweep("compare", "digits", "again", "--format", "json", cwd=tmp_path).out)
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
