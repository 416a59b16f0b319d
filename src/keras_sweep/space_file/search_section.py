"""`search` and `early_terminate`: who asks for trials, and when poor ones stop."""

from __future__ import annotations

from keras_sweep.space.plain_text import did_you_mean, listed, shown
from keras_sweep.space.sweep_spec import ENGINES, EarlyTerminate, SearchSettings
from keras_sweep.space_file.findings import Findings


def search_of(findings: Findings) -> SearchSettings | None:
    """What `search` says, over the defaults; None with its faults noted."""
    from keras_sweep.space_file.file_model import SearchBlock

    if not findings.has("search"):
        return SearchSettings()
    block = findings.block(
        SearchBlock,
        ("search",),
        {"method": "here it is `sampler`", "run_cap": "here it is `trials`"},
        ("trials", "seed"),
    )
    if block is None:
        return None
    samplers = ENGINES[block.engine]
    sampler = samplers[0] if block.sampler is None else block.sampler
    if sampler not in samplers:
        elsewhere = [engine for engine, names in ENGINES.items() if sampler in names]
        hint = f"`engine: {elsewhere[0]}` has it" if elsewhere else did_you_mean(sampler, samplers)
        findings.fault(
            ("search", "sampler"),
            f"must be one of {listed(samplers)} with {block.engine}, but got {shown(sampler)}",
            hint,
        )
        return None
    return SearchSettings(block.engine, sampler, block.trials, block.seed)


def early_terminate_of(findings: Findings) -> EarlyTerminate | None:
    """What `early_terminate` says; None where it is left out, or with its faults noted."""
    from keras_sweep.space_file.file_model import EarlyTerminateBlock

    if not findings.has("early_terminate") or findings.root.at("early_terminate").value is None:
        return None
    path = ("early_terminate",)
    block = findings.block(EarlyTerminateBlock, path, {"strict": "leave it out: poor trials always stop"})
    if block is None:
        return None
    given = block.model_fields_set
    if "max_iter" not in given and "s" not in given:
        return EarlyTerminate(block.type, block.min_iter or 1, block.eta)
    if block.type != "hyperband" or "min_iter" in given or not {"max_iter", "s"} <= given:
        findings.fault(path, "`max_iter` goes with `s` and `type: hyperband`, instead of `min_iter`")
        return None
    # W&B puts s rungs at max_iter / eta, max_iter / eta**2, ...: the same as counting up from the least of them
    least, rest = divmod(block.max_iter, block.eta ** min(block.s, 64))
    if least < 1 or rest:
        findings.fault(
            (*path, "max_iter"),
            f"must be a multiple of eta**s = {shown(block.eta ** min(block.s, 64))}, but got {shown(block.max_iter)}",
            "or give `min_iter`, the epochs before the first rung",
        )
        return None
    return EarlyTerminate("hyperband", least, block.eta)
