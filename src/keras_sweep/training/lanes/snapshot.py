"""A generation in training, on disk: after a kill it goes on from there and ends with the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from keras_sweep.training.checkpoint import LatestCheckpoint, TrainingState
from keras_sweep.training.lanes.generation import LaneGeneration
from keras_sweep.training.lanes.lane import LaneEnd
from keras_sweep.trial.events import Listener, TrialResumed
from keras_sweep.trial.result import Seconds, Suggestion


def write_snapshot(file: LatestCheckpoint, trials: Sequence[Suggestion], generation: LaneGeneration) -> None:
    """Write where every lane stands. No group may be training. Nothing is written once a program has raised.

    That is also where those lanes stand that nobody wants now: a larger total asks for them the next time.
    """
    all_lanes = generation.lanes.values()
    if any(lane.end is LaneEnd.FAILED for lane in all_lanes) or not any(lane.rows for lane in all_lanes):
        return
    states: list[TrainingState | None] = []
    lanes, groups = {}, []
    for lane in all_lanes:
        end = lane.end.name if lane.end is not None else None
        lanes[lane.number] = {"end": end, "seconds": asdict(lane.seconds)}
        states += [lane.last, lane.best]
    for group in generation.groups:
        if group.goes_on:
            places, count = group.places()
            numbers = [lane.number for lane in group.lanes]
            groups.append({"lanes": numbers, "epoch": group.epoch, "places": places, "count": count})
            states += [group.state(generation.lanes[number]) for number in places or numbers]
    rows = {lane.number: lane.rows for lane in all_lanes}
    rungs = sorted(generation.compared_at.items())
    file.write(trials, {"rows": rows, "lanes": lanes, "groups": groups, "rungs": rungs}, states)


def restore_snapshot(
    file: LatestCheckpoint, trials: Sequence[Suggestion], generation: LaneGeneration, emit: Listener
) -> None:
    """Put a fresh generation where the snapshot says it stood, if there is one for these trials.

    Another total may need fewer lanes, or more, which begin at their start; those that may share a program are there
    together.
    """
    kept = file.read(trials)
    if kept is None:
        return
    facts, states = kept[0], iter(kept[1])
    for number, about in facts["lanes"].items():
        last, best = next(states), next(states)
        if (lane := generation.lanes.get(int(number))) is not None:
            lane.go_on_from(facts["rows"][number], last, best)
            lane.end = LaneEnd[about["end"]] if about["end"] is not None else None
            lane.seconds = replace(Seconds(**about["seconds"]), sampler=lane.seconds.sampler)
    # The rungs that were called are called again, in their order, since the engine has forgotten them.
    for rung, numbers in facts["rungs"]:
        generation.run_rung(rung, numbers)
        generation.compared_at[rung] = numbers
    # Those of the groups that have lanes here go on, beside the groups of lanes that the snapshot does not know.
    groups = [group for group in generation.groups if str(group.lanes[0].number) not in facts["lanes"]]
    for about in facts["groups"]:
        numbers, places = about["lanes"], about["places"]
        found = {number: next(states) for number in places or numbers}
        if numbers[0] in generation.lanes:
            begins = {number: state for number, state in found.items() if state is not None}
            groups.append(generation.group(numbers, about["epoch"], begins, places, about["count"]))
    generation.groups = groups
    for lane in generation.lanes.values():
        if lane.rows and lane.spec.wanted:
            emit(TrialResumed(lane.number, lane.curve))
