"""A sweep that was run, ready to be worked on again: its spec, data and record."""

from __future__ import annotations

from pathlib import Path

from keras_sweep.data.catalog import load_search_data
from keras_sweep.data.search_data import SearchData
from keras_sweep.errors import ChangedSweep, RecordError, UsageError
from keras_sweep.models.inspect_model import with_own_parameters
from keras_sweep.record.study_file import StudyFile
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.options import Overrides
from keras_sweep.space_file.yaml_file import read_space_text
from keras_sweep.sweep.winner import winner
from keras_sweep.trial.events import Event, Noticed
from keras_sweep.trial.result import Result, Weights


def recorded_spec(study: StudyFile) -> SweepSpec:
    """The spec of a sweep as it was run; its paths start where the space file was."""
    attributes = study.attributes
    if "imported" in attributes:
        raise UsageError(
            f"the sweep {study.name!r} was imported from {attributes['imported']} without a space file",
            hint="Import it once more with `--space`, and run that",
        )
    origin = Path(str(attributes.get("origin", ".")))
    engine, _, sampler = str(attributes.get("engine", "")).partition("/")
    overrides = Overrides(engine=engine or None, sampler=sampler or None)
    return read_space_text(
        str(attributes["space"]), path=origin / f"{study.name}.yaml", name=study.name, overrides=overrides
    )


def recorded_data(study: StudyFile, spec: SweepSpec) -> tuple[SweepSpec, SearchData]:
    """The sweep's data, read again, and its spec with what a HyperModel adds to it.

    Raises:
        DataError: they can't be read.
        ChangedSweep: other rows are there now.
    """
    data = load_search_data(spec)
    if data.fingerprint != study.attributes.get("fingerprint"):
        raise ChangedSweep(
            f"the data of the sweep {study.name!r} have changed since it was run",
            hint="Bring the former rows back, or run the sweep anew under another name",
        )
    return with_own_parameters(spec, data), data


def trial_of(study: StudyFile, spec: SweepSpec, number: int | None) -> Result:
    """The trial of that number, or the winner. Raises UsageError, or RecordError where no trial has completed."""
    results = study.results()
    if number is None:
        best = winner(results, spec.objective)
        if best is None:
            raise RecordError(f"no trial of sweep {study.name!r} has completed", hint="Run it, or mend what failed")
        return best
    for result in results:
        if result.number == number:
            return result
    raise UsageError(f"sweep {study.name!r} has no trial {number}: they are numbered 0 to {len(results) - 1}")


def weights_of(study: StudyFile, spec: SweepSpec, data: SearchData, result: Result) -> Weights:
    """The trial's weights, trained again by the runner that it was trained by where they were not kept."""
    from keras_sweep.sweep.run import best_weights
    from keras_sweep.training.choose import choose_runner
    from keras_sweep.views.terminal.console import progress
    from keras_sweep.views.terminal.messages import print_notice

    def say(event: Event) -> None:
        if isinstance(event, Noticed):
            print_notice(progress(), event.message)

    runner, _ = choose_runner(spec, data, result.runner.partition("/")[0] or None)
    return best_weights(spec, study, runner, study.results(), result, say)
