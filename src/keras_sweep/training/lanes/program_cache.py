"""Programs by signature and number of lanes, each compiled once in a process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from functools import cached_property
from typing import TypeAlias

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.folded import FoldedProgram
from keras_sweep.training.lanes.packing import LANE_LIMIT
from keras_sweep.training.lanes.program import DeviceData, Program
from keras_sweep.training.lanes.signature import Signature
from keras_sweep.training.lanes.template import Template
from keras_sweep.training.lanes.templates import CACHE_SIZE, Templates
from keras_sweep.training.lanes.validation import validation_batch

Key: TypeAlias = tuple[Signature, int]  # what a program is compiled for, and how many lanes it has
Part: TypeAlias = tuple[Template, DeviceData]  # of a fold; all there is without folds


class ProgramCache:
    """Makes programs for one spec and its data, and says how far those of a generation are.

    Each is made once, by the first thread that asks for it; the least recently used is dropped.
    """

    def __init__(self, spec: SweepSpec, data: SearchData, *, lane_limit: int = LANE_LIMIT) -> None:
        self.templates = Templates(spec, data, lane_limit=lane_limit)
        self._search_data = data
        self._programs: OrderedDict[Key, Future[dict[Hashable, Program]]] = OrderedDict()
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
        with self._lock:
            future = self._programs.get(key)
        if future is None or not future.done():
            self.planned.add(key)

    def program(self, signature: Signature, lanes: int) -> Program | FoldedProgram:
        """The signature's program for so many lanes, compiled; with folds once for those of as many rows."""
        key = (self.templates.shared(signature), lanes)
        templates = [self.templates.template(signature, fold) for fold in self.templates.folds]
        parts = list(zip(templates, self.data, strict=True))

        with self._lock:
            is_new = key not in self._programs
            future = self._programs.setdefault(key, Future())
            self._programs.move_to_end(key)
            if len(self._programs) > CACHE_SIZE:
                self._programs.popitem(last=False)
        if is_new:
            try:
                future.set_result(self._made(key, signature, parts))
            except BaseException as error:  # whoever waits for the program gets it, too
                future.set_exception(error)
                with self._lock:
                    self._programs.pop(key, None)
        programs = [future.result()[data.shapes].of(template, data) for template, data in parts]
        return FoldedProgram(programs, self._search_data) if self._search_data.folds else programs[0]

    def _made(self, key: Key, signature: Signature, parts: Sequence[Part]) -> dict[Hashable, Program]:
        """A program for each shape of data."""
        programs: dict[Hashable, Program] = {}
        lanes = key[1]
        self.making.add(key)
        try:
            alone = self.templates.row_by_row(signature)
            worth = self.templates.effort(signature)
            for template, data in parts:
                if data.shapes not in programs:
                    batch = validation_batch(template, row_by_row=alone, rows=len(data.validation_y), lanes=lanes)
                    program = Program(template, lanes, data, validation_batch=batch, carry=not alone, effort=worth)
                    programs[data.shapes] = program
        finally:
            self.making.remove(key)
        self.compiled += len(programs)
        self.planned.add(key)
        self.made.add(key)
        return programs

    @cached_property
    def data(self) -> list[DeviceData]:
        """The rows, with folds those of each, put on the device when they are first needed."""
        return DeviceData.of(self._search_data)
