import io
import threading

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep.events import GenerationAsked, TrialEnded
from keras_sweep.trial.events import Noticed, PhaseBegan
from keras_sweep.trial.result import Seconds, TrialState
from keras_sweep.views.running import plain
from keras_sweep.views.running.plain import PlainLines
from keras_sweep.views.terminal.console import console_on
from tests.helpers.results import dense_sweep, looked, result, started
from tests.helpers.screen import on_pipe


def lines_of(*events):
    def draw(console):
        with PlainLines(console) as view:
            for event in events:
                view(event)

    return on_pipe(draw).splitlines()


def test_a_sweep_begins_with_a_line_that_says_what_it_is():
    assert lines_of(started()) == ["dense: 64 trials by optuna/tpe, trained by compiled/jax, to maximize val_accuracy"]
    assert lines_of(started(finished=tuple(dense_sweep(8))))[0].endswith("; 8 of them are done already")


def test_every_trial_is_one_line():
    results = dense_sweep(64)
    asked = GenerationAsked(0, tuple(one.suggestion for one in results))
    lines = lines_of(started(), asked, *(TrialEnded(one) for one in results))
    assert len(lines) == 65
    assert lines[2].startswith("[ 2/64]  trial  1  val_accuracy 0.") and lines[2].endswith("best so far")
    assert "optimizer=" in lines[2] and "batch_size" not in lines[2] and "epochs in " in lines[2]


def test_a_line_says_how_its_trial_ended_with_the_same_parameters_in_all_and_the_time_of_its_epochs():
    params = [{"optimizer": "sgd", "momentum": 0.9, "epochs": 4, "seed": 42}, {"optimizer": "adam", "epochs": 4}]
    trials = [
        result(0, None, state=TrialState.FAIL, reason="diverged", stderr=None, params=params[0]),
        result(1, 0.7, state=TrialState.PRUNED, reason="pruned at epoch 3", params=params[1]),
        result(2, 0.8, seconds=Seconds(sampler=1.0, compile=17.0, train=0.3, validate=0.1), params=params[1]),
        result(3, 0.8),
    ]
    begins = started(parameters=("optimizer", "momentum", "epochs"))
    _, failed, pruned, best, equal = lines_of(PhaseBegan("data"), begins, *map(TrialEnded, trials))
    assert "FAIL diverged  optimizer=sgd momentum=0.9  4 epochs in " in failed
    assert "val_accuracy 0.7000 ±0.0033 (pruned at epoch 3)  optimizer=adam momentum=-" in pruned
    assert best.endswith("  optimizer=adam momentum=-  4 epochs in 0.40 s  best so far")
    assert not any("best so far" in line for line in (failed, pruned, equal))


def test_nothing_in_an_event_is_markup_or_steers_a_terminal():
    odd = result(0, 0.8, params={"[red]a": "\x1b[31m\nb"}, reason=None)
    lines = lines_of(
        started(name="[bold]\x07", objective=Objective("[m]", Goal.MAXIMIZE), parameters=("[red]a",)),
        TrialEnded(odd),
        Noticed("[red]two\nlines\x1b[0m"),
        looked(0, {"loss": 0.5}, {}, 1),
    )
    assert len(lines) == 4
    assert lines[0].startswith("[bold]\\x07: ") and "[red]a=\\x1b[31m\\nb" in lines[1]
    assert lines[2] == "note: [red]two lines\\x1b[0m"


def test_after_some_silence_the_phase_is_said(monkeypatch):
    monkeypatch.setattr(plain, "SILENCE", 0.01)
    told = threading.Event()

    class Telling(io.StringIO):
        def write(self, text):
            if "compiling" in text:
                told.set()
            return super().write(text)

    file = Telling()
    with PlainLines(console_on(file)) as view:
        view(started())
        view(GenerationAsked(0, tuple(result(number).suggestion for number in range(2))))
        view(PhaseBegan("compile", 2, 8))
        assert told.wait(30)
    assert "compiling 3 of 8 programs (0 s): 2 trials, 0 of 8 epochs done" in file.getvalue()
