import os
from concurrent.futures import ThreadPoolExecutor

import pytest

import keras_sweep as ks
from keras_sweep.errors import SweepWarning
from keras_sweep.sweep.events import SweepEnded, SweepStarted, TrialEnded
from keras_sweep.sweep.events import TestEvaluated as Evaluated
from tests.api.conftest import build as usual
from tests.api.conftest import digits_arrays, digits_spec, run_digits
from tests.helpers.command import script
from tests.helpers.space_texts import small


def test_a_listener_hears_the_whole_run(finished, events):
    kinds = [type(event) for event in events]
    assert kinds.index(SweepStarted) < kinds.index(TrialEnded) < kinds.index(Evaluated) < kinds.index(SweepEnded)
    assert kinds.count(TrialEnded) == 5
    assert "trial 0" in (finished.path / "run.log").read_text()


def test_what_listeners_and_models_print_is_the_programs_own(tmp_path, capfd):
    """No answer goes to stdout here, so nothing is kept from it."""

    def build(units, input_shape, classes):
        os.write(1, b"from the model\n")
        return usual(units, input_shape, classes)

    run_digits(tmp_path, trials=1, listener=print, model=build)
    os.write(1, b"afterwards\n")
    out = capfd.readouterr().out
    assert "from the model\n" in out
    assert "SweepEnded(name='mine'" in out
    assert out.endswith("afterwards\n")


def test_the_same_call_again_resumes_also_from_another_thread(tmp_path):
    before = [(trial.number, trial.value) for trial in run_digits(tmp_path, trials=2).trials]
    with ThreadPoolExecutor() as threads:
        sweep = threads.submit(run_digits, tmp_path, trials=4).result()
    after = [(trial.number, trial.value) for trial in sweep.trials]
    assert after[:2] == before
    assert len(after) == 4


def test_calls_of_two_threads_follow_one_another(tmp_path):
    """Plain `fit` draws from the generators of the process."""
    how = {"sweeps_dir": tmp_path, "runner": "fit", "trials": 2, "listener": lambda event: None}
    names = ("alone", "one", "other")
    alone = ks.run(digits_spec(), name=names[0], **how)
    with ThreadPoolExecutor() as threads:
        both = [threads.submit(ks.run, digits_spec(), name=name, **how) for name in names[1:]]
    for sweep in both:
        assert [trial.value for trial in sweep.result().trials] == [trial.value for trial in alone.trials]
    assert ks.open("one", sweeps_dir=tmp_path).replay().matches  # whose functions this program has


def test_a_note_is_a_warning_of_the_line_that_called(tmp_path):
    run_digits(tmp_path, trials=1)
    with pytest.warns(SweepWarning, match="the old sweep is renamed to mine~1") as caught:
        ks.run(digits_spec(), name="mine", sweeps_dir=tmp_path, trials=1, fresh=True)
    assert __file__ in [one.filename for one in caught if "old sweep" in str(one.message)]


def test_what_does_not_go_with_the_data_is_told_of_the_spec_and_of_no_file(tmp_path):
    dense = {"dense": {"units": 3, "activation": "softmax"}}
    with pytest.raises(ks.UsageError) as caught:
        run_digits(tmp_path, data="digits", model=dense, loss="mse", parameters={"learning_rate": 0.1, "epochs": 1})
    first, *others = str(caught.value).splitlines()
    assert first.startswith("Spec: loss: `mse` takes numbers") and all(one.startswith("Spec: ") for one in others)


def test_other_arrays_are_refused_as_a_changed_sweep(finished):
    (x, y), test = digits_arrays()
    with pytest.raises(ks.UsageError, match="'mine'"):
        run_digits(finished.path.parent, data=((x + 1, y), test))


def test_wrong_calls_are_told_before_anything_is_loaded(tmp_path, finished):
    wrong = [
        ({"trials": 2, "more": 2, "name": "mine"}, "can't be used together"),
        ({"trials": 2, "add": "epochs=2", "name": "mine"}, "can't be used together"),
        ({"seconds": "10m", "name": "mine"}, "`seconds` must be a number above 0"),
        ({"seconds": 0, "name": "mine"}, "`seconds` must be a number above 0"),
        ({"runner": "fits", "name": "mine"}, r"there is no runner 'fits'\. Did you mean `fit`\?"),
        ({"backend": "torch", "name": "mine"}, "has imported Keras with 'jax'"),
        ({}, "needs a name"),
    ]
    for options, said in wrong:
        with pytest.raises(ks.UsageError, match=said):
            ks.run(digits_spec(), sweeps_dir=tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_script_in_an_empty_folder_that_prints_nothing_else(tmp_path):
    """A pipe gets no board: what a script prints is its own."""
    (tmp_path / "mine.py").write_text(
        "import keras_sweep as ks\n"
        "spec = ks.Spec(data='wine', loss='sparse_categorical_crossentropy', metrics=['accuracy'],\n"
        "               maximize='val_accuracy', parameters={'learning_rate': ks.Float(1e-3, 1e-1, log=True),\n"
        "               'epochs': 2, 'model.hidden': [4, 8]}, search=ks.Optuna('random', trials=3))\n"
        "sweep = ks.run(spec, name='wine')\n"
        "print(len(sweep.trials), sweep.path.name)\n"
    )
    done = script("mine.py", cwd=tmp_path, new=True)
    assert (done.out, done.err) == ("3 wine\n", "")
    assert (tmp_path / "sweeps" / "wine" / "best.keras").is_file()


SHIFT = 0.0


def made(activation):
    def build(input_shape, classes):
        import keras

        hidden = keras.layers.Dense(8, activation)
        return keras.Sequential([keras.Input(input_shape), hidden, keras.layers.Rescaling(1.0, SHIFT), last(classes)])

    return build


def last(classes):
    import keras

    return keras.layers.Dense(classes, "softmax")


def test_a_function_made_with_something_else_is_another_and_the_first_models_keep_their_scores(tmp_path, monkeypatch):
    def run(model, trials):
        parameters = {"learning_rate": [0.01, 0.1]}
        return run_digits(tmp_path, trials=trials, model=model, parameters=parameters, finalists="none")

    def score():
        rows = sweep.validation()
        return sweep.load_model(0).evaluate(rows.x, rows.y, verbose=0)[0]

    sweep = run(made("relu"), 1)
    loss = sweep.trial(0).metrics["val_loss"]
    with pytest.raises(ks.UsageError, match=r"started with other settings: model: .*the variable `activation`"):
        run(made("tanh"), 2)
    assert score() == pytest.approx(loss, rel=1e-6)
    monkeypatch.setitem(globals(), "SHIFT", 1.0)
    with pytest.raises(ks.UsageError, match=r"has changed since the sweep 'mine' started: the global `SHIFT` in build"):
        score()
    monkeypatch.setitem(globals(), "SHIFT", 0.0)
    assert len(run(made("relu"), 2).trials) == 2


EDITED = """
import keras

def build(input_shape, classes):
    layers = keras.layers
    hidden = layers.Dense(4, activation="ACTIVATION")
    return keras.Sequential([keras.Input(input_shape), hidden, layers.Dense(classes, "softmax")])
"""


def test_an_edited_module_is_imported_again_by_the_next_run(tmp_path):
    def run(name, activation):
        (tmp_path / "edited_build.py").write_text(EDITED.replace("ACTIVATION", activation))
        sweep = ks.run(tmp_path / "space.yaml", name=name, sweeps_dir=tmp_path / "sweeps")
        return sweep, sweep.load_model().layers[0].activation.__name__

    parts = {"parameters": "{learning_rate: 0.1, epochs: {values: [1]}}", "search": "{sampler: random, trials: 1}"}
    (tmp_path / "space.yaml").write_text(small(model='{python: "edited_build:build"}', **parts, finalists="none"))
    first, activation = run("first", "relu")
    assert (activation, run("second", "tanh")[1]) == ("relu", "tanh")
    with pytest.raises(ks.UsageError, match=r"has changed since the sweep 'first' started: edited_build\.py in"):
        first.load_model()


def no_better_than(epochs=1):
    """A callback of the program's own, which ends training after so many epochs."""
    import keras

    class Ends(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch + 1 == epochs

    return Ends()


def test_a_callback_of_the_program_is_called_by_fit_and_a_changed_one_is_refused(tmp_path):
    changes = {"trials": 1, "parameters": {"learning_rate": 0.1, "epochs": 3, "model.units": 8}, "finalists": "none"}
    sweep = run_digits(tmp_path, training={"callbacks": [no_better_than]}, **changes)
    assert (sweep.best.epochs, sweep.best.runner) == (1, "fit/jax")
    with pytest.raises(ks.UsageError, match="callbacks"):
        run_digits(tmp_path, training={"callbacks": [lambda: no_better_than(2)]}, **changes)


def test_a_loss_may_have_arguments(tmp_path):
    loss = {"name": "sparse_categorical_crossentropy", "from_logits": True}
    sweep = run_digits(tmp_path, trials=1, model="dense", loss=loss, parameters={"learning_rate": 0.1, "epochs": 1})
    assert sweep.load_model().layers[-1].activation.__name__ == "linear"
    assert sweep.replay().matches
    model = sweep.export(tmp_path / "logits.keras")
    assert ks.verify(model).matches
