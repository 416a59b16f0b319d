"""The part of `sweep check` that reads the data and trains."""

from __future__ import annotations

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.compatibility import check_task
from keras_sweep.data.search_data import SearchData
from keras_sweep.models.inspect_model import inspect_model
from keras_sweep.process.backend import check_environment
from keras_sweep.search.engines import make_engine
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.estimate import Estimate, estimate
from keras_sweep.training.choose import choose_runner
from keras_sweep.trial.events import Listener, Noticed, PhaseBegan


def probed(spec: SweepSpec, emit: Listener, *, runner: str | None = None) -> tuple[SearchData, Estimate | None]:
    """The data, and how long the sweep will take; nothing is written.

    `runner` is that of `choose_runner`. What a run would say of the model, and of how it trains, is said here too.

    Raises:
        SweepError: the backend can't run here at all.
        UsageError: the data and the model do not fit.
    """
    emit(PhaseBegan("import"))
    check_environment()
    emit(PhaseBegan("data"))
    data = load_search_data(spec)
    emit(PhaseBegan("build"))
    inspected = inspect_model(spec, data)
    spec = inspected.spec
    check_task(spec, data, inspected.output_shape, inspected.activation)
    chosen, note = choose_runner(spec, data, runner)
    for text in (*inspected.notices, *([note] if note else ())):
        emit(Noticed(text))
    return data, estimate(spec, make_engine(spec), chosen, emit)
