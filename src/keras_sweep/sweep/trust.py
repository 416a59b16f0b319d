"""What a record or a card says is read as data; it may be somebody else's. Code that it names needs `--trust`."""

from collections.abc import Iterable
from pathlib import Path

from keras_sweep.errors import SpaceFileError, UsageError
from keras_sweep.process.given import given, is_given, was_given
from keras_sweep.process.user_code import place_of
from keras_sweep.record.facts import Facts
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import DataSpec, find_source
from keras_sweep.space.sweep_spec import SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.trial.events import Listener, Noticed


def ask_for_trust(
    sources: Iterable[str], folder: Path, who: str, *, trust: bool, emit: Listener, data: DataSpec | None = None
) -> None:
    """Say which code is imported from where, if any is, and which server runs the query of `data`; `who` names it.

    What this program has given is its own. Raises UsageError where it is not trusted, or stands in another program.
    """
    foreign = [source for source in dict.fromkeys(sources) if not was_given(source)]
    for source in filter(is_given, foreign):
        given(source)
    server = None if data is None else find_source(data.kind).server(data)
    places = [f"{source} from {place_of(source, folder)}" for source in foreign]
    code = " and ".join([*places, *([] if server is None else [f"a query at {server}"])])
    if code and not trust:
        raise UsageError(
            f"this needs code that the {who} names: {code}. A {who.split()[0]} alone runs none, since it may be "
            "somebody else's",
            hint="If you know that code, add `--trust`",
        )
    if code:
        emit(Noticed(f"`--trust`: imports and runs {code}"))


def read_unfollowed_spec(facts: Facts, name: str, folder: SweepFolder) -> SweepSpec:
    """The spec of a sweep as it was run, whose paths start where the space file was; no `python:` is followed.

    Raises UsageError: it was imported without a space file, or its text is no space file of this version.
    """
    refuse_imported_sweep(facts, name)
    origin = Path(facts.origin or ".")
    engine, _, sampler = facts.engine.partition("/")
    file = origin / f"{name}.yaml"
    try:
        return read_space_file(file, text=facts.space, name=name, engine=engine or None, sampler=sampler or None)
    except SpaceFileError as error:
        more = f" (and {len(error.faults) - 1} more faults)" if len(error.faults) > 1 else ""
        raise UsageError(
            f"the space file in {folder.study} can't be used: {error.faults[0].text(folder.space)}{more}",
            hint="It was written by another version, or altered: give `sweep run` the space file",
        ) from error


def refuse_imported_sweep(facts: Facts, name: str) -> None:
    """Raises UsageError where another program searched, and there is no space file."""
    if facts.imported is not None:
        raise UsageError(
            f"the sweep {name!r} was imported from {facts.imported} without a space file",
            hint="Import it once more with `--space`, and run that",
        )


def allows_setting(facts: Facts, setting: str) -> bool:
    """Whether the recorded space file has no fault with `--set SETTING`. It follows nothing that the file names."""
    try:
        read_space_file(Path("space.yaml"), text=facts.space, sets=[setting])
    except SpaceFileError:
        return False
    return True
