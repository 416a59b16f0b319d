"""Whether each optimizer that is searched takes the arguments that its trials would have."""

from __future__ import annotations

from collections.abc import Mapping

from keras_sweep.space.distributions import Categorical
from keras_sweep.space.plain_text import listed
from keras_sweep.space_file.draft import Draft, lower
from keras_sweep.space_file.findings import Findings
from keras_sweep.space_file.optimizer_arguments import DEFAULT_OPTIMIZER, OPTIMIZERS, argument, optimizers_with
from keras_sweep.space_file.parameter_values import ends


def check_optimizer_arguments(drafts: Mapping[str, Draft], names: tuple[str, ...], findings: Findings) -> None:
    """Note arguments that an optimizer of their trials does not take, with the `when` that mends it."""
    if "optimizer" in names and "optimizer" not in drafts:
        return  # which ones are searched is not known
    searched = _searched(drafts.get("optimizer"))
    searched = tuple(name for name in searched if name in OPTIMIZERS)  # of the others it was told
    if not searched:
        return
    clips = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if name in drafts]
    for name, draft in drafts.items():
        takers = optimizers_with(name)
        if not takers or not all(other in names for other in draft.when):
            continue
        possible = [optimizer for optimizer in searched if optimizer in _possible(draft, drafts, searched)]
        if not possible:
            findings.warn(draft.path, "its conditions never hold together, so no trial has it")
        able = [optimizer for optimizer in possible if optimizer in takers]
        for optimizer in able:
            own, general = OPTIMIZERS[optimizer][name], argument(name)
            for path, value in ends(draft, findings):
                rule = own.fault(value)
                if rule and general is not None and general.allows(value):  # otherwise it was told before
                    findings.fault(path, f"with {optimizer} it {rule}")
        if able == possible:
            continue
        if not able:
            findings.fault(
                draft.path,
                f"`{name}` is an argument of {listed(takers)}, but the optimizer of its trials is {listed(possible)}",
                None if "optimizer" in names else f"without a parameter `optimizer` it is {DEFAULT_OPTIMIZER}",
            )
        else:
            fix = able[0] if len(able) == 1 else f"[{listed(able)}]"
            others = listed(optimizer for optimizer in possible if optimizer not in takers)
            findings.fault(draft.path, f"`{name}` is not an argument of {others}", f"add `when: {{optimizer: {fix}}}`")
    if len(clips) > 1 and not any(drafts[name].when for name in clips):
        findings.fault(
            drafts[clips[1]].path,
            f"Keras takes only one of `clipnorm`, `clipvalue` and `global_clipnorm`, got {listed(clips)}",
        )


def _searched(draft: Draft | None) -> tuple[str, ...]:
    if draft is None:
        return (DEFAULT_OPTIMIZER,)
    values = draft.choice.choices if isinstance(draft.choice, Categorical) else ()
    names = tuple(str(lower(value)) for value in values)
    return (*names, DEFAULT_OPTIMIZER) if draft.when and DEFAULT_OPTIMIZER not in names else names


def _possible(draft: Draft, drafts: Mapping[str, Draft], searched: tuple[str, ...]) -> set[str]:
    """The optimizers that a trial with this parameter may have, by its conditions and theirs in turn."""
    possible = set(searched)
    seen: set[str] = set()
    queue = [draft]
    while queue:
        current = queue.pop()
        if current.name in seen:
            continue
        seen.add(current.name)
        for other, values in current.when.items():
            if other == "optimizer":
                possible &= {str(value) for value in values}
            elif other in drafts:
                queue.append(drafts[other])
    return possible
