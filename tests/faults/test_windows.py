"""The life of a sweep where keras-sweep sees Windows (tests/helpers/windows.py); what ends a process there is a kill.

What it trains is to the bit what it trains on this system.
"""

import signal
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.fault_driver import forked
from tests.helpers.long_sweep import Started, begun, trials, wait_for, write
from tests.helpers.whole_spaces import arguments, write_whole
from tests.helpers.whole_sweeps import check_sound, folder_of, outcome, whole

on_windows = partial(forked, windows=True)


@pytest.mark.parametrize(
    ("space", "words"),
    [("plain", []), ("fit", []), ("folds", []), ("tuner", []), ("plain", ["--workers", "2"])],
    ids=["compiled", "fit", "folds", "keras-tuner", "workers"],
)
def test_a_sweep_that_is_killed_and_resumed_on_windows_is_the_sweep_of_this_system(
    tmp_path: Path, space: str, words: list[str]
) -> None:
    calls, _, expected = whole(space)
    write_whole(tmp_path, space)
    killed = on_windows(tmp_path, *arguments(space, *words), kind="kill", nth=len(calls) // 2)
    assert killed.code == -signal.SIGKILL, killed.err
    check_sound(folder_of(tmp_path, space))
    resumed = on_windows(tmp_path, *arguments(space, *words)).ok()
    assert "resumes" in resumed.err
    assert outcome(folder_of(tmp_path, space)) == expected


def test_a_second_run_is_refused_and_ctrl_break_ends_the_first_in_order(tmp_path: Path) -> None:
    write(tmp_path, trials=100_000, epochs=2)
    first = Started(tmp_path, windows=True)
    wait_for(begun(tmp_path), first)
    first.send_signal(signal.SIGSTOP)  # it computes nothing in the meantime
    for words in ([], ["--fresh"]):
        second = on_windows(tmp_path, "run", "long.yaml", *words)
        assert second.code == 3
        assert f"process {first.pid} on " in second.err
    assert on_windows(tmp_path, "leaderboard", "--format", "json").ok().out.startswith("[")
    first.send_signal(signal.SIGCONT)
    first.send_signal(signal.SIGHUP)  # which keras-sweep sees as SIGBREAK
    out, err = first.communicate()
    assert first.returncode == 130, err
    assert err.splitlines()[-1].startswith("interrupted; every finished trial is kept")
    assert "val_accuracy" in out
    done = trials(tmp_path)
    on_windows(tmp_path, "run", "long.yaml", "--trials", str(done + 1)).ok()
    assert trials(tmp_path) == done + 1


def test_every_command_on_a_sweep_prints_on_windows_what_it_prints_here(tmp_path: Path) -> None:
    write_whole(tmp_path, "plain")
    for words in (["--help"], ["run", "--help"], ["check", "plain.yaml", "--no-probe"]):
        _assert_alike(tmp_path, *words)
    on_windows(tmp_path, *arguments("plain")).ok()
    for words in (["list"], ["leaderboard", "--format", "json"], ["show", "plain", "0"]):
        _assert_alike(tmp_path, *words)
    on_windows(tmp_path, "report", "plain").ok()
    assert (tmp_path / "reports" / "plain").exists()
    on_windows(tmp_path, "export", "plain", "-o", "it.keras").ok()
    for place in ("sweeps/plain/best.keras", "it.keras"):
        _assert_alike(tmp_path, "verify", place)
    fresh = on_windows(tmp_path, *arguments("plain", "--fresh")).ok()
    assert "plain~1" in fresh.err
    on_windows(tmp_path, "compare", "plain", "plain~1").ok()
    assert outcome(folder_of(tmp_path, "plain")) == whole("plain")[2]


def _assert_alike(folder: Path, *words: str) -> None:
    assert on_windows(folder, *words).ok().out == forked(folder, *words).ok().out
