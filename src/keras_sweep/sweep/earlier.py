"""Trials of an earlier sweep, or of another program, as the beginning of a sweep: its sampler learns from them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import find
from keras_sweep.space.distributions import Value, normalize_value
from keras_sweep.space.search_space import Parameter, Params, SearchSpace
from keras_sweep.space.spec_diff import describe_computation, flat_spec
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import join, pluralize
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.ranking import IMPORTED
from keras_sweep.trial.result import Result


def earlier_trials(spec: SweepSpec, fingerprint: str, sweeps: Path | None, emit: Listener) -> list[Result]:
    """Of the sweep that `search.learn_from` names, if it does, the trials that fit this one, as imported ones.

    It is in the folder `sweeps`, or at a path from the space file's. `fingerprint` is of the rows of training and
    validation: no search may learn from what are test rows now.

    Raises UsageError: there is no such sweep, it had other rows or goals, or no trial fits; RecordError.
    """
    if not (named := spec.search.learn_from):
        return []
    folder = find(Path(named).name, sweeps if Path(named).name == named else spec.folder / Path(named).parent)
    sweep = RecordedSweep.read(folder)
    facts, results = sweep.facts, sweep.results
    what = f"search.learn_from: the sweep {folder.name!r}"
    was, now = (
        join([f"{one.goal} {one.name}{describe_computation(flat, one.name)}" for one in (goal, *goal.further)], "and")
        for goal, flat in ((facts.objective, facts.spec or {}), (spec.objective, flat_spec(spec)))
    )
    if was != now:
        raise UsageError(f"{what} was run to {was}, and this one is to {now}", hint="Give both the same `metric`")
    if facts.fingerprint != fingerprint:
        hint = "Give both the same `data` and `split`"
        raise UsageError(f"{what} had other rows, of which some may be test rows now", hint=hint)
    engine = f"{IMPORTED}{folder.name}"
    kept, notes = fitting(spec.space, (replace(one, engine=engine, finalists=(), final=False) for one in results))
    if not kept:
        raise UsageError(f"{what} has no trial that fits this search", hint="; ".join(notes))
    guide = (
        f"{pluralize(len(kept), 'trial')} of {folder.name!r} guide the search, beside its own {spec.search.trials:,}"
    )
    for text in (guide, *notes):
        emit(Noticed(text))
    return kept


def fitting(space: SearchSpace, results: Iterable[Result]) -> tuple[list[Result], list[str]]:
    """Those that could be trials of the space, as such, renumbered from 0; and of how many others why they are not.

    Names stay as they are, or get `model.` before them where the space knows them so. Constants of the space that a
    trial says nothing of are taken to have held.
    """
    kept: list[Result] = []
    numbers: dict[int, int] = {}
    left_out: Counter[str] = Counter()
    for result in results:
        try:
            params = _params_in(space, result.params)
        except ValueError as misfit:
            left_out[str(misfit)] += 1
            continue
        numbers[result.number] = len(kept)
        before = result.suggestion.continues
        continues = numbers.get(before) if before is not None else None
        suggestion = replace(result.suggestion, number=len(kept), params=params, generation=0, continues=continues)
        kept.append(replace(result, suggestion=suggestion))
    return kept, [
        f"left out: {pluralize(count, 'trial')}, since {misfit}" for misfit, count in sorted(left_out.items())
    ]


def _params_in(space: SearchSpace, given: Params) -> Params:
    """A trial's values as the space has them. Raises ValueError that says why they are none of its."""
    known = set(space.names)
    renamed = {
        name if name in known or f"model.{name}" not in known else f"model.{name}": given[name] for name in given
    }
    for name, constant in space.constants.items():
        if renamed.setdefault(name, constant) != constant:
            raise ValueError(f"`{name}` is {renamed[name]!r}, not {constant!r}")

    def value_of(parameter: Parameter) -> Value:
        if parameter.name not in renamed:
            raise ValueError(f"there is no `{parameter.name}`")
        value = normalize_value(parameter.distribution, renamed[parameter.name])
        if not parameter.distribution.contains(value):
            raise ValueError(f"`{parameter.name}` is outside of the space")
        return value

    params = space.assign_values(value_of)
    if not space.allows(params):
        raise ValueError("it breaks `where`")
    if unknown := sorted(set(renamed) - set(params)):
        raise ValueError(f"the space has no `{unknown[0]}`")
    return params
