"""After the search: its best recipes are trained again with new seeds, as many seeds at once as a runner likes.

Trainings with different seeds share no program, so that how many seeds train at once moves no number. Engines never
hear of it: finalists stand in a study of their own beside the sweep's.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from operator import attrgetter

from keras_sweep.record.facts import Choice
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import pluralize
from keras_sweep.sweep.events import FinalistEnded, FinalistEpochEnded, FinalistsChosen, TrialEnded
from keras_sweep.sweep.loop import Generation, GenerationTraining
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.trial.events import EpochEnded, Event, Listener, Noticed, TrialResumed
from keras_sweep.trial.ranking import LEADING, can_win, count_epochs, is_imported, order_key, unsteadiness
from keras_sweep.trial.result import Result, Suggestion

SHARE = 0.25  # of the search's epochs, which finalists that nobody asked for may take
SEEDS = 2**32  # of `keras.utils.set_random_seed`
WEIGHTS = 16  # finalists whose weights stay on disk: all of a default choice


def train_finalists(sweep: OpenSweep, results: Sequence[Result]) -> bool:
    """Choose them among the trials of the ended search, and train what is missing; returns whether all are there.

    Raises RecordError.
    """
    spec, study, emit = sweep.spec, sweep.study, sweep.emit
    choice, choices = choose_finalists(spec, results), study.facts.finalists
    if choice != study.facts.choice and (choices or choice.recipes):
        choices = (*choices, choice)
        study.set_attributes({"finalists": [asdict(each) for each in choices]})
    wanted = spec.finalists
    is_cut = wanted is not None and len(choice) < len(choose_finalists(replace(spec, finalists_asked=True), results))
    note = cut_text(choice, wanted.top, wanted.seeds) if wanted is not None and is_cut else ""
    if not choice.recipes:
        if note:
            emit(FinalistsChosen((), (), (), 0, note))
        return True
    with sweep.wall.part("record"):
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
    at_once = max(sweep.runner.generation // len(choice.recipes), 1)
    for start in range(0, len(choice.seeds), at_once):
        asked = suggest_finalists(choice, index, choice.seeds[start : start + at_once], search, record.results())
        numbers = {one.number for one in asked}
        part = Generation(index, asked, [one for one in record.results() if one.number in numbers])
        training = GenerationTraining(sweep, record, _told_as_finalists(emit, asked))
        if not training.to_the_end(part, "finalists"):
            return False
    record.close()
    return True


def cut_text(choice: Choice, top: int, seeds: int) -> str:
    """What to say where the search is too small for all finalists."""
    ask = f"`finalists: {{top: {top}, seeds: {seeds}}}` in the space file asks for all"
    if not choice.recipes:
        why = "that would take more than a quarter of the search's epochs"
        return f"no configuration is trained with other seeds: {why}; {ask}"
    cut = f"{pluralize(len(choice.recipes), 'configuration')} with {pluralize(len(choice.seeds), 'new seed')} each"
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


def choose_finalists(spec: SweepSpec, results: Sequence[Result]) -> Choice:
    """The finalists of a search that has ended with these trials.

    Where the space file does not ask for them, they take at most a quarter of the search's epochs: first there are
    fewer recipes, then fewer seeds; there is nothing to decide below two recipes with one seed.
    """
    wanted = spec.finalists
    if wanted is None:
        return Choice(len(results))
    objective, plain = spec.objective, [replace(one, finalists=(), final=False) for one in results if one.is_whole]
    ranked = sorted((one for one in plain if can_win(one, objective)), key=lambda one: order_key(one, objective))
    candidates = ranked[:LEADING]
    # Trials tie whose values lie within one standard error, the larger one of the two: the steadier curves come first.
    tied = [
        one
        for one in candidates
        if abs((one.value or 0.0) - (ranked[0].value or 0.0)) <= max(one.stderr or 0.0, ranked[0].stderr or 0.0)
    ]
    steady_first = sorted(tied, key=lambda one: unsteadiness(one, objective))
    leading = [*steady_first, *(one for one in candidates if one not in tied)][: wanted.top]
    own = count_epochs(results) - sum(one.epochs for one in results if is_imported(one))
    most = math.inf if spec.finalists_asked else SHARE * own
    recipes, seeds = afford_finalists([one.epochs for one in leading], wanted.seeds, most)
    numbers = tuple(one.number for one in leading[:recipes])
    return Choice(len(results), numbers, tuple((spec.search.seed + 1 + n) % SEEDS for n in range(seeds)))


def afford_finalists(epochs: Sequence[float], seeds: int, most: float) -> tuple[int, int]:
    """How many of the recipes that train for so many epochs, and how many seeds, take no more than `most` epochs."""
    for each in range(seeds, 0, -1):
        for recipes in range(len(epochs), 1, -1):
            if each * sum(epochs[:recipes]) <= most:
                return recipes, each
    return 0, 0


def suggest_finalists(
    choice: Choice, index: int, seeds: Collection[int], search: Mapping[int, Result], trained: Sequence[Result]
) -> list[Suggestion]:
    """The trainings of these seeds of a choice, those that were trained for an earlier choice included.

    `index` is the choice's, counted from 0 within the sweep; `search` has the trials of the search by number, `trained`
    all finalists so far, in the order of their numbers.
    """
    numbers = {(one.recipe, one.finalist_seed): one.number for one in trained}
    for pair in choice:
        numbers.setdefault(pair, len(numbers))
    known = {one.number: one.suggestion for one in trained}
    return [
        known.get(number)
        or Suggestion(number, {**search[recipe].params, "seed": seed}, generation=index, recipe=recipe)
        for recipe, seed in choice
        if seed in seeds
        for number in [numbers[recipe, seed]]
    ]
