"""The Gaussian process is rebuilt from results alone; the whole contract runs over it in the long tests."""

from keras_sweep.search.engines import make_engine
from keras_sweep.space.distributions import Categorical
from keras_sweep.space.search_space import Parameter, SearchSpace
from keras_sweep.testing.searching import flatten, is_in_space, run_search, score, search_spec, summarize
from keras_sweep.trial.result import TrialState
from tests.helpers.factory import LEARNING_RATE, MOMENTUM

SPACE = SearchSpace((Parameter("optimizer", Categorical(("sgd", "adam"))), LEARNING_RATE, MOMENTUM))


def test_a_search_by_a_gaussian_process_resumes_alike_once_it_models_results() -> None:
    made = search_spec(SPACE, "optuna", "gp")
    whole = run_search(make_engine(made), 2, 10)  # the first ten are at random
    engine = make_engine(made)
    engine.replay(whole[:1])
    assert summarize(flatten(run_search(engine, 1, 4, start=1))) == summarize(whole[1][:4])
    assert all(is_in_space(SPACE, result.params) for result in flatten(whole))
    rates = [[result.params["learning_rate"] for result in one] for one in whole]
    near = [sum(1e-3 < rate < 1e-1 for rate in one) for one in rates]
    assert near[1] > near[0] and all(result.state is TrialState.COMPLETE for result in flatten(whole))


def test_a_failed_trial_counts_as_the_worst() -> None:
    """Rates above 0.01, where the best would be, all fail: what follows is below."""

    def value(suggestion):
        return score(suggestion.params) if suggestion.params["learning_rate"] < 0.003 else None

    results = flatten(run_search(make_engine(search_spec(SPACE, "optuna", "gp")), 3, 6, value))
    failed = [sum(result.value is None for result in results[begin : begin + 6]) for begin in (0, 6, 12)]
    assert failed[0] + failed[1] >= 4 and failed[2] <= 2
