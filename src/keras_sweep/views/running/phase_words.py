"""What a phase is called for people."""

from __future__ import annotations

from keras_sweep.trial.events import PhaseBegan
from keras_sweep.views.terminal.text import count_text, safe

WORDS = {
    "data": "importing Keras, reading the data",
    "import": "importing Keras",
    "build": "building models",
    "record": "opening the record",
    "sampler": "asking the sampler",
    "compile": "compiling",
    "train": "training",
    "test": "evaluating the test rows",
    "export": "writing best.keras",
    "average": "taking the mean of the winner's weights",
    "retrain": "training the winner once more, for its weights",
}


def phase_text(event: PhaseBegan | None) -> str:
    """`compiling 3 of 8 programs`, `building models, 3 of 16`, `training`."""
    if event is None:
        return "starting"
    words = WORDS.get(event.phase, safe(event.phase))
    if event.done is None or not event.total:
        return words
    if event.phase == "compile":
        number = min(event.done + 1, event.total)
        return f"{words} {number:,} of {count_text(event.total, 'program')}" if event.total > 1 else words
    return f"{words}, {event.done:,} of {event.total:,}" if event.phase == "build" else words
