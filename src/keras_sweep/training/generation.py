"""Group the lanes of a generation, compare trials at rungs, and write and restore the generation's checkpoint."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from keras_sweep.process.user_code import user_errors
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.checkpoint import LatestCheckpoint, TrainingState
from keras_sweep.training.group import Group
from keras_sweep.training.lane import EndStates, Lane, LaneEnd
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import PhaseBegan, TrialResumed
from keras_sweep.trial.result import Seconds, Suggestion


class TrainingGeneration(ABC):
    """A generation's lanes, and the groups in which lanes train together. Used only by the thread of `Runner.run`."""

    compares_together = True  # True: a rung compares all its trials at once; False: trial by trial, in order

    def __init__(self, spec: SweepSpec, programs: Any, ends: EndStates | None, watch: Watch) -> None:
        self.lanes: dict[int, Lane] = {}
        self.groups: Sequence[Group] = []
        self.seconds = Seconds()  # the sum over all groups, although some train at the same time
        self._spec = spec
        self._programs = programs
        self._ends = ends
        self._watch = watch
        self._compared: list[tuple[int, list[int]]] = []  # (rung, numbers of the trials compared there), in order
        self._parts: list[Sequence[Suggestion]] = []  # the generations that train side by side, in order
        self._resumes = True  # whether the next generation may be in the checkpoint of an earlier run

    def fill(
        self, trials: Sequence[Suggestion], wanted: frozenset[int]
    ) -> list[tuple[Suggestion, BaseException]] | None:
        """Create and group lanes for the trial numbers `wanted`, and for trials that share their rungs or programs.

        Returns (trial, error) for each trial whose model can't be built; None if the user stops the sweep.
        """
        while self._parts and not any(lane.is_open for lane in self.select_lanes(self._parts[0])):
            for lane in self.select_lanes(self._parts.pop(0)):
                del self.lanes[lane.number]
        self.groups = [group for group in self.groups if group.lanes[0].number in self.lanes]
        self._compared = [(rung, numbers) for rung, numbers in self._compared if numbers[0] in self.lanes]
        unbuilt: list[tuple[Suggestion, BaseException]] = []
        selected = self._select(trials, wanted)
        if self._programs.phase is not None:  # None with `fit`: each trial reports its own build
            self._watch.emit(PhaseBegan("build", 0, len(selected)))
        last_event = time.monotonic()
        for done, (suggestion, own_model) in enumerate(selected):
            if time.monotonic() - last_event > 0.2:
                last_event = time.monotonic()
                self._watch.emit(PhaseBegan("build", done, len(selected)))
                if self._watch.stopping():
                    return None
            try:
                self._begin_lane(suggestion, own_model, wanted=suggestion.number in wanted)
            except user_errors() as error:  # a user's model may raise anything when it is built
                unbuilt.append((suggestion, error))
        self._parts.append(trials)
        self.groups = [*self.groups, *self._group_lanes(self.select_lanes(trials))]
        return unbuilt

    def _begin_lane(self, suggestion: Suggestion, own_model: Any, *, wanted: bool) -> None:
        lane = self.lanes[suggestion.number] = self._make_lane(suggestion, own_model, wanted=wanted)
        lane.ends_at = self._watch.ends.get(lane.number)
        if self._ends is not None:
            self._ends.restore(lane)

    def shrink(self, group: Group) -> list[Lane]:
        """Let the lanes of a group that needs too much memory start again in smaller groups, if there are any.

        Returns the lanes that start again.
        """
        limit = self._halve(group)
        if not limit:
            return []
        self.groups = [other for other in self.groups if other is not group]
        begun = [lane for lane in group.lanes if lane.training]
        for lane in begun:
            self._begin_lane(lane.suggestion, lane.own, wanted=lane.wanted)
        lanes = [self.lanes[lane.number] for lane in begun]
        self.groups = [*self.groups, *self._group_lanes(lanes)]
        return lanes

    def _halve(self, group: Group) -> int:
        """Return how many lanes a group like `group` may have from now on; 0 if it can't be smaller."""
        del group  # alone
        return 0

    def progress(self) -> list[tuple[int, int]]:
        """Return (generation, epochs after which the trial is known to train on) of each wanted trial that trains."""
        lanes = [lane for lane in self.lanes.values() if lane.wanted and lane.is_open]
        return [(lane.suggestion.generation, lane.seen - self._waits_for_rung(lane.seen, lane)) for lane in lanes]

    def select_lanes(self, trials: Sequence[Suggestion]) -> list[Lane]:
        return [self.lanes[trial.number] for trial in trials if trial.number in self.lanes]

    def run_due_rungs(self) -> Iterator[Lane]:
        """Let the pruner compare the trials that have reached a rung. Yield the wanted lanes that the pruner stops.

        At each rung, generations are compared in order. So stops depend on values alone, and not on who was faster.
        """
        open_rung: float = math.inf  # the first rung that an earlier generation has not passed
        for part in map(self.select_lanes, self._parts):
            for rung in sorted({rung for lane in part for rung in lane.rungs}):
                coming = [lane for lane in part if self._waits_for_rung(rung, lane) and lane.can_reach(rung)]
                for lanes in [coming] * bool(coming) if self.compares_together else [[lane] for lane in coming]:
                    if rung >= open_rung or any(lane.seen < rung for lane in lanes):
                        open_rung = min(rung, open_rung) if self.compares_together else open_rung
                        break
                    at_rung = [group for group in self.groups if group.epoch == rung and group.lanes[0] in part]
                    waiting = [group for group in at_rung if not self.can_go_on(group)]
                    pruned = self._run_rung(rung, [lane.number for lane in lanes])
                    yield from (lane for lane in pruned if lane.wanted)
                    if pruned:
                        self._regroup(waiting)
                    self._compared.append((rung, [lane.number for lane in lanes]))  # only now may the groups train on

    def can_go_on(self, group: Group) -> bool:
        """Return whether the group may train its next epoch: no lane waits until a rung has compared trials."""
        return not any(lane.training and self._waits_for_rung(group.epoch, lane) for lane in group.lanes)

    def _waits_for_rung(self, rung: int, lane: Lane) -> bool:
        return rung in lane.rungs and not any(at == rung and lane.number in numbers for at, numbers in self._compared)

    @abstractmethod
    def _regroup(self, waiting: Sequence[Group]) -> None:
        """Put the lanes of the groups `waiting` at a rung into new groups, after the rung has stopped some lanes."""

    @abstractmethod
    def _select(self, trials: Sequence[Suggestion], wanted: frozenset[int]) -> list[tuple[Suggestion, Any]]:
        """Return each trial to train with its own model, or with None if only equal models share programs."""

    @abstractmethod
    def _make_lane(self, suggestion: Suggestion, own_model: Any, *, wanted: bool) -> Lane: ...

    def _group_lanes(self, lanes: Sequence[Lane]) -> Sequence[Group]:
        return [self._make_group([lane.number], len(lane.rows)) for lane in lanes if lane.training]

    @abstractmethod
    def _make_group(self, numbers: Sequence[int], epoch: int, begins: Any = None, *places: Any) -> Group:
        """Create a group of the trials `numbers`, which have trained `epoch` epochs.

        `begins`: trial number -> start state; None: each lane's last state. `places`: the items of `Group.places()`.
        """

    def _run_rung(self, rung: int, numbers: Sequence[int]) -> list[Lane]:
        name, lanes = self._spec.objective.name, [self.lanes[number] for number in numbers]
        rows = {lane.number: lane.rows[rung - 1] for lane in lanes}
        values = {number: row[name] for number, row in rows.items() if name in row}
        stopped = self._watch.pruner.rung(rung, values) if values else frozenset()
        pruned = [lane for lane in lanes if lane.number in stopped and rung < lane.plan.epochs and lane.training]
        for lane in pruned:
            lane.end = LaneEnd.PRUNED
        return pruned

    def write(self, file: LatestCheckpoint) -> None:
        """Save in the checkpoint `file` all lanes and groups that can resume. Never call this while a group trains."""
        # A later run that asks for more trials may want the lanes that are unwanted now.
        restart = {lane.number for group in self.groups if not group.moves for lane in group.lanes if lane.training}
        saved = [lane for lane in self.lanes.values() if lane.end is not LaneEnd.FAILED and lane.number not in restart]
        if not any(lane.rows for lane in saved):
            return
        states: list[TrainingState | None] = []
        lanes, groups = {}, []
        for lane in saved:
            lanes[lane.number] = {"end": None if lane.end is None else lane.end.name, "seconds": asdict(lane.seconds)}
            states += [lane.last, lane.best]
        for group in self.groups:
            if group.moves and not group.finished and any(lane.training for lane in group.lanes):
                places, count = group.places()
                numbers = [lane.number for lane in group.lanes]
                groups.append({"lanes": numbers, "epoch": group.epoch, "places": places, "count": count})
                states += [group.state(self.lanes[number]) for number in places or numbers]
        rows = {lane.number: lane.rows for lane in saved}
        file.write(self._parts, {"rows": rows, "lanes": lanes, "groups": groups, "rungs": self._compared}, states)

    def restore(self, file: LatestCheckpoint, trials: Sequence[Suggestion]) -> None:
        """Restore lanes and groups before training, if the checkpoint `file` has the generation `trials`.

        If the user has asked for more trials since, lanes that the checkpoint lacks start from the beginning. Trials
        that can share a program are either all in the checkpoint or all missing.
        """
        checkpoint = file.read(trials) if self._resumes else None
        if checkpoint is None:
            self._resumes = False
            return
        facts, states = checkpoint[0], iter(checkpoint[1])
        lanes = {lane.number: lane for lane in self.select_lanes(trials)}
        for number, entry in facts["lanes"].items():
            last, best = next(states), next(states)
            if (lane := lanes.get(int(number))) is not None:
                lane.resume_from(facts["rows"][number], last, best)
                lane.end = LaneEnd[entry["end"]] if entry["end"] is not None else None
                lane.seconds = replace(Seconds(**entry["seconds"]), sampler=lane.seconds.sampler)
        # The engine has forgotten the rungs, so ask again about each rung, in the same order.
        for rung, numbers in facts["rungs"]:
            if set(numbers) <= set(lanes):
                self._run_rung(rung, numbers)
                self._compared.append((rung, numbers))
        # Resume the checkpoint's groups of needed lanes. Lanes that the checkpoint lacks keep their new groups.
        restored = {number for number in lanes if str(number) in facts["lanes"]}
        groups = [group for group in self.groups if group.lanes[0].number not in restored]
        for entry in facts["groups"]:
            numbers, places = entry["lanes"], entry["places"]
            begins = {number: next(states) for number in places or numbers}
            if numbers[0] in lanes:
                groups.append(self._make_group(numbers, entry["epoch"], begins, places, entry["count"]))
        self.groups = groups
        for lane in lanes.values():
            if lane.rows and lane.wanted:
                self._watch.emit(TrialResumed(lane.number, lane.curve))
