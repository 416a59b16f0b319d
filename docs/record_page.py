"""The tables of a sweep's record in sweeps/README.md: `python docs/record_page.py` runs a small sweep and writes them.

This file says what a key means. Its type and an example come from the sweep. A key that this sweep lacks has an example
here too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tables import cell, table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "sweeps" / "README.md"
SPACE = """\
data: {csv: search_spaces/data/plants.csv, target: species}
model: {dense: {hidden: [16]}}
loss: sparse_categorical_crossentropy
metrics: [accuracy]
metric: [{name: val_accuracy, goal: maximize}, {name: parameters, goal: minimize}]
parameters:
  optimizer: {values: [sgd, adam]}
  learning_rate: {min: 1e-3, max: 1.0, log: true}
  epochs: {min: 5, max: 12, take: best}
search: {sampler: tpe, trials: 4, seed: 42}
finalists: {top: 2, seeds: 2}
finish: {refit: true, choose: {where: parameters <= 40000}}
"""
# By key: what it means, and an example if the sweep above lacks the key.
Lines = Mapping[str, tuple[str, Any]]
STUDY: Lines = {
    "format": ("the format of the record; a later version of `sweep` may use another", None),
    "identity": ("drawn when the record is made", None),
    "metric": ("the metric that ranks", None),
    "goal": ("whether more or less of it is better", None),
    "goals": ("further goals", None),
    "choose": ("`finish.choose.where` of the space file", None),
    "seed": ("the search seed", None),
    "engine": ("engine and sampler", None),
    "trials": ("how many trials the sweep is to have", None),
    "space": ("the text of the space file, with `--set`", None),
    "spec": ("the space file, key by key; `sweep run` compares it when it resumes", None),
    "origin": ("the folder of the space file", None),
    "distributions": ("parameter -> its distribution, as Optuna writes it", None),
    "fingerprint": ("digest of the training and validation rows", None),
    "test_fingerprint": ("digest of the test rows", None),
    "model_code": ("file, or part of your model's function -> digest of its code", {"own_models.py": "5f0c6a"}),
    "data_code": ("file of the function that returns the rows -> digest of its code", {"own_rows.py": "1d94be"}),
    "keras_config": ("Keras's settings", None),
    "versions": ("package -> version", None),
    "seconds": ("part of the sweep -> wall time in seconds", None),
    "finalists": ("each choice of finalists: after how many trials, which configurations, which seeds", None),
    "refit": ("the winner's last training, on all rows: trial, seed, epochs, rows, scores, digest", None),
    "test_looks": ("how often a model was evaluated on the test rows", None),
    "test": ("the last evaluation on the test rows: which model, and its scores", None),
    "comparison": ("SHA-256 of `scores/comparison.json`", None),
    "card": ("SHA-256 of `card.json`", None),
    "done": ("digest of the last run that completed the sweep", None),
    "baseline": ("the linear model of `sweep baseline`, and its scores", None),
    "exhausted": ("how many trials there were when the space had no other point", 12),
    "good_enough": ("how many trials there were when a trial reached `search.stop.value`", 8),
    "no_better": ("how many trials there were when `search.stop.patience` ended the search", 48),
    "imported": ("where `sweep import` read the trials", "study mnist of study.db"),
    "learned": ("how many trials of `search.learn_from` the search knows", 32),
    "finalists_of": ("of the study `NAME finalists`: the sweep's name", None),
}
TRIAL: Lines = {
    "params": ("the values of all parameters, with constants", None),
    "curve": ("metric -> its value after each epoch", None),
    "epoch": ("the epoch that is scored, counted from 1", None),
    "stderr": ("standard error of the value", None),
    "measured": ("goals that are measured: `parameters`, `flops`, `predict_seconds`, `train_seconds`", None),
    "seed": ("the trial's seed", None),
    "seconds": ("wall time of each part, in seconds", None),
    "sampler_seconds": ("the trial's share of the sampler's time", None),
    "engine": ("engine and sampler that suggested it", None),
    "runner": ("how it was trained: runner and backend", None),
    "generation": ("the trials with one number here were suggested together", None),
    "weights": ("digest of `weights/NUMBER.npz`", None),
    "scores": ("form and digest of `scores/NUMBER.npz`", None),
    "crc32": ("checksum of the trial's attributes", None),
    "recipe": ("of a finalist: the trial that has its configuration", None),
    "reads_epochs": ("`epochs` is read from the curve of a trial that trained to the maximum", True),
    "continues": ("the trial whose training this trial resumed with more epochs", 3),
    "rows": ("digest of the validation rows, if trials have different data", "9f86d0"),
    "rows_value": ("the value by these rows, if it differs from the trial's value", 0.9375),
    "reason": ("why the trial ended early, or failed", "val_accuracy was behind at epoch 2"),
    "traceback": ("of a trial that failed", "Traceback (most recent call last): ..."),
}
CARD: Lines = {
    "sweep": ("the sweep's name", None),
    "trial": ("the winner's number", None),
    "trials": ("how many trials it is the best of", None),
    "params": ("the values of all parameters", None),
    "seed": ("the seed of this model", None),
    "seeds": ("scores of the configuration over all its seeds", None),
    "epoch": ("the epoch that is scored", None),
    "refit": ("the training on all rows; `null` if there is none", None),
    "model": ("the model's source and its fixed arguments", None),
    "open": ("the call that opens the file", None),
    "loss": ("the loss", None),
    "loss_arguments": ("arguments of the loss", {"label_smoothing": 0.1}),
    "metrics": ("the metrics", None),
    "metric_arguments": ("metric -> its arguments", {"top_k_categorical_accuracy": {"k": 3}}),
    "outputs": ("output -> its loss and metrics, if there are several", {"price": {"loss": "mean_squared_error"}}),
    "metric": ("the metric that ranks, and its goal", None),
    "goals": ("further goals -> their values", None),
    "engine": ("engine and sampler", None),
    "runner": ("runner and backend", None),
    "data": ("the rows, as below", None),
    "validation": ("the value, its standard error, and all scores on validation rows", None),
    "first_seed": ("with `search.seeds`: the validation scores of the model in the file", {"accuracy": 0.9375}),
    "estimate": ("the expected score on new rows, with a 95 % interval", None),
    "test": ("scores on the test rows, and how often they were looked at; `null` without a look", None),
    "versions": ("package -> version", None),
    "keras_config": ("Keras's settings", None),
    "created": ("when the card was written", None),
    "sha256": ("digest of the model's file", None),
}
CARD_DATA: Lines = {
    "name": ("the data's name", None),
    "fingerprint": ("digest of the training and validation rows", None),
    "test_fingerprint": ("digest of the test rows", None),
    "source": ("the section `data` of the space file, with `split`", None),
    "train_rows": ("rows that the model learned from", None),
    "steps_per_epoch": ("batches of an epoch, if `fit` iterates a dataset", 100),
    "validation_rows": ("rows that ranked the trials", None),
    "folds": ("how many folds", 5),
    "test_rows": ("rows that no trial saw", None),
    "input_shape": ("shape of a row", None),
    "input": ("what the model takes", None),
    "inputs": ("code that makes the model's inputs from a file", None),
    "classes": ("the classes in the order of the outputs, or how many; `null` for numbers", None),
}
COMPARISON: Lines = {
    "digest": ("digest of the trials that were compared", None),
    "best": ("the winner's number", None),
    "estimate": ("its expected score: `value`, `low`, `high`, `naive`, `method`", None),
    "behind": ("trial -> how far it is behind, the standard error, and whether it is in the best set", None),
    "rows": ("validation rows that were compared", None),
    "units": ("what was drawn independently among these rows: `12,000 rows`, `2,000 rows in 40 groups`", None),
    "all_rows": ("all validation rows, if only 200,000 of them were compared; else `null`", 640_000),
    "more": ("what more trials would gain: `trials`, `gain`, `resolved`; `null` if unknown", None),
}
LOCK: Lines = {
    "pid": ("the process", 4711),
    "host": ("its machine", "laptop"),
    "since": ("when it began", "2026-01-31T12:00:00+01:00"),
    "command": ("its command", "sweep run lesson.yaml"),
}
TABLES = {  # heading of the page -> lines
    "Attributes of the study": STUDY,
    "Attributes of a trial": TRIAL,
    "card.json": CARD,
    "data of card.json": CARD_DATA,
    "scores/comparison.json": COMPARISON,
    "lock.json": LOCK,
}
TYPES = {bool: "true or false", int: "whole number", float: "number", str: "text", list: "list", dict: "map"}
DIGEST = re.compile(r"\b[0-9a-f]{16,}\b")


def run_sweep(folder: Path) -> Path:
    """Run the small sweep in a folder, and return its record."""
    (folder / "search_spaces").symlink_to(ROOT / "search_spaces")
    (folder / "small.yaml").write_text(SPACE)
    for words in (["run", "small.yaml", "--quiet"], ["baseline", "small.yaml"]):
        subprocess.run([sys.executable, "-m", "keras_sweep", *words], cwd=folder, check=True, capture_output=True)
    return folder / "sweeps" / "small"


def read_record(folder: Path) -> dict[str, dict[str, Any]]:
    """Return by heading the keys of a record with their values."""
    import optuna

    storage = f"sqlite:///{folder / 'study.db'}"
    studies = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    card = json.loads((folder / "card.json").read_text())
    return {
        "Attributes of the study": {key: value for study in studies for key, value in study.user_attrs.items()},
        "Attributes of a trial": {
            key: value for study in studies for trial in study.trials for key, value in trial.user_attrs.items()
        },
        "card.json": card,
        "data of card.json": card["data"],
        "scores/comparison.json": json.loads((folder / "scores" / "comparison.json").read_text()),
        "lock.json": {},
    }


def make_tables(record: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield (heading, table) of each map of the record."""
    for heading, lines in TABLES.items():
        rows = []
        for key, (meaning, example) in lines.items():
            value = record[heading].get(key)
            value = example if value is None else value
            kind = TYPES.get(type(value), "`null`")
            rows.append((f"`{key}`", kind, cell(meaning), f"`{shorten(value)}`"))
        yield heading, table(("key", "type", "meaning", "example"), rows)


def shorten(value: Any, most: int = 72) -> str:
    """Write a value as JSON that fits a cell: digests and long values are cut."""
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else " ".join(value.split())
    text = DIGEST.sub(lambda match: match[0][:8] + "…", text).replace("|", "/").replace("`", "'")
    text = re.sub(re.escape(tempfile.gettempdir()) + r"/[\w-]+", "/home/me", text)
    text = re.sub(r"\d+\.\d{5,}", lambda match: f"{float(match[0]):.4g}", text)
    return text if len(text) <= most else text[: most - 1] + "…"


def write_page(record: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the tables of the page again, each below its heading."""
    text = PAGE.read_text()
    for heading, lines in make_tables(record):
        place = re.compile(rf"(^##+ {re.escape(heading)}\n\n[^|]+\n\n)(?:\|.*\n)+", re.MULTILINE)
        assert place.search(text), heading
        text = place.sub(lambda match, lines=lines: f"{match[1]}{lines}\n", text)
    PAGE.write_text(text)


def read_page() -> dict[str, list[str]]:
    """Return by heading the keys that the page has."""
    parts = re.split(r"^##+ (.*)\n", PAGE.read_text(), flags=re.MULTILINE)
    return {
        heading: re.findall(r"^\| `([\w.]+)` ", text, re.MULTILINE)
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        write_page(read_record(run_sweep(Path(place))))
