"""Check the keys of a card that no evaluation can check, against the sweep's record or the model's file."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras_sweep.record.facts import Facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.sweep.card import is_card_of, refit_record, training_record, validation_record
from keras_sweep.trial.result import Result

# `verify_model` checks these keys itself: they name the sweep, the file and the rows.
ELSEWHERE = frozenset({"sweep", "open", "sha256", "data"})
RELATIVE = 1e-6  # float32 in an optimizer, or a bootstrap on another processor


@dataclass(frozen=True, slots=True)
class Fact:
    """A value in a card, beside the value for the same key in the sweep's record or in the model's file."""

    name: str  # "params.learning_rate"
    card: Any
    known: Any  # None if missing
    by: str  # where `known` is from: "record" or "file"

    @property
    def matches(self) -> bool:
        """Whether the card's value equals the known value. Two numbers may have a relative difference of 1e-6."""
        both = (self.card, self.known)
        if all(isinstance(value, int | float) and -1e300 < value < 1e300 for value in both):
            return math.isclose(*both, rel_tol=RELATIVE)
        return bool(self.card == self.known)


def compare_card_facts(
    card: Mapping[str, Any], home: RecordedSweep | None, model: Any, seen: Sequence[str]
) -> tuple[list[Fact], list[str], str]:
    """Compare the scores, parameters, seed and estimate of a card with the sweep's record.

    Return (compared values, keys that were not checked, why the record did not check all keys or "").

    Args:
        home: the sweep of the card; None if the sweep is not available
        model: the opened model, whose optimizer is compared if the record lacks the trial; None: not compared
        seen: keys that the model's evaluation has checked already ("validation.val_loss")
    """
    known, why = ({}, "the card's sweep is not available") if home is None else _find_recorded(card, home)
    facts = [fact for name, value in known.items() for fact in _compare_values(name, card.get(name), value)]
    if not known and model is not None:
        config = {**model.optimizer.get_config(), "optimizer": type(model.optimizer).__name__.lower()}
        in_file = {name: config.get(name) for name in card["params"] if isinstance(config.get(name), int | float | str)}
        facts = [Fact(f"params.{name}", card["params"][name], value, "file") for name, value in in_file.items()]
    checked = {fact.name for fact in facts} | set(seen)
    unseen = []
    for name in (key for key in card if key not in ELSEWHERE):
        filled = [leaf for leaf, value in _flatten(name, card[name]) if value is not None]
        unchecked = [leaf for leaf in filled if leaf not in checked]
        unseen += [name] if filled and unchecked == filled else unchecked
    return facts, unseen, why


def _find_recorded(card: Mapping[str, Any], home: RecordedSweep) -> tuple[dict[str, Any], str]:
    """Find a card's trial or finalist in its sweep. Return ({card key: recorded value}, why keys are missing or "")."""
    facts, trials = home.facts, len(home.results)
    trainings = [training for result in home.results for training in (result, *result.finalists)]
    candidates = [training for training in trainings if _has_scores_of(card, training, facts)]
    if not candidates:
        return {}, f"no trial of the sweep {home.folder.name!r} has the scores of the card"
    match = next((training for training in candidates if is_card_of(card, training, facts.seed)), candidates[0])
    known = training_record(home, match, facts.refit_of(match))
    if known["refit"] is None:  # `sweep export` refit the model for the file
        del known["refit"]
    test, card_test = known.pop("test"), card.get("test")
    if test and card_test:
        has_more_looks = _is_count_below(card_test.get("looks"), test["looks"])
        known["test"] = {**test, "looks": card_test["looks"]} if has_more_looks else test
    if _is_count_below(card.get("trials"), trials):  # new trials change the estimate and the scores over seeds
        changing = ("trials", "seeds", "estimate")
        return {name: known[name] for name in known if name not in changing}, "the sweep has more trials now"
    return known, ""


def _has_scores_of(card: Mapping[str, Any], training: Result, facts: Facts) -> bool:
    refit = facts.refit_of(training)
    has_refit = refit is not None and refit_record(refit) == card.get("refit")
    return has_refit or validation_record(training) == card.get("validation")


def _is_count_below(value: object, known: int) -> bool:
    return type(value) is int and 0 < value < known


def _compare_values(name: str, card: Any, known: Any) -> Iterator[Fact]:
    in_card, in_record = dict(_flatten(name, card)), dict(_flatten(name, json.loads(json.dumps(known))))
    for leaf in in_card | in_record:
        yield Fact(leaf, in_card.get(leaf), in_record.get(leaf), "record")


def _flatten(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flatten(f"{name}.{key}", inner)
    else:
        yield name, value
