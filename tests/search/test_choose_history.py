"""Which results samplers learn from."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keras_sweep.search.engines import make_engine
from keras_sweep.search.samplers import BEST_LEARNED, MOST_LEARNED, choose_history
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.factory import LEARNING_RATE, make_spec

RANKS = st.lists(st.integers(0, 1_000), min_size=MOST_LEARNED + 1, max_size=3 * MOST_LEARNED)


@given(st.lists(st.floats(allow_nan=False), max_size=MOST_LEARNED))
def test_a_short_history_is_whole(ranks: list[float]) -> None:
    assert choose_history(ranks) == list(range(len(ranks)))


@given(RANKS)
def test_a_long_history_has_the_best_and_the_latest_results(ranks: list[int]) -> None:
    chosen = choose_history(ranks)
    assert len(chosen) == MOST_LEARNED
    assert chosen == sorted(set(chosen))
    assert set(sorted(range(len(ranks)), key=ranks.__getitem__)[:BEST_LEARNED]) <= set(chosen)
    assert set(range(len(ranks) - (MOST_LEARNED - BEST_LEARNED) // 2, len(ranks))) <= set(chosen)


def test_a_rebuilt_tpe_suggests_the_same_after_more_trials_than_it_learns_from() -> None:
    spec, random = make_spec((LEARNING_RATE,)), np.random.default_rng(0)
    states = (TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

    def told(suggestion: Suggestion) -> Result:
        state, curve = states[suggestion.number % 4], {"val_accuracy": (0.5,) * int(random.integers(1, 9))}
        value = None if state is TrialState.FAIL else float(random.random())
        return Result(suggestion, state, value, curve, epoch=len(curve["val_accuracy"]))

    random_engine = make_engine(replace(spec, search=replace(spec.search, sampler="random")))
    earlier = [told(suggestion) for suggestion in random_engine.ask(MOST_LEARNED + 40)]
    engine = make_engine(spec)
    engine.replay([earlier])
    last = [told(suggestion) for suggestion in engine.ask(16)]
    engine.tell(last)
    rebuilt = make_engine(spec)
    rebuilt.replay([earlier, last])
    assert engine.ask(16) == rebuilt.ask(16)
