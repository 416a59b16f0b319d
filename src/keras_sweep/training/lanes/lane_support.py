"""Decide whether a sweep's trials can train as lanes of compiled programs. If they can't, say why."""

import traceback
from dataclasses import replace
from typing import Any

import jax
import keras
import numpy as np

from keras_sweep.data.arrays import cut, leaves
from keras_sweep.data.search_data import Rows, SearchData
from keras_sweep.process.user_code import user_errors
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import ModelSpec, SweepSpec
from keras_sweep.training.fit.training import generator_states
from keras_sweep.training.lanes.flat import LOSS
from keras_sweep.training.lanes.program import Layout, choose_layout
from keras_sweep.training.lanes.signature import OptimizerVariant, Signature, make_signature, to_key
from keras_sweep.training.lanes.template import Template, build_own_model
from keras_sweep.training.lanes.validation import has_independent_layers
from keras_sweep.trial.plan import training_plan

MAX_DATA_BYTES = 4 << 30  # of training and validation rows on the device
KNOWN_KERAS, KNOWN_JAX = ("3.15.",), ("0.10.", "0.11.", "0.12.")  # prefixes of versions that work


def why_not_lanes(spec: SweepSpec, data: SearchData) -> str | None:
    """Return, as a line of text, why the sweep's trials can't train as lanes. Return None if no reason is found."""
    if (missing_internals := _find_missing_internals(spec)) is not None:
        return missing_internals
    # Folds keep a second copy of their validation rows.
    is_same_data = data.validation is data.train and not data.folds
    parts = [data.train] if is_same_data else [data.train, data.validation]
    arrays = [array for rows in parts for array in (*leaves(rows.x), rows.y)]
    for array in arrays:
        if array.dtype.kind not in "biuf":
            return f"the data have type {array.dtype}, not numbers"
    if (size := sum(array.nbytes for array in arrays)) > MAX_DATA_BYTES:
        return f"the data have {size:,} bytes, more than the limit of {MAX_DATA_BYTES:,}"
    return None if spec.model.kind == "dense" else _find_model_problem(spec, data)


def _find_missing_internals(spec: SweepSpec) -> str | None:
    """Return why the installed Keras or JAX can't train lanes, or None. Versions known to work are not checked."""
    # The check takes half a second. It traces a dense model in both layouts, which uses all private names of lanes.
    if keras.__version__.startswith(KNOWN_KERAS) and jax.__version__.startswith(KNOWN_JAX):
        return None
    objective = Objective("val_accuracy", Goal.MAXIMIZE)
    tiny_spec = replace(spec, model=ModelSpec("dense", "dense"), objective=objective, loss=LOSS, metrics=("accuracy",))
    dense, ema = (to_key({"units": 2, "activation": "softmax"}), to_key({"use_ema": True}))
    cases = ((OptimizerVariant("sgd"), OptimizerVariant("adam")), (OptimizerVariant("sgd", ema),))
    rows = Rows(np.zeros((2, 1), np.float32), np.array([0, 1]))
    try:
        for variants in cases:  # flat, stacked
            template = Template(tiny_spec, Signature(dense, variants, 2, 0), SearchData("tiny", rows, rows, "", 2))
            _trace_step(template, choose_layout(template, 2), rows)
    except Exception as error:
        versions = f"Keras {keras.__version__} with JAX {jax.__version__}"
        return f"{versions} is not supported ({_first_line(error)}); Keras 3.15 with JAX 0.12 is"
    return None


def _find_model_problem(spec: SweepSpec, data: SearchData) -> str | None:
    """Return why lanes can't train the model that has the space's middle values. Return None if nothing is found."""
    plan = training_plan(spec, spec.space.make_example(0.5))
    if build_own_model(spec, plan.model_arguments, plan.seed, data) is not None:
        return None  # all layers are known, so tracing is not needed
    try:
        template = Template(spec, make_signature(plan), data)
        generators = generator_states()
        layout = choose_layout(template, 2)  # traces the model
    except user_errors():  # the runner reports the error for each trial
        return None
    for name in ("train_step", "test_step", "compute_metrics", "fit", "evaluate"):
        if getattr(type(template.model), name) is not getattr(keras.Model, name):
            return f"the model has its own `{name}`"
    # The tests show that Keras's own layers, losses and metrics can train several trials. Tracing a step takes 0.1 s.
    is_known = not (spec.own or spec.needs_user_code) and has_independent_layers(template.model)
    try:
        program = "" if is_known else _trace_step(template, layout, Rows(cut(data.train.x, 0, 2), data.train.y[:2]))
    except user_errors() as error:
        return f"its layers can't train several trials in a program: {_first_line(error)}"
    if generator_states() != generators:
        return "a layer draws random numbers from Python or NumPy"
    return "the model calls Python code while it trains" if "callback" in program else None


def _trace_step(template: Template, layout: Layout, rows: Rows) -> str:
    """Trace a program that trains two lanes for a step on `rows` and validates them. Return its text (jaxpr)."""

    def program(state: Any, metrics: Any, numbers: Any) -> Any:
        numbers = layout.prepare(numbers)
        return layout.test(*layout.step(state, metrics, numbers, rows.x, rows.y), numbers, rows.x, rows.y)

    metrics = [np.stack([value, value]) for value in template.metrics]
    return str(jax.make_jaxpr(program)(layout.stack([layout.initial_state()] * 2), metrics, template.make_numbers(2)))


def _first_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[0].splitlines()[0]
