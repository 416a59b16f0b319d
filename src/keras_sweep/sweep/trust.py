"""Require `--trust` before code runs that a record or a card names: the file may be another person's."""

from collections.abc import Iterable
from pathlib import Path

from keras_sweep.errors import SpaceFileError, UsageError
from keras_sweep.process.user_code import place_of
from keras_sweep.process.user_objects import get_object, is_object_name, is_registered
from keras_sweep.record.facts import Facts
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import DataSpec, find_source
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.trial.events import Listener, Noticed


def ask_for_trust(
    sources: Iterable[str], folder: Path, who: str, *, trust: bool, emit: Listener, data: DataSpec | None = None
) -> None:
    """Refuse code that is not trusted, and emit a notice of the code that will be imported.

    `sources` are "module:function", with modules in `folder`. `trust` is the user's `--trust`. A server that runs the
    query of `data` needs trust, too. Functions that this program passed to the sweep are trusted. `who` ("card") names
    the file in messages. Raises UsageError if the code is not trusted, or is a function of another program.
    """
    foreign = [source for source in dict.fromkeys(sources) if not is_registered(source)]
    for source in filter(is_object_name, foreign):
        get_object(source)
    server = None if data is None else find_source(data.kind).server(data)
    places = [f"{source} from {place_of(source, folder)}" for source in foreign]
    code = " and ".join([*places, *([] if server is None else [f"a query at {server}"])])
    if code and not trust:
        message = f"the {who} names code that runs only if you trust it: {code}"
        raise UsageError(message, hint="If you trust this code, add `--trust`")
    if code:
        emit(Noticed(f"`--trust`: imports and runs {code}"))


def read_unfollowed_spec(facts: Facts, name: str, folder: SweepFolder) -> SweepSpec:
    """Return the spec of a recorded sweep, with paths relative to its space file. Imports no `python:` code. Raises
    UsageError if the sweep was imported without a space file, or this version can't read the recorded file."""
    refuse_imported_sweep(facts, name)
    origin = Path(facts.origin or ".")
    engine, _, sampler = facts.engine.partition("/")
    file = origin / f"{name}.yaml"
    try:
        return read_space_file(file, text=facts.space, name=name, engine=engine or None, sampler=sampler or None)
    except SpaceFileError as error:
        count_text = f" (and {len(error.faults) - 1} more faults)" if len(error.faults) > 1 else ""
        raise UsageError(
            f"can't read the space file in {folder.study}: {error.faults[0].text(folder.space)}{count_text}",
            hint="Another version of keras-sweep wrote it, or it was changed. Run `sweep run` with the space file",
        ) from error


def refuse_imported_sweep(facts: Facts, name: str) -> None:
    """Raise UsageError if another program ran the sweep, and the record has no space file."""
    if facts.imported is not None:
        message = f"the sweep {name!r} was imported from {facts.imported} without a space file"
        raise UsageError(message, hint="Import it again with `--space SPACE.yaml`")


def allows_setting(facts: Facts, setting: str) -> bool:
    """Check whether the recorded space file stays valid with `--set SETTING` ("search.trials=64"). Imports no code."""
    try:
        read_space_file(Path("space.yaml"), text=facts.space, sets=[setting])
    except SpaceFileError:
        return False
    return True
