"""What has no effect of a model that compiles itself: a sweep compiles it anew, by what the space file says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keras_sweep.models.exploration import PREFIX, Exploration
from keras_sweep.models.model_facts import ModelFacts, model_facts
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.trial.plan import FIT_PARAMETERS, MODEL_PREFIX


def names_optimizer(spec: SweepSpec) -> bool:
    """Whether the space says which optimizer trains, which overrules a model's own."""
    return "optimizer" in _names(spec)


def without_effect(spec: SweepSpec, model: Any) -> Iterator[str]:
    """A sentence for each part of the model's own `compile` that is not used, and for what is used of it."""
    compiled = model_facts(model).compiled
    source = spec.model.source
    if not compiled:
        return
    dropped = []
    if compiled.get("loss") not in (None, spec.loss):
        dropped.append(f"its loss {compiled['loss']}")
    metrics = [compiled[key] for key in ("metrics", "weighted_metrics") if key in compiled]
    if metrics and metrics != [", ".join(spec.metrics)]:
        dropped.append(f"its metrics {', '.join(metrics)}")
    if "loss_weights" in compiled:
        dropped.append("its loss weights")
    if dropped:
        said = f"`loss: {spec.loss}` and `metrics: [{', '.join(spec.metrics)}]`"
        verb = "has" if dropped == [f"its loss {compiled.get('loss')}"] else "have"
        yield f"{source} compiles its model, but {_joined(dropped)} {verb} no effect: the space file's {said} count"
    if "optimizer" not in compiled:
        return
    own = f"{source} compiles its model with the optimizer {compiled['optimizer']}"
    if names_optimizer(spec):
        yield f"{own}, which has no effect: the space file's `optimizer` is used"
        return
    rate = "`learning_rate`" in _arguments(spec)
    yield f"{own}, which is used{', with the learning rate of the space' if rate else ''}: the space names no optimizer"
    idle = [name for name in _arguments(spec) if name != "`learning_rate`"]
    if idle:
        verb = "have" if len(idle) > 1 else "has"
        yield f"{_joined(idle)} {verb} no effect: the model's own optimizer is used; name an `optimizer` in the space"


def idle_parameters(spec: SweepSpec, exploration: Exploration) -> Iterator[str]:
    """A sentence for each hyperparameter of a HyperModel that is searched and changes nothing that trains."""
    for name, models in exploration.models.items():
        parameter = PREFIX + name
        if len(models) < 2 or not any(one.name == parameter for one in spec.space.parameters):
            continue
        if len({(one.structure, *_used(spec, one)) for one in models}) > 1:
            continue
        changed = sorted(
            {key for one in models for key in one.compiled if one.compiled[key] != models[0].compiled.get(key)}
        )
        if changed:
            what = _changes(changed[0], spec)
            yield f"`{parameter}` is searched without effect: it sets {what}; take it out of the model"
        elif not any(one.own_code for one in models):
            yield f"`{parameter}` is searched without effect: the model is the same whatever its value"


def _used(spec: SweepSpec, facts: ModelFacts) -> tuple[tuple[str, str], ...]:
    """What of a model's own `compile` trains."""
    if names_optimizer(spec):
        return ()
    overruled = "optimizer.learning_rate" if "`learning_rate`" in _arguments(spec) else ""
    used: Mapping[str, str] = facts.compiled
    return tuple((key, used[key]) for key in sorted(used) if key.startswith("optimizer") and key != overruled)


def _changes(part: str, spec: SweepSpec) -> str:
    if not part.startswith("optimizer"):
        return f"the {part.replace('_', ' ')} with which the model compiles itself, and the space file's count"
    if names_optimizer(spec):
        return "the optimizer with which the model compiles itself, and the space file's `optimizer` is used"
    return "the learning rate with which the model compiles itself, and the space's `learning_rate` is used"


def _names(spec: SweepSpec) -> list[str]:
    return [*spec.space.constants, *(one.name for one in spec.space.parameters)]


def _arguments(spec: SweepSpec) -> list[str]:
    """The optimizer's arguments that the space gives, as they are shown."""
    ours = set(FIT_PARAMETERS) - {"learning_rate"}
    return [f"`{name}`" for name in _names(spec) if name not in ours and not name.startswith(MODEL_PREFIX)]


def _joined(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
