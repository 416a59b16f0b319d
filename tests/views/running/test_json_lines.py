import io
import json
import math
import re

import pytest

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep.events import EndReason, GenerationAsked, SweepEnded, TrialEnded
from keras_sweep.trial.events import EpochEnded, Noticed, PhaseBegan, TrialResumed
from keras_sweep.trial.result import TrialState
from keras_sweep.views.running import json_lines
from tests.helpers.results import dense_sweep, looked, result, started

RESULTS = tuple(dense_sweep())
EVENTS = (
    started(finished=RESULTS[:8], space_size=math.inf),
    GenerationAsked(1, tuple(one.suggestion for one in RESULTS[8:16])),
    PhaseBegan("compile", 0, 3),
    TrialResumed(8, {"val_accuracy": (0.4,)}),
    EpochEnded(8, 1, {"val_accuracy": 0.5, "loss": math.nan}),
    TrialEnded(RESULTS[21]),
    Noticed("größe \x1b[31m\nline"),
    looked(50, {"loss": 0.46, "accuracy": 0.84}, {"loss": 0.01, "accuracy": 0.0037}, 1, {"Bag": 0.94}),
    SweepEnded("dense", EndReason.DONE, RESULTS, {"train": 3.0}, "sweeps/dense/best.keras", {51: 8}, (53,)),
)


def written(*events):
    file = io.StringIO()
    with json_lines.json_lines(file) as view:
        for event in events:
            view(event)
    return file.getvalue()


def test_every_event_is_one_line_of_strict_ascii_json():
    text = written(*EVENTS)
    assert text.isascii() and text.count("\n") == len(EVENTS) and "\x1b" not in text
    read = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert [record["event"] for record in read] == [
        *("sweep_started", "generation_asked", "phase_began", "trial_resumed", "epoch_ended", "trial_ended"),
        *("noticed", "test_evaluated", "sweep_ended"),
    ]
    assert all(next(iter(record)) == "event" for record in read)
    begun, _, _, _, epoch, failed, _, test, end = read
    assert begun["space_size"] is None and begun["finished"] == 8 and epoch["logs"]["loss"] is None
    assert (failed["state"], failed["value"], failed["reason"]) == ("FAIL", None, "diverged")
    assert test["stderrs"] == {"loss": 0.01, "accuracy": 0.0037} and test["stderr"] == 0.0037
    assert sum(end["trials"].values()) == 64 and list(end["trials"]) == ["COMPLETE", "PRUNED", "FAIL"]
    assert end["best"]["number"] == 50 and end["model"] == "sweeps/dense/best.keras"
    trial = json.loads(written(TrialEnded(result(3, 0.85, epochs=4))))
    assert len(trial["curve"]["val_accuracy"]) == 4 and trial["epochs"] == trial["epoch"] == 4
    seconds = trial["seconds"]
    assert math.isclose(seconds.pop("total"), sum(seconds.values()))


def test_the_fields_are_those_that_are_documented():
    entries = [entry.split(maxsplit=1) for entry in re.split(r"\n    (?=\w)", json_lines.__doc__)[1:]]
    documented = {name: set(re.findall(r"\w+", fields)) for name, fields in entries}
    for line in written(*EVENTS).splitlines():
        record = json.loads(line)
        assert set(record) <= documented[record.pop("event")] | {"event"}


def test_the_best_at_the_end_is_that_of_the_metric_or_none():
    sweep = started(objective=Objective("val_loss", Goal.MINIMIZE))
    failed = result(0, None, state=TrialState.FAIL)
    for results, best in (([result(0, 0.5), result(1, 0.4)], 1), ([failed], None)):
        end = json.loads(written(sweep, SweepEnded("dense", EndReason.DONE, tuple(results))).splitlines()[1])
        assert (end["best"] and end["best"]["number"]) == best
