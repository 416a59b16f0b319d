"""`sweep run` as a function: begun, gone on with, made longer, begun anew, stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.errors import ChangedSweep, Interrupted, SweepBusy, SweepError, UsageError
from keras_sweep.record.reader import read_facts
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import DataSpec
from keras_sweep.space.sweep_spec import ModelSpec
from keras_sweep.sweep import events as happened
from keras_sweep.sweep.events import EndReason, GenerationAsked, SweepStarted, TrialEnded
from keras_sweep.sweep.run import describe_inputs
from keras_sweep.training.lanes.packing import Device
from keras_sweep.trial.events import EpochEnded, PhaseBegan
from tests.helpers.command import sweep
from tests.helpers.data_specs import write_pictures
from tests.helpers.factory import make_spec
from tests.helpers.long_sweep import Started, wait_for
from tests.helpers.ran import Ran, finished
from tests.helpers.records import saved_trials
from tests.helpers.space_texts import small
from tests.helpers.whole_spaces import PLAIN, SIZE


def test_begun_gone_on_with_and_made_longer(tmp_path: Path) -> None:
    first = finished(tmp_path, trials=4)
    assert (first.ended.reason, len(first.ended.results)) == ("done", 4)
    assert len(first.of(TrialEnded)) == 4
    assert all(one.weights is None for one in first.ended.results)  # memory would not hold thousands
    again = finished(tmp_path, trials=4)
    assert (again.ended.reason, again.of(TrialEnded)) == ("done", [])
    more = finished(tmp_path, trials=4, more=3)
    assert len(more.ended.results) == 7
    (started,) = more.of(SweepStarted)
    assert (started.total, len(started.finished)) == (7, 4)
    assert 1 <= len(saved_trials(more.sweep)) <= 7
    assert not more.sweep.owner.exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished sweep of four trials, which nobody alters."""
    folder: Path = tmp_path_factory.mktemp("four")
    finished(folder, trials=4)
    return folder


def test_begun_anew_the_older_one_is_kept(tmp_path: Path) -> None:
    Ran(tmp_path)()
    grid = PLAIN.replace("sampler: tpe", "sampler: grid").replace("max: 0.3, log: true", "max: 1.0, q: 1e-6")
    with pytest.raises(UsageError, match="a grid can have at most 100,000 points"):  # before anything is moved
        Ran(tmp_path, text=grid, fresh=True)()
    assert not (tmp_path / "sweeps" / "plain~1").exists()
    fresh = finished(tmp_path, trials=4, seed=7, fresh=True)
    assert any("plain~1" in notice for notice in fresh.notices)
    assert len(RecordedSweep.read(SweepFolder(tmp_path / "sweeps" / "plain~1")).results) == 4
    assert not fresh.sweep.owner.exists()


def test_a_folder_may_have_a_name_that_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"lat\xfcn")
    folder.mkdir()
    assert len(finished(folder, trials=2).ended.results) == 2
    assert (finished(folder, trials=2).ended.reason, (folder / "sweeps" / "plain~1").exists()) == ("done", False)


def test_a_signal_before_the_first_trial_leaves_nothing_to_finish(tmp_path: Path) -> None:
    ran = Ran(tmp_path)
    ran.stop.signalled = True
    ended = ran()
    assert (ended.reason, ended.results, ended.model) == ("interrupted", (), None)
    assert not ran.sweep.best.exists()
    assert Ran(tmp_path)().reason == "done"


def test_a_signal_after_the_last_trial_is_told_since_the_winner_is_not_evaluated(tmp_path: Path) -> None:
    ran, ended = Ran(tmp_path, text=TWO, trials=None), list[TrialEnded]()

    def signal_at_last(event: object) -> bool:
        ended.extend([event] if isinstance(event, TrialEnded) else [])
        ran.stop.signalled = len(ended) == 2
        return False

    ran.time_is_up = signal_at_last
    assert (ran().reason, len(ran.ended.results), ran.ended.model) == ("interrupted", 2, None)
    assert finished(tmp_path, TWO).ended.reason == "done" and ran.sweep.best.is_file()


def test_a_finished_sweep_is_told_again_without_keras(folder: Path) -> None:
    again = finished(folder, trials=4)
    assert "the sweep is complete: all 4 trials are done; `--more N` adds trials" in again.notices
    (told,) = again.of(happened.TestEvaluated)
    assert (again.ended.reason, told.earlier, told.looks) == ("done", True, 1)
    code = "import sys; from keras_sweep.cli.main import main\ntry: main()\nfinally: print('keras' in sys.modules)"
    command = [sys.executable, "-c", code, "run", "plain.yaml", "--trials", "4"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert "best.keras" in done.stdout


def test_a_changed_space_is_told_line_by_line_before_the_data_are_loaded(folder: Path) -> None:
    other = PLAIN.replace("max: 0.3", "max: 0.1").replace("epochs: {min: 1, max: 3}", "epochs: 2")
    changed = Ran(folder, text=other.replace("data: digits", "data: iris"))
    with pytest.raises(ChangedSweep, match="--fresh") as caught:
        changed()
    assert caught.value.changes == (
        "data: digits -> iris",
        "parameters.learning_rate.max: 0.3 -> 0.1",
        "parameters.epochs.min: 1 -> not set",
        "parameters.epochs.max: 3 -> not set",
        "parameters.epochs.log: false -> not set",
        "parameters.epochs.q: 1 -> not set",
        "parameters.epochs: not set -> 2",
    )
    assert not any(isinstance(event, PhaseBegan) and event.phase == "data" for event in changed.events)


def test_another_file_of_the_same_name_is_offered_a_name_of_its_own(folder: Path, tmp_path: Path) -> None:
    other = Ran(tmp_path, text=PLAIN.replace("max: 0.3", "max: 0.1"))
    other.sweep = SweepFolder(folder / "sweeps" / "plain")
    with pytest.raises(ChangedSweep, match=r"started from a file of the same name.*--name plain-2"):
        other()


def test_a_total_below_what_is_there_changes_nothing(folder: Path) -> None:
    assert len(Ran(folder, trials=2)().results) == 4


def listed(folder: Path) -> dict[str, object]:
    """The one sweep as `sweep list` has it."""
    (row,) = json.loads(sweep("list", "--format", "json", cwd=folder).out)
    return row  # type: ignore[no-any-return]


def test_a_point_is_added_to_a_sweep_which_goes_on_and_can_win(tmp_path: Path) -> None:
    finished(tmp_path, trials=2)
    point = {"optimizer": "adam", "learning_rate": 0.05, "epochs": 3}
    with pytest.raises(UsageError, match=r"learning_rate must be from 0\.0001 to 0\.3, but got 9\.0; rate is not"):
        finished(tmp_path, trials=2, add={"optimizer": "adam", "learning_rate": 9, "rate": 1})
    with pytest.raises(UsageError, match="learning_rate is missing; epochs is missing"):
        finished(tmp_path, trials=2, add={"optimizer": "adam"}, fresh=True)
    added = finished(tmp_path, trials=2, add=point)
    assert (added.ended.reason, len(added.ended.results)) == (EndReason.DONE, 3)
    assert [event.result.number for event in added.of(TrialEnded)] == [2]
    assert added.options.total(added.spec, added.ended.results, 0) == 3  # since the point is there now
    card = json.loads(added.sweep.card.read_text())
    assert (card["trial"], card["params"]["learning_rate"]) == (2, 0.05)
    like_it = finished(tmp_path, trials=2, add={"learning_rate": 0.06}).ended.results
    assert {one.number: dict(one.params) for one in like_it}[3] == {**point, "learning_rate": 0.06, "batch_size": SIZE}
    ended = finished(tmp_path, trials=5).ended
    assert {one.number: one.engine for one in ended.results}[2] == "added" and len(ended.results) == 5


def test_a_search_that_is_good_enough_is_done_until_a_better_value_is_asked_for(tmp_path: Path) -> None:
    enough = PLAIN.replace("seed: 42}", "seed: 42, generation: 2, stop: {value: 0.05}}")
    ended = finished(tmp_path, enough, trials=4).ended
    assert (ended.reason, len(ended.results)) == (EndReason.GOOD_ENOUGH, 2) and ended.model is not None
    again = finished(tmp_path, enough, trials=4)
    assert again.ended.reason is EndReason.GOOD_ENOUGH and "the sweep is complete" in again.notices[-1]
    assert [sweep.status.state for sweep in ks.sweeps(tmp_path / "sweeps")] == ["done"]
    better = finished(tmp_path, enough.replace("0.05", "1.5"), trials=4)
    assert (better.ended.reason, len(better.ended.results)) == (EndReason.DONE, 4)


def test_a_search_in_which_no_better_trial_comes_is_done_until_more_patience_is_asked_for(tmp_path: Path) -> None:
    patient = PLAIN.replace("seed: 42}", "seed: 42, generation: 2, stop: {patience: 1}}")
    ended = finished(tmp_path, patient, trials=12).ended
    assert ended.reason is EndReason.NO_BETTER and len(ended.results) < 12 and ended.model is not None
    again = finished(tmp_path, patient, trials=12)
    assert again.ended.reason is EndReason.NO_BETTER
    assert "the sweep is complete: no better trial in the last" in again.notices[-1]
    assert [sweep.status.state for sweep in ks.sweeps(tmp_path / "sweeps")] == ["done"]
    more = finished(tmp_path, patient.replace("patience: 1", "patience: 12"), trials=12)
    assert (more.ended.reason, len(more.ended.results)) == (EndReason.DONE, 12)


def test_a_space_that_is_exhausted_is_listed_as_done_however_many_trials_were_asked_for(tmp_path: Path) -> None:
    text = PLAIN.replace("learning_rate: {min: 1e-4, max: 0.3, log: true}", "learning_rate: 0.1")
    text = text.replace("epochs: {min: 1, max: 3}", "epochs: 1")
    ended = finished(tmp_path, text, trials=8).ended
    assert (ended.reason, len(ended.results)) == ("the space is exhausted", 2)
    row = listed(tmp_path)
    assert (row["trials"], row["total"], row["state"]) == (2, 8, "done (exhausted)")
    again = finished(tmp_path, text, trials=8)
    assert again.ended.reason == "the space is exhausted"
    (said,) = again.notices
    assert said == "the sweep is complete: all 2 different trials of the space are done"


def test_as_many_trials_are_asked_at_once_as_the_space_file_says(tmp_path: Path) -> None:
    text = PLAIN.replace("max: 3", "max: 1").replace("seed: 42}", "seed: 42, generation: 3}")
    ran = finished(tmp_path, text, trials=4)
    assert [one.suggestion.generation for one in ran.ended.results] == [0, 0, 0, 1]
    asked = [len(event.suggestions) for event in ran.of(GenerationAsked)]
    assert asked == [3, 3]  # the last ones are asked for in full, too: a longer sweep has the same trials
    for other, size in ((", generation: 4", 4), ("", 0)):
        with pytest.raises(ChangedSweep, match=rf"search\.generation: 3 -> {size}"):
            Ran(tmp_path, text=text.replace(", generation: 3", other))()


def test_a_sweep_whose_process_was_killed_is_listed_as_stopped(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(PLAIN.replace("epochs: {min: 1, max: 3}", "epochs: 3000"))
    process = Started(tmp_path, command=("run", "plain.yaml"))
    wait_for((tmp_path / "sweeps" / "plain" / "study.db").exists, process)
    assert listed(tmp_path)["state"] == "running"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "sweeps" / "plain" / "lock.json").exists()
    assert listed(tmp_path)["state"] == "stopped"


def test_when_the_time_is_up_the_winner_so_far_is_finished(tmp_path: Path) -> None:
    ran = Ran(tmp_path, trials=100)
    ran.time_is_up = lambda event: isinstance(event, GenerationAsked) and event.generation == 1
    ended = ran()
    assert ended.reason == "time is up"
    assert 16 <= len(ended.results) < 100
    assert ran.sweep.best.exists()


def test_when_the_time_is_up_before_a_trial_ended_it_is_no_error_and_says_what_is_kept(tmp_path: Path) -> None:
    text = PLAIN.replace("epochs: {min: 1, max: 3}", "epochs: 300")
    ran = Ran(tmp_path, trials=4, text=text)
    ran.time_is_up = lambda event: isinstance(event, EpochEnded)
    ended = ran()
    assert (ended.reason, ended.results, ended.model) == ("time is up", (), None)
    assert set(ended.kept) <= {0, 1, 2, 3}
    assert min(ended.kept.values()) >= 1
    assert "the time is up; the same command resumes" in ran.notices
    again = Ran(tmp_path, trials=4, text=text)
    again.time_is_up = ran.time_is_up
    again()
    first = next(event for event in again.of(EpochEnded) if event.number == 0)
    assert first.epoch >= ended.kept.get(0, 1)


def test_the_time_given_to_a_caller_of_the_library_counts_too(tmp_path: Path) -> None:
    ran = finished(tmp_path, trials=100, seconds=1e-6)
    assert (ran.ended.reason, ran.ended.results, dict(ran.ended.kept)) == ("time is up", (), {})
    assert "the time was up before any trial finished its first epoch: allow more time with `--for`" in ran.notices


def test_errors_have_the_exit_codes_that_are_documented() -> None:
    codes = {SweepError: 1, UsageError: 2, ChangedSweep: 2, SweepBusy: 3, Interrupted: 130}
    assert {error: error.exit_code for error in codes} == codes


HUGE = small(
    data="{csv: huge.csv, target: y}",
    model="{dense: {units: 1, activation: linear}}",
    loss="mse",
    metrics="",
    metric="{name: val_loss, goal: minimize}",
    parameters="{learning_rate: {min: 0.01, max: 0.1}, epochs: 2}",
)


def test_where_no_trial_completes_the_error_says_how_they_ended_and_what_helps(tmp_path: Path) -> None:
    (tmp_path / "huge.csv").write_text("x,y\n" + "".join(f"{row / 10},{row}e30\n" for row in range(50)))
    for _ in range(2):
        with pytest.raises(SweepError) as raised:
            Ran(tmp_path, trials=2, text=HUGE)()
        assert str(raised.value) == (
            "no trial of the sweep 'plain' has completed: 2 of 2 ended like trial 0: diverged (loss inf, val_loss inf "
            "in epoch 1). `sweep show plain 0` shows more. If trials diverge, lower the learning rate, or scale inputs "
            "and target to about -1 to 1"
        )


def test_an_accelerator_is_recorded_and_another_one_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, trials in (("GPU A", 1), ("GPU B", 2)):
        monkeypatch.setattr("keras_sweep.training.lanes.runner.find_device", lambda kind=kind: Device("gpu", kind))
        ran = finished(tmp_path, trials=trials, runner="compiled")
        begun = RecordedSweep.read(ran.sweep).facts.versions["device"]
        assert begun.startswith("GPU A: up to ")
        said = [notice for notice in ran.notices if notice.startswith(kind)]
        assert len(said) == 1 and said[0].endswith("last digits may differ") == (kind == "GPU B")


TWO = PLAIN.replace("trials: 18", "trials: 2")


def is_told_again(folder: Path, text: str = TWO, **options: object) -> bool:
    """Run it again; whether it was said that the sweep is complete, instead of the whole run."""
    return any("the sweep is complete" in notice for notice in finished(folder, text, **options).notices)


def change_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_sweep_is_run_whole_again_once_after_any_of_its_files_is_altered_or_missing(tmp_path: Path) -> None:
    folder = finished(tmp_path, TWO).sweep
    weights, scores = sorted(folder.weights.iterdir())[0], sorted(folder.scores.glob("*.npz"))[0]
    assert is_told_again(tmp_path)
    for alter, path in (
        *((change_last_byte, path) for path in (weights, folder.best)),
        *((Path.unlink, path) for path in (scores, folder.comparison, folder.card, folder.space)),
    ):
        alter(path)
        assert not is_told_again(tmp_path) and is_told_again(tmp_path), (alter, path)


def test_a_sweep_is_not_told_again_for_another_total_text_or_a_test_that_is_due(tmp_path: Path) -> None:
    finished(tmp_path, TWO, test=False)
    assert is_told_again(tmp_path, test=False)
    assert not is_told_again(tmp_path) and is_told_again(tmp_path) and is_told_again(tmp_path, test=False)
    assert not is_told_again(tmp_path, TWO + "# a comment\n") and is_told_again(tmp_path, TWO + "# a comment\n")
    assert not is_told_again(tmp_path, trials=3) and is_told_again(tmp_path, trials=3)


def test_a_few_more_trials_of_a_short_search_do_not_complete_it(tmp_path: Path) -> None:
    finished(tmp_path, TWO, trials=1)
    assert len(finished(tmp_path, TWO, trials=4, more=1).ended.results) == 2
    assert len(finished(tmp_path, TWO, trials=4).ended.results) == 4


def test_a_run_that_was_cut_short_or_added_a_point_leaves_a_sweep_that_is_run_whole(tmp_path: Path) -> None:
    done = finished(tmp_path, TWO)
    assert read_facts(done.sweep).done is not None
    cut = Ran(tmp_path, text=TWO, trials=None, more=1)
    cut.stop.signalled = True
    cut()
    assert read_facts(cut.sweep).done is None and not is_told_again(tmp_path)
    finished(tmp_path, TWO, add={"learning_rate": 0.06})
    assert read_facts(cut.sweep).done is None and not is_told_again(tmp_path) and is_told_again(tmp_path)


def test_a_program_that_configures_keras_otherwise_is_refused_and_not_told(tmp_path: Path) -> None:
    import keras

    finished(tmp_path, TWO)
    before = keras.config.epsilon()
    keras.config.set_epsilon(1e-3)
    try:
        with pytest.raises(ChangedSweep) as told:
            finished(tmp_path, TWO)
        assert any("epsilon" in line for line in told.value.changes)
    finally:
        keras.config.set_epsilon(before)


def test_inputs_name_when_the_files_of_the_user_were_written(tmp_path: Path) -> None:
    table, module = tmp_path / "rows.csv", tmp_path / "mine.py"
    spec = make_spec(text="data: rows.csv\n")
    spec = replace(spec, folder=tmp_path, data=DataSpec("csv", str(table)), model=ModelSpec("python", "mine:build"))
    assert describe_inputs(spec) == ""
    table.touch()
    module.touch()
    before = describe_inputs(spec)
    assert str(table) in before and str(module) in before and describe_inputs(spec) == before
    for path in (table, module):
        os.utime(path, (1e9, 1e9))  # an older time of writing is another one, too
        assert describe_inputs(spec) != before
        before = describe_inputs(spec)


def test_a_finished_sweep_sees_another_picture_however_old_and_wherever_linked(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 20)
    write_pictures(tmp_path / "older", 4)
    shutil.move(tmp_path / "photos" / "dog", tmp_path / "dogs")
    (tmp_path / "photos" / "dog").symlink_to(tmp_path / "dogs")
    text = PLAIN.replace("digits", "{images: photos, size: [4, 4]}").replace("{units: 10, activation: softmax}", "")
    finished(tmp_path, text, trials=2)
    assert any("the sweep is complete" in notice for notice in finished(tmp_path, text, trials=2).notices)
    shutil.copy2(tmp_path / "older" / "dog" / "0.png", tmp_path / "dogs" / "1.png")
    os.utime(tmp_path / "dogs" / "1.png", (1e9, 1e9))
    with pytest.raises(ChangedSweep, match="the rows have changed"):
        finished(tmp_path, text, trials=2)
