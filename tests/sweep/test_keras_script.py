"""A trial as plain Keras: what it is made of, and that a record's texts stay values."""

import ast
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jax
import keras
import numpy as np
import pytest

from keras_sweep.data.search_data import Stream
from keras_sweep.errors import UsageError
from keras_sweep.process.user_objects import register_function
from keras_sweep.space.data_spec import TargetScale
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import EarlyStopping, ModelSpec, ReduceLROnPlateau, Training, UserCallback
from keras_sweep.sweep.keras_script import _arguments, keras_script, trial_script
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.command import python
from tests.helpers.factory import digits, make_spec
from tests.helpers.lane_trials import FOLDER, fitted

DATA = digits()
PARAMS = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 3}


def result(**params):
    return Result(Suggestion(7, {**PARAMS, **params}), TrialState.COMPLETE, 0.5, {"val_accuracy": (0.5,) * 3}, 3)


def script(spec=None, **params):
    return keras_script(spec or make_spec(), result(**params), DATA, backend="jax", rows=Path("rows.npz"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder where the script finds its rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    np.savez("rows.npz", x=DATA.train.x, y=DATA.train.y, x_val=DATA.validation.x, y_val=DATA.validation.y)
    return tmp_path


def test_a_dense_model_is_written_layer_by_layer():
    model = ModelSpec("dense", "dense", {"hidden": (8, 4), "dropout": 0.1, "l2": 0.01, "use_bias": False})
    text = script(make_spec(model=model))
    assert text.count("keras.layers.Dense(") == 3
    assert "keras.layers.Dropout(0.1)" in text
    assert "kernel_regularizer=keras.regularizers.L2(0.01)" in text
    assert "use_bias=False" in text


def test_settings_that_move_numbers_are_set_as_they_are_here(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    keras.config.set_max_epochs(9)
    try:
        with jax.default_matmul_precision("float32"):
            before, _, after = script().partition("import keras\n")
    finally:
        keras.config.set_max_epochs(None)
    assert "os.environ['JAX_DEFAULT_MATMUL_PRECISION'] = 'float32'\n" in before
    assert "os.environ['XLA_FLAGS'] = '--xla_cpu_enable_fast_math=true'\n" in before
    assert "\nkeras.config.set_max_epochs(9)\n" in after


TUNED = """
import keras
import keras_tuner
def by_hp(hp):
    layers = [keras.layers.Dense(hp.Int("units", 4, 8)), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.layers.Input((64,)), *layers])
    model.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    return model
class Tuned(keras_tuner.HyperModel):
    def build(self, hp):
        return by_hp(hp)
instance = Tuned()
"""


@pytest.mark.parametrize("name", ["by_hp", "Tuned", "instance"])
def test_a_hyper_model_is_built_from_its_values_and_trained_by_its_own_optimizer(name, here):
    module = f"tuned_{name}"
    (here / f"{module}.py").write_text(TUNED)
    spec = make_spec(folder=here, model=ModelSpec("python", f"{module}:{name}", {}), space=SearchSpace(()))
    trial = replace(result(), suggestion=Suggestion(7, {"epochs": 1, "model.units": 5}))
    names = {}
    exec(keras_script(spec, trial, DATA, backend="jax", rows=Path("rows.npz")), names)
    assert names["model"].layers[0].units == 5
    assert type(names["model"].optimizer) is keras.optimizers.Adam
    assert float(names["model"].optimizer.learning_rate) == pytest.approx(0.02)


def test_a_script_has_the_trials_own_schedule(here):
    text = script(schedule="linear", warmup=0.25, batch_size=72)
    assert "keras_schedule(float(optimizer.learning_rate), 'linear', 12, 0.25)" in text
    names = {}
    exec(text, names)
    names["rows"].close()
    trial = Suggestion(0, {**PARAMS, "schedule": "linear", "warmup": 0.25, "batch_size": 72})
    expected = fitted(make_spec(), DATA, [trial])[0].curve["val_accuracy"]
    assert tuple(names["log"].history["val_accuracy"]) == expected


@pytest.mark.parametrize("text", ["__import__('os')", "x'); import os #", 'a"""\nimport os', "\n1/0"])
def test_texts_of_a_record_stay_values(text):
    model = ModelSpec("dense", "dense", {"activation": "softmax"})
    spec = replace(make_spec(model=model, loss=text, metrics=(text,)), name=text)
    spec = replace(spec, objective=replace(spec.objective, name=text))
    tree = ast.parse(keras_script(spec, replace(result(), reason=text), DATA, backend="jax", rows=FOLDER / text))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"os", "keras", "numpy"}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert called == {"enumerate", "print"}


def test_a_name_that_is_no_identifier_is_no_code():
    assert _arguments({"units": 5, "a=b": 1, "class": (1, 2)}) == "units=5, **{'a=b': 1, 'class': [1, 2]}"


def opened(spec=None, data=DATA):
    """A sweep with the trial of `result` alone."""
    training = {7: result()}.__getitem__
    return SimpleNamespace(training=training, load=lambda _: (spec or make_spec(), data))


def test_a_script_comes_with_the_rows_that_it_reads(tmp_path):
    text = trial_script(opened(), 7, rows=tmp_path / "rows.npz")
    assert text == keras_script(make_spec(), result(), DATA, backend="jax", rows=tmp_path / "rows.npz")
    with np.load(tmp_path / "rows.npz") as rows:
        assert sorted(rows) == ["x", "x_val", "y", "y_val"]
        np.testing.assert_array_equal(rows["y_val"], DATA.validation.y)
    with pytest.raises(UsageError, match="the script needs a file for its rows") as refused:
        trial_script(opened(), 7)
    assert refused.value.hint == "Add `--rows rows.npz`: `sweep` writes this file"


@pytest.mark.parametrize(
    ("changes", "data", "how"),
    [
        ({}, {"folds": (None,)}, "once per fold or seed, which a script can't repeat"),
        ({}, {"y": {"a": DATA.train.y}}, "on several inputs or outputs, which a script can't repeat"),
        ({}, {"y": np.empty((len(DATA.train), 0))}, "without labels, which a script"),
        ({"training": Training(adapt=True)}, {}, "on texts, or with layers that adapt, which a script"),
        ({"scale": TargetScale("log", 0.0)}, {}, "with its target transformed, which a script"),
        ({}, {"stream": Stream(list, 3)}, "on a dataset, which a script"),
    ],
)
def test_of_a_training_that_is_no_plain_fit_no_script_is_written(changes, data, how, tmp_path):
    rows = replace(DATA, train=replace(DATA.train, y=data.pop("y"))) if "y" in data else replace(DATA, **data)
    with pytest.raises(UsageError, match=f"trial 7 was trained {how}") as refused:
        trial_script(opened(make_spec(**changes), rows), 7, rows=tmp_path / "rows.npz")
    assert refused.value.hint.startswith("`sweep replay` without `--script` trains ")
    assert not list(tmp_path.iterdir())


def test_losses_and_metrics_are_written_as_what_makes_them():
    own = {"sure": {"python": "user_losses:sure"}, "auc": {"curve": "PR"}}
    spec = make_spec(loss="huber", metrics=("mae", *own), metric_arguments=own, folder=FOLDER)
    text = script(spec, **{"loss.delta": 0.5})
    assert "loss=keras.losses.Huber(delta=0.5)" in text
    assert "keras.metrics.AUC(curve='PR', name='auc')" in text
    assert "metrics=['mae', keras.metrics.MeanMetricWrapper(sure, name='sure')" in text
    assert "from user_losses import sure" in text and f"sys.path.insert(0, {str(FOLDER.resolve())!r})" in text
    for source, code in (("far", "far"), ("focal", "focal()"), ("Tilted", "Tilted(share=0.25)")):
        given = {"loss.share": 0.25} if source == "Tilted" else {}
        text = script(make_spec(loss=f"user_losses:{source}", folder=FOLDER), **given)
        assert f"loss={code}, metrics=['accuracy'])" in text
    assert "epochs = 3  # of 9: the trial was stopped here" in script(epochs=9)
    assert "callbacks=[keras.callbacks.SwapEMAWeights()]" in script(use_ema=True)
    plain = script()
    assert "model.compile(optimizer=optimizer, loss='sparse_categorical_crossentropy', metrics=['accuracy'])" in plain
    assert "import sys" not in plain and "epochs = 3\n" in plain and "callbacks" not in plain


def test_callbacks_weights_of_classes_and_of_rows_are_those_of_the_trial():
    watching = Training(
        callbacks=(UserCallback("own_callbacks:nothing"), UserCallback("own_callbacks:csv")),
        early_stopping=EarlyStopping(patience=2, monitor="val_loss"),
        reduce_lr_on_plateau=ReduceLROnPlateau(patience=1),
        class_weight={0: 2.0},
    )
    text = script(make_spec(training=watching, folder=FOLDER))
    made = text.partition("callbacks=[")[2]
    assert made.startswith("nothing(), csv(trial=SimpleNamespace(number=7, params={")
    assert "}, name='trial-7')), keras.callbacks.EarlyStopping(monitor='val_loss'" in made
    assert "from types import SimpleNamespace" in text
    assert "patience=2" in made and "None" not in made and "keras.callbacks.ReduceLROnPlateau(" in made
    assert "class_weight={0: 2.0})" in text and "sample_weight" not in text
    weights = [np.ones(len(rows), np.float32) for rows in (DATA.train, DATA.validation)]
    weighed = replace(DATA, train=replace(DATA.train, weights=weights[0]))
    both = replace(weighed, validation=replace(DATA.validation, weights=weights[1]))
    for data, held in ((weighed, "(x_val, y_val)"), (both, "(x_val, y_val, rows['sample_weight_val'])")):
        text = keras_script(make_spec(), result(), data, backend="jax", rows=Path("rows.npz"))
        assert "weighted_metrics=['accuracy']" in text and ", sample_weight=rows['sample_weight'])" in text
        assert f"validation = {held}\n" in text


def test_the_head_says_what_was_recorded_and_how_it_ended():
    assert script().startswith(
        "# Trial 7 of the sweep digits by plain Keras.\n# Recorded: val_accuracy 0.5 at epoch 3.\n"
    )
    failed = replace(result(), state=TrialState.FAIL, value=None, reason="diverged", epoch=None)
    text = keras_script(make_spec(), failed, DATA, backend="torch", rows=Path("rows.npz"))
    assert "# Recorded: FAIL at epoch None (diverged).\n" in text
    assert 'os.environ["KERAS_BACKEND"] = "torch"' in text and "batch_size=32, validation_batch_size=32" in text
    nothing = replace(failed, curve={})
    assert "epochs = 3\n" in keras_script(make_spec(), nothing, DATA, backend="jax", rows=Path("rows.npz"))


def test_a_function_of_a_program_can_not_be_imported():
    def rate(y_true, y_pred):
        return y_pred

    with pytest.raises(UsageError, match="rate is a function of the program that ran the sweep"):
        script(make_spec(loss=register_function(rate)))


WITH_DROPOUT = """
import sys
from pathlib import Path
from keras_sweep.space.search_space import SearchSpace
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.sweep.keras_script import keras_script
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.factory import digits, make_spec
spec = make_spec(model=ModelSpec("dense", "dense", {"hidden": (8,), "dropout": 0.1}))
result = Result(Suggestion(0, {"learning_rate": 0.1, "epochs": 1}), TrialState.COMPLETE, 0.5, {"val_accuracy": (0.5,)})
text = keras_script(spec, result, digits(), backend="jax", rows=Path("rows.npz"))
print("Dropout" in text, "tensorflow" in sys.modules)
"""


def test_writing_it_imports_no_tensorflow(tmp_path):
    assert python(WITH_DROPOUT, cwd=tmp_path).out == "True False\n"
