"""`loss`, `metrics` and `metric`: what is trained on, recorded, and ranked by."""

from __future__ import annotations

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.text import did_you_mean, joined, quoted
from keras_sweep.space_file.fault_list import FaultList
from keras_sweep.space_file.file_model import MetricSection
from keras_sweep.space_file.keras_names import METRICS, METRICS_TO_MAXIMIZE, SAME_METRIC
from keras_sweep.space_file.value_rules import LOSS, METRIC


def loss_of(faults: FaultList) -> str | None:
    """What `loss` says; None with its fault noted."""
    if not faults.has("loss"):
        return None
    loss = faults.root.at("loss").plain
    return str(loss) if faults.fits(LOSS, ("loss",), loss) else None


def metrics_of(faults: FaultList) -> tuple[str, ...] | None:
    """What `metrics` says, () where it is left out; None with its faults noted."""
    if not faults.has("metrics"):
        return ()
    given = faults.root.at("metrics").plain
    if not isinstance(given, list):
        faults.fault(("metrics",), f"must be a list, but got {quoted(given)}", "as in `metrics: [accuracy]`")
        return None
    before = len(faults.found)
    for index, metric in enumerate(given):
        if faults.fits(METRIC, ("metrics", index), metric) and metric in given[:index]:
            faults.fault(("metrics", index), f"the metric `{metric}` is there twice")
    return tuple(given) if len(faults.found) == before else None


def objective_of(faults: FaultList, metrics: tuple[str, ...] | None) -> Objective | None:
    """What `metric` says; None with its fault noted."""
    if not faults.has("metric"):
        return None
    hints = dict.fromkeys(("target", "impute", "impute_while_running"), "leave it out")
    section = faults.section(MetricSection, ("metric",), hints, optional=("goal",))
    if section is None or metrics is None:  # which ones are recorded is not known
        return None
    name = section.name
    recorded = ("val_loss", *(f"val_{metric}" for metric in metrics))
    if name not in recorded:
        rule = f"must be one that is recorded ({joined(recorded)}), but got {quoted(name)}"
        faults.fault(("metric", "name"), rule, _near(name, recorded))
        return None
    natural = Goal.MAXIMIZE if name.removeprefix("val_") in METRICS_TO_MAXIMIZE else Goal.MINIMIZE
    goal = Goal(section.goal or natural)
    if goal is not natural:
        faults.warn(("metric", "goal"), f"`{name}` is usually {natural.value}d, not {goal.value}d")
    return Objective(name, goal)


def _near(name: str, recorded: tuple[str, ...]) -> str | None:
    """The hint for a metric that is not recorded. Keras logs a metric under the name that the file gives it by."""
    metric = name.removeprefix("val_")
    if f"val_{name}" in recorded:
        return f"did you mean `val_{name}`?"
    for names in SAME_METRIC:
        same = [f"val_{other}" for other in names if metric in names and f"val_{other}" in recorded]
        if same:
            return f"here it is recorded as `{same[0]}`"
    return f"add `{metric}` to `metrics`" if metric in METRICS else did_you_mean(name, recorded)
