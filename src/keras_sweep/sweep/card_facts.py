"""What a card says beside its scores, compared with the rows, the sweep's record and the model's file."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import SweepError
from keras_sweep.process.backend import KERAS_CONFIG
from keras_sweep.record.facts import Facts
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.sweep.card import card_text, data_record, is_card_of, model_card, refit_record, validation_record
from keras_sweep.sweep.comparison import RecordedSweep
from keras_sweep.sweep.recorded import unfollowed_spec
from keras_sweep.trial.events import Refit
from keras_sweep.trial.result import Result

ELSEWHERE = frozenset({"sweep", "open", "sha256"})  # by which is found what to look at
OF_ALL_TRIALS = frozenset({"trials", "seeds", "estimate"})  # which other trials move
RELATIVE = 1e-6  # float32 in an optimizer; sums of a bootstrap on another processor


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a card says beside its scores."""

    name: str  # "params.learning_rate"
    card: Any
    known: Any  # None where it is not there
    by: str  # who knows: "rows", "record", "file"

    @property
    def matches(self) -> bool:
        """Whether both are the same, numbers to rounding."""
        both = (self.card, self.known)
        if all(isinstance(one, int | float) and -1e300 < one < 1e300 for one in both):
            return math.isclose(*both, rel_tol=RELATIVE)
        return bool(self.card == self.known)


def card_facts(
    card: Mapping[str, Any],
    spec: SweepSpec,
    data: SearchData,
    own: SearchData,
    home: RecordedSweep | None,
    model: Any,
    seen: Sequence[str],
) -> tuple[list[Fact], list[str], str]:
    """Compare all that can be known; returns it, what was not looked at, and why the record did not help.

    `own` are the rows that the model was trained on, `seen` the scores, as the card's leaves, that came out of it.
    """
    facts = list(_facts("data", card.get("data"), data_record(spec, data), "rows"))
    if card.get("test"):
        facts.append(Fact("test.rows", card["test"].get("rows"), data.test_rows, "rows"))
    if card.get("refit"):
        facts.append(Fact("refit.rows", card["refit"]["rows"], len(own.train), "rows"))
    known, why = (None, "its sweep is not here") if home is None else _of_record(card, data, home)
    for name, value in (known or {}).items():
        facts += _facts(name, card.get(name), value, "record")
    if "parameters" in card.get("goals", {}) and data.preprocessing is None and not data.folds:
        facts.append(Fact("goals.parameters", card["goals"]["parameters"], model.count_params(), "file"))
    if known is None and data.preprocessing is None:  # which is compiled without the trial's optimizer
        config = {**model.optimizer.get_config(), "optimizer": type(model.optimizer).__name__.lower()}
        in_file = {name: config.get(name) for name in card["params"] if isinstance(config.get(name), int | float | str)}
        facts += [Fact(f"params.{name}", card["params"][name], value, "file") for name, value in in_file.items()]
    done = {fact.name for fact in facts} | set(seen)
    unseen = []
    for name in (one for one in card if one not in ELSEWHERE):
        said = [leaf for leaf, value in _leaves(name, card[name]) if value is not None]
        left = [leaf for leaf in said if leaf not in done]
        unseen += [name] if said and left == said else left
    return facts, unseen, why


def _of_record(card: Mapping[str, Any], data: SearchData, home: RecordedSweep) -> tuple[dict[str, Any] | None, str]:
    """What the record knows of a card's training, the one that has the card's scores; or why it knows nothing."""
    facts = home.facts
    try:
        spec = unfollowed_spec(facts, str(card["sweep"]), home.folder)
    except SweepError as error:
        return None, f"its record can't be used: {error.message}"
    trained = [one for result in home.results for one in (result, *result.finalists)]
    alike = [one for one in trained if _is_of(card, one, facts)]
    if not alike:
        return None, "no trial of the sweep of that name here has the card's scores"
    of = next((one for one in alike if is_card_of(card, one, facts.seed)), alike[0])
    refit = facts.refit_of(of)
    if said := card.get("refit") if refit is None else None:  # it was trained on all rows for its export
        refit = Refit(of.recipe, of.finalist_seed, of.epoch or of.epochs, said["rows"], said["scores"], "")
    known = json.loads(card_text(model_card(home, spec, of, data, opening="", refit=refit)))
    known[KERAS_CONFIG] = facts.keras_config
    said, test = card.get("test"), known["test"]
    if said and test and _less(said.get("looks"), test["looks"]):
        test["looks"] = said["looks"]  # there were more since
    left_out = {*ELSEWHERE, "data", "versions", "created"}
    left_out |= {name for one in spec.own for name in (one, f"{one.replace('metrics', 'metric')}_arguments")}
    left_out |= {"outputs"} if spec.own else set()
    there = {"test": said and test, KERAS_CONFIG: known[KERAS_CONFIG]}
    left_out |= {name for name, value in there.items() if not value}
    why = ""
    if _less(card.get("trials"), known["trials"]):
        left_out |= OF_ALL_TRIALS
        why = "the sweep has more trials now"
    return {name: value for name, value in known.items() if name not in left_out}, why


def _is_of(card: Mapping[str, Any], training: Result, facts: Facts) -> bool:
    """Whether a training has the scores of a card, those of its validation or of its refit."""
    refit = facts.refit_of(training)
    refitted = refit is not None and refit_record(refit) == card.get("refit")
    return refitted or validation_record(training) == card.get("validation")


def _less(said: object, known: int) -> bool:
    return type(said) is int and 0 < said < known


def _facts(name: str, card: Any, known: Any, by: str) -> Iterator[Fact]:
    """Each leaf of what a card says under a name, beside what is known."""
    said, there = dict(_leaves(name, card)), dict(_leaves(name, json.loads(json.dumps(known))))
    for leaf in said | there:
        yield Fact(leaf, said.get(leaf), there.get(leaf), by)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Names with dots, and values that are no maps."""
    if name == "data.source":  # by which the rows were found
        return
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner)
    else:
        yield name, value
