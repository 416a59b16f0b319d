"""The part of `sweep check` that reads the data and trains."""

from __future__ import annotations

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.search_data import SearchData
from keras_sweep.models.inspect_model import first_model, with_own_parameters
from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.estimate import Estimate, estimate
from keras_sweep.training.choose import choose_runner
from keras_sweep.trial.events import Listener, PhaseBegan


def probed(spec: SweepSpec, emit: Listener) -> tuple[SearchData, Estimate | None]:
    """The data, and how long the sweep will take; nothing is written. Raises UsageError where the two do not fit."""
    emit(PhaseBegan("data"))
    data = load_search_data(spec)
    emit(PhaseBegan("build"))
    spec = with_own_parameters(spec, data)
    check_task(spec, data, first_model(spec, data).output_shape if spec.model.kind == "python" else None)
    runner, _ = choose_runner(spec, data, None)
    return data, estimate(spec, make_engine(spec), runner, emit)
