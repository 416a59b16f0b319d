"""Build and compile the Keras model of a training plan, as a user would write it."""

from functools import cache, partial
from typing import Any

import numpy as np

from keras_sweep.data.arrays import Array, Arrays, cut, each, leaves
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ModelError
from keras_sweep.models.build import build_with_fit
from keras_sweep.models.hyper_model import has_own_fit
from keras_sweep.models.inspect_model import first_model
from keras_sweep.models.own_compile import own_arguments, own_optimizer
from keras_sweep.process.backend import clear_session, without_tensorflow
from keras_sweep.process.user_code import load_python
from keras_sweep.process.user_objects import display_name
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training.averaged_weights import copy_value
from keras_sweep.training.losses import compile_arguments
from keras_sweep.trial.plan import TrainingPlan, training_plan
from keras_sweep.trial.result import Weights

# True if another program's threads draw from this process's random generators. A thread may draw between the seed and
# the weights, so `compile_trial` then builds a model again until two builds in a row are equal.
others_draw = False


def make_optimizer(plan: TrainingPlan) -> Any:
    """Create the plan's Keras optimizer, not yet built. Raises ModelError for an unknown optimizer or argument."""
    import keras

    try:
        optimizer = keras.optimizers.get(plan.optimizer)
    except ValueError as error:
        raise ModelError(
            f"Keras {keras.__version__} has no optimizer {plan.optimizer!r}", hint="`sweep check` lists all optimizers"
        ) from error
    try:
        return type(optimizer)(**plan.optimizer_arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"optimizer {plan.optimizer!r} does not accept {dict(plan.optimizer_arguments)}: {error}",
            hint="Add `when: {optimizer: NAME}` to the parameter, with an optimizer that accepts it",
        ) from error


def keras_schedule(start: float, kind: str, steps: int, warmup: float) -> Any:
    """Return a `LearningRateSchedule` over `steps` training steps.

    In the first steps, a fraction `warmup` of all, the rate rises from 0 to `start`. Then `kind` decides: "constant"
    stays, "cosine" (Keras's `CosineDecay`) and "linear" fall to 0, "exponential" falls to `start` / 100.
    """
    import keras

    warmup_steps = min(round(warmup * steps), steps - 1)

    class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any, ops: Any = keras.ops) -> Any:
            progress = ops.clip(ops.divide(step - warmup_steps, steps - warmup_steps), 0.0, 1.0)
            decays = {
                "constant": 1 + 0 * progress,
                "cosine": (1 + ops.cos(3.141592653589793 * progress)) / 2,
                "exponential": 0.01**progress,
                "linear": 1 - progress,
            }
            return start * ops.where(step < warmup_steps, ops.divide(step, max(warmup_steps, 1)), decays[kind])

    return Schedule()


def compile_model(spec: SweepSpec, plan: TrainingPlan, data: SearchData) -> Any:
    return compile_trial(spec, plan, data)[0]


def build_trained_model(
    spec: SweepSpec, params: Params, weights: Weights, data: SearchData, name: str = "this trial"
) -> Any:
    """Return a trial's compiled `keras.Model` with these weights. It takes rows as in `data.train.x`. Raises
    ModelError, which calls the trial `name`, if the weights do not fit the model."""
    model = compile_model(spec, training_plan(spec, params), data)
    try:
        model.set_weights(list(weights[: len(model.weights)] if spec.search.seeds > 1 else weights))  # the first seed's
    except ValueError as error:
        fault = f"{display_name(spec.model.source)} now returns another model than for {name}"
        raise ModelError(f"{fault}: {error}", hint="Make the model depend only on the function's arguments") from error
    return model


def compile_trial(spec: SweepSpec, plan: TrainingPlan, data: SearchData) -> tuple[Any, partial[Any] | None]:
    """Build and compile the plan's model. Return (model, its HyperModel's own `fit`; None if Keras's `fit` trains it).

    `keras.utils.set_random_seed(plan.seed)` runs first, so the seed decides initial weights, data order and dropout.
    The model's own `compile` supplies the optimizer, loss and metrics that the space leaves out.
    """
    import keras

    model, fit = _build_seeded_model(spec, plan, data)
    while others_draw:  # Dask's thread draws from Python's generator about twice a second
        before, (model, fit) = model, _build_seeded_model(spec, plan, data)
        pairs = zip(before.variables, model.variables, strict=True)
        if all(np.array_equal(*(copy_value(variable) for variable in pair)) for pair in pairs):
            break
    # The arguments of an overridden `compile` are unknown, so its result is kept.
    has_own_compile = type(model).compile is not keras.Model.compile
    keeps_compile = spec.own and (has_own_compile if model.compiled else fit and "loss" in spec.own)
    own = None if "optimizer" in spec.space.names else own_optimizer(model)
    if own is not None or keeps_compile:
        optimizer: Any = getattr(model, "optimizer", None) if keeps_compile else own
        if optimizer is not None and "learning_rate" in plan.optimizer_arguments:
            optimizer.learning_rate = plan.optimizer_arguments["learning_rate"]
    else:
        optimizer = make_optimizer(plan)
    if not keeps_compile:
        arguments = {**own_arguments(spec, model, data), **compile_arguments(spec, plan.loss_arguments, data)}
        model.compile(**{**arguments, "optimizer": optimizer})
    return model, fit


def _build_seeded_model(spec: SweepSpec, plan: TrainingPlan, data: SearchData) -> tuple[Any, partial[Any] | None]:
    import keras

    if "metrics" in spec.own:
        clear_session()  # otherwise Keras numbers the metrics' names, and they differ from the recorded names
    with without_tensorflow():
        keras.utils.set_random_seed((plan.seed + data.seed) % 2**32)
    return build_with_fit(spec, plan.model_arguments, data)


def brings_optimizer(spec: SweepSpec, data: SearchData) -> bool:
    """Return whether models are compiled with an optimizer, and the space names none. Raises ModelError."""
    is_left_out = spec.model.kind != "dense" and "optimizer" not in spec.space.names
    return is_left_out and getattr(first_model(spec, data)[0], "optimizer", None) is not None


def fits_itself(spec: SweepSpec) -> bool:
    """Return whether the model comes from a HyperModel that has its own `fit`."""
    return spec.model.kind == "python" and has_own_fit(load_python(spec.model.source, spec.folder))


ROWS = 1024  # rows per call


def call_model(model: Any, x: Arrays) -> Arrays:
    """Return the outputs [N, ...] for N rows `x`, as `evaluate` does. Compiles a program only if a layer needs that."""
    import keras

    try:
        starts = range(0, len(leaves(x)[0]), ROWS)
        parts = [model(cut(x, start, start + ROWS), training=False) for start in starts]
        to_numpy = keras.ops.convert_to_numpy
        return each(lambda *outputs: np.concatenate([np.asarray(to_numpy(part)) for part in outputs]), *parts)
    except Exception:  # some layers work only in a compiled program
        return predict_rows(model, x)


def predict_rows(model: Any, x: Arrays) -> Arrays:
    """Return the outputs [N, ...] of `model.predict` for N rows `x`. The last digits may differ from `call_model`."""
    return each(np.asarray, model.predict(x, batch_size=ROWS, verbose=0))


def training_argument(model: Any, *, training: bool) -> dict[str, bool]:
    """Return the argument `training` for `model.stateless_call`, if the model's `call` takes it."""
    return {"training": training} if "training" in model.call_signature_parameters else {}


def read_mask(output: Any) -> Any:
    """Return the mask that Keras keeps with a layer's output; None without a mask."""
    import keras

    class MaskReader(keras.layers.Layer):  # type: ignore[misc]
        supports_masking = True

        def call(self, inputs: Any, mask: Any = None) -> Any:
            del inputs
            return mask

    return MaskReader(name="mask", autocast=False)(output)


def has_masks(model: Any, x: Arrays) -> bool:
    """Return whether an output of the model has a mask, as `Embedding(mask_zero=True)` makes it. Compiles nothing."""
    import keras

    row = cut(x, 0, 1)
    try:
        if keras.backend.backend() == "jax":
            import jax

            masks = jax.eval_shape(partial(_call_for_masks, model), *_variable_values(model), row)
        else:
            masks = each(read_mask, model(row, training=False))
    except Exception:  # a model that only its own steps can call
        return False
    return any(mask is not None for mask in leaves(masks))


def output_masks(model: Any, x: Arrays) -> Arrays:
    """Return the mask [N, ...] of each output for N rows `x`; None for an output without a mask.

    Keras leaves masked labels out of losses and metrics.
    """
    import keras

    if keras.backend.backend() == "jax":
        import jax

        call: Any = partial(jax.jit(partial(_call_for_masks, model)), *_variable_values(model))
    else:

        def call(part: Any) -> Any:
            return each(read_mask, model(part, training=False))

    to_numpy = keras.ops.convert_to_numpy
    parts = [call(cut(x, start, start + ROWS)) for start in range(0, len(leaves(x)[0]), ROWS)]
    return each(
        lambda *masks: None if masks[0] is None else np.concatenate([np.asarray(to_numpy(mask)) for mask in masks]),
        *parts,
    )


def describe_rows(model: Any, x: Arrays, batch_size: int) -> dict[str, Any]:
    """Return the arguments of `LoggedMetric` for a model that is evaluated on N rows `x` in batches of `batch_size`."""
    return {
        "predict": cache(lambda: predict_rows(model, x)),
        "batches": lambda: np.arange(len(leaves(x)[0])) // batch_size,
        "added": cache(lambda: compute_added_losses(model, x) if may_add_losses(model) else None),
        "mask": cache(lambda: output_masks(model, x) if has_masks(model, x) else None),
    }


def _call_for_masks(model: Any, trainable: Any, other: Any, x: Any) -> Any:
    """Return the masks of the model's outputs on a batch. Traced by JAX.

    `evaluate` calls the model in this way. A compiled call of a model returns outputs without masks.
    """
    outputs, _ = model.stateless_call(trainable, other, x, **training_argument(model, training=False))
    return each(read_mask, outputs)


def _variable_values(model: Any) -> list[list[Any]]:
    """Return the values of the model's trainable and other variables, as `stateless_call` takes them."""
    groups = (model.trainable_variables, model.non_trainable_variables)
    return [[variable.value for variable in group] for group in groups]


def may_add_losses(model: Any) -> bool:
    """Return whether layers of the model may add losses that depend on the rows: by an activity regularizer, or by
    `add_loss` in the user's own code."""
    if getattr(model, "activity_regularizer", None) is not None or not type(model).__module__.startswith("keras."):
        return True
    wrapped = getattr(model, "layer", None)
    return any(map(may_add_losses, [*getattr(model, "layers", ()), *([] if wrapped is None else [wrapped])]))


def compute_added_losses(model: Any, x: Arrays) -> Array:
    """Return the losses that layers add for each of N rows `x`, with the penalties on weights, [N].

    Each row is a batch of its own. NaN if that needs another backend than JAX, or a layer fails for a single row.
    """
    import keras

    count = len(leaves(x)[0])
    unknown = np.full(count, np.nan)
    if keras.backend.backend() != "jax":
        return unknown
    import jax

    values, mode = _variable_values(model), training_argument(model, training=False)

    def add(row: Any) -> Any:
        batch = each(lambda array: array[None], row)
        return sum(model.stateless_call(*values, batch, return_losses=True, **mode)[2])

    try:
        compute = jax.jit(jax.vmap(add))
        parts = [np.asarray(compute(cut(x, start, start + ROWS))) for start in range(0, count, ROWS)]
    except Exception:  # a user's layer may raise anything
        return unknown
    return np.concatenate(parts).astype(np.float64)
