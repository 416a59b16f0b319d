"""Who asks for trials: the `search` of a `Spec`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Optuna:
    """Optuna's samplers: tpe, random, grid, qmc."""

    engine: ClassVar[str] = "optuna"
    sampler: str = "tpe"
    trials: int = 64  # in total
    seed: int = 42
    generation: int = 0  # trials that are asked at once; 0: as many as the runner likes

    def block(self) -> dict[str, Any]:
        """The keys of a space file."""
        return _block(self)


@dataclass(frozen=True, slots=True)
class KerasTuner:
    """KerasTuner's oracles: random, bayesian, hyperband, grid."""

    engine: ClassVar[str] = "keras-tuner"
    sampler: str = "bayesian"
    trials: int = 64  # in total
    seed: int = 42
    generation: int = 0  # trials that are asked at once; 0: as many as the runner likes

    def block(self) -> dict[str, Any]:
        """The keys of a space file."""
        return _block(self)


def _block(search: Optuna | KerasTuner) -> dict[str, Any]:
    block = {"engine": search.engine, "sampler": search.sampler, "trials": search.trials, "seed": search.seed}
    return {**block, "generation": search.generation} if search.generation else block
