"""After the search: its best recipes are trained again with new seeds, as many seeds at once as a runner likes.

Trainings with different seeds share no program, so that how many seeds train at once moves no number.

Engines never hear of it: finalists stand in a study of their own beside the sweep's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from keras_sweep.process.stop_request import StopRequest
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import counted
from keras_sweep.sweep.comparison import RecordedSweep
from keras_sweep.sweep.generations import Generation
from keras_sweep.sweep.loop import RETRIES
from keras_sweep.sweep.train_generation import GenerationTraining, TransientFailure
from keras_sweep.training.runner import Runner, ToTheEnd
from keras_sweep.trial.events import (
    EpochEnded,
    Event,
    FinalistEnded,
    FinalistEpochEnded,
    FinalistsChosen,
    Listener,
    Noticed,
    TrialEnded,
    TrialResumed,
)
from keras_sweep.trial.finalists import Choice, chosen, could_be_chosen, generation
from keras_sweep.trial.result import Result, Suggestion
from keras_sweep.trial.wall_time import WallTime

WEIGHTS = 16  # finalists whose weights stay on disk: all of a default choice


@dataclass(frozen=True, slots=True)
class Finalists:
    """The finalists of a sweep whose search has ended."""

    spec: SweepSpec
    study: StudyFile
    runner: Runner
    emit: Listener
    stop: StopRequest
    wall: WallTime

    def train(self, results: Sequence[Result]) -> bool:
        """Choose them and train what is missing; returns whether all are there. Raises RecordError.

        Args:
            results: all trials of the search.
        """
        choice = chosen(self.spec, results)
        index = self._write_down(choice)
        if not choice.recipes:
            if note := self._cut(choice, results):
                self.emit(FinalistsChosen((), (), (), 0, note))
            return True
        record = self._record()
        search = {one.number: one for one in results}
        trained = record.results()
        missing = [pair for pair in choice if pair not in {(one.recipe, one.finalist_seed) for one in trained}]
        if missing:
            self.emit(
                FinalistsChosen(
                    choice.recipes,
                    choice.seeds,
                    tuple(one for one in trained if (one.recipe, one.finalist_seed) in set(choice)),
                    sum(search[recipe].epochs for recipe, _ in missing),
                    self._cut(choice, results),
                    RecordedSweep(self.study.folder, self.study.facts, results).comparison.estimate,
                )
            )
        at_once = max(self.runner.generation // len(choice.recipes), 1)
        for start in range(0, len(choice.seeds), at_once):
            asked = generation(choice, index, choice.seeds[start : start + at_once], search, record.results())
            if not self._trained(asked, index, record):
                return False
        record.close()
        return True

    def _write_down(self, choice: Choice) -> int:
        """The choice, unless it is the last one already; returns which one it is."""
        facts = self.study.facts
        choices = facts.finalists
        if choice != facts.choice and (choices or choice.recipes):
            choices = (*choices, choice)
            self.study.set_attributes({"finalists": [asdict(each) for each in choices]})
        return len(choices) - 1

    def _record(self) -> TrialRecord:
        with self.wall.part("record"):
            return TrialRecord(
                self.study.finalists(),
                self.spec.objective,
                kept=WEIGHTS,
                notice=lambda text: self.emit(Noticed(text)),
            )

    def _trained(self, asked: Sequence[Suggestion], index: int, record: TrialRecord) -> bool:
        """Train what is missing of some seeds; returns whether all of it is there now."""
        tell = _told_as_finalists(self.emit, asked)
        training = GenerationTraining(self.runner, record, emit=tell, stop=self.stop, wall=self.wall)
        total = 1 + max(one.number for one in asked)
        for tries in range(RETRIES + 1):
            numbers = {one.number for one in asked}
            part = Generation(index, list(asked), [one for one in record.results() if one.number in numbers])
            if part.is_recorded:
                return True
            if self.stop:
                return False
            try:
                for result in training.results(part, ToTheEnd("finalists"), total, retry=tries < RETRIES):
                    part.done.append(result)
                return part.is_recorded
            except TransientFailure as failure:
                reason = f"since the machine failed it: {failure.reason}"
                self.emit(Noticed(f"a finalist is trained again, {reason}"))
        return False

    def _cut(self, choice: Choice, results: Sequence[Result]) -> str:
        """What to say where finalists are fewer than they would be if the space file asked for them; else ""."""
        wanted = self.spec.finalists
        if wanted is None or len(choice) >= could_be_chosen(self.spec, results):
            return ""
        return cut_text(choice, wanted.top, wanted.seeds)


def cut_text(choice: Choice, top: int, seeds: int) -> str:
    """What to say where the search is too small for all finalists."""
    ask = f"`finalists: {{top: {top}, seeds: {seeds}}}` in the space file asks for all"
    if not choice.recipes:
        return (
            f"no recipe is trained with other seeds: that would take more than a quarter of the search's epochs; {ask}"
        )
    cut = f"{counted(len(choice.recipes), 'recipe')} with {counted(len(choice.seeds), 'new seed')} each"
    return f"the finalists are {cut}, as many as a quarter of the search's epochs can train; {ask}"


def _told_as_finalists(emit: Listener, asked: Sequence[Suggestion]) -> Listener:
    """A listener that passes on what happens to trials as what happens to finalists, whose numbers are others'."""
    known = {one.number: (one.recipe or 0, int(str(one.params["seed"]))) for one in asked}

    def tell(event: Event) -> None:
        if isinstance(event, TrialEnded):
            emit(FinalistEnded(event.result))
        elif isinstance(event, EpochEnded):
            emit(FinalistEpochEnded(*known[event.number], event.epoch))
        elif isinstance(event, TrialResumed):
            emit(FinalistEpochEnded(*known[event.number], max(map(len, event.curve.values()))))
        else:
            emit(event)

    return tell
