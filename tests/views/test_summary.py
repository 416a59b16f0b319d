import shlex

import pytest

from keras_sweep.trial.events import SweepEnded
from keras_sweep.trial.events import TestEvaluated as Evaluated
from keras_sweep.trial.result import TrialState
from keras_sweep.views.summary import next_commands, print_summary, print_test, summary, time_parts
from tests.helpers.results import ACCURACY, dense_sweep, result
from tests.helpers.screen import on_pipe, sent, terminal, without_styles

RESULTS = tuple(dense_sweep())
SECONDS = {"train": 31.2, "compile": 6.1, "sampler": 1.2, "total": 41.5}
CLASSES = {"T-shirt/top": 0.8, "Ankle boot": 0.95}
TEST = Evaluated(50, {"loss": 0.4612, "accuracy": 0.8413}, 0.00365, 1, CLASSES)
ENDED = SweepEnded("dense", "done", RESULTS, SECONDS, "sweeps/dense/best.keras")


def text_of(ended=ENDED, test=TEST, width=100, encoding="utf-8"):
    console = terminal(width, encoding=encoding)
    print_summary(console, summary(ended, ACCURACY, test=test))
    return without_styles(sent(console))


def test_the_end_says_all_there_is_to_say():
    text = text_of()
    for part in (
        "dense: 64 trials, 10 pruned, 4 failed",
        "≈ 7 trials are within one standard error",
        "the winner's val_accuracy is optimistic: it was chosen as the best of 64",
        "54 more: sweep leaderboard dense",
        "test trial 50: loss 0.4612  accuracy 0.8413 ±0.0037",
        "the first look at the test set",
        "T-shirt/top  ━━━━━━━━━━━━━━━━      0.8000",
        "time 42 s",
        "other",
        "model sweeps/dense/best.keras",
        "sweep show dense 50",
        "sweep export dense -o dense.keras",
    ):
        assert part in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width):
    assert all(len(line) <= width for line in text_of(width=width).splitlines())


def test_the_parts_of_the_time_add_up_to_the_whole():
    parts, total = time_parts(SECONDS)
    assert total == 41.5
    assert sum(part.seconds for part in parts) == pytest.approx(41.5)
    assert sum(part.share for part in parts) == pytest.approx(1.0)
    assert [part.name for part in parts] == ["train", "compile", "sampler", "other"]
    assert time_parts({}) == ((), 0)
    assert time_parts({"train": 2.0, "total": 1.0})[1] == 2.0


def test_a_second_look_at_the_test_set_is_a_warning():
    assert "look 2 at the test set: after the first it is no longer quite unseen" in text_of(
        test=Evaluated(50, {"loss": 0.5}, None, 2)
    )


def test_without_a_test_a_model_or_times_their_sections_are_left_out():
    text = text_of(SweepEnded("dense", "time is up", RESULTS[:3]), None)
    assert "dense: 3 trials, 1 pruned; time is up" in text
    assert not any(f"\n{section}" in text for section in ("test ", "model ", "time ")) and "more:" not in text


def test_a_sweep_without_trials():
    assert text_of(SweepEnded("dense", "interrupted", ()), None) == "dense: 0 trials; interrupted\n"


def test_a_sweep_in_which_all_trials_failed():
    failed = tuple(result(n, None, state=TrialState.FAIL, reason="diverged", stderr=None) for n in range(3))
    text = text_of(SweepEnded("dense", "failed", failed), None)
    assert "no trial completed" in text and "export" not in text and "optimistic" not in text


def test_commands_can_be_pasted_into_a_shell_whatever_the_name():
    rows = summary(ENDED, ACCURACY).rows
    for command, _ in next_commands("my sweep; rm -rf ~", rows):
        assert shlex.split(command)[2] == "my sweep; rm -rf ~"


def test_regression_scores_and_odd_class_names():
    text = on_pipe(lambda console: print_test(console, Evaluated(0, {"mse": 1234.5}, None, 1, {"[red]\x1b": 0.5})))
    assert "mse 1234" in text and "[red]\\x1b" in text and "\x1b" not in text


def test_ascii_terminals_get_ascii():
    assert text_of(encoding="ascii").isascii()
