"""Small sweeps for the fault tests: a second each, every part of the command used."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from keras_sweep.data.catalog import load_search_data
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.spec_diff import flatten_spec
from keras_sweep.space_file.read import read_space_file
from tests.helpers.data_specs import write_pictures
from tests.helpers.results import result

WEIGHED = "data: {python: user_rows:weighed}"
SIZE = 383  # of it the training rows are three batches, and no others more than one: a short one is a program more


def _space(epochs: str, search: str, more: str = "") -> str:
    return (
        "data: digits\nmodel:\n  dense: {units: 10, activation: softmax}\n"
        "loss: sparse_categorical_crossentropy\nmetrics: [accuracy]\nmetric: {name: val_accuracy, goal: maximize}\n"
        "parameters:\n  optimizer: {values: [sgd, adam]}\n  learning_rate: {min: 1e-4, max: 0.3, log: true}\n"
        f"  batch_size: {SIZE}\n  epochs: {epochs}\n{more}search: {{engine: {search}, seed: 42}}\n"
    )


def _own(model: str, parameters: str, trials: int) -> str:
    return (
        f"{WEIGHED}\nmodel: {{python: {model}}}\nmetric: {{name: val_accuracy, goal: maximize}}\n"
        f"parameters:\n{parameters}search: {{engine: optuna, sampler: random, trials: {trials}, seed: 42}}\n"
    )


def _few(data: str) -> str:
    text = _space("2", "optuna, sampler: random, trials: 2").replace("digits", data)
    return text.replace("model:\n  dense: {units: 10, activation: softmax}", "model: dense").replace(str(SIZE), "32")


CASES = """
    - {when: {optimizer: sgd}, min: 1e-2, max: 0.3, log: true}
    - {when: {optimizer: adam}, min: 1e-4, max: 1e-2}"""
WHERE = "where: [128 * epochs <= batch_size + 128, learning_rate < 1e-3 or learning_rate > 2e-3]\n"
SPACES = {
    "plain": _space("{min: 1, max: 3}", "optuna, sampler: tpe, trials: 18"),
    "pruned": _space(
        "{max: 4, take: best}",
        "optuna, sampler: random, trials: 18",
        "early_terminate: {type: hyperband, min_iter: 1, eta: 2}\n",
    ),
    "started": _space(
        "{min: 1, max: 3}",
        "optuna, sampler: cmaes, trials: 24, generation: 4, start: [{optimizer: sgd}, {epochs: 3}], stop: {value: .4}",
    ),
    "patient": _space(
        "{min: 1, max: 3}\n  model.hidden: {values: [[], [4], [16], [64]]}",
        "keras-tuner, sampler: random, trials: 24, generation: 4, stop: {patience: 5}",
        "where: parameters <= 1500\n",
    ),
    "learned": _space("{min: 1, max: 3}", "optuna, sampler: tpe, trials: 6, learn_from: earlier"),
    "halved": _space(
        "{min: 1, max: 4}",
        "optuna, sampler: tpe, trials: 18",
        "early_terminate: {type: halving, first: 12, min_iter: 1, eta: 2}\n",
    ),
    "tuner": _space(
        "{max: 2, take: best}\n  schedule: {values: [constant, cosine]}\n  warmup: 0.2",
        "keras-tuner, sampler: bayesian, trials: 10",
    ),
    "bands": _space("{min: 1, max: 4}", "keras-tuner, sampler: hyperband, trials: 20"),
    "finalists": _space("{min: 2, max: 3}", "optuna, sampler: random, trials: 5", "finalists: {top: 3, seeds: 2}\n"),
    "watched": _space(
        "8",
        "optuna, sampler: random, trials: 8",
        "training:\n  early_stopping: {patience: 1, min_delta: 0.05, restore_best_weights: true}\n"
        "  reduce_lr_on_plateau: {patience: 1}\n  class_weight: balanced\n",
    ),
    "own_loss": _space("{max: 3, take: best}\n  loss.gamma: {min: 0.5, max: 2}", "optuna, sampler: random, trials: 3")
    .replace("data: digits", WEIGHED)
    .replace("sparse_categorical_crossentropy", "{python: user_losses:focal}")
    .replace("[accuracy]", "[accuracy, {python: user_losses:sure}]")
    .replace("val_accuracy", "val_sure"),
    "own_compile": _own(
        "own_compiles:tuned", "  model.skip: false\n  model.optimizer: adam\n  epochs: {max: 2, take: best}\n", 2
    ),
    "own_fit": _own("own_fits:guide", "  epochs: 2\n", 2),
    "function": (
        "objective: {python: user_functions:descend}\nmetric: {name: score, goal: maximize}\n"
        "parameters:\n  rate: {min: 1e-2, max: 1.0, log: true}\n  kind: {values: [plain, heavy]}\n"
        "  momentum: {min: 0.1, max: 0.9, when: {kind: heavy}}\n"
        "early_terminate: {type: hyperband, min_iter: 1, eta: 2}\n"
        "search: {engine: optuna, sampler: tpe, trials: 18, seed: 42}\n"
    ),
    "several": (
        "data: {python: user_rows:several_parts}\nmodel: {python: user_rows:of_several_parts}\n"
        "loss: {digit: sparse_categorical_crossentropy, dark: mean_squared_error}\nloss_weights: {dark: 3}\n"
        "metrics: {digit: [accuracy]}\nmetric: {name: val_digit_accuracy, goal: maximize}\n"
        "parameters: {model.units: {values: [4, 16]}, optimizer: adam, learning_rate: 0.01, epochs: {min: 1, max: 3}}\n"
        "search: {engine: optuna, sampler: random, trials: 3, seed: 42}\n"
    ),
    "prices": (
        "data: {csv: prices.csv, separator: ;, target: {column: price, transform: log}, drop: [id], missing: [NA]}\n"
        "split: {groups: street}\nmodel: dense\nloss: mean_squared_error\nmetrics: [mean_absolute_error]\n"
        "metric: {name: val_mean_absolute_error, goal: minimize}\n"
        "parameters:\n  learning_rate: {min: 1e-3, max: 0.3, log: true}\n  epochs: {max: 3, take: best}\n"
        "search: {engine: optuna, sampler: random, trials: 6, seed: 42}\n"
    ),
    "pictures": _few("{images: photos, size: [6, 6], color: grayscale}"),
    "series": _few("{series: weather.csv, target: warmth, window: 4, horizon: 2}")
    .replace("sparse_categorical_crossentropy", "mean_squared_error")
    .replace("val_accuracy, goal: maximize", "val_loss, goal: minimize")
    .replace("accuracy", "mean_absolute_error"),
    "varied": _few("{python: user_rows:cropped}")
    .replace("trials: 2", "trials: 6")
    .replace("{values: [sgd, adam]}", "adam\n  data.border: {values: [2, 1]}"),
    "dataset": _few("{python: user_rows:batches}"),
    "told": _few("digits").replace(
        "search:", "training: {callbacks: [{python: own_callbacks:csv}]}\nfinish: {refit: true}\nsearch:"
    ),
    "timed": _space("3", "optuna, sampler: tpe, trials: 18", "training: {seconds: 1e-6}\n"),  # each ends in epoch 1
    "generated": _few("{python: user_rows:generators, steps_per_epoch: 6}"),
    "spread": _few("digits").replace("model: dense", "model: {python: spread:build}"),
    "goals": _space(
        "{min: 1, max: 2}\n  model.hidden: {values: [[], [4], [16]]}",
        "optuna, sampler: tpe, trials: 18, start: [{model.hidden: [16], epochs: 2}]",
        "finish: {choose: {where: parameters <= 700}}\n",
    ).replace("metric: {name: val_accuracy, goal: maximize}", "metric: [{name: val_accuracy}, {name: parameters}]"),
    "cases": _space("{min: 1, max: 3}", "optuna, sampler: tpe, trials: 18", WHERE)
    .replace("{min: 1e-4, max: 0.3, log: true}", CASES)
    .replace(f"batch_size: {SIZE}", "batch_size: {values: [128, 256]}"),
    "fit": _space("1", "optuna, sampler: tpe, trials: 3"),
    "folds": _space("{max: 2, take: best}", "optuna, sampler: random, trials: 1", "split: {folds: 2}\n"),
    "seeds": _space("{max: 2, take: best}", "optuna, sampler: random, trials: 3, seeds: 3", "finalists: none\n"),
    "seeds_by_fit": _space("{max: 2, take: best}", "optuna, sampler: tpe, trials: 2, seeds: 2", "finalists: none\n"),
    "folds_in_lanes": _space("{max: 2, take: best}", "optuna, sampler: random, trials: 3", "split: {folds: 2}\n"),
}
FEW_FINALISTS = "finalists: {top: 2, seeds: 1}\n"  # enough to see what befalls them
PLAIN = SPACES["plain"] + "finalists: none\n"
RUNNERS = {
    "fit": ["--runner", "fit"],
    "folds": ["--runner", "fit"],
    "seeds_by_fit": ["--runner", "fit"],
}  # the others train in lanes


def write_whole(folder: Path, space: str) -> None:
    """Write NAME.yaml, with finalists, and the modules, tables and pictures that it names."""
    (folder / f"{space}.yaml").write_text(whole_text(space))
    if "prices.csv" in whole_text(space):
        (folder / "prices.csv").write_text("\n".join(_prices()))
    if "weather.csv" in whole_text(space):
        lines = (f"{hour % 24},{10 + 5 * math.sin(hour / 4):.2f}" for hour in range(80))
        (folder / "weather.csv").write_text("\n".join(("hour,warmth", *lines)))
    if "photos" in whole_text(space) and not (folder / "photos").exists():
        write_pictures(folder / "photos", 60)
    if "learn_from" in whole_text(space) and not (folder / "sweeps" / "earlier").exists():
        write_earlier(folder / f"{space}.yaml", SweepFolder(folder / "sweeps" / "earlier"))
    for path in Path(__file__).parent.glob("*.py"):
        if f"{path.stem}:" in whole_text(space):
            shutil.copy(path, folder)


def write_earlier(space: Path, folder: SweepFolder) -> None:
    """The record of a sweep of these rows that nobody trained; four of its trials are longer than those of a space."""
    spec = read_space_file(space)
    trials = []
    for number in range(20):
        optimizer, rate, epochs = ("sgd", "adam")[number % 2], 10 ** (-0.15 * number - 0.6), number // 2 % 4 + 1
        params = {"optimizer": optimizer, "learning_rate": rate, "batch_size": SIZE, "epochs": epochs}
        value = 0.24 * epochs + rate / 9 + (optimizer == "adam") / 4
        trials.append(result(number, value, params=params, epochs=epochs))
    attributes = {"fingerprint": load_search_data(spec).fingerprint, "spec": flatten_spec(spec), "trials": len(trials)}
    with StudyFile.create(folder, replace(spec, name="earlier"), attributes) as study:
        study.add(*trials)


def _prices() -> Iterator[str]:
    """A table as it comes: ids, dates, gaps, some houses a street."""
    yield "id;sold;rooms;garden;street;price"
    for row in range(300):
        rooms, garden = row * 7 % 9 + 1, "yes" if row % 3 else "no"
        price = 40_000 * rooms + 500 * (row % 50) + (90_000 if row % 3 else 0)
        told = rooms if row % 11 else "NA"
        yield f"{row + 1};2024-0{row % 9 + 1}-1{row % 10};{told};{garden};S{row // 5:03};{price}"


def whole_text(space: str) -> str:
    return SPACES[space] if "finalists" in SPACES[space] else SPACES[space] + FEW_FINALISTS


def arguments(space: str, *more: str) -> list[str]:
    """The words after `sweep` that run a space which lies in the working folder."""
    return ["run", f"{space}.yaml", *RUNNERS.get(space, []), *more]
