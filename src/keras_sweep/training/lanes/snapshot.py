"""A generation in training, on disk: after a kill it goes on from there and ends with the same bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training import checkpoint
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.training.lanes.generation import LaneGeneration
from keras_sweep.training.lanes.group import Group
from keras_sweep.training.lanes.lane import LaneEnd
from keras_sweep.trial.events import Listener, TrialResumed
from keras_sweep.trial.result import Seconds, Suggestion

FILE = "generation.npz"


class Snapshots:
    """Writes and reads the one snapshot of a sweep."""

    def __init__(
        self, folder: Path, spec: SweepSpec, data: SearchData, lane_limit: int, notice: Callable[[str], None] | None
    ) -> None:
        self._spec = spec
        self._data = data
        self._lane_limit = lane_limit
        self._file = checkpoint.LatestCheckpoint(
            folder / FILE, "snapshot", notice, damaged="its trials train from their start"
        )
        self.remove = self._file.remove

    def write(self, trials: Sequence[Suggestion], generation: LaneGeneration) -> None:
        """Write where every lane stands. No group may be training. Nothing is written once a program has raised.

        That is also where those lanes stand that nobody wants now: a larger total asks for them the next time.
        """
        if any(lane.end is LaneEnd.FAILED for lane in generation.lanes.values()) or not any(
            lane.rows for lane in generation.lanes.values()
        ):
            return
        states: list[TrainingState | None] = []
        groups = []
        for group in generation.groups:
            if not group.goes_on:
                continue
            places, count = group.places()
            numbers = [lane.number for lane in group.lanes]
            groups.append({"lanes": numbers, "epoch": group.epoch, "places": places, "count": count})
            states += [group.state(generation.lanes[number]) for number in places or numbers]
        lanes = {}
        for lane in generation.lanes.values():
            end = lane.end.name if lane.end is not None else None
            lanes[str(lane.number)] = {"rows": lane.rows, "end": end, "seconds": asdict(lane.seconds)}
            states += [lane.last, lane.best]
        rungs = sorted(generation.compared_at.items())
        facts = {"digest": self._digest(trials), "groups": groups, "lanes": lanes, "rungs": rungs}
        self._file.write(facts, states)

    def restore(self, trials: Sequence[Suggestion], generation: LaneGeneration, emit: Listener) -> None:
        """Put a fresh generation where the snapshot says it stood, if there is one for these trials.

        The rungs that were called are called again, in their order, since the engine has forgotten them. Another total
        may need fewer lanes, or more, which begin at their start; those that may share a program are there together.
        """
        found = self._file.read(self._digest(trials))
        if found is None:
            return
        facts, states = found
        following = iter(states)
        places = [[next(following) for _ in group["places"] or group["lanes"]] for group in facts["groups"]]
        self._restore_lanes(facts["lanes"], generation, following)
        for rung, numbers in facts["rungs"]:
            generation.run_rung(rung, numbers)
            generation.compared_at[rung] = numbers
        generation.groups = _restored(facts, places, generation)
        for lane in generation.lanes.values():
            if lane.rows and lane.spec.wanted:
                emit(TrialResumed(lane.number, lane.curve))

    def _restore_lanes(self, facts: Mapping[str, Any], generation: LaneGeneration, states: Any) -> None:
        for number, about in facts.items():
            last, best = next(states), next(states)
            lane = generation.lanes.get(int(number))
            if lane is None:
                continue
            lane.go_on_from(about["rows"], last, best)
            lane.end = LaneEnd[about["end"]] if about["end"] is not None else None
            lane.seconds = replace(Seconds(**about["seconds"]), sampler=lane.seconds.sampler)

    def _digest(self, trials: Sequence[Suggestion]) -> str:
        asked = [(one.number, sorted(one.params.items()), one.continues) for one in trials]
        return checkpoint.digest_of(self._spec, self._data, asked, self._lane_limit)


def _restored(
    facts: Mapping[str, Any], places: Sequence[Sequence[TrainingState | None]], generation: LaneGeneration
) -> list[Group]:
    """The groups of the snapshot that have lanes here, and those of lanes that it does not know."""
    groups = [group for group in generation.groups if str(group.lanes[0].number) not in facts["lanes"]]
    for about, maybe in zip(facts["groups"], places, strict=True):
        if about["lanes"][0] not in generation.lanes:
            continue
        own = [state for state in maybe if state is not None]  # none, or all
        began = bool(about["places"])
        group = generation.group(about["lanes"], about["epoch"], [] if began else own)
        if began:
            group.restore([generation.lanes[number] for number in about["places"]], about["count"], own)
        groups.append(group)
    return groups
