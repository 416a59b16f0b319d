"""Use the public API: `mypy --strict` and pyright find no fault here, and infer each type that `assert_type` names.

Both checkers refuse an `ignore` that they don't need, so each line with an `ignore` is a mistake that they find.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import polars

import keras_sweep as ks
from keras_sweep import errors
from keras_sweep.api.events import Event, TestEvaluated

spec = ks.Spec(
    data=ks.Csv("plants.csv", "species"),
    model={"dense": {"hidden": [16]}},
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
    maximize="val_accuracy",
    parameters={
        "optimizer": ks.Choice(["sgd", "adam"], probabilities=[0.3, 0.7]),
        "learning_rate": ks.Float(1e-3, 1.0, log=True),
        "momentum": ks.Float(0.0, 0.9, when={"optimizer": "sgd"}),
        "batch_size": [16, 32],
        "epochs": ks.Int(5, 20),
    },
    search=ks.Optuna("tpe", trials=16, start=["defaults"]),
    early_terminate={"type": "hyperband"},
    goals={"parameters": "minimize"},
)


def listen(event: Event) -> None:
    """Print the scores on the test rows."""
    if isinstance(event, TestEvaluated):
        print(assert_type(event.scores, Mapping[str, float]))


def search() -> ks.Sweep:
    """Run a sweep of a `Spec`, and of a file."""
    assert_type(spec.to_yaml(), str)
    first = ks.run(spec, name="plants", trials=8, seconds=60, workers=2, set={"epochs.max": 10}, listener=listen)
    assert_type(first, ks.Sweep)
    return ks.run(Path("plants.yaml"), more=4, add={"optimizer": "adam"}, set=["epochs.max=10"], sweeps_dir=Path.home())


def look(sweep: ks.Sweep) -> None:
    """Read the winner, the other trials and the leaderboard."""
    assert_type(sweep.name, str)
    assert_type(sweep.path, Path)
    assert_type(sweep.trials, list[ks.Trial])
    best = assert_type(sweep.best, ks.Trial)
    assert_type(best.number, int)
    assert_type(best.value, float | None)
    assert_type(best.stderr, float | None)
    assert_type(best.seconds.total, float)
    assert_type(best.finalists, tuple[ks.Trial, ...])
    if best.seeds is not None:
        assert_type(best.seeds.mean, float)
    if sweep.estimate is not None:
        assert_type((sweep.estimate.value, sweep.estimate.low, sweep.estimate.high), tuple[float, float, float])
    rate = best.params["learning_rate"]
    if isinstance(rate, float):
        print(rate / 2)

    board = assert_type(sweep.leaderboard(top=3, where=["epochs>=5"], sort="-epochs"), ks.Leaderboard)
    assert_type(board[:2], ks.Leaderboard)
    assert_type(board[0].rank, int)
    assert_type(board[0].value, float | None)
    assert_type(board.to_polars(), polars.DataFrame)
    assert_type(board.to_records(), list[dict[str, Any]])
    assert_type(board.to_csv() + board.to_markdown() + board.to_json(), str)


def use(name: str) -> Path:
    """Open a sweep, evaluate, verify and export its winner."""
    sweep = assert_type(ks.open(name, trust=True, sweeps_dir="sweeps"), ks.Sweep)
    assert_type(ks.sweeps(), list[ks.Sweep])
    print(sweep.load_model().predict(sweep.validation().x))
    assert_type(sweep.evaluate().scores["accuracy"], float)
    assert_type(sweep.replay(0).matches, bool)
    assert_type(sweep.report("page", watch=False), Path)
    assert_type(sweep.log(to="tensorboard", path="runs"), str)
    ks.verify("plants.keras")
    ks.compare(name, sweep.name)
    return assert_type(sweep.export("plants.onnx", format="onnx", card="README.md"), Path)


def survive() -> None:
    """Catch each public error."""
    try:
        look(search())
    except ks.Interrupted:
        print("resume later")
    except errors.ChangedSweep as error:
        assert_type(error.changes, tuple[str, ...])
    except ks.UsageError as error:
        assert_type(error.exit_code, int)
    except ks.SweepError as error:
        assert_type(error.message, str)
        assert_type(error.hint, str | None)


def refuse() -> None:
    """Make mistakes that only types can show before the program runs."""
    ks.Float("low", 1.0)  # type: ignore[arg-type]
    ks.Int(1, 10.5)  # type: ignore[arg-type]
    ks.Choice(3)  # type: ignore[arg-type]
    ks.Optuna(sampler=3)  # type: ignore[arg-type]
    ks.run(spec, trial=8)  # type: ignore[call-arg]
    ks.open("plants").bets  # type: ignore[attr-defined]  # noqa: B018
    ks.search  # type: ignore[attr-defined]  # noqa: B018
