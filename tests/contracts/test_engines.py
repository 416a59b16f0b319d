"""The engine contract over every engine and sampler."""

from __future__ import annotations

from tests.helpers.engine_contract import EngineContract

from keras_sweep.space.sweep_spec import ENGINES


class TestOptunaTpe(EngineContract):
    engine, sampler = "optuna", "tpe"


class TestOptunaRandom(EngineContract):
    engine, sampler = "optuna", "random"


class TestOptunaGrid(EngineContract):
    engine, sampler = "optuna", "grid"


class TestOptunaQmc(EngineContract):
    engine, sampler = "optuna", "qmc"


class TestKerasTunerRandom(EngineContract):
    engine, sampler = "keras-tuner", "random"


class TestKerasTunerBayesian(EngineContract):
    engine, sampler = "keras-tuner", "bayesian"


class TestKerasTunerHyperband(EngineContract):
    engine, sampler = "keras-tuner", "hyperband"
    has_budgets = True


class TestKerasTunerGrid(EngineContract):
    engine, sampler = "keras-tuner", "grid"


def test_every_sampler_is_under_the_contract() -> None:
    tested = {(contract.engine, contract.sampler) for contract in EngineContract.__subclasses__()}
    assert tested == {(engine, sampler) for engine, samplers in ENGINES.items() for sampler in samplers}
