from keras_sweep.trial.events import GenerationAsked, Noticed, SweepStarted, TrialEnded
from keras_sweep.trial.events import TestEvaluated as Evaluated
from keras_sweep.trial.result import TrialState
from keras_sweep.views.running.plain import PlainLines
from tests.helpers.results import dense_sweep, result
from tests.helpers.screen import on_pipe


def started(**changes):
    fields = {"total": 64, "finished": (), "name": "dense", "metric": "val_accuracy"} | changes
    return SweepStarted(
        fields["name"],
        "sweeps/dense",
        "optuna/tpe",
        "compiled/jax",
        fields["total"],
        fields["finished"],
        fields["metric"],
        "maximize",
        1e9,
    )


def lines_of(*events):
    def draw(console):
        with PlainLines(console) as view:
            for event in events:
                view(event)

    return on_pipe(draw).splitlines()


def test_a_sweep_begins_with_a_line_that_says_what_it_is():
    assert lines_of(started()) == [
        "dense: 64 trials by optuna/tpe, trained by compiled/jax, to maximize val_accuracy",
    ]
    assert lines_of(started(finished=tuple(dense_sweep(8))))[0].endswith("; 8 of them are done already")


def test_every_trial_is_one_line():
    results = dense_sweep(64)
    asked = GenerationAsked(0, tuple(one.suggestion for one in results))
    lines = lines_of(started(), asked, *(TrialEnded(one) for one in results))
    assert len(lines) == 65
    assert lines[2].startswith("[ 2/64]  trial  1  val_accuracy 0.") and lines[2].endswith("best so far")
    assert "optimizer=" in lines[2] and "batch_size" not in lines[2] and "epochs in " in lines[2]


def test_the_first_trials_of_equal_value_stay_the_best():
    lines = lines_of(started(), TrialEnded(result(0, 0.8)), TrialEnded(result(1, 0.8)), TrialEnded(result(2, 0.9)))
    assert [line.endswith("best so far") for line in lines[1:]] == [True, False, True]


def test_how_a_trial_ended_is_said():
    failed = result(0, None, state=TrialState.FAIL, reason="diverged", stderr=None)
    pruned = result(1, 0.7, state=TrialState.PRUNED, reason="pruned at epoch 3")
    lines = lines_of(started(), TrialEnded(failed), TrialEnded(pruned))
    assert "FAIL diverged" in lines[1] and "best so far" not in lines[1]
    assert "val_accuracy 0.7000 ±0.0033 (pruned at epoch 3)" in lines[2] and "best so far" not in lines[2]


def test_nothing_in_an_event_is_markup_or_steers_a_terminal():
    odd = result(0, 0.8, params={"[red]a": "\x1b[31m\nb"}, reason=None)
    lines = lines_of(
        started(name="[bold]\x07", metric="[m]"),
        TrialEnded(odd),
        Noticed("[red]two\nlines\x1b[0m"),
        Evaluated(0, {"loss": 0.5}, {}, 1),
    )
    assert len(lines) == 4
    assert lines[0].startswith("[bold]\\x07: ") and "[red]a=\\x1b[31m\\nb" in lines[1]
    assert lines[2] == "note: [red]two lines\\x1b[0m"
