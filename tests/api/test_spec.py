import keras
import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.api.run import spec_of
from keras_sweep.process.given import given
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.sweep_spec import is_own
from keras_sweep.space_file.read import read_space_file
from keras_sweep.training.losses import metric_of
from tests.api.conftest import build, digits_arrays, digits_spec


def distributions(spec):
    return {parameter.name: parameter.distribution for parameter in spec.space.parameters}


def test_ranges_choices_and_constants_are_those_of_a_space_file():
    parameters = {
        "optimizer": ["sgd", "adam"],
        "learning_rate": ks.Float(1e-5, 1, log=True),
        "momentum": ks.Float(0, 1, step=0.25, when={"optimizer": "sgd"}),
        "epochs": ks.Int(2, 8, step=2),
        "batch_size": ks.Choice([16, 32], probabilities=[0.25, 0.75]),
        "model.units": np.int64(8),
    }
    spec = spec_of(digits_spec(parameters=parameters), name="mine")
    assert distributions(spec) == {
        "optimizer": Categorical(("sgd", "adam")),
        "learning_rate": Float(1e-5, 1.0, log=True),
        "momentum": Float(0.0, 1.0, step=0.25),
        "epochs": Int(2, 8, step=2),
        "batch_size": Categorical((16, 32), (0.25, 0.75)),
    }
    assert spec.space.constants["model.units"] == 8
    momentum = next(parameter for parameter in spec.space.parameters if parameter.name == "momentum")
    assert (momentum.when[0].parameter, momentum.when[0].values) == ("optimizer", ("sgd",))


def test_constraints_and_cases_are_those_of_a_space_file():
    cases = [ks.Float(0.1, 1, log=True, when={"optimizer": "sgd"}), ks.Choice([1e-3], when={"optimizer": ["adam"]})]
    parameters = {"optimizer": ["sgd", "adam"], "learning_rate": cases}
    space = spec_of(digits_spec(parameters=parameters, where=["learning_rate < 0.5"]), name="mine").space
    drawn = [(one.key, one.distribution, one.when[0].values) for one in space.parameters[1:]]
    assert drawn[0] == ("learning_rate@1", Float(0.1, 1.0, log=True), ("sgd",))
    assert drawn[1] == ("learning_rate@2", Categorical((1e-3,)), ("adam",))
    assert space.where == ("learning_rate < 0.5",)


def test_all_faults_of_a_spec_are_told_at_once():
    wrong = digits_spec(loss="crossentropie", parameters={"learning_rat": ks.Float(0.1, 1)}, maximize="val_accurcy")
    with pytest.raises(ks.UsageError) as caught:
        spec_of(wrong, name="mine")
    message = str(caught.value)
    assert len(message.splitlines()) >= 3
    assert all(name in message for name in ("crossentropie", "learning_rat", "val_accurcy"))


def test_the_keys_of_a_space_file_are_taken_with_its_faults_and_its_warnings(tmp_path):
    (tmp_path / "plants.csv").write_text("a,species\n1,x\n2,y\n")
    keys = {
        "data": {"csv": str(tmp_path / "plants.csv"), "target": "species"},
        "model": {"dense": {"hidden": [4]}},
        "metric": [{"name": "val_accuracy", "goal": "maximize"}, {"name": "parameters", "goal": "minimize"}],
        "parameters": {"learning_rate": {"min": 1e-3, "max": 1.0, "log": True}, "epochs": {"values": [1, 2]}},
        "search": {"sampler": "random", "trials": 3, "seed": 7},
        "finish": {"choose": {"where": "parameters < 700"}},
    }
    given = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], "finalists": "none", **keys}
    of_file = read_space_file(tmp_path / "it.yaml", text=ks.Spec(**given).to_yaml(), name="mine")
    spec = spec_of(ks.Spec(**given, method="bayes"), name="mine")
    assert (spec.space, spec.search, spec.objective) == (of_file.space, of_file.search, of_file.objective)
    assert spec.objective.further and spec.finalists is None and "is a key of W&B" in spec.warnings[-1]
    wrong = {**given, "metrc": "val_loss", "search": {"samplr": "gp"}}
    with pytest.raises(ks.UsageError, match=r"search\.samplr: .*`sampler`") as caught:
        spec_of(ks.Spec(**wrong), name="mine")
    assert "Spec: metrc: there is no such key here (did you mean `metric`?)" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (ks.Float, (1.0, 0.1)),
        (ks.Float, (0.0, 1.0, True)),
        (ks.Int, (3, 1)),
        (ks.Choice, ([],)),
        (ks.Choice, ([1, 1],)),
    ],
)
def test_an_impossible_range_is_refused_where_it_is_made(kind, arguments):
    with pytest.raises(ValueError, match=" "):
        kind(*arguments)


def test_exactly_one_direction_is_asked_for():
    for directions in ({"maximize": None}, {"minimize": "val_loss"}, {"metric": {"name": "val_loss"}}):
        with pytest.raises(ks.UsageError, match="one of `maximize`, `minimize` and `metric`"):
            digits_spec(**directions).to_yaml()


def test_further_goals_and_what_the_winner_meets_are_those_of_a_space_file():
    chosen = {"choose": {"where": "parameters < 700"}}
    objective = spec_of(
        digits_spec(goals={"parameters": "minimize", "val_loss": "minimize"}, finish=chosen), name="mine"
    ).objective
    assert [one.name for one in (objective, *objective.further)] == ["val_accuracy", "parameters", "val_loss"]
    assert objective.where == "parameters < 700"


def test_the_same_arrays_and_function_have_the_same_name_and_others_another():
    same = digits_spec().to_yaml()
    (x, y), test = digits_arrays()
    x[0, 0] += 1
    assert digits_spec().to_yaml() == same
    assert digits_spec(data=((x, y), test)).to_yaml() != same

    def build(input_shape, classes):
        return None

    assert digits_spec(model=build).to_yaml() != same


def test_files_and_names_can_be_data(tmp_path):
    (tmp_path / "plants.csv").write_text("a,species\n1,x\n2,y\n")
    np.savez(tmp_path / "rows.npz", x=np.zeros((4, 2)), y=np.zeros(4))
    for data, kind in (
        ("fashion_mnist", "named"),
        (ks.Csv(tmp_path / "plants.csv", target="species"), "csv"),
        (ks.Npz(tmp_path / "rows.npz"), "npz"),
        (digits_arrays, "python"),
    ):
        assert spec_of(digits_spec(data=data), name="mine").data.kind == kind
    weighed = ks.Parquet(tmp_path / "plants.csv", target="species", weights="petals")
    assert spec_of(digits_spec(data=weighed), name="mine").data.weights == "petals"


def test_what_is_no_data_and_no_model_is_refused_with_what_can_be():
    with pytest.raises(ks.UsageError, match=r"`data` of a Spec is int.*Csv"):
        digits_spec(data=3).to_yaml()
    for model, kind in ((3, "int"), (build(4, (64,), 10), "Sequential")):
        with pytest.raises(ks.UsageError, match=rf"`model` of a Spec is {kind}.*function"):
            digits_spec(model=model).to_yaml()


def test_a_model_function_may_have_fixed_arguments():
    spec = spec_of(digits_spec(model=(build, {"units": 4}), parameters={"epochs": ks.Int(1, 2)}), name="mine")
    assert spec.model.arguments == {"units": 4}


def test_a_tuple_is_a_choice_and_may_be_a_constant_or_a_choice_of_tuples():
    ways = {"model.a": (16, 8), "model.b": {"value": (16, 8)}, "model.c": [(16, 8), (4,)], "epochs": 1}
    spec = spec_of(digits_spec(model=(build, {"d": (16, 8)}), parameters=ways), name="mine")
    assert distributions(spec) == {"model.a": Categorical((16, 8)), "model.c": Categorical(((16, 8), (4,)))}
    assert spec.space.constants == {"epochs": 1, "model.b": (16, 8)}
    assert spec.model.arguments == {"d": (16, 8)}
    written = "model.a: {values: [16, 8]}, model.b: {value: [16, 8]}, model.c: {values: [[16, 8], [4]]}, epochs: 1"
    model, source = (
        "{python: 'tests.helpers.user_models:classifier', d: [16, 8]}",
        "data: digits\nloss: mse\nmetric: {name: val_loss}",
    )
    of_file = read_space_file("it.yaml", text=f"{source}\nmodel: {model}\nparameters: {{{written}}}\n")
    assert (of_file.space, of_file.model.arguments) == (spec.space, spec.model.arguments)


def halved(y_true, y_pred):
    return y_pred[:, 0] / 2


def test_losses_and_metrics_may_be_functions_of_the_program():
    own = digits_spec(loss={"python": halved, "gamma": 2}, metrics=["accuracy", halved], maximize="val_halved")
    spec = spec_of(own, name="mine")
    assert (spec.metrics, spec.objective.name) == (("accuracy", "halved"), "val_halved")
    assert given(spec.loss) is given(str(spec.metric_arguments["halved"]["python"])) is halved
    assert dict(spec.loss_arguments) == {"gamma": 2} and {spec.loss, spec.model.source} <= set(spec.code)


def test_the_size_of_a_generation_is_the_runners_unless_it_is_given():
    sizes = [spec_of(digits_spec(search=one), name="mine").search.generation for one in (ks.Optuna(), ks.KerasTuner())]
    assert sizes == [0, 0]
    assert spec_of(digits_spec(search=ks.Optuna(generation=8)), name="mine").search.generation == 8


def test_a_search_may_start_with_points_and_stop_at_a_value():
    start = [{"learning_rate": np.float64(0.01), "epochs": 1}, {"epochs": 2}]
    search = ks.Optuna("random", trials=3, start=start, stop={"value": 0.9})
    spec = spec_of(digits_spec(search=search), name="mine")
    assert spec.search.start == ({"learning_rate": 0.01, "epochs": 1}, {"epochs": 2})
    assert spec.search.stop is not None and spec.search.stop.value == 0.9


def test_changes_are_made_as_by_the_option_set():
    spec = spec_of(digits_spec(), name="mine", changes={"learning_rate.max": 0.5, "search.trials": 7})
    assert distributions(spec)["learning_rate"] == Float(1e-3, 0.5, log=True)
    assert spec.search.trials == 7


def test_losses_and_metrics_of_keras_may_be_its_objects_classes_and_functions():
    losses, metrics = keras.losses, keras.metrics
    for loss in (losses.SparseCategoricalCrossentropy(), losses.SparseCategoricalCrossentropy):
        assert spec_of(digits_spec(loss=loss), name="mine").loss == "sparse_categorical_crossentropy"
    function = spec_of(digits_spec(loss=losses.sparse_categorical_crossentropy), name="mine")
    assert function.loss == "sparse_categorical_crossentropy"
    logits = spec_of(digits_spec(loss=losses.SparseCategoricalCrossentropy(from_logits=True)), name="mine")
    assert (logits.loss, logits.loss_arguments) == ("sparse_categorical_crossentropy", {"from_logits": True})
    assert is_own(spec_of(digits_spec(loss=losses.SparseCategoricalCrossentropy(reduction="sum")), name="mine").loss)
    given = [
        metrics.SparseCategoricalAccuracy,
        metrics.SparseTopKCategoricalAccuracy(k=2),
        metrics.SparseTopKCategoricalAccuracy(k=3, name="top3"),
    ]
    spec = spec_of(digits_spec(metrics=given, maximize="val_top3"), name="mine")
    assert spec.metrics == ("sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy", "top3")
    assert spec.metric_arguments["sparse_top_k_categorical_accuracy"] == {"k": 2}
    counted = [metrics.Precision(thresholds=0.7) for _ in range(2)][1]  # which Keras calls `precision_1`
    binary = digits_spec(loss=losses.BinaryCrossentropy(), metrics=[counted], maximize="val_precision")
    assert spec_of(binary, name="mine").metric_arguments == {"precision": {"thresholds": 0.7}}
    one, other = (metric_of(spec, "top3") for _ in range(2))
    assert (one.name, one.k) == ("top3", 3) and one is not other


class Errors(keras.metrics.Mean):
    """Names itself, whatever it is called by."""

    def __init__(self):
        super().__init__(name="my_errors")


class Misses(keras.metrics.Mean):
    def __init__(self, name="my_misses", **more):
        super().__init__(name=name, **more)


class Plain(keras.metrics.Mean):
    pass


class Hits(keras.metrics.Mean):
    def __init__(self, name="Hits", **more):
        super().__init__(name=name, **more)


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (Errors, "my_errors"),
        (Misses, "my_misses"),
        (Misses(name="others"), "others"),
        (Plain(name="plainly"), "plainly"),
        (Hits, "Hits"),
    ],
    ids=["a class", "a class that takes a name", "an object", "an object of no name of its class", "as its class"],
)
def test_a_metric_class_of_the_program_is_recorded_by_the_name_that_it_gives_itself(metric, name):
    spec = spec_of(digits_spec(metrics=["accuracy", metric], maximize=f"val_{name}"), name="mine")
    assert (spec.metrics, spec.objective.name) == (("accuracy", name), f"val_{name}")
    one, other = (metric_of(spec, name) for _ in range(2))
    assert one.name == other.name == name and one is not other
    assert type(one) is (metric if isinstance(metric, type) else type(metric))


def test_a_metric_class_that_is_named_in_a_space_file_is_recorded_by_its_name_there(tmp_path):
    (tmp_path / "own_class.py").write_text(
        "import keras\n\nclass Misses(keras.metrics.Mean):\n"
        "    def __init__(self, name='my_misses', **more):\n        super().__init__(name=name, **more)\n"
    )
    text = "data: digits\nmodel: dense\nloss: sparse_categorical_crossentropy\nparameters: {epochs: 1}\n"
    text += "metrics: [{python: 'own_class:Misses'}]\nmetric: {name: val_Misses, goal: maximize}\nsearch: {trials: 1}\n"
    (tmp_path / "it.yaml").write_text(text)
    assert metric_of(spec_of(tmp_path / "it.yaml"), "Misses").name == "Misses"


def test_numbers_and_arrays_of_numpy_are_as_those_of_python():
    given = {"learning_rate": np.array([0.1, 0.01]), "epochs": np.int64(2)}
    spec = spec_of(digits_spec(parameters=given), name="mine", changes={"search.trials": np.int64(7)}, seed=np.int64(4))
    assert distributions(spec) == {"learning_rate": Categorical((0.1, 0.01))}
    assert (spec.space.constants["epochs"], spec.search.trials, spec.search.seed) == (2, 7, 4)


@pytest.mark.parametrize(
    "given",
    [
        {"training": {"callbacks": [keras.callbacks.EarlyStopping()]}},
        {"parameters": {"optimizer": keras.optimizers.Adam(0.01), "epochs": 1}},
        {"parameters": {"optimizer": [keras.optimizers.Adam], "epochs": 1}},
    ],
)
def test_what_no_space_file_can_hold_is_refused(given):
    with pytest.raises(ks.UsageError, match=r"a space file can't hold .*a function that returns it"):
        digits_spec(**given).to_yaml()


def test_changes_that_are_wrong_are_told_in_one_line():
    with pytest.raises(ks.UsageError, match=r"Spec: --set foo\.max=1: there is no parameter 'foo'"):
        spec_of(digits_spec(), name="mine", changes={"foo.max": 1})
    with pytest.raises(ks.UsageError, match="`set` is a map, but got 'a=b'"):
        spec_of(digits_spec(), name="mine", changes="a=b")
