"""The numbers of a card beside those that its model gives, compared with the sweep's record or the model's file."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from keras_sweep.record.facts import Facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.sweep.card import is_card_of, refit_record, seeds_record, test_record, validation_record
from keras_sweep.trial.result import Result

ELSEWHERE = frozenset({"sweep", "open", "sha256", "data"})  # by which is found what to look at
RELATIVE = 1e-6  # float32 in an optimizer; sums of a bootstrap on another processor


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a card says beside its scores."""

    name: str  # "params.learning_rate"
    card: Any
    known: Any  # None where it is not there
    by: str  # who knows: "record", "file"

    @property
    def matches(self) -> bool:
        """Whether both are the same, numbers to rounding."""
        both = (self.card, self.known)
        if all(isinstance(one, int | float) and -1e300 < one < 1e300 for one in both):
            return math.isclose(*both, rel_tol=RELATIVE)
        return bool(self.card == self.known)


def card_facts(
    card: Mapping[str, Any], home: RecordedSweep | None, model: Any, seen: Sequence[str]
) -> tuple[list[Fact], list[str], str]:
    """Compare the scores, the parameters, the seed and the estimate of a card with the sweep's record.

    Without a record the optimizer of `model` knows some parameters; `model` is None where the trial's optimizer is not
    in the file. `seen` are the scores, as the card's leaves, that came out of the model.

    Returns:
        What was compared, what was not looked at, and why the record did not help.
    """
    known, why = ({}, "its sweep is not here") if home is None else _of_record(card, home)
    facts = [fact for name, value in known.items() for fact in _facts(name, card.get(name), value)]
    if not known and model is not None:
        config = {**model.optimizer.get_config(), "optimizer": type(model.optimizer).__name__.lower()}
        in_file = {name: config.get(name) for name in card["params"] if isinstance(config.get(name), int | float | str)}
        facts = [Fact(f"params.{name}", card["params"][name], value, "file") for name, value in in_file.items()]
    done = {fact.name for fact in facts} | set(seen)
    unseen = []
    for name in (one for one in card if one not in ELSEWHERE):
        said = [leaf for leaf, value in _leaves(name, card[name]) if value is not None]
        left = [leaf for leaf in said if leaf not in done]
        unseen += [name] if said and left == said else left
    return facts, unseen, why


def _of_record(card: Mapping[str, Any], home: RecordedSweep) -> tuple[dict[str, Any], str]:
    """What the record knows of a card's training, the one that has the card's scores; {} and why, if there is none."""
    facts, trials = home.facts, len(home.results)
    trained = [one for result in home.results for one in (result, *result.finalists)]
    alike = [one for one in trained if _is_of(card, one, facts)]
    if not alike:
        return {}, "no trial of the sweep of that name here has the card's scores"
    of = next((one for one in alike if is_card_of(card, one, facts.seed)), alike[0])
    known = {
        "trial": of.recipe,
        "params": dict(of.params),
        "seed": of.params.get("seed", facts.seed),
        "validation": validation_record(of),
    }
    if home.objective.further:
        known["goals"] = {goal.name: of.goal(goal.name) for goal in home.objective.further}
    if (refit := facts.refit_of(of)) is not None:  # else it was trained on all rows for its export
        known["refit"] = refit_record(refit)
    test, said = test_record(facts, of), card.get("test")
    if test and said:
        more = _less(said.get("looks"), test["looks"])  # there were more since
        known["test"] = {**test, "looks": said["looks"]} if more else test
    if _less(card.get("trials"), trials):  # which move what the card says of all trials
        return known, "the sweep has more trials now"
    seeds = seeds_record(home.results[of.recipe], facts.seed)
    estimate = home.comparison.estimate if home.comparison.best == of.recipe else None
    return {**known, **seeds, "trials": trials, "estimate": estimate and asdict(estimate)}, ""


def _is_of(card: Mapping[str, Any], training: Result, facts: Facts) -> bool:
    """Whether a training has the scores of a card, those of its validation or of its refit."""
    refit = facts.refit_of(training)
    refitted = refit is not None and refit_record(refit) == card.get("refit")
    return refitted or validation_record(training) == card.get("validation")


def _less(said: object, known: int) -> bool:
    return type(said) is int and 0 < said < known


def _facts(name: str, card: Any, known: Any) -> Iterator[Fact]:
    """Each leaf of what a card says under a name, beside what is known."""
    said, there = dict(_leaves(name, card)), dict(_leaves(name, json.loads(json.dumps(known))))
    for leaf in said | there:
        yield Fact(leaf, said.get(leaf), there.get(leaf), "record")


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Names with dots, and values that are no maps."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner)
    else:
        yield name, value
