from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from keras_sweep.errors import MissingPackage, UsageError
from keras_sweep.sweep.plot_file import check_plot_path, write_plot


@pytest.mark.parametrize(
    ("name", "said"), [("x.pdf", "writes .svg or .png, but got 'x.pdf'"), ("no/x.svg", "there is no folder")]
)
def test_a_path_that_takes_no_drawing_is_refused(tmp_path: Path, name, said):
    with pytest.raises(UsageError, match=said):
        check_plot_path(tmp_path / name)


def test_a_drawing_is_written_as_svg_or_as_png_twice_its_size(tmp_path: Path):
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect width="30" height="20"/></svg>'
    for name in ("x.svg", "x.PNG"):
        check_plot_path(tmp_path / name)
        write_plot(tmp_path / name, drawing)
    assert (tmp_path / "x.svg").read_text() == drawing
    picture = (tmp_path / "x.PNG").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (60, 40)


def test_without_the_package_that_draws_png_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(MissingPackage, match="resvg-py is not installed") as refused:
        check_plot_path(tmp_path / "x.png")
    assert "keras-sweep[png]" in str(refused.value.hint)
