"""Ctrl-C, SIGTERM, a closed terminal, a reader that goes away: nothing is lost, and the terminal is left as it was."""

import fcntl
import json
import os
import pty
import signal
import struct
import sys
import termios
from pathlib import Path

import pytest

from keras_sweep.training.checkpoint import FILE
from tests.helpers.command import process as command
from tests.helpers.fault_driver import forked
from tests.helpers.long_sweep import Started, begun, trials, wait_for, write
from tests.helpers.whole_sweeps import check_sound, folder_of

ENDLESS = """\
import pathlib
import jax
import keras

def build():
    if pathlib.Path("sweeps/long/study.db").exists() is SEARCHING:
        def begin(x):
            pathlib.Path("computing").touch()
            return x

        def program(x):
            x = jax.pure_callback(begin, jax.ShapeDtypeStruct((), "float32"), x)
            return jax.lax.fori_loop(0, 2**31 - 1, lambda i, v: v * 0.5 + jax.numpy.sin(v), x)

        jax.jit(program)(jax.numpy.float32(1.0)).block_until_ready()
    return keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
"""


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(one, marks=pytest.mark.soak) for one in (signal.SIGTERM, signal.SIGHUP))],
    ids=lambda number: number.name,
)
def test_the_first_signal_finishes_records_and_says_how_to_resume(tmp_path: Path, number: signal.Signals) -> None:
    write(tmp_path, trials=100_000, epochs=2)
    process = Started(tmp_path)
    wait_for(begun(tmp_path), process)
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == 130, err
    last = err.splitlines()[-1]  # perhaps with what is kept of those in training
    assert last.startswith("interrupted; every finished trial is kept")
    assert last.endswith(". The same command resumes")
    assert "val_accuracy" in out  # the leaderboard
    done = trials(tmp_path)
    assert done >= 16
    check_sound(folder_of(tmp_path, "long"))
    forked(tmp_path, "run", "long.yaml", "--trials", str(done + 1)).ok()
    assert trials(tmp_path) == done + 1


def test_a_signal_while_long_trials_train_keeps_their_epochs(tmp_path: Path) -> None:
    """What is cut short is checkpointed, and goes on from there."""
    write(tmp_path, trials=4, epochs=4000)
    stopped = forked(tmp_path, "run", "long.yaml", "--json", signal=signal.SIGINT, epochs=50)
    assert stopped.code == 130
    end = json.loads(stopped.out.splitlines()[-1])
    assert set(end["kept"]) == {"0", "1", "2", "3"}
    first, last = min(end["kept"].values()), max(end["kept"].values())
    where = f"epoch {first}" if first == last else f"epochs {first} to {last}"
    assert stopped.err.splitlines()[-1].endswith(f"interrupted; 4 trials are kept at {where}. The same command resumes")
    assert "stopping after the current epochs; a second Ctrl-C or signal stops at once" in stopped.out
    assert (folder_of(tmp_path, "long").checkpoints / FILE).exists()
    again = forked(tmp_path, "run", "long.yaml", "--json", signal=signal.SIGKILL, epochs=3)  # its last line may be cut
    events = [json.loads(line) for line in again.out.splitlines() if line.endswith("}")]
    assert next(event for event in events if event["event"] == "epoch_ended")["epoch"] > 1


def is_pending(process: int, number: signal.Signals) -> bool:
    """Whether a signal that was sent has not reached the process yet."""
    status = Path(f"/proc/{process}/status").read_text()
    (pending,) = [line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd:")]
    return bool(int(pending, 16) & 1 << number - 1)


@pytest.mark.parametrize(
    ("searching", "said"), [(False, "interrupted"), (True, "stopped at once")], ids=["before the search", "in it"]
)
def test_signals_stop_a_run_also_in_compiled_code(tmp_path: Path, searching: bool, said: str) -> None:
    """The main thread is in a program that takes minutes, where Python runs no signal handler."""
    write(tmp_path, trials=4, epochs=2)
    (tmp_path / "slow.py").write_text(ENDLESS.replace("SEARCHING", str(searching)))
    process = Started(tmp_path)
    wait_for((tmp_path / "computing").exists, process)
    if searching:
        process.send_signal(signal.SIGINT)
        wait_for(lambda: not is_pending(process.pid, signal.SIGINT), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.endswith(f"{said}; every finished trial is kept, and the same command resumes\n")


@pytest.mark.soak
def test_a_sweep_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    write(tmp_path, trials=40, epochs=2)
    process = Started(tmp_path, nohup=True)
    wait_for(begun(tmp_path), process)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert trials(tmp_path) == 40


@pytest.mark.soak
@pytest.mark.parametrize(
    "streams",
    ["--json 2>err | head -1; exit ${PIPESTATUS[0]}", "2>&-", ">&- 2>&- <&-", "</dev/full >/dev/full 2>/dev/full"],
    ids=["nobody reads", "no stderr", "none", "full"],
)
def test_streams_that_nobody_reads_or_that_are_closed_or_full_stop_no_sweep(tmp_path: Path, streams: str) -> None:
    write(tmp_path, trials=20, epochs=2)
    done = command(["bash", "-c", f"{sys.executable} -m keras_sweep run long.yaml {streams}"], tmp_path).ok()
    if "head" in streams:
        assert done.out.startswith('{"event": ')
        assert (tmp_path / "err").read_text() == ""
    assert trials(tmp_path) == 20
    check_sound(folder_of(tmp_path, "long"))
    assert folder_of(tmp_path, "long").card.exists()


def on_terminal(folder: Path) -> tuple[Started, int]:
    """A sweep on a terminal of its own, and our end of it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = Started(folder, environment=environment, terminal=os.ttyname(theirs))
    os.close(theirs)
    os.set_blocking(ours, False)
    return process, ours


def read(ours: int) -> bytes:
    try:
        return os.read(ours, 1 << 20)
    except (BlockingIOError, OSError):
        return b""


@pytest.mark.parametrize("signals", [1, 2], ids=["finished", "at once"])
def test_the_terminal_is_left_as_it_was(tmp_path: Path, signals: int) -> None:
    write(tmp_path, trials=100_000, epochs=2)
    process, ours = on_terminal(tmp_path)
    seen = bytearray()
    wait_for(lambda: seen.extend(read(ours)) or trials(tmp_path) >= 16, process)
    assert b"\x1b[?25l" in seen  # the cursor is hidden while the board is drawn
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
    wait_for(lambda: seen.extend(read(ours)) or process.poll() is not None)
    seen.extend(read(ours))
    os.close(ours)
    assert process.returncode == 130
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l")
    assert seen.count(b"\x1b[?1049h") == seen.count(b"\x1b[?1049l")  # no alternate screen is left on
    assert b"interrupted" in seen or b"\nstopped at once" in seen  # and not behind the board's last line


def test_a_closed_terminal_loses_nothing(tmp_path: Path) -> None:
    write(tmp_path, trials=48, epochs=2)
    process, ours = on_terminal(tmp_path)
    wait_for(lambda: bool(read(ours)) or trials(tmp_path) >= 1, process)
    os.close(ours)  # from now on every write fails
    wait_for(lambda: process.poll() is not None)
    sweep = folder_of(tmp_path, "long")
    check_sound(sweep)
    assert trials(tmp_path) == 48
    assert process.returncode == 0
    assert not sweep.owner.exists()
