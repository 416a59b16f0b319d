"""Write the leaderboard for other programs: JSON, CSV and Markdown, each a string that ends with a newline."""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_sweep.space.distributions import Value
from keras_sweep.space.text import escape, escape_markdown
from keras_sweep.views.leaderboard.rows import FIRST_KEYS, FRONT, LAST_KEYS, LeaderboardRow, Ranking, cell, machine_keys
from keras_sweep.views.leaderboard.texts import leaderboard_columns, leaderboard_notes, lines_of

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what follows
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def leaderboard_csv(rows: Sequence[LeaderboardRow]) -> str:
    """Return CSV: a header and a line for each row. A quote before a formula keeps spreadsheets from running it."""
    keys = machine_keys(rows)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_csv_cell(key) for key in keys])
    writer.writerows([_csv_cell(cell(row, key)) for key in keys] for row in rows)
    return file.getvalue()


def leaderboard_markdown(ranking: Ranking) -> str:
    if not ranking.rows:
        return "No trials.\n"
    columns = leaderboard_columns(ranking)
    lines = [_markdown_line([column.head for column in columns])]
    lines.append("|" + "|".join(" ---: " if column.number else " --- " for column in columns) + "|")
    lines += [_markdown_line(cells) for row in ranking.rows for cells in lines_of(row, columns)]
    notes = leaderboard_notes(ranking)
    return "\n".join([*lines, "", *(f"- {escape_markdown(note)}" for note in notes)]) + "\n"


def row_record(row: LeaderboardRow) -> dict[str, Any]:
    return {
        **{key: cell(row, key) for key in FIRST_KEYS},
        "state": str(row.state),
        **({} if row.front is None else {FRONT: row.front}),
        "params": dict(row.params),
        "metrics": dict(row.metrics),
        **{key: cell(row, key) for key in LAST_KEYS},
    }


def flat_records(rows: Sequence[LeaderboardRow]) -> list[dict[str, Any]]:
    """Return a dict for each row: CSV column -> Python value. Tuples become lists, and states become strings."""
    keys = machine_keys(rows)
    return [{key: _plain(cell(row, key)) for key in keys} for row in rows]


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, str) else value


def json_list(records: Iterable[Mapping[str, Any]]) -> str:
    lines = ",\n".join("  " + strict_json(record) for record in records)
    return f"[\n{lines}\n]\n" if lines else "[]\n"


def strict_json(record: Any) -> str:
    """Return `record`, any JSON value, as a line of ASCII. NaN and infinity, which JSON lacks, become null."""
    return json.dumps(_replace_infinite(record), allow_nan=False)


def _replace_infinite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _replace_infinite(item) for key, item in value.items()}
    return [_replace_infinite(item) for item in value] if isinstance(value, list | tuple) else value


def _csv_cell(value: Value) -> Value:
    if not isinstance(value, str):
        return strict_json(value) if isinstance(value, bool | tuple) else value
    is_formula = value.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(value)
    return escape("'" + value if is_formula else value)


def _markdown_line(cells: Sequence[str]) -> str:
    return "|" + "|".join(f" {escape_markdown(text)} " for text in cells) + "|"
