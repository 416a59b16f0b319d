"""The rows that a name stands for: those of a data set, of a space file, or of a sweep; to show or to save."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from keras_sweep.data.catalog import load_search_data, named_set, of_trial
from keras_sweep.data.search_data import SearchData
from keras_sweep.data.source import DATA_NAMES, unknown_name
from keras_sweep.errors import UsageError
from keras_sweep.process.backend import choose_backend
from keras_sweep.process.given import is_given
from keras_sweep.record.study_file import StudyFile
from keras_sweep.record.sweep_folder import all_sweeps
from keras_sweep.space.data_spec import find_source
from keras_sweep.space.search_space import Params
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space.text import listed
from keras_sweep.space.variants import variant_of
from keras_sweep.sweep.trust import unfollowed_spec
from keras_sweep.trial.events import Listener, Noticed
from keras_sweep.trial.ranking import winner


def load_named(
    source: str, spec: SweepSpec | None, sweeps_dir: Any, listener: Listener, *, needs_one: bool
) -> tuple[SweepSpec, SearchData]:
    """The rows of a data set, of a space file that was read (`spec`), or of a sweep in a folder, and their spec.

    Where trials differ in their rows they are the winner's, or those of the first variant unless `needs_one`.

    Raises UsageError: there is no such name, or the record alone does not have the rows; DataError: they can't be read.
    """
    fingerprint: str | None = None
    params: Params = {}
    if spec is None:
        spec, fingerprint, params = _spec_of(source, sweeps_dir, listener)
    data = load_rows(spec)
    if fingerprint not in (None, data.fingerprint):
        listener(Noticed(f"these rows are not those that the sweep {source!r} was begun with"))
    if data.variants:
        which = dict(variant_of(params) or next(iter(data.variants)))
        if needs_one and not params:
            first = "Add" if fingerprint is None else "No trial has won yet: give the space file with"
            hint = f"{first} `{_as_options(which)}`, say"
            raise UsageError(f"trials of this space have different rows, by {listed(which)}", hint=hint)
        values = ", ".join(f"{name}={json.dumps(value)}" for name, value in which.items())
        listener(Noticed(f"these rows are those with {values}"))
        spec, data = of_trial(spec, data, which)
    return spec, data


def load_rows(spec: SweepSpec) -> SearchData:
    """The rows of a spec. What reads them may import Keras, whose backend is chosen before."""
    choose_backend(None)
    return load_search_data(spec)


def _as_options(params: Params) -> str:
    """What sets these values on a shell's line; a list is set as a `value`, since alone it would be choices."""
    plain = {name: {"value": value} if isinstance(value, tuple) else value for name, value in params.items()}
    return " ".join(f"--set {shlex.quote(f'{name}={json.dumps(value)}')}" for name, value in plain.items())


def _spec_of(source: str, sweeps_dir: Any, listener: Listener) -> tuple[SweepSpec, str | None, Mapping[str, Any]]:
    """(spec, of a sweep the recorded fingerprint of the rows, and the values of its winner). Raises UsageError."""
    sweeps = {folder.name: folder for folder in all_sweeps(sweeps_dir)}
    if source not in sweeps:
        if source not in DATA_NAMES:
            raise unknown_name(source, list(sweeps))
        return named_set(source), None, {}
    if source in DATA_NAMES:
        listener(Noticed(f"{source!r} is a data set too: these are the rows of the sweep"))
    with StudyFile.open(sweeps[source]) as study:
        spec = unfollowed_spec(study.facts, study.name, study.folder)
        fingerprint, best = study.facts.fingerprint, winner(study.ranked_results(), spec.objective)
    if is_given(spec.data.source):
        raise UsageError(
            f"the rows of the sweep {source!r} come from a Python program, and its record has only their digest",
            hint=f"In that program `sweep = ks.run(spec, name={source!r})`: `sweep.validation()` has the rows",
        )
    kind = find_source(spec.data.kind)
    where = f"`python: {spec.data.source}`" if kind.names == "function" else kind.server(spec.data)
    if where is not None:
        raise UsageError(
            f"the rows of the sweep {source!r} come from {where}, and a record alone runs no code",
            hint="Give the space file, as in `sweep data SPACE.yaml`",
        )
    return spec, fingerprint, {} if best is None else best.params
