import io
import json
import math
import re

import pytest

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep.events import (
    EndReason,
    GenerationAsked,
    SweepEnded,
    TrialEnded,
)
from keras_sweep.trial.events import (
    EpochEnded,
    Noticed,
    PhaseBegan,
    TrialResumed,
)
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


def test_the_fields_are_those_that_are_documented():
    entries = [entry.split(maxsplit=1) for entry in re.split(r"\n    (?=\w)", json_lines.__doc__)[1:]]
    documented = {name: set(re.findall(r"\w+", fields)) for name, fields in entries}
    for line in written(*EVENTS).splitlines():
        record = json.loads(line)
        assert set(record) <= documented[record.pop("event")] | {"event"}


def test_what_is_unknown_or_no_number_is_null():
    read = [json.loads(line) for line in written(*EVENTS).splitlines()]
    assert read[0]["space_size"] is None and read[0]["finished"] == 8
    assert read[4]["logs"] == {"val_accuracy": 0.5, "loss": None}
    assert read[5]["state"] == "FAIL" and read[5]["value"] is None and read[5]["reason"] == "diverged"


def test_a_score_on_the_test_set_has_its_own_error_and_the_objectives_is_named_apart():
    record = json.loads(written(EVENTS[0], EVENTS[7]).splitlines()[1])
    assert record["stderrs"] == {"loss": 0.01, "accuracy": 0.0037} and record["stderr"] == 0.0037


def test_a_trial_has_its_whole_curve_and_its_seconds_by_part():
    record = json.loads(written(TrialEnded(result(3, 0.85, epochs=4))))
    assert len(record["curve"]["val_accuracy"]) == 4 and record["epochs"] == record["epoch"] == 4
    seconds = record["seconds"]
    assert math.isclose(seconds.pop("total"), sum(seconds.values()))


def test_the_end_counts_states_and_names_the_best():
    end = json.loads(written(EVENTS[0], EVENTS[-1]).splitlines()[-1])
    assert sum(end["trials"].values()) == 64 and list(end["trials"]) == ["COMPLETE", "PRUNED", "FAIL"]
    assert end["best"]["number"] == 50 and end["model"] == "sweeps/dense/best.keras"


@pytest.mark.parametrize(
    ("results", "sweep", "best"),
    [
        ([result(0, 0.9, engine="import/optuna"), result(1, 0.8)], started(), 1),
        ([result(0, 0.5), result(1, 0.4)], started(objective=Objective("val_loss", Goal.MINIMIZE)), 1),
        ([result(0, None, state=TrialState.FAIL), result(1, 0.9, state=TrialState.PRUNED)], started(), None),
    ],
    ids=["trained here", "of a loss the lowest", "none where no trial completed"],
)
def test_the_best_at_the_end(results, sweep, best):
    end = json.loads(written(sweep, SweepEnded("dense", EndReason.DONE, tuple(results))).splitlines()[1])
    assert (end["best"] and end["best"]["number"]) == best
