"""Templates and programs by signature, each made once in a process."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.distributions import Float
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.lanes.effort import Effort, effort, most_epochs
from keras_sweep.training.lanes.flat import elementwise, lies_flat
from keras_sweep.training.lanes.folded import FoldedProgram, FoldedTemplate
from keras_sweep.training.lanes.lane_numbers import offered_activations
from keras_sweep.training.lanes.masked import EXTRA, batch_sizes, means_over_rows, rows_a_step
from keras_sweep.training.lanes.packing import LANE_LIMIT, lane_count
from keras_sweep.training.lanes.program import DeviceData, Program
from keras_sweep.training.lanes.shared_clock import SharedClock
from keras_sweep.training.lanes.signature import OptimizerVariant, Signature, arguments
from keras_sweep.training.lanes.structure import OwnModel, joined_models, rows_alone
from keras_sweep.training.lanes.template import Template, built_own_model, layer_outputs
from keras_sweep.training.lanes.validation import row_by_row, validation_batch
from keras_sweep.trial.plan import MODEL_PREFIX, TrainingPlan

PROGRAM_BYTES = 1 << 30  # what the lanes of one program may take, by a rough count
# On a CPU models of more weights train one lane a program: beside others a lane is hardly faster (784-16-10 by a fifth,
# 784-32-10 by a tenth, 784-128-10 slower, at any batch size), and alone it needs no programs for 4, 2 and 1 of them.
# So do models that loop, whose programs take longest to compile.
MOST_WEIGHTS_BESIDE = 10_000
CACHE_SIZE = 64  # programs and templates kept; a sweep over model arguments has a signature for nearly every trial

T = TypeVar("T")


class OncePerKeyCache(Generic[T]):
    """A cache whose values are made once, the least recently used dropped; two threads never make the same one."""

    def __init__(self, kept: int, clock: SharedClock) -> None:
        self._kept = kept
        self._clock = clock
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made if there is none."""
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
                while len(self._values) > self._kept:
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
    """Makes templates and programs for one spec and its data, and says what compiling costs each trial.

    A program's compile time is shared equally by the trials of the generation that are to train in it, whichever comes
    first. Later generations find it compiled, and are charged nothing.
    """

    def __init__(
        self, spec: SweepSpec, data: SearchData, clock: SharedClock | None = None, *, lane_limit: int = LANE_LIMIT
    ) -> None:
        self.clock = clock or SharedClock()
        self._lane_limit = lane_limit
        self._spec = spec
        self._search_data = data
        self._data: list[DeviceData] = []
        self._folds = range(max(len(data.folds), 1))
        self._templates: OncePerKeyCache[Template] = OncePerKeyCache(CACHE_SIZE, self.clock)
        self._programs: OncePerKeyCache[dict[Hashable, Program]] = OncePerKeyCache(CACHE_SIZE, self.clock)
        self._own: OncePerKeyCache[OwnModel | None] = OncePerKeyCache(CACHE_SIZE, self.clock)
        self._efforts: OncePerKeyCache[Effort] = OncePerKeyCache(CACHE_SIZE, self.clock)
        self._alone: OncePerKeyCache[bool] = OncePerKeyCache(CACHE_SIZE, self.clock)
        self._activations: Sequence[str] | None = None  # that the space offers
        self._lock = threading.Lock()  # building a model seeds and uses generators of the process
        self._users: dict[Hashable, set[int]] = {}  # of the programs to be compiled -> the trials that they are for
        self._owed: dict[Hashable, dict[int, float]] = {}  # of the programs compiled -> seconds by trial, not paid yet
        self._compiling = 0
        self.compiled = 0  # programs, in all generations

    def plan_generation(self) -> None:
        """Another generation begins: nothing is planned yet."""
        self._users, self._owed = {}, {}

    def shared(self, signature: Signature) -> Signature:
        """What a program is compiled for: of the dense model the same, whatever the seed.

        A model of the user's may have drawn constants of its own by the seed.
        """
        seedless = self._spec.model.kind == "dense" or signature.structure
        return replace(signature, seed=0) if seedless else signature

    def plan(self, signature: Signature, lanes: int, numbers: Collection[int]) -> None:
        """These trials are to train in the signature's program for so many lanes."""
        key = (self.shared(signature), lanes)
        if key in self._owed or key not in self._programs:
            self._users.setdefault(key, set()).update(numbers)

    def planned(self) -> set[Signature]:
        """What this generation compiles programs for, as `shared` says."""
        return {key[0] for key in self._users}  # type: ignore[index]

    def pay(self, signature: Signature, lanes: int, number: int) -> float:
        """The trial's share of compiling a program that it trains in, in seconds; 0 once it is paid."""
        return self._owed.get((self.shared(signature), lanes), {}).pop(number, 0.0)

    @property
    def compiling(self) -> Compiling:
        """How far the generation's programs are."""
        return Compiling(self._compiling, len(self._owed), len(self._users))

    def template(self, signature: Signature, fold: int = 0) -> Template:
        """The signature's template, with folds that of one of them.

        Raises:
            ModelError: the model or the optimizer can't be made so.
        """

        def make() -> Template:
            with self.clock.waiting():
                self._lock.acquire()
            try:
                with self.clock.measure("build"):
                    return Template(self._spec, signature, self._rows(fold))
            finally:
                self._lock.release()

        return self._templates.get((signature, fold), make)

    def ended(self, signature: Signature) -> Template | FoldedTemplate:
        """What tells the weights and outputs of a lane at its end."""
        if not self._search_data.folds:
            return self.template(signature)
        return FoldedTemplate([self.template(signature, fold) for fold in self._folds], self._search_data)

    def _rows(self, fold: int) -> SearchData:
        return self._search_data.fold(fold) if self._search_data.folds else self._search_data

    def own_models(self, plans: Sequence[TrainingPlan], *, joined: bool) -> list[OwnModel | None]:
        """Of each plan, as `own_model`; where they are joined, shallow models lie in the deepest of these."""
        owns = [self.own_model(plan) for plan in plans]
        if not joined:
            return owns
        places = [place for place, own in enumerate(owns) if own is not None]
        steps = {id(own): self._steps(plan.batch_size) for plan, own in zip(plans, owns, strict=True)}

        def pays(own: OwnModel, deeper: OwnModel) -> bool:
            more = steps[id(own)] * (deeper.weights - own.weights)
            return more <= EXTRA and effort(steps[id(own)] * deeper.weights) is not Effort.FULL

        together = joined_models([own for own in owns if own is not None], pays)
        for place, own in zip(places, together, strict=True):
            owns[place] = own
        return owns

    def own_model(self, plan: TrainingPlan) -> OwnModel | None:
        """A trial's model in the structure that it shares with others; None where it can share none, or not be built.

        Only in a space that varies the model: else one template serves all.
        """
        varied = [one for one in self._spec.space.parameters if one.name.startswith(MODEL_PREFIX)]
        if not varied or self._search_data.folds:  # each fold may have columns of its own
            return None
        widens = any(not isinstance(one.distribution, Float) for one in varied)
        steps = self._steps(plan.batch_size)
        widen = (lambda weights: effort(steps * weights) is not Effort.FULL) if widens else None

        def make() -> OwnModel | None:
            with self._lock, self.clock.measure("build"):
                if self._activations is None:
                    self._activations = offered_activations(self._spec)
                return built_own_model(self._spec, plan, self._rows(0), widen=widen, activations=self._activations)

        return self._own.get((arguments(plan.model_arguments), plan.batch_size, plan.seed), make)

    def _steps(self, batch_size: int) -> int:
        """Of the longest trial."""
        return math.ceil(len(self._rows(0).train) / batch_size) * most_epochs(self._spec)

    def program(self, signature: Signature, lanes: int) -> Program | FoldedProgram:
        """The signature's program for so many lanes, compiled; with folds once for those of as many rows."""

        key = (self.shared(signature), lanes)
        parts = [(self.template(signature, fold), data) for fold, data in zip(self._folds, self.data, strict=True)]

        def make() -> dict[Hashable, Program]:
            programs: dict[Hashable, Program] = {}
            self._count(1)
            try:
                with self.clock.measure("compile") as share:
                    alone = self.row_by_row(signature)
                    worth = self.effort(signature)
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

    def row_by_row(self, signature: Signature) -> bool:
        """Whether each validation row of this model stands alone. Tried once for each set of model arguments."""
        template = self.template(signature)
        if signature.structure and means_over_rows(self._spec):
            return rows_alone(signature.structure, training=False)
        return self._alone.get(
            (signature.model, signature.structure), lambda: row_by_row(self._spec, template, self._rows(0).train)
        )

    def narrowed(self, signature: Signature, variant: OptimizerVariant) -> Signature:
        """The signature with only those variants that can share a program with this one."""
        if len(signature.variants) == 1:
            return signature
        template = self.template(signature)
        optimizers = zip(signature.variants, template.optimizer_kinds, strict=True)
        sharing = tuple(one for one, optimizer in optimizers if elementwise(optimizer))
        narrow = replace(signature, variants=sharing if variant in sharing else (variant,))
        if len(narrow.variants) == 1 or lies_flat(self.template(narrow)):
            return narrow
        return replace(narrow, variants=(variant,))

    def masked(self, signature: Signature) -> Signature:
        """The signature of the program that trials of other batch sizes share, where there is one."""
        if not signature.structure or not means_over_rows(self._spec):
            return signature
        if not rows_alone(signature.structure, training=True) or self.effort(signature) is Effort.FULL:
            return signature
        rows, size = len(self._rows(0).train), signature.batch_size
        outputs = layer_outputs(self.template(signature).model)
        least, most = batch_sizes(self._spec)
        epochs = most_epochs(self._spec)
        step, of_least = (rows_a_step(one, most, rows=rows, epochs=epochs, outputs=outputs) for one in (size, least))
        shorter = step != size or (least != size and of_least == step)  # a trial's batch, or that of another one there
        return replace(signature, batch_size=step, masked=True) if shorter or rows % size else signature

    def limit(self, signature: Signature) -> int:
        """How many lanes a program of the signature has at most: 1 where more would be no faster, or too large."""
        import jax

        template = self.template(signature)
        if template.convolves:
            return 1
        if jax.default_backend() == "cpu" and (
            template.loops or sum(value.size for value in template.trainable) > MOST_WEIGHTS_BESIDE
        ):
            return 1
        return min(max(PROGRAM_BYTES // template.lane_bytes, 1), self._lane_limit)

    def effort(self, signature: Signature) -> Effort:
        """What compiling a program of this signature is worth.

        A model that loops is compiled as `fit` does it: with less effort XLA saves a third of the time or nothing, and
        an LSTM's steps take three to seven times as long.
        """

        def found() -> Effort:
            template = self.template(signature)
            if template.loops:
                return Effort.FULL
            numbers = template.model.count_params() + signature.batch_size * layer_outputs(template.model)
            worth = effort(self._steps(signature.batch_size) * numbers)
            return Effort.QUICK if template.convolves and worth is Effort.HURRIED else worth

        return self._efforts.get(signature, found)

    def places(self, signature: Signature, group: int, placed: int) -> int:
        """How many lanes the program has in which `placed` of a group's lanes train.

        Where lanes have little to do they share one program to the end: an empty place costs less than a compile.
        """
        if (group == 1 and not signature.structure) or self.effort(signature) is Effort.FULL:
            return lane_count(placed)
        return lane_count(self.limit(signature))

    @property
    def data(self) -> list[DeviceData]:
        """The rows, with folds those of each, put on the device when they are first needed."""
        with self._lock:
            if not self._data:
                data = self._search_data
                self._data = DeviceData.of_folds(data) if data.folds else [DeviceData.of(data)]
            return self._data
