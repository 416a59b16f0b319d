"""The trials of a sweep against its winner, on the rows that they were all scored on.

It is computed once, at the end of a run, and kept beside the scores under a digest of the trials that it is of, so that
a reader has it at once and never another's. The record holds the digest of what is kept: where the file was altered
since, and of a sweep that runs or was cut short, the comparison is computed from the scores when it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_sweep.errors import RecordError
from keras_sweep.files.atomic import write_text
from keras_sweep.files.plain import read_plain
from keras_sweep.record.facts import Facts
from keras_sweep.record.saved import load_scores, scores_file, with_scores
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.trial.comparison import PAIRED, Behind, Comparison, MoreTrials, marginal, with_company
from keras_sweep.trial.finalists import score, unsteadiness
from keras_sweep.trial.ranking import can_win, has_value, order_key, winner
from keras_sweep.trial.result import Result, TrialState
from keras_sweep.trial.row_scores import Kind, RowScores

if TYPE_CHECKING:  # who only reads what is kept does without NumPy
    from keras_sweep.honest.scores import Scores
    from keras_sweep.honest.two_choices import FirstChoice
    from keras_sweep.record.study_file import StudyFile

VERSION = 5
KEPT = "comparison"  # the study's attribute with the digest of what is kept
MOST_COMPARED = 256  # best trials: what a worse one adds to the estimate is nothing
MOST_BYTES = 64 * 2**20  # of the file


def comparison_file(folder: SweepFolder) -> Path:
    """Where the comparison is kept."""
    return folder.scores / "comparison.json"


def comparison_of(folder: SweepFolder, facts: Facts, results: Sequence[Result]) -> Comparison:
    """What was kept of these very trials, else computed; by their values alone where they have no scores of rows."""
    objective = facts.objective
    if not any(result.scores_digest for result in results):
        return marginal(results, objective)
    return _kept(folder, facts, results) or compared(folder, facts, results)


def keep_comparison(study: StudyFile, results: Sequence[Result]) -> Comparison:
    """Compute it, where that is not kept already, and keep it for readers. Raises RecordError."""
    folder, facts = study.folder, study.facts
    comparison = _kept(folder, facts, results)
    if comparison is None:
        comparison = compared(folder, facts, results)
        if comparison.method == PAIRED:
            of = _digest(facts, results)
            text = json.dumps({"digest": of, **comparison.to_json()}) + "\n"
            study.set_attributes({KEPT: hashlib.sha256(text.encode()).hexdigest()})
            write_text(comparison_file(folder), text)
    return comparison


def is_altered(folder: SweepFolder, facts: Facts, results: Sequence[Result]) -> bool:
    """Whether a comparison stands there that is not the one of these trials which the run kept."""
    return comparison_file(folder).exists() and _kept(folder, facts, results) is None


def _kept(folder: SweepFolder, facts: Facts, results: Sequence[Result]) -> Comparison | None:
    """What a run kept of these very trials, if it stands there to the letter."""
    try:
        text = read_plain(comparison_file(folder), MOST_BYTES)
        if hashlib.sha256(text).hexdigest() != facts.comparison:
            return None
        kept = json.loads(text)
        same = kept["digest"] == _digest(facts, results)
        return Comparison.from_json(kept) if same else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def compared(folder: SweepFolder, facts: Facts, results: Sequence[Result]) -> Comparison:
    """The winner against all trials that could have won; those without scores are compared by their values alone."""
    objective = facts.objective
    single = marginal(results, objective)
    best = winner(results, objective)
    if best is None or not best.scores_digest:
        return single
    expected = with_scores(results, objective, best=MOST_COMPARED)
    found = _loaded(folder, expected, best)
    if best.number not in found or 2 * len(found) < len(expected):
        return single
    models = {number: [one] for number, one in found.items()}  # each trained with one seed or several
    if best.final and not _add_seeds(folder, results, models):
        return single
    import numpy as np

    from keras_sweep.honest.estimate import corrected
    from keras_sweep.honest.ties import paired_ties

    seed = facts.seed % 2**64
    share = objective.is_share
    numbers = list(models)  # in the order of trials: an order by rank would favour the best
    mean, first = numbers.index(best.number), len(numbers)
    # A mean over seeds is compared with the winner's mean, a single seed with the winner's first seed, the last row.
    final = {one.number for one in results if one.final}
    against = np.array([mean if (number in final) is best.final else first for number in numbers])
    _, errors, ties = paired_ties(
        scores_matrix([*models.values(), [found[best.number]]], objective), np.append(against, first), seed, share=share
    )
    among = {one.number: models[one.number] for one in results if one.final} or models
    naive = score(best)[0]
    assert naive is not None
    estimate = corrected(
        scores_matrix(list(among.values()), objective),
        list(among).index(best.number),
        seed,
        naive=naive,
        share=share,
        maximize=objective.goal is Goal.MAXIMIZE,
        after=_chosen_by(results, found, len(models[best.number]), objective) if best.final else None,
    )
    behind = dict(single.behind)
    for number, error, tie in zip(numbers, errors[:-1], ties[:-1], strict=True):
        if number in behind:
            stderr = float(error) if number != best.number and error >= 0 else None  # NaN where none is known
            behind[number] = Behind(behind[number].behind, stderr, bool(tie))
    more = None if facts.exhausted == len(results) else _more(results, objective, behind)
    return Comparison(best.number, estimate, with_company(behind), PAIRED, found[best.number].rows, more)


def _add_seeds(folder: SweepFolder, results: Sequence[Result], models: dict[int, list[RowScores]]) -> bool:
    """Add the scores of finalists to those of their recipes; returns whether all are there."""
    for recipe in (one for one in results if one.final):
        seeds = scores_of_seeds(folder, recipe, models[recipe.number][0]) if recipe.number in models else None
        if seeds is None:
            return False
        models[recipe.number] = seeds
    return True


def scores_of_seeds(folder: SweepFolder, recipe: Result, own: RowScores) -> list[RowScores] | None:
    """The scores of a recipe with the search's seed, its `own`, and with all others; None where any are not kept."""
    found = [own]
    for finalist in (one for one in recipe.finalists if has_value(one)):
        try:
            scores = load_scores(scores_file(folder.finalists, finalist.number), finalist.scores_digest or "")
        except RecordError:
            return None
        if (scores.rows, scores.kind) != (own.rows, own.kind):
            return None
        found.append(scores)
    return found


def _chosen_by(
    results: Sequence[Result], found: Mapping[int, RowScores], seeds: int, objective: Objective
) -> FirstChoice:
    """What finalists were chosen by: the complete trials of the search of which there are scores of rows."""
    search = [one for one in results if one.number in found and one.state is TrialState.COMPLETE]
    scores = scores_matrix([[found[one.number]] for one in search], objective)
    return first_choice(scores, search, [one.number for one in search if one.final], seeds, objective)


def first_choice(
    scores: Scores, search: Sequence[Result], finalists: Sequence[int], seeds: int, objective: Objective
) -> FirstChoice:
    """That the finalists, numbers of trials, were chosen among these trials by these scores."""
    import numpy as np

    from keras_sweep.honest.two_choices import FirstChoice

    numbers = [one.number for one in search]
    errors = np.array([one.stderr or 0.0 for one in search])
    unsteady = np.array([unsteadiness(one, objective) for one in search])
    return FirstChoice(scores, errors, unsteady, [numbers.index(one) for one in finalists], seeds)


def _loaded(folder: SweepFolder, expected: Sequence[Result], best: Result) -> dict[int, RowScores]:
    """The scores on disk by trial, in the order of their numbers; those that are damaged are left out."""
    found = {}
    for result in expected:
        try:
            found[result.number] = load_scores(scores_file(folder, result.number), result.scores_digest or "")
        except RecordError:
            continue
    own = found.get(best.number)
    if own is None:
        return {}
    outputs = own.kind is Kind.OUTPUTS
    alike = {number: one for number, one in found.items() if one.rows == own.rows}
    return {number: one for number, one in alike.items() if (one.kind is Kind.OUTPUTS) == outputs}


def scores_matrix(models: Sequence[Sequence[RowScores]], objective: Objective) -> Any:
    """All scores as the statistics take them: larger is better. Of a model with several seeds it is their mean."""
    import numpy as np

    from keras_sweep.honest.metrics import METRICS
    from keras_sweep.honest.scores import Floats, MeanScores, Metric, MetricScores

    sign = 1.0 if objective.goal is Goal.MAXIMIZE else -1.0
    if models[0][0].kind is not Kind.OUTPUTS:
        rows = [np.mean([one.values() for one in seeds], axis=0, dtype=np.float32) for seeds in models]
        return MeanScores(np.float32(sign) * np.stack(rows))
    metric = METRICS[objective.name.removeprefix("val_")]

    def signed(of: Metric) -> Metric:
        def on(weights: Floats) -> Floats:
            return np.asarray(sign * of(weights))

        return on

    return MetricScores([[signed(metric(*one.arrays)) for one in seeds] for seeds in models], models[0][0].rows)


def _more(results: Sequence[Result], objective: Objective, behind: Mapping[int, Behind]) -> MoreTrials | None:
    from keras_sweep.honest.ties import more_trials

    values = [-objective.key(one.value) for one in results if can_win(one, objective) and one.value is not None]
    return more_trials(values, behind)


def _digest(facts: Facts, results: Sequence[Result]) -> str:
    """Of all that the comparison depends on."""
    objective = facts.objective
    about = [(VERSION, repr(objective), objective.take_best, facts.seed, facts.exhausted)]
    trials = [(order_key(one, objective), *_facts(one), *map(_facts, one.finalists)) for one in results]
    return hashlib.sha256(repr((about, trials)).encode()).hexdigest()


def _facts(result: Result) -> tuple[object, ...]:
    return result.state, result.value, result.stderr, result.engine, result.scores_digest
