"""Trains suggestions as lanes or by `fit`, and compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from keras_sweep.data.search_data import Rows
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.sweep.replay import Match, gap
from keras_sweep.training.checkpoint import FILE
from keras_sweep.training.fit.runner import FitRunner
from keras_sweep.training.lanes.runner import CompiledRunner
from keras_sweep.training.runner import Watch
from keras_sweep.trial.events import EpochEnded, PhaseBegan, TrialResumed
from keras_sweep.trial.result import Result, Suggestion
from tests.helpers.factory import make_spec

FOLDER = Path(__file__).parent
WEIGHTS = 2e-5  # absolute, after a few epochs at these learning rates


@dataclass
class Watching:
    """Pruner and listener in one: keeps what a runner tells; stops trials below a value at some rungs."""

    name = "watching"
    rung_epochs: tuple[int, ...] = ()
    stop_below: float = -1.0
    stop_after: int | None = None  # reported epochs
    epochs: list[tuple[int, int]] = field(default_factory=list)
    phases: list[tuple[str, int | None, int | None]] = field(default_factory=list)
    rungs_called: list[tuple[int, Mapping[int, float]]] = field(default_factory=list)

    def __call__(self, event):
        if isinstance(event, EpochEnded):
            self.epochs.append((event.number, event.epoch))
        elif isinstance(event, PhaseBegan):
            self.phases.append((event.phase, event.done, event.total))
        elif isinstance(event, TrialResumed):
            self.epochs.append((event.number, max(map(len, event.curve.values()))))

    def rungs(self, epochs):
        return tuple(epoch for epoch in self.rung_epochs if epoch <= epochs)

    def rung(self, epoch, values):
        self.rungs_called.append((epoch, dict(values)))
        return frozenset(number for number, value in values.items() if value < self.stop_below)

    def stopping(self):
        return self.stop_after is not None and len(self.epochs) >= self.stop_after


def user_spec(name, **changes):
    return make_spec(folder=FOLDER, model=ModelSpec("python", f"user_models:{name}", {}), **changes)


def with_labels(data, change, **changes):
    """Data whose labels are others, in both splits."""
    train, validation = (Rows(rows.x, change(rows.y)) for rows in (data.train, data.validation))
    return replace(data, train=train, validation=validation, **changes)


def with_weights(data, seed=0):
    """The same rows, which weigh from 0 to 3 in both splits, in no order."""
    draw = np.random.default_rng(seed)

    def weighed(rows):
        return replace(rows, weights=(draw.integers(0, 7, len(rows)) / 2).astype(np.float32))

    train = weighed(data.train)
    return replace(data, train=train, validation=train if data.folds else weighed(data.validation))


def suggestions(*params):
    return [Suggestion(number, each) for number, each in enumerate(params)]


GENERATION = suggestions(
    {"optimizer": "adam", "learning_rate": 0.01, "epochs": 18},
    {"optimizer": "sgd", "learning_rate": 0.1, "epochs": 12},
    {"optimizer": "rmsprop", "learning_rate": 0.001, "epochs": 15},
    {"optimizer": "adam", "learning_rate": 0.001, "epochs": 6},
    {"optimizer": "adam", "learning_rate": 0.003, "epochs": 15, "batch_size": 96},
    {"optimizer": "adam", "learning_rate": 1e-4, "epochs": 15},
)


def stopped(kind, spec, data, folder, trials, after, **watching) -> dict[int, Result]:
    """Results of a runner that the user stopped after so many reported epochs."""
    if kind is CompiledRunner:  # lanes train on while the stop is being read, but no further than to a rung
        watching.setdefault("rung_epochs", (max(after // len(trials) + 1, 2),))
    done = train(kind(spec, data, checkpoints=folder), trials, Watching(stop_after=after, **watching))
    assert (folder / FILE).exists()
    return done


def go_on(kind, spec, data, folder, trials, done, watch=None, notice=print) -> dict[int, Result]:
    """What was done, and the rest by a new runner, which goes on from the folder's checkpoint."""
    runner = kind(spec, data, checkpoints=folder, notice=notice)
    return done | train(runner, trials, watch, {trial.number for trial in trials} - set(done))


def train(runner, trials, watch=None, wanted=None) -> dict[int, Result]:
    numbers = frozenset(trial.number for trial in trials) if wanted is None else frozenset(wanted)
    watch = watch or Watching()
    return {result.number: result for result in runner.run(trials, numbers, Watch(watch, watch, watch.stopping))}


def lanes(spec, data, trials, watch=None, wanted=None, **arguments) -> dict[int, Result]:
    return train(CompiledRunner(spec, data, **arguments), trials, watch, wanted)


def fitted(spec, data, trials, watch=None) -> dict[int, Result]:
    return train(FitRunner(spec, data), trials, watch)


def signatures(runner):
    """Those of the programs that a compiled runner has compiled for its last generation."""
    return {signature for signature, _ in runner._programs.compiled_keys}


def assert_as_fit(spec, data, trials, *, runner=None, theirs=None):
    """Every metric of every epoch is `fit`'s to rounding, as `sweep replay` says it, and so are the weights."""
    ours, theirs = train(runner or CompiledRunner(spec, data), trials), theirs or fitted(spec, data, trials)
    assert set(ours) == set(theirs)
    for number, result in ours.items():
        expected = theirs[number]
        assert (result.state, result.reason, result.epoch) == (expected.state, expected.reason, expected.epoch)
        assert list(result.curve) == list(expected.curve)
        for name, curve in result.curve.items():
            rows = data.validation if name.startswith("val_") else data.train
            for one, other in zip(curve, expected.curve[name], strict=True):
                assert gap(name, one, other, len(rows), rows.weights).match is not Match.PARTED, (
                    f"{name} of {trials[number]}"
                )
        assert_weights_close(result, expected)
    return ours


def assert_weights_close(ours, other):
    for one, another in zip(ours.weights, other.weights, strict=True):
        np.testing.assert_allclose(one, another, atol=WEIGHTS, rtol=1e-4)


def assert_same_bits(ours, others, numbers=None):
    """Both have the same curves, values, weights and scores of rows, to the last bit."""
    for number in ours if numbers is None else numbers:
        a, b = ours[number], others[number]
        assert (a.state, a.value, a.epoch, a.reason) == (b.state, b.value, b.epoch, b.reason)
        assert repr(dict(a.curve)) == repr(dict(b.curve))
        assert [w.tobytes() for w in a.weights or ()] == [w.tobytes() for w in b.weights or ()]
        assert getattr(a.scores, "digest", None) == getattr(b.scores, "digest", None)
