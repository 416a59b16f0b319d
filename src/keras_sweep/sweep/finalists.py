"""After the search: its best recipes are trained again with new seeds, as many seeds at once as a runner likes.

Trainings with different seeds share no program, so that how many seeds train at once moves no number. Engines never
hear of it: finalists stand in a study of their own beside the sweep's.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from operator import attrgetter

from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.space.text import counted
from keras_sweep.sweep.comparison import RecordedSweep
from keras_sweep.sweep.generations import Generation
from keras_sweep.sweep.load import Running
from keras_sweep.sweep.loop import GenerationTraining
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
from keras_sweep.trial.finalists import Choice, chosen, generation
from keras_sweep.trial.result import Result, Suggestion

WEIGHTS = 16  # finalists whose weights stay on disk: all of a default choice


def train_finalists(running: Running, results: Sequence[Result]) -> bool:
    """Choose them among the trials of the ended search, and train what is missing; returns whether all are there.

    Raises RecordError.
    """
    spec, study, emit = running.spec, running.study, running.emit
    choice, choices = chosen(spec, results), study.facts.finalists
    if choice != study.facts.choice and (choices or choice.recipes):
        choices = (*choices, choice)
        study.set_attributes({"finalists": [asdict(each) for each in choices]})
    wanted = spec.finalists
    is_cut = wanted is not None and len(choice) < len(chosen(replace(spec, finalists_asked=True), results))
    note = cut_text(choice, wanted.top, wanted.seeds) if wanted is not None and is_cut else ""
    if not choice.recipes:
        if note:
            emit(FinalistsChosen((), (), (), 0, note))
        return True
    with running.wall.part("record"):
        record = TrialRecord(study.finalists(), spec.objective, kept=WEIGHTS, notice=lambda text: emit(Noticed(text)))
    search = {one.number: one for one in results}
    trained = {(one.recipe, one.finalist_seed): one for one in record.results()}
    missing = [pair for pair in choice if pair not in trained]
    if missing:
        finished = tuple(one for pair, one in trained.items() if pair in set(choice))
        epochs = sum(search[recipe].epochs for recipe, _ in missing)
        of_search = RecordedSweep(study.folder, study.facts, results)
        expected = partial(attrgetter("comparison.estimate"), of_search)  # which takes a third of a second
        emit(FinalistsChosen(choice.recipes, choice.seeds, finished, epochs, note, expected))
    index = len(choices) - 1
    at_once = max(running.runner.generation // len(choice.recipes), 1)
    for start in range(0, len(choice.seeds), at_once):
        asked = generation(choice, index, choice.seeds[start : start + at_once], search, record.results())
        numbers = {one.number for one in asked}
        part = Generation(index, asked, [one for one in record.results() if one.number in numbers])
        as_finalists = replace(running, emit=_told_as_finalists(running.emit, asked))
        if not GenerationTraining(as_finalists, record).to_the_end(part, "finalists"):
            return False
    record.close()
    return True


def cut_text(choice: Choice, top: int, seeds: int) -> str:
    """What to say where the search is too small for all finalists."""
    ask = f"`finalists: {{top: {top}, seeds: {seeds}}}` in the space file asks for all"
    if not choice.recipes:
        why = "that would take more than a quarter of the search's epochs"
        return f"no configuration is trained with other seeds: {why}; {ask}"
    cut = f"{counted(len(choice.recipes), 'configuration')} with {counted(len(choice.seeds), 'new seed')} each"
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
