"""The trials of a sweep against its winner, on the rows that they were all scored on.

It is computed once, at the end of a run, and kept beside the scores under a digest of the trials that it is of, so that
a reader has it at once and never another's. The record holds the digest of what is kept: where the file was altered
since, and of a sweep that runs or was cut short, the comparison is computed from the scores when it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trial that could have won, with its scores on the rows."""

    trial: Result
    seeds: Sequence[RowScores]  # with the search's seed first, then with those of its finalists


def compared(folder: SweepFolder, facts: Facts, results: Sequence[Result]) -> Comparison:
    """The winner against all trials that could have won; those without scores are compared by their values alone."""
    objective = facts.objective
    by_value = marginal(results, objective)
    best = winner(results, objective)
    candidates = _candidates(folder, results, best, objective) if best is not None and best.scores_digest else None
    if best is None or candidates is None:
        return by_value
    import numpy as np

    from keras_sweep.honest.estimate import corrected
    from keras_sweep.honest.ties import paired_ties

    seed = facts.seed % 2**64
    share = objective.is_share
    models = [one.seeds for one in candidates]
    mean, first = _place(best, candidates), len(candidates)
    # A mean over seeds is compared with the winner's mean, a single seed with the winner's first seed, the last row.
    against = [mean if one.trial.final is best.final else first for one in candidates]
    scores = scores_matrix([*models, models[mean][:1]], objective)
    _, errors, ties = paired_ties(scores, np.array([*against, first]), seed, share=share)
    among = [one for one in candidates if one.trial.final] or candidates
    naive = score(best)[0]
    assert naive is not None
    estimate = corrected(
        scores_matrix([one.seeds for one in among], objective),
        _place(best, among),
        seed,
        naive=naive,
        share=share,
        maximize=objective.goal is Goal.MAXIMIZE,
        after=_chosen_by(candidates, len(models[mean]), objective) if best.final else None,
    )
    behind = dict(by_value.behind)
    for one, error, tie in zip(candidates, errors[:-1], ties[:-1], strict=True):
        number = one.trial.number
        if number in behind:
            stderr = float(error) if number != best.number and error >= 0 else None  # NaN where none is known
            behind[number] = Behind(behind[number].behind, stderr, bool(tie))
    more = None if facts.exhausted == len(results) else _more(results, objective, behind)
    return Comparison(best.number, estimate, with_company(behind), PAIRED, models[mean][0].rows, more)


def _candidates(
    folder: SweepFolder, results: Sequence[Result], best: Result, objective: Objective
) -> list[Candidate] | None:
    """The trials whose scores are kept, in the order of their numbers: an order by rank would favour the best.

    None where too few are kept: not the winner's, under half of all, or not those of every finalist that decides.
    """
    expected = with_scores(results, objective, best=MOST_COMPARED)
    loaded = []
    for trial in expected:
        with suppress(RecordError):  # damaged, or lost: the others are compared
            loaded.append(Candidate(trial, [load_scores(scores_file(folder, trial.number), trial.scores_digest or "")]))
    own = next((one.seeds[0] for one in loaded if one.trial.number == best.number), None)
    if own is None:
        return None
    of_outputs = own.kind is Kind.OUTPUTS
    alike = [one for one in loaded if one.seeds[0].rows == own.rows]
    alike = [one for one in alike if (one.seeds[0].kind is Kind.OUTPUTS) == of_outputs]
    decide = {one.number for one in results if one.final and best.final}
    if 2 * len(alike) < len(expected) or not decide <= {one.trial.number for one in alike}:
        return None
    candidates = []
    for one in alike:
        seeds = scores_of_seeds(folder, one.trial, one.seeds[0]) if one.trial.number in decide else one.seeds
        if seeds is None:
            return None
        candidates.append(Candidate(one.trial, seeds))
    return candidates


def _place(best: Result, among: Sequence[Candidate]) -> int:
    return [one.trial.number for one in among].index(best.number)


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


def _chosen_by(candidates: Sequence[Candidate], seeds: int, objective: Objective) -> FirstChoice:
    """What finalists were chosen by: the complete trials of the search of which there are scores of rows."""
    search = [one for one in candidates if one.trial.state is TrialState.COMPLETE]
    trials = [one.trial for one in search]
    scores = scores_matrix([one.seeds[:1] for one in search], objective)
    return first_choice(scores, trials, [one.number for one in trials if one.final], seeds, objective)


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
