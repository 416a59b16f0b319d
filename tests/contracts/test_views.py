"""What every view of a running sweep promises: it takes every event in any state, and leaves the terminal as it was."""

import io

import pytest
from tests.helpers.results import dense_sweep, started

from keras_sweep.trial.events import GenerationAsked, Noticed, PhaseBegan, SweepEnded, TrialEnded
from keras_sweep.views.notebook import NotebookBoard
from keras_sweep.views.running.progress import VIEWS
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


@pytest.mark.parametrize("name", VIEWS)
class TestEveryView:
    def test_takes_every_event_and_shows_a_notice(self, name: str) -> None:
        err, out = io.StringIO(), io.StringIO()
        with VIEWS[name](console_on(err), out) as view:
            for event in EVENTS:
                view(event)
        cell = view.html() if isinstance(view, NotebookBoard) else ""
        text = err.getvalue() + out.getvalue() + cell
        assert "done otherwise" in text

    def test_can_be_left_in_the_middle(self, name: str) -> None:
        with pytest.raises(KeyboardInterrupt), VIEWS[name](console_on(io.StringIO()), io.StringIO()) as view:
            view(EVENTS[0])
            raise KeyboardInterrupt
