"""HyperModels and `build(hp)` functions: found, explored, built."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pytest

from keras_sweep.errors import ModelError
from keras_sweep.models.build import make_builder
from keras_sweep.models.hyper_model import convert_parameters, explore_space, is_hyper_model, make_hyper_parameters
from keras_sweep.models.own_compile import own_optimizer
from keras_sweep.process.user_code import load_python
from keras_sweep.search.engines import ENGINES, make_engine
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Parameter, SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec, SearchSettings, SweepSpec
from keras_sweep.testing.searching import search_spec
from tests.helpers.factory import digits

DATA = digits(64, 32)


def layers(hp: Any) -> Any:
    """The usual loop: how many hyperparameters there are depends on one of them."""
    model = keras.Sequential([keras.layers.Input((4,))])
    for index in range(hp.Int("layers", 1, 3)):
        model.add(keras.layers.Dense(hp.Choice(f"units_{index}", [8, 16])))
    model.add(keras.layers.Dense(3, activation="softmax"))
    return model


class Scopes(keras_tuner.HyperModel):  # type: ignore[misc]
    """KerasTuner's conditional scopes, with code that runs only in one of them; compiles."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def build(self, hp: Any) -> Any:
        model = keras.Sequential([keras.layers.Input((4,))])
        kind = hp.Choice("kind", ["linear", "mlp"])
        with hp.conditional_scope("kind", ["mlp"]):
            if kind == "mlp":
                model.add(keras.layers.Dense(hp.Int("units", 8, 64, step=8)))
                if hp.Boolean("dropout"):
                    model.add(keras.layers.Dropout(hp.Float("rate", 0.1, 0.5, step=0.1)))
        model.add(keras.layers.Dense(self.classes, activation="softmax"))
        model.compile(
            keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")),
            loss="sparse_categorical_crossentropy",
        )
        return model


def shaped(hp: Any, input_shape: tuple[int, ...], classes: int) -> Any:
    return keras.Sequential([keras.layers.Input(input_shape), keras.layers.Dense(classes * hp.Int("factor", 1, 2))])


def many(hp: Any) -> Any:
    """A range too long to be tried value by value."""
    units = hp.Int("more", 1, 2) if hp.Int("many", 1, 100) > 50 else 1
    return keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(units)])


def narrow(hp: Any) -> Any:
    """Raises at its default width, before the rest is asked for, and with three layers, after all is."""
    width = hp.Choice("width", [2, 8, 16])
    if width < 8:
        raise ValueError("too narrow")
    model = keras.Sequential([keras.layers.Input((4,))])
    count = hp.Int("layers", 1, 3)
    for index in range(count):
        model.add(keras.layers.Dense(width, activation=hp.Choice(f"activation_{index}", ["relu", "tanh"])))
    if count == 3:
        raise ValueError("too deep")
    return model


def build(
    found: object, values: Any, input_shape: tuple[int, ...] = (), classes: int | None = None, folder: Path = Path()
) -> Any:
    return make_builder(found, folder, input_shape, classes)[0](make_hyper_parameters(values))


def sweep_of(*parameters: Parameter, arguments: dict[str, Any] | None = None, **constants: Any) -> SweepSpec:
    model = ModelSpec("python", "module:layers", arguments or {})
    return replace(search_spec(SearchSpace(parameters, constants), "optuna", "random"), model=model)


def explore(spec: SweepSpec, found: object) -> SweepSpec:
    return explore_space(spec, *make_builder(found, Path(), DATA.input_shape, 10), DATA)


def explored(found: object, **fixed: Any) -> tuple[Parameter, ...]:
    return explore(sweep_of(arguments=fixed), found).space.parameters


def test_tells_hyper_models_from_other_functions() -> None:
    assert all(map(is_hyper_model, (layers, Scopes, Scopes(3), Scopes(3).build)))
    assert not any(map(is_hyper_model, (lambda units: None, keras.layers.Dense, "layers")))


EIGHT, RELU = Categorical((8, 16)), Categorical(("relu", "tanh"))
TWO, THREE = Condition("model.layers", (2, 3)), Condition("model.layers", (3,))
IN_MLP = Condition("model.kind", ("mlp",))
EXPLORED = {
    "a loop over layers gives conditions": (
        layers,
        Parameter("model.layers", Int(1, 3)),
        Parameter("model.units_0", EIGHT),
        Parameter("model.units_1", EIGHT, (TWO,)),
        Parameter("model.units_2", EIGHT, (THREE,)),
    ),
    "a range too long to try gives none": (
        many,
        Parameter("model.many", Int(1, 100)),
        Parameter("model.more", Int(1, 2)),
    ),
    "scopes give conditions, and code inside them is found": (
        Scopes(3),
        Parameter("model.kind", Categorical(("linear", "mlp"))),
        Parameter("model.learning_rate", Float(1e-4, 1e-2, log=True)),
        Parameter("model.units", Int(8, 64, step=8), (IN_MLP,)),
        Parameter("model.dropout", Categorical((False, True)), (IN_MLP,)),
        Parameter("model.rate", Float(0.1, 0.5, step=0.1), (IN_MLP, Condition("model.dropout", (True,)))),
    ),
    "where a build raises it is that of the other points": (
        narrow,
        Parameter("model.width", Categorical((2, 8, 16))),
        Parameter("model.layers", Int(1, 3)),
        Parameter("model.activation_0", RELU),
        Parameter("model.activation_1", RELU, (TWO,)),
        Parameter("model.activation_2", RELU, (THREE,)),
    ),
}


@pytest.mark.parametrize("case", EXPLORED)
def test_the_space_that_is_found(case: str) -> None:
    found, *parameters = EXPLORED[case]
    assert list(explored(found)) == parameters


def test_parameters_have_the_default_values_of_the_hyperparameters() -> None:
    assert [parameter.default for parameter in explored(layers)] == [1, 8, 8, 8]


def test_fixed_values_are_not_searched_and_decide_what_is_found() -> None:
    names = [parameter.name for parameter in explored(layers, layers=2)]
    assert names == ["model.units_0", "model.units_1"]


def test_a_class_and_a_function_are_given_the_shape_of_the_data() -> None:
    assert build(Scopes, {}, classes=5).output_shape == (None, 5)
    assert build(shaped, {"factor": 2}, input_shape=(4,), classes=3).output_shape == (None, 6)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_suggestion_builds_the_model_it_says(engine: str) -> None:
    """What a build asks for are exactly the trial's parameters: nothing is left to a default."""
    for found in (layers, Scopes(3)):
        sweep = explore(sweep_of(), found)
        for suggestion in make_engine(replace(sweep, search=SearchSettings(engine, "random"))).ask(6):
            values = {name.removeprefix("model."): value for name, value in suggestion.params.items()}
            asked = keras_tuner.HyperParameters()
            asked.values = dict(values)
            (found.build if isinstance(found, Scopes) else found)(asked)
            assert {one.name for one in asked.space if asked.is_active(one)} == set(values)
            assert isinstance(build(found, values), keras.Model)


def test_a_model_compiled_in_build_brings_its_optimizer() -> None:
    model = build(Scopes(3), {"kind": "linear", "learning_rate": 0.005})
    optimizer = own_optimizer(model)
    assert type(optimizer) is keras.optimizers.Adam
    assert optimizer is not model.optimizer
    assert float(optimizer.learning_rate) == pytest.approx(0.005)
    assert own_optimizer(build(layers, {})) is None


def test_the_space_file_wins_over_the_hyper_model() -> None:
    own = Parameter("model.units_1", Categorical((99,)))
    rate = Parameter("learning_rate", Float(0.1, 0.2))
    sweep = explore(sweep_of(rate, own, arguments={"layers": 2}), layers)
    assert {parameter.name: parameter.distribution for parameter in sweep.space.parameters} == {
        "learning_rate": Float(0.1, 0.2),
        "model.units_1": Categorical((99,)),
        "model.units_0": Categorical((8, 16)),
    }
    assert sweep.space.constants == {"model.layers": 2}


def test_unknown_model_arguments_are_named() -> None:
    for sweep in (sweep_of(Parameter("model.width", Int(1, 2))), sweep_of(arguments={"width": 3})):
        with pytest.raises(ModelError, match=r"`model.width`: module:layers has no hyperparameter 'width'.*from l"):
            explore(sweep, layers)


def test_a_build_that_raises_names_its_line_and_the_values(tmp_path: Path) -> None:
    (tmp_path / "raising_hyper_model.py").write_text(
        "def build(hp):\n    if hp.Choice('kind', ['good', 'bad']) == 'bad':\n        raise ValueError('no')\n"
    )
    found = load_python("raising_hyper_model:build", tmp_path)
    with pytest.raises(ModelError, match=r"kind='bad': .*raising_hyper_model.py:3: ValueError: no"):
        build(found, {"kind": "bad"}, folder=tmp_path)
    with pytest.raises(ModelError, match=r"build must return a keras\.Model, but got None"):
        build(found, {"kind": "good"})


def test_a_build_that_raises_everywhere_is_refused_after_a_few() -> None:
    tried = []

    def never(hp: Any) -> Any:
        tried.append((hp.Int("a", 1, 9), hp.Int("b", 1, 9), hp.Choice("c", list(range(20)))))
        raise ValueError("never")

    with pytest.raises(ModelError, match=r"never can't be built with the default values: .*ValueError: never"):
        explored(never)
    assert 1 < len(tried) <= 16


RANGES: list[tuple[str, dict[str, Any], object]] = [
    ("Int", {"min_value": 1, "max_value": 9, "step": 4}, Int(1, 9, step=4)),
    ("Int", {"min_value": 2, "max_value": 32, "sampling": "log"}, Int(2, 32, log=True)),
    ("Int", {"min_value": 2, "max_value": 32, "step": 2, "sampling": "log"}, Categorical((2, 4, 8, 16, 32))),
    ("Float", {"min_value": 0, "max_value": 1}, Float(0.0, 1.0)),
    ("Float", {"min_value": 1, "max_value": 100, "step": 10, "sampling": "log"}, Categorical((1.0, 10.0, 100.0))),
    ("Float", {"min_value": 1, "max_value": 2, "sampling": "reverse_log"}, Float(1.0, 2.0)),
    ("Choice", {"values": ["a", "b"]}, Categorical(("a", "b"))),
    ("Boolean", {}, Categorical((False, True))),
]


@pytest.mark.parametrize(("kind", "arguments", "distribution"), RANGES)
def test_ranges_keep_their_meaning(kind: str, arguments: dict[str, Any], distribution: object) -> None:
    hyper_parameters = keras_tuner.HyperParameters()
    getattr(hyper_parameters, kind)("x", **arguments)
    assert convert_parameters(hyper_parameters.space) == (Parameter("model.x", distribution),)  # type: ignore[arg-type]


def test_one_name_in_two_scopes_is_there_in_both() -> None:
    hyper_parameters = keras_tuner.HyperParameters()
    hyper_parameters.Choice("kind", ["a", "b", "c"])
    for kind in ("a", "c"):
        with hyper_parameters.conditional_scope("kind", [kind]):
            hyper_parameters.Int("units", 1, 4)
    assert convert_parameters(hyper_parameters.space)[1].when == (Condition("model.kind", ("a", "c")),)
    with hyper_parameters.conditional_scope("kind", ["b"]):
        hyper_parameters.Int("units", 1, 5)
    with pytest.raises(ModelError, match=r"'model\.units' has different ranges in its conditional scopes"):
        convert_parameters(hyper_parameters.space)
