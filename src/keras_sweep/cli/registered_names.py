"""Help that also names what other packages have registered."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand


class NamesRegistered(TyperCommand):
    """A command some of whose options take the name of a member that another package may bring."""

    def get_help(self, ctx: Any) -> str:
        """The help; entry points are read for it alone."""
        from keras_sweep.search.optuna.samplers import SAMPLERS
        from keras_sweep.training.choose import RUNNERS

        registered: dict[str, Iterable[str]] = {"sampler": SAMPLERS, "runner": RUNNERS}
        for option in self.params:
            text: str = getattr(option, "help", None) or ""
            said = set(re.findall(r"[\w-]+", text))
            others = [name for name in registered.get(str(option.name), ()) if name not in said]
            if others:
                option.help = f"{text.removesuffix('.')}; also {', '.join(others)}."  # type: ignore[attr-defined]
        return super().get_help(ctx)
