"""The weights of a trial's model are counted before it trains, and searches keep to the models that fit."""

from pathlib import Path
from typing import Any

import keras
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_sweep as ks
from keras_sweep.errors import UsageError
from keras_sweep.models import inspect_model
from keras_sweep.models.build import build_model
from keras_sweep.models.inspect_model import count_weights, limit_weights
from keras_sweep.space.distributions import Categorical, Int
from keras_sweep.space.search_space import Parameter, SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec
from tests.helpers.factory import LEARNING_RATE, digits, make_spec
from tests.helpers.ran import finished, quiet
from tests.helpers.whole_spaces import PLAIN

DATA = digits(64, 32)
HERE = Path(__file__).parents[2]
HIDDEN = Parameter("model.hidden", Categorical(((), (4,), (16,), (64,))))
UNITS = Parameter("model.hidden", Int(1, 500))


def pretrained(width: int = 3) -> keras.Model:
    model = keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(width)])
    model.set_weights([weight * 2 for weight in model.get_weights()])
    return keras.Sequential([model, keras.layers.BatchNormalization(), keras.layers.Dense(10)])


def broken(width: int = 3) -> keras.Model:
    raise OSError(width)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=3), st.sampled_from([0, 0.3]))
def test_the_dense_model_is_counted_as_keras_counts_it(hidden: list[int], dropout: float) -> None:
    arguments = {"hidden": tuple(hidden), "dropout": dropout}
    assert count_weights(make_spec(), DATA, arguments) == build_model(make_spec(), arguments, DATA).count_params()


@pytest.mark.parametrize(
    "source",
    [
        f"{__name__}:pretrained",
        *(
            f"tests.helpers.odd_models:{name}"
            for name in ("subclassed", "with_build", "own_step", "silent", "without_call", "named_input")
        ),
    ],
)
def test_a_model_of_the_user_is_counted_as_keras_counts_it(source: str) -> None:
    spec = make_spec(model=ModelSpec("python", source, {}), folder=HERE)
    built = build_model(spec, {}, DATA)
    assert count_weights(spec, DATA, {}) == sum(weight.size for weight in built.get_weights())


def test_a_model_far_larger_than_the_memory_is_counted() -> None:
    assert count_weights(make_spec(), DATA, {"hidden": (10**6, 10**6)}) == 65 * 10**6 + (10**6 + 1) * 10**6 + 10_000_010


def test_a_model_is_counted_once_for_each_set_of_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Any] = []
    monkeypatch.setattr(inspect_model, "count_weights", lambda *arguments: counted.append(arguments) or 300)
    limited = limit_weights(make_spec(space=SearchSpace((HIDDEN, LEARNING_RATE), where=("parameters <= 310",))), DATA)
    counted.clear()
    assert all(limited.space.allows({"model.hidden": (64,), "learning_rate": rate}) for rate in (0.1, 0.2))
    assert len(counted) == 1


def test_a_model_that_can_not_be_built_is_left_to_its_trial() -> None:
    space = SearchSpace((LEARNING_RATE,), where=("parameters <= 5",))
    spec = make_spec(space=space, model=ModelSpec("python", f"{__name__}:broken", {}), folder=HERE)
    assert limit_weights(spec, DATA).space.allows({"learning_rate": 0.1})


@pytest.mark.parametrize(("parameter", "count"), [(HIDDEN, "4 models has 310"), (UNITS, "models has 85")])
def test_a_space_without_a_model_that_fits_is_refused_with_the_smallest_count(parameter: Parameter, count: str) -> None:
    spec = make_spec(space=SearchSpace((parameter, LEARNING_RATE), where=("parameters <= 80",)))
    with pytest.raises(UsageError, match=f"no configuration meets `parameters <= 80`: the smallest of .*{count} param"):
        limit_weights(spec, DATA)


KINDS = [("optuna", name) for name in ("random", "tpe", "grid", "gp", "cmaes", "qmc")]
KINDS += [("keras-tuner", name) for name in ("random", "grid", "bayesian", "hyperband")]


@pytest.mark.parametrize(("engine", "sampler"), KINDS)
def test_every_sampler_keeps_to_the_models_that_fit_and_goes_on_as_before(
    engine: str, sampler: str, tmp_path: Path
) -> None:
    text = PLAIN.replace("  epochs:", "  model.hidden: {values: [[], [4], [16], [64]]}\n  epochs:")
    text = text.replace("search:", "where: parameters <= 1500\nsearch:").replace("engine: optuna", f"engine: {engine}")
    text = text.replace("sampler: tpe", f"sampler: {sampler}").replace("seed: 42", "seed: 42, generation: 3")
    for name in ("whole", "pieces"):
        (tmp_path / name).mkdir()
    whole = finished(tmp_path / "whole", text, trials=8).ended.results
    assert {trial.params["model.hidden"] for trial in whole} <= {(), (4,), (16,)} and len(whole) == 8
    finished(tmp_path / "pieces", text, trials=4)
    pieces = finished(tmp_path / "pieces", text, trials=8).ended.results
    assert [(trial.params, trial.value) for trial in pieces] == [(trial.params, trial.value) for trial in whole]


def test_points_of_the_user_keep_to_the_limit_and_a_finite_space_ends(tmp_path: Path) -> None:
    parameters = {"model.hidden": [[4], [16], [64]], "epochs": 1}
    fixed = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], "maximize": "val_accuracy"}
    search, where = ks.Optuna("tpe", trials=9), "parameters <= 1500"
    spec = ks.Spec("digits", parameters=parameters, search=search, where=where, finalists="none", **fixed)
    sweep = ks.run(spec, name="few", sweeps_dir=tmp_path, listener=quiet)
    assert sorted(trial.params["model.hidden"] for trial in sweep.trials) == [(4,), (16,)]
    with pytest.raises(UsageError, match="does not meet `where`"):
        ks.run(spec, name="few", sweeps_dir=tmp_path, listener=quiet, add={"model.hidden": [64]})
