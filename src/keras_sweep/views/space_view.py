"""Print a space file as `sweep check` understands it, and how long its sweep will take."""

import math

from rich.console import Console
from rich.text import Text

from keras_sweep.data.search_data import SearchData
from keras_sweep.space.distributions import Categorical, Float
from keras_sweep.space.search_space import MOST_LISTED, Parameter
from keras_sweep.space.sweep_spec import FUNCTION_LACKS, SweepSpec
from keras_sweep.space.text import escape, join, pluralize
from keras_sweep.sweep.time_estimate import TimeEstimate
from keras_sweep.views.terminal.text import number_text, seconds_text, value_text


def print_space(console: Console, spec: SweepSpec, path: str) -> None:
    console.print(Text(escape(path), style="bold"))
    lines = [(parameter.name, parameter_text(parameter)) for parameter in spec.space.parameters]
    lines += [(name, f"always {value_text(value)}") for name, value in spec.space.constants.items()]
    width = max((len(escape(name)) for name, _ in lines), default=0)
    for name, words in lines:
        words += ", the best epoch of each trial" if name == "epochs" and spec.objective.epochs_from else ""
        console.print(Text.assemble((f"  {escape(name):{width}}  ", "bold"), words))
    for text in spec.space.where:
        console.print(Text(f"  where {escape(text)}"))
    size = spec.sampler_space.size
    size_text = (
        f"more than {MOST_LISTED:,} different trials" if size == math.inf else pluralize(int(size), "different trial")
    )
    size_text += " before `where`" if size == math.inf and spec.space.where else ""
    if spec.model.kind == "python" and size < math.inf:
        size_text += f", more if {escape(spec.model.source)} is a HyperModel with parameters"
    if spec.function:
        console.print(f"{escape(spec.function)} returns each trial's value, so there are {FUNCTION_LACKS}")
    by = f"with {spec.search.seeds} seeds each " * (spec.search.seeds > 1) + "to be run by "
    by += spec.search.engine_name + ", fewer if `search.stop` ends the search" * (spec.search.stop is not None)
    console.print(f"{size_text}; {pluralize(spec.search.trials, 'trial')} {by}")


def parameter_text(parameter: Parameter) -> str:
    """Return the range of a parameter and its conditions: `0.0001 to 1, log, when optimizer is sgd`."""
    distribution = parameter.distribution
    if isinstance(distribution, Categorical):
        text = join(map(value_text, distribution.choices), "or")
    else:
        show = number_text if isinstance(distribution, Float) else str
        text = f"{show(distribution.low)} to {show(distribution.high)}"
        if distribution.log:
            text += ", log"
        elif distribution.step not in (None, 1):
            text += f", every {number_text(distribution.step or 1)}"
    for condition in parameter.when:
        text += f", when {escape(condition.parameter)} is {join(map(value_text, condition.values), 'or')}"
    return text


def print_estimate(
    console: Console, data: SearchData, estimate: TimeEstimate | None, *, cores: int, workers: int | None = None
) -> None:
    """Print row counts, the time `estimate` (None if every probed trial failed), and use of `cores` or `workers`."""
    training = f"{len(data.train):,} training" if data.stream is None else f"{data.stream.steps:,} batches an epoch"
    rows = f"{training} and {len(data.validation):,} validation rows"
    if data.folds:
        rows = f"{len(data.train):,} rows in {len(data.folds)} folds; every trial trains once per fold"
    test = f", {data.test_rows:,} test rows are sealed" if data.test_rows else ", no test rows"
    console.print(Text(f"{escape(data.name)}: {rows}{test}"))
    if estimate is None:
        console.print(Text("no time estimate: every probed trial failed", style="yellow"))
        return
    trained = f"{pluralize(round(estimate.trial_epochs), 'trial-epoch')} of {seconds_text(estimate.epoch_seconds)} each"
    programs = f"{pluralize(max(round(estimate.programs), 1), 'program')} ({seconds_text(estimate.compile_seconds)})"
    if estimate.trial_epochs < estimate.whole_epochs:
        trained += f" (in place of {round(estimate.whole_epochs):,}, if the usual share of trials stops early)"
    words = f" by {estimate.runner}: about {trained}, and compiling about {programs}"
    console.print(Text.assemble("about ", (seconds_text(estimate.seconds), "bold"), words))
    if (offer := estimate.offer) is not None and estimate.offered_epochs < estimate.whole_epochs:
        keys = f", first: {offer.first}" * (offer.first > 0) + f", min_iter: {offer.min_iter}" * (offer.min_iter > 1)
        line = f"early_terminate: {{type: {offer.type}{keys}, eta: {offer.eta}}}"
        fewer = f"about {round(estimate.offered_epochs):,} trial-epochs in place of {round(estimate.whole_epochs):,}"
        words = "if the usual share of trials stops early. `epochs` is then each trial's best epoch"
        console.print(Text(f"`{line}` would train {fewer}, {words}"))
    console.print(Text(cores_text(estimate, cores, workers)))
    if estimate.finalist_epochs:
        configurations, seeds = estimate.finalists
        epochs = pluralize(round(estimate.finalist_epochs), "trial-epoch")
        seconds = seconds_text(estimate.finalist_epochs * estimate.epoch_seconds)
        finalists = f"{pluralize(configurations, 'configuration')} with {pluralize(seeds, 'new seed')} each"
        console.print(Text(f"then finalists: the best {finalists}, about {epochs} more ({seconds})"))
    if estimate.refit_epochs:
        epochs = pluralize(round(estimate.refit_epochs), "epoch")
        console.print(Text(f"then the winner trains again on all of these rows, about {epochs}"))


def cores_text(estimate: TimeEstimate, cores: int, workers: int | None = None) -> str:
    """Return how many of the `cores` (or `workers`, if given) the sweep uses, and the setting that would use more."""
    size, programs = estimate.generation, estimate.at_once
    most = cores if workers is None else workers
    of_all = f"of {pluralize(most, 'core' if workers is None else 'worker')}"
    if estimate.runner.startswith("compiled"):
        trials, as_programs = pluralize(size, "trial"), pluralize(programs, "program")
        usage = f"up to {trials} train at once, as {as_programs} on {min(programs, most)} {of_all}"
        generation = size * 2 ** math.ceil(math.log2(max(most / programs, 1)))
        epochs = estimate.trial_epochs / max(estimate.trials, 1)  # of a trial
        pace = int(epochs * programs / most) if estimate.paces else 0
        unknown = round(epochs * size / pace) if pace else generation  # trials that train at the same time
        if generation == size or 2 * unknown > estimate.trials:  # few trials: the sampler would hardly learn
            return usage
        setting = f"pace: {pace}" if pace else f"generation: {generation}"
        cost = f"; the sampler then never knows the results of the last {unknown} of {estimate.trials:,} trials"
        return f"{usage}; `search: {{{setting}}}` would use all{cost if estimate.learns else ''}"
    if estimate.learns and size == 1:
        more = f"`search: {{generation: {workers or 8}}}`{'' if workers else ' and `--workers`'} would use more"
        return f"trials train one by one on 1 {of_all}, since the sampler waits for each result; {more}"
    if workers is None:
        return f"trials train one by one on 1 {of_all}; `--workers {cores}` would use all"
    at_once = min(size, workers) if estimate.learns else workers
    return f"{pluralize(at_once, 'trial')} at once on {at_once} {of_all}"
