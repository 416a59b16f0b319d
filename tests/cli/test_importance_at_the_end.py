"""Importance is weighed for one who looks at the end of a search that went on, and for nobody else."""

import io
from typing import Any

import pytest
from optuna.distributions import distribution_to_json
from rich.console import Console

from keras_sweep.api.events import EndReason, Listener, SweepEnded, SweepStarted, TrialEnded
from keras_sweep.cli.run import run
from keras_sweep.record.facts import Facts
from keras_sweep.space.search_space import Goal
from tests.helpers.page_facts import DISTRIBUTIONS, SPACE
from tests.helpers.results import dense_sweep
from tests.helpers.screen import without_styles

RESULTS = tuple(dense_sweep(24))


@pytest.mark.parametrize(
    ("quiet", "is_terminal", "trained", "said"),
    [(False, True, True, True), (True, True, True, False), (False, False, True, False), (False, True, False, False)],
)
def test_importance_is_said_on_a_terminal_after_training(quiet, is_terminal, trained, said, tmp_path, monkeypatch):
    def session(spec: Any, folder: Any, options: Any, listener: Listener, wall: Any) -> SweepEnded:
        listener(SweepStarted("dense", "", "", "", 24, (), spec.objective, 1.0))
        if trained:
            listener(TrialEnded(RESULTS[0]))
        ended = SweepEnded("dense", EndReason.DONE, RESULTS)
        listener(ended)
        return ended

    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=is_terminal, color_system=None)
    distributions = {name: distribution_to_json(each) for name, each in DISTRIBUTIONS.items()}
    known = Facts("val_accuracy", Goal.MAXIMIZE, 42, SPACE, distributions)
    monkeypatch.setattr("keras_sweep.api.session.run_session", session)
    monkeypatch.setattr("keras_sweep.api.sweep.read_facts", lambda _: known)
    monkeypatch.setattr("keras_sweep.cli.run.stdout_console", lambda: console)
    (tmp_path / "dense.yaml").write_text(SPACE)
    run(tmp_path / "dense.yaml", quiet=quiet, sweeps_dir=tmp_path)
    text = without_styles(out.getvalue())
    assert ("\nimportance\n" in text) is said
    assert "\nbest trial" in text
