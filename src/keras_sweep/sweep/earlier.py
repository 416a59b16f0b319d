"""Start a sweep with the trials of an earlier sweep or of another program. The sampler learns from these trials."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from keras_sweep.errors import UsageError
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import find
from keras_sweep.space.distributions import Value, normalize_value
from keras_sweep.space.search_space import Parameter, Params, SearchSpace
from keras_sweep.space.spec_diff import describe_computation, flatten_spec
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import join, pluralize
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.ranking import IMPORTED
from keras_sweep.trial.result import Result


def load_earlier_trials(spec: SweepSpec, fingerprint: str, sweeps: Path | None, emit: Listener) -> list[Result]:
    """Load the trials of the sweep in `search.learn_from` that fit this sweep. Without this key return [].

    The key names a sweep in the folder `sweeps` (None: the default folder), or is a path relative to the space file.
    `fingerprint` is the digest of this sweep's training and validation rows: a search must not learn from rows that are
    test rows now. Raises UsageError if the earlier sweep is missing, had other rows or goals, or has no trial that
    fits. Raises RecordError if the earlier sweep's record can't be read.
    """
    if not (source := spec.search.learn_from):
        return []
    folder = find(Path(source).name, sweeps if Path(source).name == source else spec.folder / Path(source).parent)
    sweep = RecordedSweep.read(folder)
    facts, results = sweep.facts, sweep.results
    where = f"search.learn_from: the sweep {folder.name!r}"
    theirs, ours = (
        join([f"{goal.goal} {goal.name}{describe_computation(flat, goal.name)}" for goal in (top, *top.further)], "and")
        for top, flat in ((facts.objective, facts.spec or {}), (spec.objective, flatten_spec(spec)))
    )
    if theirs != ours:
        message = f"{where} was run to {theirs}, but this sweep is run to {ours}"
        raise UsageError(message, hint="Use the same `metric` in both space files")
    if facts.fingerprint != fingerprint:
        hint = "Use the same `data` and `split` in both space files"
        raise UsageError(f"{where} had other rows: some of them may be test rows now", hint=hint)
    engine = f"{IMPORTED}{folder.name}"
    trials = (replace(r, engine=engine, finalists=(), final=False) for r in results)
    fit, notes = select_fitting(spec.space, trials, where)
    guide = f"the search learns from {pluralize(len(fit), 'trial')} of {folder.name!r}"
    for text in (f"{guide}, before its own {spec.search.trials:,}", *notes):
        emit(Noticed(text))
    return fit


def select_fitting(space: SearchSpace, results: Iterable[Result], where: str) -> tuple[list[Result], list[str]]:
    """Select the trials that fit the space. Return (trials numbered from 0, notes why other trials were skipped). For
    example, a trial's `units` is renamed to `model.units` if the space has this name but no `units`. If a trial lacks a
    constant of the space, the constant is added. Raises UsageError, which names the source `where`, if no trial fits.
    """
    fitting: list[Result] = []
    numbers: dict[int, int] = {}
    skipped: Counter[str] = Counter()
    for result in results:
        try:
            params = _fit_params(space, result.params)
        except ValueError as problem:
            skipped[str(problem)] += 1
            continue
        numbers[result.number] = len(fitting)
        continued = result.suggestion.continues
        continues = numbers.get(continued) if continued is not None else None
        suggestion = replace(result.suggestion, number=len(fitting), params=params, generation=0, continues=continues)
        fitting.append(replace(result, suggestion=suggestion))
    notes = [f"skipped {pluralize(count, 'trial')}: {problem}" for problem, count in sorted(skipped.items())]
    if not fitting:
        hint = "; ".join(("Change `parameters`", *notes))
        raise UsageError(f"{where} has no trial that fits the space", hint=hint)
    return fitting, notes


def _fit_params(space: SearchSpace, recorded: Params) -> Params:
    """Return the recorded values under the names in the space. If they don't fit, raise ValueError with the reason."""
    known = set(space.names)
    renamed = {
        name if name in known or f"model.{name}" not in known else f"model.{name}": recorded[name] for name in recorded
    }
    for name, constant in space.constants.items():
        if renamed.setdefault(name, constant) != constant:
            raise ValueError(f"`{name}` is {renamed[name]!r}, not {constant!r}")

    def find_value(parameter: Parameter) -> Value:
        if parameter.name not in renamed:
            raise ValueError(f"`{parameter.name}` is missing")
        value = normalize_value(parameter.distribution, renamed[parameter.name])
        if not parameter.distribution.contains(value):
            raise ValueError(f"`{parameter.name}` is outside the space")
        return value

    params = space.assign_values(find_value)
    if not space.allows(params):
        raise ValueError("`where` forbids it")
    if unknown := sorted(set(renamed) - set(params)):
        raise ValueError(f"the space has no `{unknown[0]}`")
    return params
