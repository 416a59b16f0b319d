"""One trial in training: what it is, which never changes, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from keras_sweep.training.lanes.signature import Signature
from keras_sweep.training.lanes.structure import OwnModel
from keras_sweep.training.training_state import TrainingState
from keras_sweep.trial.result import Curve, Seconds, Suggestion


class LaneEnd(Enum):
    """Why a lane trains no more."""

    DONE = "it has trained all its epochs"
    DIVERGED = "its weights or metrics left the finite numbers"
    PRUNED = "it was stopped at a rung"
    FAILED = "its program raised"


@dataclass(frozen=True)
class LaneSpec:
    """What a lane trains, and with which others."""

    suggestion: Suggestion
    signature: Signature
    batch_size: int
    epochs: int  # in total
    learning_rate: float
    variant: int  # which of the signature's variants
    per_lane: Mapping[str, float]  # its values of that variant's arguments
    rungs: tuple[int, ...]
    own: OwnModel | None  # where its model shares a structure with others
    wanted: bool  # whether its result is asked for; else it trains for the sake of others

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.suggestion.number


@dataclass(eq=False)
class LaneProgress:
    """Where a lane stands after its last epoch."""

    spec: LaneSpec
    rows: list[dict[str, float]] = field(default_factory=list)  # the curve, an epoch a row
    seen: int = 0  # epochs the loop's thread has seen; the workers, and so `rows`, may be ahead
    end: LaneEnd | None = None
    best: TrainingState | None = None  # after the best epoch so far, where that is what counts
    last: TrainingState | None = None  # after its last epoch
    seconds: Seconds = field(init=False)

    def __post_init__(self) -> None:
        self.seconds = Seconds(sampler=self.spec.suggestion.sampler_seconds)

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.spec.number

    @property
    def training(self) -> bool:
        """Whether it goes on."""
        return self.end is None

    @property
    def needed(self) -> bool:
        """Whether its result is wanted, or a rung still compares it with others."""
        return self.spec.wanted or any(rung > len(self.rows) for rung in self.spec.rungs)

    @property
    def curve(self) -> Curve:
        """Every metric, epoch by epoch."""
        return {name: tuple(row[name] for row in self.rows) for name in (self.rows[0] if self.rows else ())}

    def comes_to(self, rung: int) -> bool:
        """Whether it takes part in a rung: it may still be on its way, or have just trained its last epoch."""
        return rung in self.spec.rungs and self.end in (None, LaneEnd.DONE)

    def has_place(self, epoch: int) -> bool:
        """Whether it has a place in the program after `epoch`. One that diverged keeps its place to its planned end.

        Else the program's shape, and with it the last digits of its neighbours, would depend on how it fares.
        """
        return self.end is not LaneEnd.PRUNED and epoch < self.spec.epochs

    def log(self, row: dict[str, float], *, finite: bool) -> None:
        """One more epoch brought these metrics; `finite` says whether they and the weights are finite numbers."""
        self.rows.append(row)
        if not finite:
            self.end = LaneEnd.DIVERGED
        elif len(self.rows) == self.spec.epochs:
            self.end = LaneEnd.DONE

    def spend(self, *, compiling: float, training: float, validating: float) -> None:
        """It took so many seconds more."""
        before = self.seconds
        self.seconds = replace(
            before,
            compile=before.compile + compiling,
            train=before.train + training,
            validate=before.validate + validating,
        )

    def go_on_from(
        self, rows: Sequence[dict[str, float]], last: TrainingState | None, best: TrainingState | None
    ) -> None:
        """Stand where these epochs led, which were trained before."""
        self.rows, self.last, self.best = list(rows), last, best
        self.seen = len(rows)
        if len(rows) >= self.spec.epochs:
            self.end = LaneEnd.DONE
