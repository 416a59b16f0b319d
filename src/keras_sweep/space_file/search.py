"""`search`, `early_terminate`, `finalists`: who asks for trials, when poor ones stop, and what is likely a slip."""

from __future__ import annotations

import math

from keras_sweep.search.engines import ENGINES
from keras_sweep.space.distributions import Categorical, Float
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import EarlyTerminate, Finalists, SearchSettings
from keras_sweep.space.text import counted, did_you_mean, joined, quoted
from keras_sweep.space_file.faults import Faults
from keras_sweep.space_file.sections import EarlyTerminateSection, SearchSection

OR_MIN_ITER = "or give `min_iter`, the epochs before the first rung"


def search_of(faults: Faults) -> SearchSettings | None:
    """What `search` says, over the defaults; None with its faults noted."""
    hints = {"method": "here it is `sampler`", "run_cap": "here it is `trials`"}
    section = faults.section(SearchSection, ("search",), hints, optional=("trials", "seed", "generation"))
    if section is None:
        return None
    samplers = ENGINES[section.engine]
    sampler = section.sampler or next(iter(samplers))
    if sampler not in samplers:
        elsewhere = [engine for engine, names in ENGINES.items() if sampler in names]
        hint = f"`engine: {elsewhere[0]}` has it" if elsewhere else did_you_mean(sampler, samplers)
        rule = f"must be one of {joined(samplers)} with {section.engine}, but got {quoted(sampler)}"
        faults.fault(("search", "sampler"), rule, hint)
        return None
    return SearchSettings(section.engine, sampler, section.trials, section.seed, section.generation)


def early_terminate_of(faults: Faults) -> EarlyTerminate | None:
    """What `early_terminate` says; None where it is left out, or with its faults noted."""
    path = ("early_terminate",)
    if not faults.has("early_terminate") or faults.root.at(*path).value is None:
        return None
    section = faults.section(EarlyTerminateSection, path, {"strict": "leave it out: poor trials always stop"})
    if section is None:
        return None
    if section.max_iter is None and section.s is None:
        return EarlyTerminate(section.type, section.min_iter, section.eta)
    min_iter_given = "min_iter" in faults.root.at(*path).plain
    if section.type != "hyperband" or min_iter_given or section.max_iter is None or section.s is None:
        faults.fault(path, "`max_iter` goes with `s` and `type: hyperband`, instead of `min_iter`")
        return None
    # W&B puts s rungs at max_iter / eta, max_iter / eta**2, ...: the same as counting up from the least of them
    last_to_first = section.eta ** min(section.s, 64)
    least, rest = divmod(section.max_iter, last_to_first)
    if least < 1 or rest:
        rule = f"must be a multiple of eta**s = {quoted(last_to_first)}, but got {quoted(section.max_iter)}"
        faults.fault((*path, "max_iter"), rule, OR_MIN_ITER)
        return None
    return EarlyTerminate("hyperband", least, section.eta)


def finalists_of(faults: Faults, space: SearchSpace | None) -> Finalists | None:
    """What `finalists` says, over the defaults; None where it says none, where trials differ in their seeds anyway, or
    with its faults noted."""
    path = ("finalists",)
    given = faults.root.at(*path).plain if faults.has("finalists") else {}
    if given == "none":
        return None
    if isinstance(given, str):
        faults.fault(path, f"must be a map with `top`, `seeds`, or none, but got {quoted(given)}")
        return None
    found = faults.section(Finalists, path)
    if space is not None and "seed" in (*space.constants, *(parameter.name for parameter in space.parameters)):
        if given:
            faults.warn(path, "there are none, since `seed` is a parameter")
        return None
    return found


def warn_about_search(
    faults: Faults, space: SearchSpace, search: SearchSettings, early: EarlyTerminate | None, *, whole: bool
) -> None:
    """Note the warnings. `whole`: the model adds no hyperparameters of its own to the space, as a HyperModel does."""
    if whole and search.trials > space.size:
        points = f"the space's {counted(int(space.size), 'point')}"
        faults.warn(("search", "trials"), f"{counted(search.trials, 'trial')} are more than {points}")
    for parameter in space.parameters:
        path, drawn = ("parameters", parameter.name), parameter.distribution
        if search.sampler == "grid" and isinstance(drawn, Float) and drawn.size == math.inf:
            faults.warn(path, "a grid cuts a continuous range into a few values; give `values`, or a `q`")
        if isinstance(drawn, Categorical) and drawn.probabilities is not None and search.sampler != "random":
            faults.warn((*path, "probabilities"), f"only `sampler: random` draws by them, `{search.sampler}` does not")
    if early is not None:
        _warn_about_rungs(faults, space, search, early)


def _warn_about_rungs(faults: Faults, space: SearchSpace, search: SearchSettings, early: EarlyTerminate) -> None:
    most = _most_epochs(space)
    end = faults.root.at("early_terminate", "max_iter").value
    if most is not None and isinstance(end, int) and end < most:  # W&B has no rung at or after it
        faults.fault(
            ("early_terminate", "max_iter"),
            f"must not be below the most epochs, {most}, but got {end}",
            OR_MIN_ITER,
        )
    if most is not None and early.min_iter >= most:
        faults.warn(
            ("early_terminate",), f"never stops a trial: `min_iter` {early.min_iter} is not below {most} epochs"
        )
    if search.sampler == "hyperband":
        faults.warn(("early_terminate",), "`sampler: hyperband` has rungs of its own")


def _most_epochs(space: SearchSpace) -> int | None:
    """The most epochs of a trial; None where they depend on other parameters."""
    values: tuple[object, ...] = (space.constants.get("epochs"),)
    for parameter in space.parameters:
        if parameter.name == "epochs" and not parameter.when:
            drawn = parameter.distribution
            values = drawn.choices if isinstance(drawn, Categorical) else (drawn.high,)
    return max((value for value in values if isinstance(value, int)), default=None)
