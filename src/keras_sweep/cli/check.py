"""`sweep check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    space: Annotated[Path | None, typer.Argument(help="A space file.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of space files instead.")] = False,
    sets: Annotated[list[str] | None, typer.Option("--set", help="As of `sweep run`.")] = None,
) -> None:
    """List the faults and warnings of a space file."""
    import json
    import math

    if schema:
        from keras_sweep.space.schema import space_file_schema

        typer.echo(json.dumps(space_file_schema(), indent=2))
        return
    from keras_sweep.errors import UsageError
    from keras_sweep.space.yaml_file import read_space_file
    from keras_sweep.views.console import answers, progress
    from keras_sweep.views.messages import print_warning

    if space is None:
        raise UsageError("`sweep check` needs a space file", hint="as in `sweep check search_spaces/dense.yaml`")
    spec = read_space_file(space, sets=sets or ())
    for warning in spec.warnings:
        print_warning(progress(), warning)
    size = "infinitely many" if spec.space.size == math.inf else f"{int(spec.space.size):,}"
    answers().print(f"{space}: no faults; {size} different trials, {spec.search.trials} are to be run")
