"""`search`, `early_terminate`, `finalists`, `finish`: who asks for trials, when poor ones stop, what follows."""

from __future__ import annotations

from keras_sweep.search.engines import ENGINES
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import EarlyTerminate, Finalists, Finish, SearchSettings
from keras_sweep.space.text import did_you_mean, joined, quoted
from keras_sweep.space_file.fault_list import FaultList
from keras_sweep.space_file.file_model import EarlyTerminateSection, SearchSection


def search_of(faults: FaultList) -> SearchSettings | None:
    """What `search` says, over the defaults; None with its faults noted."""
    if not faults.has("search"):
        return SearchSettings()
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


def finalists_of(faults: FaultList, space: SearchSpace | None) -> Finalists | None:
    """What `finalists` says, over the defaults; None where it says none, where trials differ in their seeds anyway, or
    with its faults noted."""
    path = ("finalists",)
    given = faults.root.at(*path).plain if faults.has("finalists") else {}
    if given == "none":
        return None
    if isinstance(given, str):
        faults.fault(path, f"must be a map with `top`, `seeds`, or none, but got {quoted(given)}")
        return None
    found = Finalists() if given == {} else faults.section(Finalists, path)
    if space is not None and "seed" in (*space.constants, *(parameter.name for parameter in space.parameters)):
        if given:
            faults.warn(path, "there are none, since `seed` is a parameter")
        return None
    return found


def finish_of(faults: FaultList) -> Finish:
    """What `finish` says, over the defaults; those alone where its faults are noted."""
    return (faults.section(Finish, ("finish",)) if faults.has("finish") else None) or Finish()


def early_terminate_of(faults: FaultList) -> EarlyTerminate | None:
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
        faults.fault(
            (*path, "max_iter"),
            f"must be a multiple of eta**s = {quoted(last_to_first)}, but got {quoted(section.max_iter)}",
            "or give `min_iter`, the epochs before the first rung",
        )
        return None
    return EarlyTerminate("hyperband", least, section.eta)
