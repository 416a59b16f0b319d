"""A small database that tests ask."""

import sqlite3
from contextlib import closing
from pathlib import Path

HOUSES = ("id", "size", "rooms", "zone", "sold", "visited", "rate", "note", "price")
ORDERED = "select * from houses order by id"


def write_shop(path: Path, rows: int = 120) -> None:
    """Write a table of houses with all that SQLite may hold of a column: dates and numbers as texts, gaps, mixed types.

    Once it is there, further rows are added.
    """
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"create table if not exists houses ({', '.join(HOUSES)})")
        (first,) = connection.execute("select count(*) from houses").fetchone()
        for number in range(first, first + rows):
            size = 30.5 + number * 37 % 170
            date = f"2024-{1 + number % 12:02}-{1 + number % 28:02}"
            place, gap = "abc"[number % 3], None if number % 7 else "-"
            more = (place, date, f"{date} 1{number % 10}:00:00", f"{number % 9}.5", gap)
            values = (number, size, number % 4 or None, *more, size * (1900 + number % 5 * 50))
            connection.execute(f"insert into houses values ({', '.join('?' * len(HOUSES))})", values)
