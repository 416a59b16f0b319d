"""The lanes of one generation: the rungs that compare them, and where they stand on disk, whatever trains them."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from keras_sweep.process.user_code import is_user_error
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.checkpoint import LatestCheckpoint, TrainingState
from keras_sweep.training.group import Group
from keras_sweep.training.lane import EndStates, Lane, LaneEnd
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import PhaseBegan, TrialResumed
from keras_sweep.trial.result import Seconds, Suggestion


class TrainingGeneration(ABC):
    """Lanes, and the groups that still train. Used by the loop's thread alone."""

    compares_together = True  # whether trials come to a rung together

    def __init__(self, spec: SweepSpec, programs: Any, kept: EndStates | None, watch: Watch) -> None:
        self.lanes: dict[int, Lane] = {}
        self.groups: Sequence[Group] = []
        self.seconds = Seconds()  # of all groups, some of which train at once
        self._spec = spec
        self._programs = programs
        self._kept = kept
        self._watch = watch
        self._compared_rungs: list[
            tuple[int, list[int]]
        ] = []  # each rung that was asked for, and the trials compared there

    def fill(
        self, trials: Sequence[Suggestion], wanted: frozenset[int]
    ) -> list[tuple[Suggestion, BaseException]] | None:
        """Make lanes of the trials and group them; returns those whose model can't be built, None if the user stops it.

        A trial that is not wanted is left out where no wanted one could share its program or be compared with it.
        """
        unbuilt: list[tuple[Suggestion, BaseException]] = []
        selected = self._needed(trials, wanted)
        if self._programs.phase is not None:  # else each trial says itself when it is built
            self._watch.emit(PhaseBegan("build", 0, len(selected)))
        last_event = time.monotonic()
        for done, (suggestion, own_model) in enumerate(selected):
            if time.monotonic() - last_event > 0.2:
                last_event = time.monotonic()
                self._watch.emit(PhaseBegan("build", done, len(selected)))
                if self._watch.stopping():
                    return None
            try:
                lane = self._lane(suggestion, own_model, wanted=suggestion.number in wanted)
            except BaseException as error:  # a user's model may raise anything when it is built
                if not is_user_error(error):
                    raise
                unbuilt.append((suggestion, error))
                continue
            self.lanes[lane.number] = lane
            if self._kept is not None:
                self._kept.restore(lane)
        self.groups = self._grouped(list(self.lanes.values()))
        return unbuilt

    def run_due_rungs(self) -> Iterator[Lane]:
        """Ask the pruner at every rung that is due, lowest first; yields what it stops.

        Trials are compared together, once all that may come there have come; or each alone, after those before it.
        """
        for rung in sorted({rung for lane in self.lanes.values() for rung in lane.rungs}):
            candidates = [
                lane for lane in self.lanes.values() if self._waits_for_rung(rung, lane) and lane.can_reach(rung)
            ]
            for lanes in [candidates] * bool(candidates) if self.compares_together else [[lane] for lane in candidates]:
                if any(lane.seen < rung for lane in lanes):
                    if self.compares_together:
                        return
                    break
                waiting = [group for group in self.groups if group.epoch == rung and not self.can_go_on(group)]
                pruned = self._run_rung(rung, [lane.number for lane in lanes])
                yield from (lane for lane in pruned if lane.wanted)
                if pruned:
                    self._regroup(waiting)
                self._compared_rungs.append((rung, [lane.number for lane in lanes]))  # only now may the groups go on

    def can_go_on(self, group: Group) -> bool:
        """Whether none of the group's lanes waits for a rung."""
        return not any(lane.training and self._waits_for_rung(group.epoch, lane) for lane in group.lanes)

    def _waits_for_rung(self, rung: int, lane: Lane) -> bool:
        """Whether a lane was not compared there yet, though it is to be."""
        return rung in lane.rungs and not any(
            compared_rung == rung and lane.number in numbers for compared_rung, numbers in self._compared_rungs
        )

    @abstractmethod
    def _regroup(self, waiting: Sequence[Group]) -> None:
        """A rung has stopped some of the lanes that waited there."""

    @abstractmethod
    def _needed(self, trials: Sequence[Suggestion], wanted: frozenset[int]) -> list[tuple[Suggestion, Any]]:
        """The trials that must be there, each with what `_lane` makes of it."""

    @abstractmethod
    def _lane(self, suggestion: Suggestion, own_model: Any, *, wanted: bool) -> Lane: ...

    def _grouped(self, lanes: Sequence[Lane]) -> Sequence[Group]:
        """Groups of lanes that train on; each begins where it stands, or from its initial state."""
        return [self._group([lane.number], len(lane.rows)) for lane in lanes if lane.training]

    @abstractmethod
    def _group(self, numbers: Sequence[int], epoch: int, begins: Any = None, *places: Any) -> Group:
        """A group of these trials, as in `LaneGroup`; without `begins` they begin where they stand."""

    def _run_rung(self, rung: int, numbers: Sequence[int]) -> list[Lane]:
        """Compare the trials at a rung; returns those that it stops."""
        name, lanes = self._spec.objective.name, [self.lanes[number] for number in numbers]
        rows = {lane.number: lane.rows[rung - 1] for lane in lanes}
        values = {number: row[name] for number, row in rows.items() if name in row}
        stopped = self._watch.judge.rung(rung, values) if values else frozenset()
        pruned = [lane for lane in lanes if lane.number in stopped and rung < lane.plan.epochs and lane.training]
        for lane in pruned:
            lane.end = LaneEnd.PRUNED
        return pruned

    def write(self, file: LatestCheckpoint, trials: Sequence[Suggestion]) -> None:
        """Write where every lane stands, save those that can only begin anew. No group may be training.

        That is also where those lanes stand that nobody wants now: a larger total asks for them the next time.
        """
        restarting = {lane.number for group in self.groups if not group.moves for lane in group.lanes if lane.training}
        saved = [
            lane for lane in self.lanes.values() if lane.end is not LaneEnd.FAILED and lane.number not in restarting
        ]
        if not any(lane.rows for lane in saved):
            return
        states: list[TrainingState | None] = []
        lanes, groups = {}, []
        for lane in saved:
            lanes[lane.number] = {"end": None if lane.end is None else lane.end.name, "seconds": asdict(lane.seconds)}
            states += [lane.last, lane.best]
        for group in self.groups:
            if group.has_epochs_left and group.moves:
                places, count = group.places()
                numbers = [lane.number for lane in group.lanes]
                groups.append({"lanes": numbers, "epoch": group.epoch, "places": places, "count": count})
                states += [group.state(self.lanes[number]) for number in places or numbers]
        rows = {lane.number: lane.rows for lane in saved}
        file.write(trials, {"rows": rows, "lanes": lanes, "groups": groups, "rungs": self._compared_rungs}, states)

    def restore(self, file: LatestCheckpoint, trials: Sequence[Suggestion]) -> None:
        """Put a fresh generation where the file says that it stood, if it is of these trials.

        Another total may need fewer lanes, or more, which begin at their start; those that may share a program are
        there together.
        """
        if (checkpoint := file.read(trials)) is None:
            return
        facts, states = checkpoint[0], iter(checkpoint[1])
        for number, entry in facts["lanes"].items():
            last, best = next(states), next(states)
            if (lane := self.lanes.get(int(number))) is not None:
                lane.resume_from(facts["rows"][number], last, best)
                lane.end = LaneEnd[entry["end"]] if entry["end"] is not None else None
                lane.seconds = replace(Seconds(**entry["seconds"]), sampler=lane.seconds.sampler)
        # The rungs that were called are called again, in their order, since the engine has forgotten them.
        for rung, numbers in facts["rungs"]:
            if set(numbers) <= set(self.lanes):
                self._run_rung(rung, numbers)
                self._compared_rungs.append((rung, numbers))
        # Those of the groups that have lanes here go on, beside the groups of lanes that the file does not know.
        groups = [group for group in self.groups if str(group.lanes[0].number) not in facts["lanes"]]
        for entry in facts["groups"]:
            numbers, places = entry["lanes"], entry["places"]
            begins = {number: next(states) for number in places or numbers}
            if numbers[0] in self.lanes:
                groups.append(self._group(numbers, entry["epoch"], begins, places, entry["count"]))
        self.groups = groups
        for lane in self.lanes.values():
            if lane.rows and lane.wanted:
                self._watch.emit(TrialResumed(lane.number, lane.curve))
