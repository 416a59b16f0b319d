"""What every view of a running sweep promises: it takes every event in any state, and leaves the terminal as it was."""

import io

import pytest
from tests.helpers.results import dense_sweep, started

from keras_sweep.sweep.events import GenerationAsked, SweepEnded, TrialEnded
from keras_sweep.trial.events import Noticed, PhaseBegan
from keras_sweep.views.notebook import NotebookBoard
from keras_sweep.views.running.json_lines import json_lines
from keras_sweep.views.running.live import LiveBoard, notices_alone
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.terminal.console import console_on

RESULTS = dense_sweep(4)
EVENTS = (
    started(total=4),
    PhaseBegan("build"),
    GenerationAsked(0, tuple(one.suggestion for one in RESULTS)),
    Noticed("something was done otherwise"),
    *(TrialEnded(one) for one in RESULTS),
    SweepEnded("it", "done", tuple(RESULTS), {"train": 1.0}, None),
)
VIEWS = [  # each made from the console on stderr, and stdout
    pytest.param(lambda console, _: LiveBoard(console), id="board"),
    pytest.param(lambda console, _: PlainLines(console), id="plain"),
    pytest.param(lambda _, out: json_lines(out), id="json"),
    pytest.param(lambda console, _: notices_alone(console), id="quiet"),
    pytest.param(lambda *_: NotebookBoard(), id="notebook"),
]


@pytest.mark.parametrize("make_view", VIEWS)
class TestEveryView:
    def test_takes_every_event_and_shows_a_notice(self, make_view) -> None:
        err, out = io.StringIO(), io.StringIO()
        with make_view(console_on(err), out) as view:
            for event in EVENTS:
                view(event)
        cell = view.html() if isinstance(view, NotebookBoard) else ""
        text = err.getvalue() + out.getvalue() + cell
        assert "done otherwise" in text

    def test_can_be_left_in_the_middle(self, make_view) -> None:
        with pytest.raises(KeyboardInterrupt), make_view(console_on(io.StringIO()), io.StringIO()) as view:
            view(EVENTS[0])
            raise KeyboardInterrupt
