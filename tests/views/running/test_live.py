import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.sweep.events import FinalistEpochEnded, FinalistsChosen, GenerationAsked, TrialEnded
from keras_sweep.trial.comparison import Estimate
from keras_sweep.trial.events import EpochEnded, Noticed, PhaseBegan, TrialResumed
from keras_sweep.trial.result import TrialState
from keras_sweep.views.running.live import LiveBoard, draw_board
from keras_sweep.views.running.sweep_progress import SweepProgress
from keras_sweep.views.terminal.text import CurveScale
from tests.helpers.calls import calls_of
from tests.helpers.results import dense_sweep, result, started
from tests.helpers.screen import sent, terminal, without_styles


class Watched(SweepProgress):
    """What a sweep has come to, by a clock that the test turns."""

    def __init__(self, **changes):
        self.now = 0.0
        super().__init__(lambda: self.now)
        if changes.pop("begun", True):
            self(started(**changes))

    def begin(self, *event, after=0.0):
        self.now += after
        self(PhaseBegan(*event))

    def ask(self, *epochs, generation=0, first=0):
        """A generation of trials that ask for so many epochs each."""
        asked = (result(number, params={"epochs": each}) for number, each in enumerate(epochs, first))
        self(GenerationAsked(generation, tuple(one.suggestion for one in asked)))

    def train(self, number, epochs, *, seconds=0.0, done=0, values=(), ends=False):
        """Epochs of a trial, each after so many seconds."""
        for epoch in range(done, done + epochs):
            self.now += seconds
            self(EpochEnded(number, epoch + 1, {"val_accuracy": values[epoch]} if values else {}))
        if ends:
            self(TrialEnded(result(number, epochs=epochs)))


def half_way():
    progress = Watched()
    results = dense_sweep(40)
    seconds = 16.0 / (sum(one.epochs for one in results[:32]) + 3)
    for start in range(0, 32, 8):
        batch = results[start : start + 8]
        progress(GenerationAsked(start // 8, tuple(one.suggestion for one in batch)))
        for one in batch:
            progress.train(one.number, one.epochs, seconds=seconds, values=one.curve["val_accuracy"])
            progress(TrialEnded(one))
    progress(GenerationAsked(4, tuple(one.suggestion for one in results[32:])))
    for one in results[33:36]:
        progress.train(one.number, 1, seconds=seconds, values=(0.8,))
    progress.now = 16.0
    return progress


def lines_of(progress, width=100, height=40):
    console = terminal(width, height)
    console.print(draw_board(progress, console))
    return without_styles(sent(console)).splitlines()


def test_curves_in_the_table_and_in_training_share_one_scale_and_one_form_of_numbers():
    progress = half_way()
    scale = CurveScale(one.curve["val_accuracy"] for one in dense_sweep(32) if one.state != "FAIL")
    assert [progress.scale(value) for value in (0.7, 0.8, 0.85)] == [scale(value) for value in (0.7, 0.8, 0.85)]
    top = max(one.value for one in dense_sweep(32) if one.value is not None)
    progress(EpochEnded(33, 2, {"val_accuracy": top}))
    progress(EpochEnded(34, 2, {"val_accuracy": 12.3456}))
    lines = {line.split()[1]: line for line in lines_of(progress, height=60)[17:]}
    assert "0.8000" in lines["35"] and "12.35" in lines["34"] and "▇" in lines["33"]
    assert "▇" not in lines["35"]


def test_the_board_says_how_far_the_sweep_is_and_shows_the_best():
    lines = lines_of(half_way())
    assert lines[0] == "dense · optuna/tpe · compiled/jax"
    assert "32/64 trials  16 s · about 16 s left" in lines[1] and "━" in lines[1]
    assert "generation 4" in lines[3] and "pruned" in lines[3] and "1 failed" in lines[3]
    heads = "# trial val_accuracy learning_rate optimizer momentum epochs curve"
    assert lines[5].split() == heads.split()
    ranks = [line.split()[0] for line in lines[7:15]]
    assert ranks == list("12345678")
    assert lines[16] == "training 8 trials"
    assert lines[17].startswith("trial 32") and lines[18].split()[2:4] == ["1/3", "0.8000"]
    values = [one.value for one in half_way().leading]
    assert len(values) == 10 and values == sorted(values, reverse=True)
    before, after = Watched(), half_way()  # the bar keeps its length when the time that is left is known
    assert after.remaining is not None and before.remaining is None
    lengths = {lines_of(progress, 60)[1].index(f"  {progress.done}/64") for progress in (before, after)}
    assert len(lengths) == 1 and min(lengths) >= 8 and lines_of(before)[1].endswith("0/64 trials  0 s")


def test_while_finalists_train_the_board_has_the_estimate_of_the_search_and_their_own_time():
    progress = half_way()
    estimate = Estimate(0.8544, 0.8484, 0.8602, 0.8571, "")
    progress(FinalistsChosen((3, 5), (43,), (), 20, estimate=lambda: estimate))
    line = lines_of(progress, width=80)[3]
    assert line.startswith("0 of 2 finalists trained · expected: 0.8544 (95 %: 0.8484 to 0.8602) · ")
    for epoch in range(1, 11):
        progress.now += 2.0
        progress(FinalistEpochEnded(3, 43, epoch))
    assert progress.remaining == pytest.approx(20.0)  # ten epochs more, of both


def test_the_time_that_is_left_counts_epochs_and_only_those_of_this_run_in_its_speed():
    progress = Watched(total=6, finished=(result(4), result(5)))
    progress.ask(2, 2, 1000, 1000, 4, 4, 4, 4)  # the generation is not wanted whole, and part of it is recorded
    assert sorted(progress.training) == [0, 1, 2, 3] and (progress.done, progress.total) == (2, 6)
    for number in (0, 1):  # they ended in the run before, and waited for their turn in the record
        progress(TrialEnded(result(number, epochs=2)))
    progress(TrialResumed(2, {"val_accuracy": (0.1,) * 400}))
    progress.now = 10.0
    assert progress.remaining is None
    progress.train(2, 500, done=400)
    assert progress.remaining == pytest.approx((100 + 1000) * 10.0 / 500)


def test_the_phase_is_said_with_its_time_and_something_moves():
    progress = Watched(begun=False)
    assert lines_of(progress) == ["⠋ starting  0 s"]
    progress.begin("data")
    frames = set()
    for tenth in range(0, 20, 2):
        progress.now = tenth / 10
        frames.add(lines_of(progress)[0])
    assert all("importing Keras and reading the data" in frame for frame in frames) and len(frames) == 10
    progress = half_way()
    progress.begin("compile", 2, 8)
    progress.begin("compile", 3, 8, after=20)
    progress.now += 75
    assert lines_of(progress)[2][1:] == " compiling 4 of 8 programs  75 s"


def test_what_is_to_be_compiled_is_part_of_the_time_that_is_left():
    progress = Watched(total=32)
    progress.ask(*[2] * 16)
    progress.begin("compile", 0, 16)
    progress.begin("train", 1, 16, after=10)
    progress.train(0, 1)
    progress.train(0, 1, done=1, seconds=1.0)
    progress(TrialEnded(result(0, epochs=2)))
    assert progress.remaining == pytest.approx(31 * 1.0 + 31 * 10.0)  # 15 more of this generation, 16 of the next
    progress.begin("train", 1, 1)
    assert progress.remaining == pytest.approx(31 * 1.0)


def test_an_epoch_is_foretold_from_those_that_trained_while_nothing_else_was_done():
    progress = Watched(total=2)
    progress.begin("sampler")
    progress.now = 30.0  # the first look for a trial imports the sampler
    progress.ask(20, 20)
    progress.begin("compile", 0, 2, after=20)
    progress.begin("compile", 1, 2, after=10)
    progress.train(0, 5)  # of the first program, while the second is compiled
    progress.begin("train", 2, 2, after=10)
    assert progress.remaining is None
    progress.train(1, 8, seconds=1.0)
    assert progress.remaining == pytest.approx(15 + 12)


@pytest.mark.parametrize("slow", ["sampler", "compile"])  # of a process the first imports, and finds nothing compiled
def test_a_slow_first_generation_moves_what_later_ones_are_foretold_by_less_than_a_factor_of_two(slow):
    progress = Watched(total=5)
    for number, seconds in enumerate((40.0, 3.0)):
        if slow == "sampler":
            progress.begin("sampler")
            progress.now += seconds
        progress.ask(8, generation=number, first=number)
        if slow == "compile":
            progress.begin("compile", 0, 1)
            progress.now += seconds
        progress.begin("train", *((1, 1) if slow == "compile" else (0, 0)))
        progress.train(number, 8, seconds=1.0, ends=True)
    assert 1 / 2 < progress.remaining / (3 * (8.0 + 3.0)) < 2


def test_while_all_epochs_train_beside_compiling_what_is_left_is_compiling():
    progress = Watched(total=4)
    progress.ask(*[20] * 4)
    progress.begin("train", 0, 4)
    progress.begin("compile", 0, 4, after=1)  # until the first program begins to be compiled
    progress.begin("compile", 2, 4, after=20)
    progress.train(0, 20)
    progress.train(1, 20)
    assert progress.remaining == pytest.approx(20.0)


HALF_WAY = half_way()


@hypothesis_settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(1, 60))
@example(100, 6)
@example(100, 18)
def test_the_board_can_be_drawn_at_any_size(width, height):
    lines = lines_of(HALF_WAY, width, height)
    if width >= 30:
        assert all(len(line) <= width for line in lines) and len(lines) < max(height, 6)


def test_markup_and_control_characters_in_events_are_harmless():
    odd = result(0, 0.8, params={"[red]x": "\x1b[2J", "epochs": 2})
    other = result(1, 0.7, params={"epochs": 2})
    progress = SweepProgress()
    objective = Objective("[m]\x1b", Goal.MAXIMIZE)
    progress(started(name="[b]\x1b[31m", engine="\x07", objective=objective, parameters=("[red]x",)))
    progress(TrialEnded(odd))
    progress(TrialEnded(other))
    progress(GenerationAsked(1, (odd.suggestion, result(2, params={"[red]x": "\x1b[2J"}).suggestion)))
    text = "\n".join(lines_of(progress))
    assert "\x1b" not in text and "\x07" not in text and "[b]\\x1b[31m" in text and "[red]x" in text


def test_an_exception_leaves_the_terminal_as_it_was():
    console = terminal()
    with pytest.raises(KeyboardInterrupt), LiveBoard(console) as view:
        view(started())
        raise KeyboardInterrupt
    text = sent(console)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert text.index("\x1b[?25h") > text.index("\x1b[?25l") and "\x1b[?1049" not in text
    assert text.endswith("\x1b[1A\x1b[2K")  # the cursor stands where the board began


def test_failures_and_notices_stay_above_the_board():
    console = terminal(width=200)
    with LiveBoard(console) as view:
        view(started())
        view(Noticed("lanes do not fit: [red]3 trials\x1b[0m fall back to fit"))
        for number in range(30):
            view(TrialEnded(result(number, None, state=TrialState.FAIL, reason="diverged")))
    text = without_styles(sent(console))
    assert "note: lanes do not fit: [red]3 trials\\x1b[0m fall back to fit" in text
    assert text.count("failed: diverged") == 10 and "more failures like this are only counted" in text


def test_thousands_of_trials_do_not_slow_it():
    console = terminal()
    one = result(0)

    def told(first, last):
        for number in range(first, last):
            view(EpochEnded(number, 1, {"val_accuracy": 0.5}))
            view(TrialEnded(one if number == 0 else result(number, number / 8_000, curve={}, epoch=None)))

    with LiveBoard(console) as view:
        view(started(total=8_000))
        at_first = calls_of(lambda: told(0, 500))
        told(500, 7_500)
        assert calls_of(lambda: told(7_500, 8_000)) < 2 * at_first
    assert view.progress.done == 8_000 and len(view.progress.leading) == 10
    assert view.progress.leading[0].number == 7_999


def test_a_trial_that_goes_on_shows_what_is_kept_and_counts_only_what_is_new():
    progress = Watched(total=2)
    progress.ask(10, 10)
    for number in range(2):
        progress(TrialResumed(number, {"val_accuracy": (0.1, 0.5, 0.6, 0.7, 0.7, 0.7, 0.7, 0.8)}))
    lines = lines_of(progress)
    assert lines[-2].split()[:4] == ["trial", "0", "8/10", "0.8000"] and "▁" in lines[-2] and "▇" in lines[-2]
    assert lines[1].startswith("━" * 30) and "0 epochs" in lines[3]
    progress.train(0, 1, done=8)
    assert "9/10" in lines_of(progress)[-2] and "1 epoch " in lines_of(progress)[3] + " "
