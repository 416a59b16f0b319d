"""How the folds of the trial in training ended, kept until all have: a trial that was stopped trains only the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import RecordError
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.training import checkpoint
from keras_sweep.training.checkpoint import TrainingState
from keras_sweep.trial.result import Suggestion, Weights


@dataclass(frozen=True, slots=True)
class FoldEnd:
    """How one fold ended."""

    rows: list[dict[str, float]]  # its curve, an epoch a row
    weights: Mapping[int, Weights]  # after an epoch: of its last one, or of each
    seconds: Mapping[str, float]  # "compile", "train", "validate"


class FoldEnds:
    """The ends of one trial's folds: in files `fold-N.npz`, or in memory without a folder."""

    def __init__(
        self, folder: Path | None, spec: SweepSpec, data: SearchData, notice: Callable[[str], None] | None
    ) -> None:
        self._folder = folder
        self._spec = spec
        self._data = data
        self._notice = notice or (lambda _: None)
        self._memory: dict[int, tuple[str, FoldEnd]] = {}

    def keep(self, suggestion: Suggestion, fold: int, end: FoldEnd) -> None:
        """Keep how a fold of this trial ended. A full disk costs what is kept over a stop, not the sweep."""
        digest = self._digest(suggestion)
        self._memory[fold] = digest, end
        if self._folder is None:
            return
        facts = {"digest": digest, "rows": end.rows, "seconds": end.seconds, "epochs": list(end.weights)}
        try:
            checkpoint.write(self._path(fold), facts, [TrainingState(each, (), ()) for each in end.weights.values()])
        except RecordError as error:
            self._notice(f"no checkpoint could be written: {error.message}")
        else:
            del self._memory[fold]  # many epochs' weights

    def read(self, suggestion: Suggestion, fold: int) -> FoldEnd | None:
        """How the fold of this trial ended; None where it has to be trained."""
        digest, (known, end) = self._digest(suggestion), self._memory.get(fold, ("", None))
        if known == digest:
            return end
        if self._folder is None:
            return None
        try:
            facts, states = checkpoint.read(self._path(fold))
        except FileNotFoundError:
            return None
        except checkpoint.Damaged as damage:
            self._notice(f"a checkpoint is not usable, so its fold trains from its start: {damage}")
            return None
        if facts["digest"] != digest:
            return None  # of another trial
        weights = [state.trainable for state in states if state is not None]
        return FoldEnd(facts["rows"], dict(zip(facts["epochs"], weights, strict=True)), facts["seconds"])

    def clear(self) -> None:
        """The trial is over."""
        self._memory.clear()
        for fold in range(len(self._data.folds)) if self._folder is not None else ():
            self._path(fold).unlink(missing_ok=True)

    def _path(self, fold: int) -> Path:
        assert self._folder is not None
        return self._folder / f"fold-{fold}.npz"

    def _digest(self, suggestion: Suggestion) -> str:
        return checkpoint.digest_of(self._spec, self._data, suggestion.number, sorted(suggestion.params.items()))
