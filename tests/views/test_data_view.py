"""What `sweep data` says and shows."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.search_data import SearchData
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.views.data_view import column_texts, picture_grid, png_bytes, print_data
from tests.helpers.data_specs import PLANTS, named, spec_of
from tests.helpers.screen import on_terminal


def words_of(data: SearchData) -> list[list[str]]:
    return [line.split() for line in on_terminal(print_data, data).splitlines()]


def test_pictures_and_numbers() -> None:
    lines = words_of(load_search_data(named("digits")))
    assert ["training", "1,149", "64", "float32", "1", "int32"] in lines and ["test", "(sealed)", "360"] in lines
    classes = [line for line in lines if line[0:1] in ([str(digit)] for digit in range(10)) and "━" in line[-1]]
    assert len(classes) == 10 and sum(int(line[1]) for line in classes) == 1149
    statistics = next(line for line in lines if line[:2] == ["all", "inputs"])
    assert statistics[-2:] == ["0", "1"]
    lines = words_of(load_search_data(named("diabetes")))
    assert next(line for line in lines if line[:1] == ["target"])[-2:] == ["25", "346"]


def test_what_a_column_holds_is_shown_at_80_columns_whatever_its_name_and_steers_no_terminal(tmp_path: Path) -> None:
    data = load_search_data(spec_of(PLANTS))
    columns = {name: (kind, detail) for name, kind, *_, detail in column_texts(data)}
    assert {name for name, (kind, _) in columns.items() if kind == "numbers"} == {"height_cm", "petals", "wild"}
    assert columns["colour"] == ("categories", "4: (missing), red, white, yellow")
    assert ["campion", "134", "32"] in [line[:3] for line in words_of(data)]
    text = on_terminal(print_data, data, width=80)
    assert "missing values become 34.75" in text and "4: (missing), red, white, yellow" in text
    lines = "\n".join(f"category {k % 30},{k * 1e9},{k % 2}" for k in range(60))
    (tmp_path / "it.csv").write_text(f"{'a long name ' * 8},\x1b[2J{'x' * 50},target\n{lines}\n")
    data = load_search_data(spec_of(DataSpec("csv", "it.csv", "target"), folder=tmp_path))
    text = on_terminal(print_data, data, width=80)
    assert "a long name a long…" in text and "27: category 0, cat…" in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b[2J" not in text and "\\x1b[2J" in text


@pytest.mark.parametrize(("width", "encoding"), [(100, "utf-8"), (40, "utf-8"), (80, "ascii")])
def test_a_sample_of_each_class_is_drawn_within_the_width(width: int, encoding: str) -> None:
    text = on_terminal(print_data, load_search_data(named("digits")), width=width, encoding=encoding)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "@" in text and "sealed" in text
    assert "▀" not in text  # without colour, half blocks would be all alike
    file = io.StringIO()
    console = Console(file=file, width=90, force_terminal=True, color_system="truecolor", _environ={})
    print_data(console, load_search_data(named("digits")))
    assert "▀" in file.getvalue() and "\x1b[38;2;" in file.getvalue()


def test_the_png_holds_the_pictures() -> None:
    """Decoded by the rules of the format, it gives the pixels back; ten lines of ten digits."""
    grid = picture_grid(load_search_data(named("digits")))
    assert grid.shape == (98, 98) and grid.dtype == np.uint8
    raw = png_bytes(grid, scale=2)
    assert raw[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, rest = {}, raw[8:]
    while rest:
        size = int.from_bytes(rest[:4], "big")
        kind, body, checksum = rest[4:8], rest[8 : 8 + size], rest[8 + size : 12 + size]
        assert int.from_bytes(checksum, "big") == zlib.crc32(kind + body)
        chunks[kind], rest = body, rest[12 + size :]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (196, 196, 8, 0, 0, 0, 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(196, 197)
    assert (lines[::2, 1::2] == grid).all() and not lines[:, 0].any()
