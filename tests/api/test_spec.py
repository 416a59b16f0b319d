import keras
import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.api.run import read_spec
from keras_sweep.process.user_objects import get_object
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.sweep_spec import is_user_function
from keras_sweep.space_file.read import read_space_file
from keras_sweep.training.losses import make_metric
from tests.api.conftest import build, digits_arrays, digits_spec


def read(changes=None, **fields):
    """The spec of `digits_spec` with these fields."""
    return read_spec(digits_spec(**fields), name="mine", changes=changes)


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
    spec = read(parameters=parameters)
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
    space = read(parameters=parameters, where=["learning_rate < 0.5"]).space
    drawn = [(one.key, one.distribution, one.when[0].values) for one in space.parameters[1:]]
    assert drawn[0] == ("learning_rate@1", Float(0.1, 1.0, log=True), ("sgd",))
    assert drawn[1] == ("learning_rate@2", Categorical((1e-3,)), ("adam",))
    assert space.where == ("learning_rate < 0.5",)


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
    spec = read_spec(ks.Spec(**given, method="bayes"), name="mine")
    assert (spec.space, spec.search, spec.objective) == (of_file.space, of_file.search, of_file.objective)
    assert spec.objective.further and spec.finalists is None and "`sweep` skips this key of W&B" in spec.warnings[-1]
    wrong = {**given, "metrc": "val_loss", "search": {"samplr": "gp"}, "loss": "crossentropie"}
    with pytest.raises(ks.UsageError, match=r"search\.samplr: .*`sampler`") as caught:
        read_spec(ks.Spec(**wrong), name="mine")
    assert "Spec: metrc: this key is not allowed here (did you mean `metric`?)" in str(caught.value)
    assert "crossentropie" in str(caught.value)  # all faults are told at once


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [(ks.Float, (1.0, 0.1)), (ks.Float, (0.0, 1.0, True)), (ks.Int, (3, 1)), (ks.Choice, ([1, 1],))],
)
def test_an_impossible_range_is_refused_where_it_is_made(kind, arguments):
    with pytest.raises(ValueError, match=" "):
        kind(*arguments)


def test_exactly_one_direction_is_asked_for():
    for directions in ({"maximize": None}, {"minimize": "val_loss"}, {"metric": {"name": "val_loss"}}):
        with pytest.raises(ks.UsageError, match="one of `maximize`, `minimize` and `metric`"):
            digits_spec(**directions).to_yaml()


def test_further_goals_and_what_the_winner_meets_are_those_of_a_space_file():
    goals = {"parameters": "minimize", "val_loss": "minimize"}
    objective = read(goals=goals, finish={"choose": {"where": "parameters < 700"}}).objective
    assert [one.name for one in (objective, *objective.further)] == ["val_accuracy", *goals]
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
        ({"x_train": np.zeros((4, 2)), "y_train": np.zeros(4)}, "python"),
    ):
        assert read(data=data).data.kind == kind
    weighed = ks.Parquet(tmp_path / "plants.csv", target="species", weights="petals")
    assert read(data=weighed).data.weights == "petals"


def test_what_is_no_data_and_no_model_is_refused_with_what_can_be():
    with pytest.raises(ks.UsageError, match=r"`data` of a Spec must be .*Csv.*, but got int"):
        digits_spec(data=3).to_yaml()
    for model, kind in ((3, "int"), (build(4, (64,), 10), "Sequential")):
        with pytest.raises(ks.UsageError, match=rf"`model` of a Spec must be .*function.*, but got {kind}"):
            digits_spec(model=model).to_yaml()


def test_a_tuple_is_a_choice_a_constant_or_a_fixed_argument():
    ways = {"model.a": (16, 8), "model.b": {"value": (16, 8)}, "model.c": [(16, 8), (4,)], "epochs": 1}
    spec = read(model=(build, {"d": (16, 8)}), parameters=ways)
    assert distributions(spec) == {"model.a": Categorical((16, 8)), "model.c": Categorical(((16, 8), (4,)))}
    assert spec.space.constants == {"epochs": 1, "model.b": (16, 8)}
    assert spec.model.arguments == {"d": (16, 8)}


def halved(y_true, y_pred):
    return y_pred[:, 0] / 2


def test_losses_and_metrics_may_be_functions_of_the_program():
    own = digits_spec(loss={"python": halved, "gamma": 2}, metrics=["accuracy", halved], maximize="val_halved")
    spec = read_spec(own, name="mine")
    assert (spec.metrics, spec.objective.name) == (("accuracy", "halved"), "val_halved")
    assert get_object(spec.loss) is get_object(str(spec.metric_arguments["halved"]["python"])) is halved
    assert dict(spec.loss_arguments) == {"gamma": 2} and {spec.loss, spec.model.source} <= set(spec.code)


def test_settings_of_a_search_changes_and_numbers_of_numpy_are_those_of_a_space_file():
    start = [{"learning_rate": np.float64(0.01)}, {"batch_size": 16}]
    search = ks.Optuna("random", trials=3, start=start, stop={"value": 0.9}, generation=8)
    rate = ks.Float(1e-3, 1, log=True)
    parameters = {"learning_rate": rate, "batch_size": np.array([16, 32]), "epochs": np.int64(2)}
    given = digits_spec(search=search, parameters=parameters)
    changes = {"learning_rate.max": 0.5, "search.trials": np.int64(7)}
    spec = read_spec(given, name="mine", changes=changes, seed=np.int64(4))
    drawn = {"learning_rate": Float(1e-3, 0.5, log=True), "batch_size": Categorical((16, 32))}
    assert (distributions(spec), spec.space.constants["epochs"]) == (drawn, 2)
    assert (spec.search.trials, spec.search.seed, spec.search.generation) == (7, 4, 8)
    assert spec.search.start == ({"learning_rate": 0.01}, {"batch_size": 16}) and spec.search.stop.value == 0.9
    assert read(search=ks.KerasTuner()).search.generation == 0  # the runner chooses
    with pytest.raises(ks.UsageError, match=r"Spec: --set foo\.max=1: there is no parameter 'foo'"):
        read({"foo.max": 1})
    with pytest.raises(ks.UsageError, match="`set` must be a dict or a list, but got 'a=b'"):
        read("a=b")


def test_losses_and_metrics_of_keras_may_be_its_objects_classes_and_functions():
    losses, metrics = keras.losses, keras.metrics
    for loss in (losses.SparseCategoricalCrossentropy(), losses.SparseCategoricalCrossentropy):
        assert read(loss=loss).loss == "sparse_categorical_crossentropy"
    function = read(loss=losses.sparse_categorical_crossentropy)
    assert function.loss == "sparse_categorical_crossentropy"
    logits = read(loss=losses.SparseCategoricalCrossentropy(from_logits=True))
    assert (logits.loss, logits.loss_arguments) == ("sparse_categorical_crossentropy", {"from_logits": True})
    assert is_user_function(read(loss=losses.SparseCategoricalCrossentropy(reduction="sum")).loss)
    given = [
        metrics.SparseCategoricalAccuracy,
        metrics.SparseTopKCategoricalAccuracy(k=2),
        metrics.SparseTopKCategoricalAccuracy(k=3, name="top3"),
    ]
    spec = read(metrics=given, maximize="val_top3")
    assert spec.metrics == ("sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy", "top3")
    assert spec.metric_arguments["sparse_top_k_categorical_accuracy"] == {"k": 2}
    counted = [metrics.Precision(thresholds=0.7) for _ in range(2)][1]  # which Keras calls `precision_1`
    binary = digits_spec(loss=losses.BinaryCrossentropy(), metrics=[counted], maximize="val_precision")
    assert read_spec(binary, name="mine").metric_arguments == {"precision": {"thresholds": 0.7}}
    one, other = (make_metric(spec, "top3") for _ in range(2))
    assert (one.name, one.k) == ("top3", 3) and one is not other


class Errors(keras.metrics.Mean):
    """Names itself, whatever it is called by."""

    def __init__(self):
        super().__init__(name="my_errors")


class Hits(keras.metrics.Mean):
    def __init__(self, name="Hits", **more):
        super().__init__(name=name, **more)


@pytest.mark.parametrize(
    ("metric", "name"),
    [(Errors, "my_errors"), (Hits(name="others"), "others"), (Hits, "Hits")],
    ids=["a class", "an object", "as its class"],
)
def test_a_metric_class_of_the_program_is_recorded_by_the_name_that_it_gives_itself(metric, name):
    spec = read(metrics=["accuracy", metric], maximize=f"val_{name}")
    assert (spec.metrics, spec.objective.name) == (("accuracy", name), f"val_{name}")
    one, other = (make_metric(spec, name) for _ in range(2))
    assert one.name == other.name == name and one is not other
    assert type(one) is (metric if isinstance(metric, type) else type(metric))


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
