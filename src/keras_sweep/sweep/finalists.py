"""After the search, train the best configurations again with new seeds, and record the results as finalists.

Trainings with different seeds share no program. So the number of seeds that train at once changes no result. Engines
never see finalists: these have their own study beside the sweep's.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from operator import attrgetter

from keras_sweep.record.facts import ChosenFinalists
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.trial_record import TrialRecord
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import pluralize
from keras_sweep.sweep.events import FinalistEnded, FinalistEpochEnded, FinalistsChosen, TrialEnded
from keras_sweep.sweep.loop import Generation, GenerationTraining
from keras_sweep.sweep.open_sweep import OpenSweep
from keras_sweep.trial.events import EpochEnded, Event, Listener, Noticed, TrialResumed
from keras_sweep.trial.finalists import order_candidates
from keras_sweep.trial.ranking import count_epochs, is_imported
from keras_sweep.trial.result import Result, Suggestion

SHARE = 0.25  # of the search's epochs: the limit if the space file has no `finalists`
SEEDS = 2**32  # limit of `keras.utils.set_random_seed`
WEIGHTS = 16  # finalists whose weights stay on disk: every finalist of a default choice


def train_finalists(sweep: OpenSweep, results: Sequence[Result]) -> bool:
    """Choose finalists among the trials `results`, and train them. Return False if a signal or the time limit stopped
    the training. Raises RecordError if the record can't be read or written."""
    spec, study, emit = sweep.spec, sweep.study, sweep.emit
    choice, choices = choose_finalists(spec, results), study.facts.finalists
    if choice != study.facts.choice and (choices or choice.recipes):
        choices = (*choices, choice)
        study.set_attributes({"finalists": [asdict(choice) for choice in choices]})
    section = spec.finalists
    is_cut = section is not None and len(choice) < len(choose_finalists(replace(spec, finalists_asked=True), results))
    note = describe_cut(choice, section.top, section.seeds) if section is not None and is_cut else ""
    if not choice.recipes:
        if note:
            emit(FinalistsChosen((), (), (), 0, note))
        return True
    with sweep.wall.part("record"):
        record = TrialRecord(study.finalists(), spec.objective, kept=WEIGHTS, notice=lambda text: emit(Noticed(text)))
    search = {trial.number: trial for trial in results}
    trained = {(finalist.recipe, finalist.finalist_seed): finalist for finalist in record.results()}
    if missing := [pair for pair in choice if pair not in trained]:
        finished = tuple(finalist for pair, finalist in trained.items() if pair in set(choice))
        epochs = sum(search[recipe].epochs for recipe, _ in missing)
        recorded = RecordedSweep(study.folder, study.facts, results)
        # Views call `estimate` on demand, because it takes a third of a second.
        estimate = partial(attrgetter("comparison.estimate"), recorded)
        emit(FinalistsChosen(choice.recipes, choice.seeds, finished, epochs, note, estimate))
    index = len(choices) - 1
    at_once = max(sweep.runner.generation // len(choice.recipes), 1)
    for start in range(0, len(choice.seeds), at_once):
        suggestions = suggest_finalists(choice, index, choice.seeds[start : start + at_once], search, record.results())
        numbers = {suggestion.number for suggestion in suggestions}
        part = Generation(index, suggestions, [finalist for finalist in record.results() if finalist.number in numbers])
        training = GenerationTraining(sweep, record, _tell_as_finalists(emit, suggestions))
        if not training.train_to_end(part, "finalists"):
            return False
    record.close()
    return True


def describe_cut(choice: ChosenFinalists, top: int, seeds: int) -> str:
    """Return the notice that `choice` has fewer finalists than `top` configurations with `seeds` new seeds each."""
    ask = f"`finalists: {{top: {top}, seeds: {seeds}}}` in the space file trains all"
    if not choice.recipes:
        why = "that would take over a quarter of the search's epochs"
        return f"no configuration is trained again with new seeds: {why}; {ask}"
    cut = f"{pluralize(len(choice.recipes), 'configuration')} with {pluralize(len(choice.seeds), 'new seed')} each"
    return f"the finalists are {cut}: they may take a quarter of the search's epochs; {ask}"


def _tell_as_finalists(emit: Listener, suggestions: Sequence[Suggestion]) -> Listener:
    """Return a listener that passes events on to `emit`: events of the trials `suggestions` as events of finalists."""
    pairs = {x.number: (x.recipe or 0, int(str(x.params["seed"]))) for x in suggestions}

    def tell(event: Event) -> None:
        if isinstance(event, TrialEnded):
            emit(FinalistEnded(event.result))
        elif isinstance(event, EpochEnded):
            emit(FinalistEpochEnded(*pairs[event.number], event.epoch))
        elif isinstance(event, TrialResumed):
            emit(FinalistEpochEnded(*pairs[event.number], max(map(len, event.curve.values()))))
        else:
            emit(event)

    return tell


def choose_finalists(spec: SweepSpec, results: Sequence[Result]) -> ChosenFinalists:
    """Choose the finalists of a search that has ended with these trials.

    If the space file does not ask for finalists, they may train at most a quarter of the search's epochs. If this is
    not enough, fewer configurations are chosen, and then fewer seeds. At least two configurations are chosen, or none.
    """
    if (section := spec.finalists) is None:
        return ChosenFinalists(len(results))
    candidates, _ = order_candidates(results, spec.objective)
    leading = candidates[: section.top]
    trained_epochs = count_epochs(results) - sum(trial.epochs for trial in results if is_imported(trial))
    most = math.inf if spec.finalists_asked else SHARE * trained_epochs
    recipes, seeds = afford_finalists([trial.epochs for trial in leading], section.seeds, most)
    numbers = tuple(trial.number for trial in leading[:recipes])
    return ChosenFinalists(len(results), numbers, tuple((spec.search.seed + 1 + n) % SEEDS for n in range(seeds)))


def afford_finalists(epochs: Sequence[float], seeds: int, most: float) -> tuple[int, int]:
    """Return how many (configurations, seeds) fit into `most` epochs, or (0, 0) if two configurations don't fit.
    `epochs` lists the epochs of each configuration, best first. `seeds` is the largest number of seeds."""
    for count in range(seeds, 0, -1):
        for recipes in range(len(epochs), 1, -1):
            if count * sum(epochs[:recipes]) <= most:
                return recipes, count
    return 0, 0


def suggest_finalists(
    choice: ChosenFinalists, index: int, seeds: Collection[int], search: Mapping[int, Result], trained: Sequence[Result]
) -> list[Suggestion]:
    """Return the suggestions to train the chosen configurations with `seeds`. Recorded trainings keep their numbers.

    `index` is the position of `choice` among the sweep's choices, and the generation of the suggestions. `search` maps
    numbers to trials of the search. `trained` has all recorded finalists, in the order of their numbers.
    """
    numbers = {(finalist.recipe, finalist.finalist_seed): finalist.number for finalist in trained}
    for pair in choice:
        numbers.setdefault(pair, len(numbers))
    known = {finalist.number: finalist.suggestion for finalist in trained}
    return [
        known.get(number)
        or Suggestion(number, {**search[recipe].params, "seed": seed}, generation=index, recipe=recipe)
        for recipe, seed in choice
        if seed in seeds
        for number in [numbers[recipe, seed]]
    ]
