from __future__ import annotations

import pytest

from keras_sweep.space.sweep_spec import SearchSettings
from keras_sweep.views.space_view import print_space
from tests.helpers.factory import make_spec
from tests.helpers.screen import on_pipe


@pytest.mark.parametrize(
    ("trials", "said"), [(1, "1 trial is to be run by optuna/tpe"), (12, "12 trials are to be run by optuna/tpe")]
)
def test_the_last_line_says_how_large_the_space_is_and_how_many_trials_there_are_to_be(trials: int, said: str) -> None:
    spec = make_spec(search=SearchSettings("optuna", "tpe", trials, 42))
    *_, last = on_pipe(lambda console: print_space(console, spec, "dense.yaml")).splitlines()
    assert last == f"infinitely many different trials; {said}"
