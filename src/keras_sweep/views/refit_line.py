"""How the winner's model was trained once more, as one line."""

from __future__ import annotations

from rich.text import Text

from keras_sweep.trial.refit import Refit


def refit_line(refit: Refit) -> Text:
    """`refit trial 36 with seed 43: trained again on all 60,000 rows for 17 epochs`."""
    seed = "" if refit.seed is None else f" with seed {refit.seed}"
    return Text.assemble(("refit ", "bold"), f"trial {refit.trial}{seed}: {refit.text}")
