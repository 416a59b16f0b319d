import re
from xml.etree import ElementTree

import pytest
from docs.terminal_svg import progress_at, record_svg, without_hosts

from keras_sweep.errors import SweepError
from keras_sweep.sweep.events import EndReason, SweepEnded
from keras_sweep.views.running.live import draw_board
from keras_sweep.views.summary import print_summary
from tests.helpers.results import ACCURACY, dense_sweep, started

RESULTS = dense_sweep()


def test_the_picture_of_the_board_names_no_other_host(tmp_path):
    progress = progress_at(started(), RESULTS, done=42, elapsed=21.0)
    assert (progress.done, progress.elapsed, len(progress.training)) == (42, 21.0, 6)
    path = tmp_path / "board.svg"
    record_svg(lambda console: console.print(draw_board(progress, console)), path, title="sweep run dense.yaml")
    svg = path.read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    assert set(re.findall(r"//[\w.]+", svg)) == {"//www.w3.org"}  # the name space, which nothing is loaded from
    assert "@font-face" not in svg and "url(http" not in svg
    assert "42/64" in svg and "rmsprop" in svg
    with pytest.raises(SweepError, match="another host"):
        without_hosts('<image href="https://example.org/x.png"/>')


def test_the_picture_of_the_end(tmp_path):
    ended = SweepEnded("dense", EndReason.DONE, tuple(RESULTS), {"train": 1.0}, "sweeps/dense/best.keras")
    record_svg(lambda console: print_summary(console, ended, ACCURACY), tmp_path / "end.svg", title="<sweep> & co")
    text = "".join(ElementTree.parse(tmp_path / "end.svg").getroot().itertext()).replace("\xa0", " ")
    assert "0.8570 ±0.0032" in text
