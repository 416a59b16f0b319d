"""A runner over runners, where trials differ in their data: one for each variant, which knows no other.

The trials of a generation train by variant, one part after the other, each part given whole, so that numbers depend on
the trials alone. At most one part is in training, so that all runners share the one file of what still trains.
"""

import copy
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain
from typing import Any, Self

from keras_sweep.data.arrays import leaves
from keras_sweep.data.catalog import of_trial
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.variants import Variant, data_space, variant_of
from keras_sweep.training.choose import choose_runner
from keras_sweep.training.runner import Runner, Watch
from keras_sweep.trial.events import Listener
from keras_sweep.trial.result import Result, Suggestion
from keras_sweep.trial.row_scores import arrays_digest


class VariedRunner:
    """Trains each trial by the runner of its variant, and says on which rows it was scored. Its methods are those of
    `Runner`."""

    def __init__(self, runners: Mapping[Variant, Runner], rows: Mapping[Variant, Rows]) -> None:
        """Runners of one name, and the validation rows of each."""
        first = next(iter(runners.values()))
        self.name = first.name
        self.generation = first.generation
        self.ahead = getattr(first, "ahead", 1)  # that of another package need not have one
        self.device = getattr(first, "device", None)
        self._runners = dict(runners)
        self._rows = {of: _digest(validation) for of, validation in rows.items()}

    @property
    def compiled(self) -> int:
        return sum(runner.compiled for runner in self._runners.values())

    @property
    def at_once(self) -> int:
        """Programs of the last generation of a variant, of which one trains at a time."""
        return max(int(getattr(one, "at_once", one.generation)) for one in self._runners.values())

    @property
    def spent(self) -> Mapping[str, float]:
        return sum(map(Counter, (runner.spent for runner in self._runners.values())), Counter[str]())

    def programs(self, trials: Sequence[Suggestion], wanted: frozenset[int], emit: Listener) -> list[tuple[int, int]]:
        parts = self._parts(trials, wanted)
        return list(chain.from_iterable(self._runners[of].programs(part, wanted, emit) for of, part in parts))

    def run(self, trials: Sequence[Suggestion], wanted: frozenset[int], watch: Watch) -> Generator[Result, None, None]:
        for of, part in self._parts(trials, wanted):
            if watch.stopping():
                return
            mine = wanted.intersection(one.number for one in part)
            with closing(self._runners[of].run(part, mine, watch)) as trained:
                for result in trained:
                    yield replace(result, rows=self._rows[of])

    def keep_only(self, numbers: Collection[int]) -> None:
        for runner in self._runners.values():
            runner.keep_only(numbers)

    def missing(self, trials: Sequence[Suggestion]) -> frozenset[int]:
        return frozenset(chain.from_iterable(self._runners[of].missing(part) for of, part in self._parts(trials)))

    def without_checkpoints(self) -> Self:
        other = copy.copy(self)
        other._runners = {of: one.without_checkpoints() for of, one in self._runners.items()}  # noqa: SLF001  # of its own copy
        return other

    def _parts(
        self, trials: Sequence[Suggestion], wanted: Collection[int] | None = None
    ) -> Iterator[tuple[Variant, list[Suggestion]]]:
        """The trials of each variant, where any of them is wanted: what still trains of a later part stays kept."""
        for of in self._runners:
            part = [one for one in trials if variant_of(one.params) == of]
            if wanted is None or any(one.number in wanted for one in part):
                yield of, part


def _digest(rows: Rows) -> str:
    """Of what scores of rows depend on beside the model: labels and weights."""
    return arrays_digest([array for part in rows.arrays[1:] for array in leaves(part)])


def choose_varied(spec: SweepSpec, data: SearchData, wanted: str | None, **given: Any) -> tuple[Runner, str | None]:
    """As `choose_runner`, of data with variants: all of them train by one runner."""

    def chosen(wanted: str | None) -> dict[Variant, tuple[Runner, str | None]]:
        points = data_space(spec.space).points()
        return {variant_of(point): choose_runner(*of_trial(spec, data, point), wanted, **given) for point in points}

    found = chosen(wanted)
    why = next((reason for _, reason in found.values() if reason is not None), None)
    if len({runner.name for runner, _ in found.values()}) > 1:
        found = chosen("fit")
    runners = {of: runner for of, (runner, _) in found.items()}
    return VariedRunner(runners, {of: variant.validation for of, variant in data.variants.items()}), why
