"""Writes docs/what-trains-how.md from the tables that the walks through Keras test.

python -m tests.helpers.what_trains_how
"""

from pathlib import Path

PATH = Path(__file__).parents[2] / "docs" / "what-trains-how.md"

HEAD = """# What trains how

<!-- Written by `python -m tests.helpers.what_trains_how` from the tables that the tests walk through. -->

Each layer, optimizer, loss and metric of Keras {version} was trained in small models by a plain script
(`keras.utils.set_random_seed`, `fit` with `validation_data`, `evaluate`, on JAX) and by keras-sweep: the curves
agree to 1e-5, the weights to 2e-5. Nothing here is asked of you: keras-sweep looks at the model and chooses, and
where it trains by `fit` a line at the start of the run says why.

- **Lanes**: trials that differ only in numbers train side by side in one compiled program. Where a space varies the
  model, those are also
  - the rates of `Dropout`, `GaussianDropout`, `AlphaDropout` and `SpatialDropout1D` to `3D`, the deviation of
    `GaussianNoise`, the slope of `LeakyReLU`, the factors of `L1`, `L2` and `L1L2`, each above zero;
  - the units of a hidden `Dense` layer: a narrow one is a lane of a wider one, whose further weights are zero and stay
    so;
  - the activation of a hidden layer, where the space lists several of `celu`, `elu`, `gelu`, `hard_sigmoid`,
    `leaky_relu`, `linear`, `mish`, `relu`, `relu6`, `selu`, `sigmoid`, `silu`, `softplus`, `softsign` and `tanh` by
    their names;
  - how many hidden `Dense` and dropout layers there are: a model that lacks one is a lane whose layer hands on what it
    is given (not where trials continue others, as in KerasTuner's hyperband);
  - `batch_size`: rows of a step beyond a trial's own batch count for nothing. Not where a layer looks at the batch, as
    `BatchNormalization` does, nor under a loss or metric that is not known to be a mean over rows.

  That holds for a `Sequential` model of float32 made of these layers and `ReLU`, `ELU`, `Activation`, `Flatten`,
  `Reshape`, `Rescaling`, `BatchNormalization` and `LayerNormalization`, under an optimizer that updates all lanes at
  once, and as long as the work that it adds is less than another program takes to compile: for small models. Another
  model is compiled for each set of its arguments.
- **One lane at a time**: a model that convolves trains one trial after the other in a program of its own, a call a
  step, since a convolution that is mapped over lanes is slower on a CPU. One with recurrent layers does so on a CPU,
  an epoch a call, and is compiled with the effort of `fit`: code that is compiled sooner is slow in loops.
- **`fit`**: Keras's own `fit`, trial by trial. So train a model with a `train_step`, `test_step`, `fit` or
  `evaluate` of its own, one that brings its optimizer, one that calls back into Python, one that draws from
  Python's or NumPy's generator while it is compiled, text, data of more than 4 GiB, and everything on TensorFlow or
  PyTorch.
- **Validation** takes up to 2,048 rows at once where each row stands alone. That is tried, not looked up: a few
  rows of the training data at once must leave the same metrics as the same rows in two batches, with other weights
  and other rows too, and no variable may change. Else (statistics of the batch at inference, sums over a batch,
  counts of calls, noise) validation takes the trial's own `batch_size`, as `fit` does, and what it changes is
  carried into the next epoch. Such a model's `evaluate` depends on its batch size in Keras too: use the trial's.
- **`use_ema`**: `fit` ends by putting the moving averages in the place of the weights. So each epoch is validated
  with the averages, and they are what a trial is ranked by and keeps: its value is what `evaluate` gives after a
  `fit` of as many epochs. (The `val_` numbers that `fit` itself prints on the way are of the weights before that.)
- **`mixed_float16`**: Keras scales the loss; lanes do the same. float16 has eleven bits, so curves agree to about
  1e-3.
- **Nothing to train** (all layers frozen): the model is scored as it is, as in `fit`.
"""


def text():
    """The page."""
    import keras

    parts = [HEAD.format(version=keras.__version__), _layers(), _optimizers(), _losses()]
    return "\n".join(parts)


def _layers():
    from tests.helpers.keras_layers import BY_FIT, DRAW_IN_VALIDATION, LEFT_OUT, ONE_BY_ONE, TOGETHER, layer_table

    table = layer_table()
    lines = ["## Layers", "", "| trains | validates | layers |", "|---|---|---|"]
    for kind in (TOGETHER, ONE_BY_ONE, BY_FIT):
        for drawing in (False, True):
            names = [
                name
                for name, (trains, *_) in table.items()
                if trains == kind and (name in DRAW_IN_VALIDATION) == drawing
            ]
            if names:
                rows = "by `fit`" if kind == BY_FIT else "in the trial's batches" if drawing else "many rows at once"
                lines.append(f"| {kind} | {rows} | {', '.join(sorted(names))} |")
    lines += [
        "",
        "Recurrent layers are those with dropout; without it they validate many rows at once. AugMix chooses its",
        "transformations in Python while the model is compiled. A layer within a layer counts as itself.",
        "",
        *_left_out(LEFT_OUT),
    ]
    return "\n".join(lines)


def _optimizers():
    from keras_sweep.training.lanes.signature import may_vary_per_lane
    from tests.helpers.keras_optimizers import (
        LEFT_OUT,
        MAPPED,
        OF_EVERY_OPTIMIZER,
        optimizer_arguments,
        public_optimizers,
    )

    lines = [
        "## Optimizers",
        "",
        "All train as lanes, and each lane has its own `learning_rate`. Of some arguments each lane has its own number",
        "too; trials that differ in others are in programs of their own. *At once*: one update of all lanes' weights.",
        "*Mapped*: Keras's own step, mapped over lanes, two to three times slower.",
        "",
        "| optimizer | update | a number for each lane | compiled into the program |",
        "|---|---|---|---|",
    ]
    for name in sorted(set(public_optimizers()) - set(LEFT_OUT)):
        arguments = optimizer_arguments(name)
        own = [key for key, value in arguments.items() if name not in MAPPED and may_vary_per_lane(name, key, value)]
        rest = [key for key in arguments if key not in own and key not in OF_EVERY_OPTIMIZER]
        shown = ", ".join(f"`{key}`" for key in ["learning_rate", *own])
        lines.append(f"| {name} | {'mapped' if name in MAPPED else 'at once'} | {shown} | {_ticks(rest)} |")
    lines += [
        "",
        "Every optimizer takes besides, compiled in: `clipvalue`; and `clipnorm`, `global_clipnorm`, `use_ema`,",
        "`ema_momentum`, `ema_overwrite_frequency`, `gradient_accumulation_steps`, `loss_scale_factor`, which make the",
        "update a mapped one, as do constraints of a layer and `mixed_float16`.",
        "",
        *_left_out(LEFT_OUT),
    ]
    return "\n".join(lines)


def _losses():
    from tests.helpers.keras_losses import LOOK_AT_THE_BATCH, LOSSES, METRICS, METRICS_OF_A_BATCH, NO_LOSS, NO_METRIC

    lines = ["## Losses and metrics", "", "All train as lanes.", "", "| validates | labels | losses | metrics |"]
    lines.append("|---|---|---|---|")
    for labels in METRICS:
        names = [loss for loss, suits in LOSSES.items() if suits == labels]
        alone = [loss for loss in names if loss not in LOOK_AT_THE_BATCH]
        batch = [loss for loss in names if loss in LOOK_AT_THE_BATCH]
        lines.append(f"| many rows at once | {labels} | {_ticks(alone)} | {_ticks(METRICS[labels])} |")
        if batch or labels in METRICS_OF_A_BATCH:
            metrics = METRICS_OF_A_BATCH.get(labels, ())
            lines.append(f"| in the trial's batches | {labels} | {_ticks(batch)} | {_ticks(metrics)} |")
    lines += [
        "",
        "On one column of labels, Keras's metrics `hinge`, `squared_hinge`, `poisson` and `kl_divergence` set each",
        "label of a batch against each output of it, so their values depend on the batch size. The loss `hinge` turns",
        "0 into -1 in a batch that holds only zeros and ones.",
        "",
        *_left_out({**NO_LOSS, **NO_METRIC}),
    ]
    return "\n".join(lines)


def _ticks(names):
    return ", ".join(f"`{name}`" for name in names) or "none"


def _left_out(reasons):
    return ["Not walked through:", "", *(f"- {name}: {reason}" for name, reason in reasons.items()), ""]


if __name__ == "__main__":
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(text())
