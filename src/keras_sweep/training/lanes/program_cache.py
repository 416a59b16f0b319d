"""Programs by signature and number of lanes, each compiled once in a process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TypeAlias

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.folded import FoldedProgram
from keras_sweep.training.lanes.packing import LANE_LIMIT
from keras_sweep.training.lanes.program import DeviceData, Program
from keras_sweep.training.lanes.signature import Signature
from keras_sweep.training.lanes.templates import CACHE_SIZE, Templates
from keras_sweep.training.lanes.validation import validation_batch


class OncePerKeyCache:
    """Programs that are made once, the least recently used dropped; two threads never make the same one."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, Future[dict[Hashable, Program]]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], dict[Hashable, Program]]) -> dict[Hashable, Program]:
        """The programs of a key, one for each shape of data, made if there are none."""
        with self._lock:
            is_new = key not in self._values
            future = self._values.setdefault(key, Future())
            self._values.move_to_end(key)
            if len(self._values) > CACHE_SIZE:
                self._values.popitem(last=False)
        if is_new:
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)
                with self._lock:
                    self._values.pop(key, None)
        return future.result()

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._values and self._values[key].done()


Key: TypeAlias = tuple[Signature, int]  # what a program is compiled for, and how many lanes it has


class ProgramCache:
    """Makes programs for one spec and its data, and says how far those of a generation are."""

    def __init__(self, spec: SweepSpec, data: SearchData, *, lane_limit: int = LANE_LIMIT) -> None:
        self.templates = Templates(spec, data, lane_limit=lane_limit)
        self._search_data = data
        self._data: list[DeviceData] = []
        self._programs = OncePerKeyCache()
        self._lock = threading.Lock()
        self.planned: set[Key] = set()  # that the generation needs and that were not there before
        self.making: set[Key] = set()  # that are being compiled now
        self.made: set[Key] = set()  # that were compiled for the generation
        self.compiled = 0  # programs, in all generations

    def plan_generation(self) -> None:
        """Another generation begins: nothing is planned yet."""
        self.planned, self.made = set(), set()

    def plan(self, signature: Signature, lanes: int) -> None:
        """The generation comes to the signature's program for so many lanes."""
        key = (self.templates.shared(signature), lanes)
        if key not in self._programs:
            self.planned.add(key)

    def program(self, signature: Signature, lanes: int) -> Program | FoldedProgram:
        """The signature's program for so many lanes, compiled; with folds once for those of as many rows."""
        key = (self.templates.shared(signature), lanes)
        templates = [self.templates.template(signature, fold) for fold in self.templates.folds]
        parts = list(zip(templates, self.data, strict=True))

        def make() -> dict[Hashable, Program]:
            programs: dict[Hashable, Program] = {}
            self.making.add(key)
            try:
                alone = self.templates.row_by_row(signature)
                worth = self.templates.effort(signature)
                for template, data in parts:
                    if data.shapes not in programs:
                        rows = len(data.validation_y)
                        batch = validation_batch(template, row_by_row=alone, rows=rows, lanes=lanes)
                        program = Program(template, lanes, data, validation_batch=batch, carry=not alone, effort=worth)
                        programs[data.shapes] = program
            finally:
                self.making.remove(key)
            self.compiled += len(programs)
            self.planned.add(key)
            self.made.add(key)
            return programs

        made = self._programs.get(key, make)
        programs = [made[data.shapes].of(template, data) for template, data in parts]
        return FoldedProgram(programs, self._search_data) if self._search_data.folds else programs[0]

    @property
    def data(self) -> list[DeviceData]:
        """The rows, with folds those of each, put on the device when they are first needed."""
        with self._lock:
            if not self._data:
                self._data = DeviceData.of(self._search_data)
            return self._data
