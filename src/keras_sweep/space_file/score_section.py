"""`loss`, `metrics` and `metric`: what is trained on, recorded, and ranked by."""

from __future__ import annotations

from keras_sweep.space.plain_text import did_you_mean, listed, shown
from keras_sweep.space.sweep_spec import Goal, Objective
from keras_sweep.space_file.findings import Findings
from keras_sweep.space_file.keras_names import LOSSES, METRICS, METRICS_TO_MAXIMIZE, SAME_METRIC


def loss_of(findings: Findings) -> str | None:
    """What `loss` says; None with its fault noted."""
    if not findings.has("loss"):
        return None
    loss = findings.root.at("loss").plain
    if isinstance(loss, str) and loss in LOSSES:
        return loss
    hint = did_you_mean(loss, LOSSES) if isinstance(loss, str) else None
    findings.fault(("loss",), f"must be a loss of Keras, but got {shown(loss)}", hint or f"one of {listed(LOSSES)}")
    return None


def metrics_of(findings: Findings) -> tuple[str, ...] | None:
    """What `metrics` says, () where it is left out; None with its faults noted."""
    if not findings.has("metrics"):
        return ()
    node = findings.root.at("metrics")
    if not isinstance(node.value, list):
        findings.fault(("metrics",), f"must be a list, but got {shown(node.plain)}", "as in `metrics: [accuracy]`")
        return None
    before = len(findings.faults)
    names: list[str] = []
    for index, metric in enumerate(node.plain):
        if not isinstance(metric, str) or metric not in METRICS:
            hint = did_you_mean(metric, METRICS) if isinstance(metric, str) else None
            findings.fault(
                ("metrics", index),
                f"must be a metric of Keras, but got {shown(metric)}",
                hint or f"one of {listed(METRICS)}",
            )
        elif metric in names:
            findings.fault(("metrics", index), f"the metric `{metric}` is there twice")
        names.append(str(metric))
    return tuple(names) if len(findings.faults) == before else None


def objective_of(findings: Findings, metrics: tuple[str, ...] | None) -> Objective | None:
    """What `metric` says; None with its fault noted."""
    from keras_sweep.space_file.file_model import MetricBlock

    if not findings.has("metric"):
        return None
    hints = dict.fromkeys(("target", "impute", "impute_while_running"), "leave it out")
    block = findings.block(MetricBlock, ("metric",), hints, optional=("goal",))
    if block is None:
        return None
    name = str(block.name)
    if metrics is None:  # which ones are recorded is not known
        return None
    recorded = ("val_loss", *(f"val_{metric}" for metric in metrics))
    if name not in recorded:
        near = _near(name, recorded)
        findings.fault(
            ("metric", "name"), f"must be one that is recorded ({listed(recorded)}), but got {shown(name)}", near
        )
        return None
    natural = Goal.MAXIMIZE if name.removeprefix("val_") in METRICS_TO_MAXIMIZE else Goal.MINIMIZE
    goal = natural if block.goal is None else Goal(block.goal)
    if goal is not natural:
        findings.warn(("metric", "goal"), f"`{name}` is usually {natural.value}d, not {goal.value}d")
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
