"""A range that ends too soon is named, with a call that really searches beyond it."""

import shlex
from pathlib import Path

import pytest

from keras_sweep.space.distributions import Float, Int
from keras_sweep.space_file.read import read_space_file
from keras_sweep.views.report.parameters import range_edges, widening_call
from tests.helpers.page_facts import SPACE, facts_of
from tests.helpers.results import result


def edges_of(**best: float):
    """Those of a sweep of twenty trials whose better the nearer to `best`, everything else in the middle."""
    middle = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 10}
    results = []
    for number in range(20):
        params = {**middle, "learning_rate": 0.01 + number / 1e5}
        if number >= 14:
            params |= best
        results.append(result(number, 0.5 + number / 100, params=params, epochs=2))
    return range_edges(facts_of(results))


@pytest.mark.parametrize(
    ("name", "value", "setting", "wider"),
    [
        ("learning_rate", 0.9, "learning_rate.max=10", Float(1e-4, 10.0, log=True)),
        ("learning_rate", 1.1e-4, "learning_rate.min=1e-5", Float(1e-5, 1.0, log=True)),
        ("epochs", 20, "epochs.max=40", Int(1, 40)),
    ],
)
def test_the_call_searches_a_wider_range(name: str, value: float, setting: str, wider: object) -> None:
    edges = edges_of(**{name: value})
    assert list(edges) == [setting] and edges[setting].startswith(
        f"{name}: 5 of the best 5 trials are in the last tenth"
    )
    words = shlex.split(widening_call("dense", edges))
    assert words[:2] == ["sweep", "run"] and words[3:] == ["--name", "dense-wider", "--set", setting]
    spec = read_space_file(Path("space.yaml"), text=SPACE, sets=[words[-1]])
    assert {one.name: one.distribution for one in spec.space.parameters}[name] == wider


def test_the_middle_of_a_range_is_no_edge_and_neither_is_an_end_that_no_space_file_may_pass() -> None:
    assert edges_of() == edges_of(epochs=1) == {}
