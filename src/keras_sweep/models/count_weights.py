"""Count the weights of a trial's model before it trains, for constraints like `where: parameters <= 1e6`."""

import math
import random
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace

from keras_sweep.data.catalog import select_variant
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import UsageError
from keras_sweep.models.build import build_model
from keras_sweep.process.backend import clear_session
from keras_sweep.space.distributions import Value
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import pluralize
from keras_sweep.space.variants import get_variant
from keras_sweep.trial.plan import training_plan

DRAWN = 200  # random configurations to try before a search is refused


@dataclass(frozen=True)
class WeightCounter:
    """Counts the weights of a trial's model, once for each set of model arguments. A pickled counter becomes None,
    since only the process that searches counts."""

    spec: SweepSpec
    data: SearchData
    counts: dict[str, int | None] = field(default_factory=dict)

    def __call__(self, params: Params) -> int | None:
        """Return the number of weights of the model of a trial, or None if the model can't be built."""
        arguments = training_plan(self.spec, params).model_arguments
        key = repr((get_variant(params), sorted(arguments.items())))
        if key not in self.counts:
            self.counts[key] = count_weights(*select_variant(self.spec, self.data, params), arguments)
        return self.counts[key]

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


def count_weights(spec: SweepSpec, data: SearchData, arguments: Mapping[str, Value]) -> int | None:
    """Return the number of weights of a model, like `model.count_params()`. Return None if it can't be built."""
    import keras

    # In the first scope, weights have shapes but no values. Some models, like pretrained models, need values.
    for scope in (keras.StatelessScope(initialize_variables=False), nullcontext()):
        with suppress(Exception):
            try:
                with scope:
                    return sum(math.prod(weight.shape) for weight in build_model(spec, arguments, data).weights)
            finally:
                clear_session()  # Keras remembers weights without values, and would make the values later
    return None


def add_weight_counter(spec: SweepSpec, data: SearchData) -> SweepSpec:
    """Return `spec` with a counter if its `where` names `parameters`. Raises UsageError if no model fits."""
    if not spec.space.counts_weights:
        return spec
    counter, unit = WeightCounter(spec, data), random.Random(0).random
    counted, points = replace(spec.space, count_weights=counter), (spec.space.drawn(unit) for _ in range(DRAWN))
    if not any(counted.allows(point) for point in (spec.space.make_example(0.0), *points) if point is not None):
        counts = [count for count in counter.counts.values() if count is not None]
        smallest = f"the smallest of {pluralize(len(counts), 'model')} has {min(counts, default=0):,} parameters"
        raise UsageError(
            f"no configuration meets `{'` and `'.join(spec.space.where)}`: {smallest}",
            hint="Allow more `parameters` in `where`, or let the space have smaller models",
        )
    return replace(spec, space=counted)
