"""A program that has no stdout, or has closed it, is none that libraries fail in."""

import io
import os
import sys
from pathlib import Path

import pytest

from keras_sweep.process.streams import replace_closed_streams
from keras_sweep.system.processes import list_cores
from keras_sweep.training.workers.processes import PoolProcess


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, closed()], ids=["none", "closed"])
def test_a_stream_that_is_not_there_leads_nowhere_inside_and_is_as_it_was_after(stream, monkeypatch) -> None:
    other = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", other)
    with replace_closed_streams():
        sys.stdout.write("nowhere")
        sys.stdout.flush()
        assert sys.stderr is other
    assert sys.stdout is stream and other.getvalue() == ""


def test_a_process_is_begun_where_there_is_no_stdout(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    process = PoolProcess(list_cores()[:1], tmp_path / "call", {})
    with replace_closed_streams():
        assert process.call(os.getpid) != os.getpid()
        process.end()
