"""A lane has the numbers of `fit` on JAX, except where training is chaotic: `fit` moves there with its sums.

    python benchmarks/equals_fit.py [--trials 100] [--quick]

Random trials of the dense model on Fashion-MNIST (48,000 rows to train, 12,000 to validate): sgd, rmsprop or adam,
learning rate 1e-4 to 1, 1 to 8 epochs, batches of 32 or 100. Each trains as a lane among others, and by `fit`. Where
they differ by more than one row or 1e-5 of the loss, `fit` trains again on the same batches with the rows of each batch
in another order, which is the same training but for the order of its sums.

Machine: AMD EPYC, 2 cores, shared and busy; Python 3.11.7, Keras 3.15.1, JAX 0.10.2; 2026-11-25; `--trials 100`

    optimizer  trials  equal, at rates   to the row; of the loss  others, at rates  fit reordered moves as far
    sgd            34  29, up to 0.21     0 rows; 0 to 9e-07      5, from 0.46      4
    rmsprop        30  15, up to 0.66     0 rows; 0 to 9e-06      15, from 0.011    15
    adam           36  23, up to 0.025    0 rows; 6e-08 to 7e-07  13, from 0.019    13

    67 of 100 within 1 row of 12,000 and 1e-05 of the loss
    32 more by no more than fit moves when the rows of its batches change places
    1 unexplained

In 19 of the 33 the first other order moves `fit` farther than the lane is, in 31 one of the first ten. The one that is
left, sgd 0.46 for one epoch of batches of 100, is 470 rows from `fit` (55 % of the loss), and `fit` moves by up to 455
(54 %) in 40 orders.

Since softmax has its rows last, the first 24 points of dense.yaml (2026-11-26, busy; `--space search_spaces/dense.yaml
--trials 24`): 17 within 0 or 1 row and 2e-7 to 8e-7 of the loss, the other 7, at rates from 0.034, by no more than
`fit` moves; none unexplained.

Then points of spaces/table.yaml, whose trials have widths, activations, rates of dropout, penalties and batch sizes (16
to 64) of their own in one program, and of digits.yaml, whose trials have no, one or two hidden layers in one program
(2026-11-26, busy; `--space benchmarks/spaces/table.yaml --trials 12`, and so for digits): 12 of 12 and 12 of 12 equal,
the table 0 rows of 64, 1.4e-7 to 2.4e-7 of the loss; digits 0 rows of 288, 1.1e-7 to 6.8e-6. Of diabetes.yaml, whose
trials have a penalty or none in one program, 9 of 9: 1.2e-7 to 3.7e-7 of loss and error. Where rows are dropped their
order is no matter of sums alone, so such a trial is not trained again in other orders.

Since each optimizer of a program passes over its own lanes alone (2026-11-26, `--trials 12`): 12 of 12 of the table, of
digits and of diabetes equal; of the dense model 6, and 6 at rates from 0.017 by no more than `fit` moves.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from printed import print_machine, print_table

SPACE = Path(__file__).parent.parent / "search_spaces" / "dense.yaml"
TABLE = Path(__file__).parent / "spaces" / "table.yaml"  # lanes of other widths, activations, rates, batch sizes
DEPTHS = SPACE.parent / "digits.yaml"  # of no, one or two hidden layers
PENALTIES = SPACE.parent / "diabetes.yaml"  # with a penalty, or with none
ROWS, RELATIVE = 1, 1e-5  # beyond these a trial is looked at more closely
ORDERS = 40  # other orders of the rows of a batch that are tried, until one moves `fit` as far as the lane is


def main() -> None:
    """Train every trial both ways, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--space", type=Path, help="this one alone")
    parser.add_argument("--quick", action="store_true", help="3 trials")
    options = parser.parse_args()
    from keras_sweep.data.catalog import load_search_data
    from keras_sweep.space_file.read import read_space_file

    print_machine("at the start")
    for space in (SPACE, TABLE, DEPTHS, PENALTIES) if options.space is None else (options.space,):
        spec = read_space_file(space)
        data = load_search_data(spec)
        count = 3 if options.quick else options.trials
        compare(spec, data, random_trials(count) if space == SPACE else trials_of(spec, count))
    print_machine("at the end")


def compare(spec: Any, data: Any, trials: Sequence[Any]) -> None:
    """Train each trial both ways, and print."""
    from keras_sweep.training.fit.runner import FitRunner
    from keras_sweep.training.lanes.runner import CompiledRunner
    from keras_sweep.training.runner import Watch

    numbers = frozenset(trial.number for trial in trials)
    lanes = {result.number: result for result in CompiledRunner(spec, data).run(trials, numbers, Watch())}
    fits = {result.number: result for result in FitRunner(spec, data).run(trials, numbers, Watch())}
    rows, close, explained = [], 0, 0
    for trial in trials:
        ours, theirs = lanes[trial.number], fits[trial.number]
        off_by, relative = difference(ours.curve, theirs.curve, len(data.validation))
        same_end = (ours.state, ours.reason, ours.epochs) == (theirs.state, theirs.reason, theirs.epochs)
        row = [described(spec, trial.params), str(theirs.state), f"{off_by:.0f}", f"{relative:.1e}"]
        if same_end and off_by <= ROWS + 0.5 and relative <= RELATIVE:
            close += 1
            row += ["", "", ""]
        else:
            moved, covered, order = (0.0, 0.0), False, 0
            for order in range(1, (0 if drops(trial.params) else ORDERS) + 1):
                own = difference(reordered(spec, data, trial.params, order), theirs.curve, len(data.validation))
                moved = (max(moved[0], own[0]), max(moved[1], own[1]))
                if covered := off_by <= moved[0] and relative <= moved[1]:
                    break
            explained += same_end and covered
            row += [f"{moved[0]:.0f}", f"{moved[1]:.1e}", str(order)]
        rows.append(row)
    print_table(
        f"{spec.name}: lanes against fit, {len(trials)} trials: the largest difference over all epochs",
        ["trial", "ends", "val_accuracy, rows", "others, rel.", "fit reordered, rows", "rel.", "orders"],
        rows,
        [
            f"{close} of {len(trials)} within {ROWS} row of {len(data.validation):,} and {RELATIVE:.0e} of the loss",
            f"{explained} more by no more than fit moves when the rows of its batches change places",
            f"{len(trials) - close - explained} unexplained",
        ],
    )


def drops(params: Any) -> bool:
    """Whether the order of a batch's rows decides what is dropped of which."""
    return any(name.endswith("dropout") for name in params)


def trials_of(spec: Any, count: int) -> Sequence[Any]:
    """Points of a space, the same ones every time."""
    from keras_sweep.trial.result import Suggestion

    rng, size = np.random.default_rng(42), len(spec.space.parameters)
    return [Suggestion(number, spec.space.at(iter(rng.random(size)))) for number in range(count)]


def random_trials(count: int) -> Sequence[Any]:
    """The same ones every time."""
    from keras_sweep.trial.result import Suggestion

    rng = np.random.default_rng(42)
    return [
        Suggestion(
            number,
            {
                "optimizer": str(rng.choice(["sgd", "rmsprop", "adam"])),
                "learning_rate": float(10 ** rng.uniform(-4, 0)),
                "epochs": int(rng.integers(1, 9)),
                "batch_size": int(rng.choice([32, 100])),
            },
        )
        for number in range(count)
    ]


def described(spec: Any, params: Any) -> str:
    """A trial in a few letters."""
    from keras_sweep.trial.plan import training_plan

    plan = training_plan(spec, params)
    text = f"{plan.optimizer} {params['learning_rate']:.1e}, {plan.epochs} x {plan.batch_size}"
    own = (value for name, value in params.items() if name.startswith("model."))
    return " ".join([text, *(f"{value:.1e}" if isinstance(value, float) else str(value) for value in own)])


def difference(ours: Any, theirs: Any, rows: int) -> tuple[float, float]:
    """The largest differences of any epoch: of the validation accuracy in rows, of other scores of them relatively."""
    accuracy, others = 0.0, 0.0
    for name in (name for name in theirs if name.startswith("val_")):
        if name == "val_accuracy":
            accuracy = np.abs(np.subtract(ours[name], theirs[name])).max() * rows
        else:
            others = max(others, np.abs(np.divide(ours[name], theirs[name]) - 1).max())
    return float(np.round(accuracy)), float(others)


def reordered(spec: Any, data: Any, params: Any, seed: int) -> Any:
    """The curve of `fit` on its own batches, the rows inside each batch in another order."""
    import keras

    from keras_sweep.training.build_trial import compile_model
    from keras_sweep.training.lanes.template import DataOrder
    from keras_sweep.trial.plan import training_plan

    plan = training_plan(spec, params)
    model = compile_model(spec, plan, data)
    order = DataOrder(np.random.get_state(), len(data.train))
    rng, size = np.random.default_rng(seed), plan.batch_size
    curve: dict[str, list[float]] = {"val_loss": [], **{f"val_{name}": [] for name in spec.metrics}}
    for epoch in range(plan.epochs):
        whole = order.draw_epoch(epoch)
        index = np.concatenate([rng.permutation(whole[start : start + size]) for start in range(0, len(whole), size)])
        logs = model.fit(
            data.train.x[index],
            data.train.y[index],
            batch_size=size,
            shuffle=False,
            verbose=0,
            validation_data=(data.validation.x, data.validation.y),
            validation_batch_size=size,
        ).history
        for name, values in curve.items():
            values.append(logs[name][0])
    keras.backend.clear_session()
    return curve


if __name__ == "__main__":
    main()
