"""The sampler keeps the contract of samplers, and finds what is good."""

from keras_sweep.search.engines import make_engine
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.testing import SamplerContract
from keras_sweep.testing.searching import flatten, run_search, search_spec
from keras_sweep.testing.small_sweep import LEARNING_RATE


class TestAnnealing(SamplerContract):
    sampler = "annealing"


def test_it_comes_near_to_the_best_learning_rate() -> None:
    engine = make_engine(search_spec(SearchSpace((LEARNING_RATE,)), "optuna", "annealing"))
    last = flatten(run_search(engine, 20, 8))[-40:]
    assert all(0.003 < result.params["learning_rate"] < 0.03 for result in last)
