"""Programs by signature and number of lanes, each compiled once in a process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.folded import FoldedProgram
from keras_sweep.training.lanes.packing import LANE_LIMIT
from keras_sweep.training.lanes.program import DeviceData, Program
from keras_sweep.training.lanes.shared_clock import SharedClock
from keras_sweep.training.lanes.signature import Signature
from keras_sweep.training.lanes.templates import CACHE_SIZE, Templates
from keras_sweep.training.lanes.validation import validation_batch


class OncePerKeyCache:
    """Programs that are made once, the least recently used dropped; two threads never make the same one."""

    def __init__(self, clock: SharedClock) -> None:
        self._clock = clock
        self._values: OrderedDict[Hashable, dict[Hashable, Program]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], dict[Hashable, Program]]) -> dict[Hashable, Program]:
        """The programs of a key, one for each shape of data, made if there are none."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with self._clock.waiting():
            making.acquire()
        try:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
            value = make()
            with self._lock:
                self._values[key] = value
                while len(self._values) > CACHE_SIZE:
                    dropped, _ = self._values.popitem(last=False)
                    self._making.pop(dropped, None)
            return value
        finally:
            making.release()

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._values


@dataclass(frozen=True, slots=True)
class Compiling:
    """How far the compiling of a generation's programs is."""

    now: int  # programs that are being compiled
    done: int
    total: int  # that the generation needs and that were not there before


class ProgramCache:
    """Makes programs for one spec and its data, and says what compiling costs each trial.

    A program's compile time is shared equally by the trials of the generation that are to train in it, whichever comes
    first. Later generations find it compiled, and are charged nothing.
    """

    def __init__(
        self, spec: SweepSpec, data: SearchData, clock: SharedClock | None = None, *, lane_limit: int = LANE_LIMIT
    ) -> None:
        self.clock = clock or SharedClock()
        self.templates = Templates(spec, data, self.clock, lane_limit=lane_limit)
        self._search_data = data
        self._data: list[DeviceData] = []
        self._programs = OncePerKeyCache(self.clock)
        self._lock = threading.Lock()
        self._users: dict[Hashable, set[int]] = {}  # of the programs to be compiled -> the trials that they are for
        self._owed: dict[Hashable, dict[int, float]] = {}  # of the programs compiled -> seconds by trial, not paid yet
        self._compiling = 0
        self.compiled = 0  # programs, in all generations

    def plan_generation(self) -> None:
        """Another generation begins: nothing is planned yet."""
        self._users, self._owed = {}, {}

    def plan(self, signature: Signature, lanes: int, numbers: Collection[int]) -> None:
        """These trials are to train in the signature's program for so many lanes."""
        key = (self.templates.shared(signature), lanes)
        if key in self._owed or key not in self._programs:
            self._users.setdefault(key, set()).update(numbers)

    def planned(self) -> set[Signature]:
        """What this generation compiles programs for, as `Templates.shared` says."""
        return {key[0] for key in self._users}  # type: ignore[index]

    def pay(self, signature: Signature, lanes: int, number: int) -> float:
        """The trial's share of compiling a program that it trains in, in seconds; 0 once it is paid."""
        return self._owed.get((self.templates.shared(signature), lanes), {}).pop(number, 0.0)

    @property
    def compiling(self) -> Compiling:
        """How far the generation's programs are."""
        return Compiling(self._compiling, len(self._owed), len(self._users))

    def program(self, signature: Signature, lanes: int) -> Program | FoldedProgram:
        """The signature's program for so many lanes, compiled; with folds once for those of as many rows."""
        key = (self.templates.shared(signature), lanes)
        templates = [self.templates.template(signature, fold) for fold in self.templates.folds]
        parts = list(zip(templates, self.data, strict=True))

        def make() -> dict[Hashable, Program]:
            programs: dict[Hashable, Program] = {}
            self._count(1)
            try:
                with self.clock.measure("compile") as share:
                    alone = self.templates.row_by_row(signature)
                    worth = self.templates.effort(signature)
                    for template, data in parts:
                        if data.shapes not in programs:
                            rows = len(data.validation_y)
                            batch = validation_batch(template, row_by_row=alone, rows=rows, lanes=lanes)
                            program = Program(
                                template, lanes, data, validation_batch=batch, carry=not alone, effort=worth
                            )
                            programs[data.shapes] = program
            finally:
                self._count(-1)
            self.compiled += len(programs)
            users = self._users.setdefault(key, set())
            self._owed[key] = {number: share.seconds / len(users) for number in users}
            return programs

        made = self._programs.get(key, make)
        programs = [made[data.shapes].of(template, data) for template, data in parts]
        return FoldedProgram(programs, self._search_data) if self._search_data.folds else programs[0]

    def _count(self, more: int) -> None:
        with self._lock:
            self._compiling += more

    @property
    def data(self) -> list[DeviceData]:
        """The rows, with folds those of each, put on the device when they are first needed."""
        with self._lock:
            if not self._data:
                data = self._search_data
                self._data = DeviceData.of_folds(data) if data.folds else [DeviceData.of(data)]
            return self._data
