"""Programs by signature and number of lanes, each compiled once in a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from functools import cached_property, lru_cache
from typing import TypeAlias

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.folded import FoldedProgram
from keras_sweep.training.lanes.packing import LANE_LIMIT
from keras_sweep.training.lanes.program import DeviceData, Program
from keras_sweep.training.lanes.signature import Signature
from keras_sweep.training.lanes.templates import CACHE_SIZE, Templates

Key: TypeAlias = tuple[Signature, int]  # what a program is compiled for, and how many lanes it has
Made: TypeAlias = tuple[threading.Lock, dict[Hashable, Program]]  # a program for each shape of data, once it is made


class ProgramCache:
    """Makes programs for one spec and its data, and says how far those of a generation are.

    Each is made once, by the first thread that asks for it; the least recently used is dropped.
    """

    def __init__(self, spec: SweepSpec, data: SearchData, *, lane_limit: int = LANE_LIMIT) -> None:
        self.templates = Templates(spec, data, lane_limit=lane_limit)
        self._search_data = data
        self._programs: Callable[[Key], Made] = lru_cache(CACHE_SIZE)(lambda _key: (threading.Lock(), {}))
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
            _, programs = self._programs(key)
        if not programs:
            self.planned.add(key)

    def program(self, signature: Signature, lanes: int) -> Program | FoldedProgram:
        """The signature's program for so many lanes, compiled; with folds once for those of as many rows."""
        key = (self.templates.shared(signature), lanes)
        templates = [self.templates.template(signature, fold) for fold in self.templates.folds]
        parts = list(zip(templates, self.data, strict=True))
        with self._lock:
            being_made, programs = self._programs(key)
        with being_made:
            if not programs:
                alone, worth = self.templates.row_by_row(signature), self.templates.effort(signature)
                self.making.add(key)
                try:
                    made: dict[Hashable, Program] = {}
                    for template, data in parts:
                        if data.shapes not in made:
                            made[data.shapes] = Program(template, lanes, data, rows_alone=alone, effort=worth)
                finally:
                    self.making.remove(key)
                programs.update(made)
                self.compiled += len(made)
                self.planned.add(key)
                self.made.add(key)
        of_parts = [programs[data.shapes].of(template, data) for template, data in parts]
        return FoldedProgram(of_parts, self._search_data) if self._search_data.folds else of_parts[0]

    @cached_property
    def data(self) -> list[DeviceData]:
        """The rows, with folds those of each, put on the device when they are first needed."""
        return DeviceData.of(self._search_data)
