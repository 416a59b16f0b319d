"""How search and space go together: what does not stop a sweep but is likely a slip."""

from __future__ import annotations

import math

from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import EarlyTerminate, SearchSettings
from keras_sweep.space.text import counted
from keras_sweep.space_file.fault_list import FaultList


def warn_about_search(
    faults: FaultList, space: SearchSpace, search: SearchSettings, early: EarlyTerminate | None, *, whole: bool
) -> None:
    """Note the warnings. `whole`: the model adds no hyperparameters of its own to the space, as a HyperModel does."""
    if whole and search.trials > space.size:
        points = f"the space's {counted(int(space.size), 'point')}"
        faults.warn(("search", "trials"), f"{counted(search.trials, 'trial')} are more than {points}")
    for parameter in space.parameters:
        path = ("parameters", parameter.name)
        if (
            search.sampler == "grid"
            and isinstance(parameter.distribution, Float)
            and parameter.distribution.size == math.inf
        ):
            faults.warn(path, "a grid cuts a continuous range into a few values; give `values`, or a `q`")
        if (
            isinstance(parameter.distribution, Categorical)
            and parameter.distribution.probabilities is not None
            and search.sampler != "random"
        ):
            faults.warn((*path, "probabilities"), f"only `sampler: random` draws by them, `{search.sampler}` does not")
    if early is not None:
        _warn_about_rungs(faults, space, search, early)


def _warn_about_rungs(faults: FaultList, space: SearchSpace, search: SearchSettings, early: EarlyTerminate) -> None:
    most = _most_epochs(space)
    end = faults.root.at("early_terminate", "max_iter").value
    if most is not None and isinstance(end, int) and end < most:  # W&B has no rung at or after it
        faults.fault(
            ("early_terminate", "max_iter"),
            f"must not be below the most epochs, {most}, but got {end}",
            "or give `min_iter`, the epochs before the first rung",
        )
    if most is not None and early.min_iter >= most:
        faults.warn(
            ("early_terminate",), f"never stops a trial: `min_iter` {early.min_iter} is not below {most} epochs"
        )
    if search.sampler == "hyperband":
        faults.warn(("early_terminate",), "`sampler: hyperband` has rungs of its own")


def _most_epochs(space: SearchSpace) -> int | None:
    constant = space.constants.get("epochs")
    if isinstance(constant, int):
        return constant
    for parameter in space.parameters:
        if parameter.name == "epochs" and not parameter.when:
            if isinstance(parameter.distribution, Int):
                return parameter.distribution.high
            if isinstance(parameter.distribution, Categorical):
                return max(value for value in parameter.distribution.choices if isinstance(value, int))
    return None
