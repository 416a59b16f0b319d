import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.views.leaderboard.formats import json_list, leaderboard_csv, leaderboard_markdown, row_record
from keras_sweep.views.leaderboard.rows import leaderboard_rows
from tests.helpers.results import ACCURACY, dense_sweep, ranking, result

KEYS = [
    *("rank", "number", "state", "value", "stderr", "tie", "behind", "behind_stderr"),
    *("seeds", "seeds_mean", "seeds_stderr", "unstable", "params", "metrics"),
    *("epochs", "seconds", "engine", "seed", "reason"),
]


def test_json_has_exactly_the_promised_keys():
    rows = leaderboard_rows(dense_sweep(), ACCURACY, seed=42)
    read = json.loads(json_list(map(row_record, rows)), parse_constant=pytest.fail)
    assert len(read) == 64 and json.loads(json_list([])) == []
    assert all(list(row) == KEYS for row in read)
    assert [row["rank"] for row in read] == list(range(1, 65)) and {row["seed"] for row in read} == {42}
    assert {row["state"] for row in read} == {"COMPLETE", "PRUNED", "FAIL"}
    failed = [row for row in read if row["state"] == "FAIL"]
    assert all(row["value"] is None and row["reason"] == "diverged" for row in failed)
    best = rows[0]
    assert read[0]["value"] == best.value and read[0]["params"] == dict(best.params)


def test_json_is_strict_and_ascii_whatever_stands_in_a_trial():
    odd = {"name": "größe\x1b[31m\u202e\ud800", "list": (1, (2.5, None)), "inf": math.inf}
    rows = leaderboard_rows([result(0, params=odd, reason="[red]\x07")], ACCURACY)
    text = json_list(map(row_record, rows))
    assert text.isascii() and "\x1b" not in text and "\x07" not in text
    read = json.loads(text, parse_constant=pytest.fail)
    assert read[0]["params"]["list"] == [1, [2.5, None]] and read[0]["params"]["inf"] is None


def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_a_column_for_every_parameter_and_metric_of_any_row():
    rows = leaderboard_rows(dense_sweep(), ACCURACY, seed=42)
    read = read_csv(leaderboard_csv(rows))
    assert len(read) == 64
    assert "params.momentum" in read[0] and "metrics.val_loss" in read[0]
    for row, line in zip(rows, read, strict=True):
        assert line["value"] == ("" if row.value is None else repr(row.value))
        assert line["params.momentum"] == (repr(row.params["momentum"]) if "momentum" in row.params else "")
        assert line["tie"] in ("true", "false")


def test_csv_runs_nothing_in_a_spreadsheet_and_leaves_numbers_alone():
    for text in ("=1+1", "+cmd", "-x", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")'):
        row = leaderboard_rows([result(0, params={"a": text, "=b": 1}, reason=text, engine=text)], ACCURACY)[0]
        for line in csv.reader(io.StringIO(leaderboard_csv([row]))):
            assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in line)
        assert read_csv(leaderboard_csv([row]))[0]["params.a"].startswith("'")
    row = leaderboard_rows([result(0, -0.5, params={"a": -1e-3, "b": "-1.5", "c": "-inf"})], ACCURACY)[0]
    read = read_csv(leaderboard_csv([row]))[0]
    assert [read[key] for key in ("value", "params.a", "params.b", "params.c")] == ["-0.5", "-0.001", "-1.5", "'-inf"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_csv_keeps_a_row_on_a_line(text):
    rows = leaderboard_rows([result(0, params={"a": text}), result(1)], ACCURACY)
    assert leaderboard_csv(rows).count("\n") == 3
    assert len(read_csv(leaderboard_csv(rows))) == 2


def test_markdown_shows_what_differs_and_says_the_rest_below():
    assert leaderboard_markdown(ranking([])) == "No trials.\n"
    rows = leaderboard_rows(dense_sweep(), ACCURACY)
    lines = leaderboard_markdown(ranking(rows, rows[:5])).splitlines()
    assert lines[0] == "| # | trial | val_accuracy | optimizer | learning_rate | momentum | epochs | time |"
    assert lines[2].startswith("| 1 | 50 | 0.8570 ±0.0032 | adam | 0.000966 | – | 20 |")
    assert lines[8] == "- in all trials: batch_size=32" and lines[9].startswith("- pruned trials rank below")


def test_markdown_escapes_what_would_be_read_as_markup():
    odd = {"a|b": "x|y", "h": "<script>", "s": "*bold* _it_ `code` [l](u)", "n": "two\nlines"}
    rows = leaderboard_rows([result(0, params=odd), result(1, params={})], ACCURACY)
    lines = leaderboard_markdown(ranking(rows)).splitlines()
    assert "a\\|b" in lines[0]
    for word in ("x\\|y", "\\<script\\>", "\\*bold\\* \\_it\\_ \\`code\\` \\[l\\](u)"):
        assert word in lines[2]
    columns = lines[0].replace("\\|", "").count("|")
    assert all(line.replace("\\|", "").count("|") == columns for line in lines[:4])
