"""The command amid other programs: shells, pipes, signals, full disks, little memory, talkative libraries."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.helpers.command import Ended, process, python, sweep
from tests.helpers.space_texts import small

RUN = "from keras_sweep.cli.main import main\nmain(['run', 'space.yaml', '--quiet'])"
EARLY = f"import time\ntime.localtime = lambda *_: time.gmtime(0)\n{RUN}"  # no battery: it begins at 1970
FULL = "import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nfrom keras_sweep.cli.main import main\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "space.yaml").write_text(small(search="{sampler: random, trials: 1}"))
    return tmp_path


def state(folder: Path) -> str:
    return json.loads(sweep("list", "--format", "json", cwd=folder).out)[0]["state"]


def test_a_sweep_whose_model_could_not_be_written_is_not_done_and_the_next_run_makes_it_good(folder: Path) -> None:
    failed = python(EARLY, cwd=folder)
    assert failed.code == 1
    assert "best.keras: ZIP does not support timestamps before 1980. If the clock is wrong" in failed.err
    assert state(folder) == "no model"
    sweep("run", "space.yaml", "--quiet", cwd=folder).ok()
    assert (folder / "sweeps" / "space" / "best.keras").exists()
    assert state(folder) == "done"


@pytest.mark.soak
def test_warnings_that_raise_in_other_programs_raise_in_no_sweep(folder: Path) -> None:
    sweep("run", "space.yaml", "--quiet", cwd=folder, new=True, PYTHONWARNINGS="error").ok()
    assert state(folder) == "done"


def test_an_answer_that_no_disk_takes_is_no_fault_of_ours(finished: Path) -> None:
    ended = python(FULL + "main(['leaderboard', '--format', 'json'])", cwd=finished)
    assert ended.code == 1
    assert ended.err.startswith("error: can't write the output: No space left on device. ")


SPACE = small(
    data='{python: "mine:rows"}',
    model='{python: "mine:build"}',
    metrics="",
    metric="{name: val_loss}",
    parameters="{model.units: {values: [2, 3, 4]}, learning_rate: {min: 0.001, max: 0.1, log: true}, epochs: 1}",
    search="{sampler: grid, trials: 3}",
    finalists="none",
)
MINE = """
import tensorflow
import keras
import numpy as np

class Odd(keras.layers.Layer):
    def call(self, x):
        if x.shape[-1] == 4:
            raise ValueError("four is odd, " + "and so on " * 20)
        return keras.ops.cast(keras.ops.cast(x, "int64"), "float32") + x

    def compute_output_shape(self, shape):
        return shape

def rows():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return x, (x[:, 0] > 0).astype(int)

def build(units):
    dense = keras.layers.Dense(units, input_shape=(4,))
    return keras.Sequential([dense, Odd(), keras.layers.Dense(2, activation="softmax")])
"""


@pytest.mark.soak
def test_what_libraries_say_is_shown_once_or_not_at_all_and_failures_are_plain_and_short(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "mine.py").write_text(MINE)
    shown = sweep("data", "space.yaml", cwd=tmp_path, new=True, TF_CPP_MIN_LOG_LEVEL="0").ok()
    assert shown.out.startswith("mine:rows\n") and shown.err == ""
    done = sweep("run", "space.yaml", "--runner", "fit", cwd=tmp_path).ok()
    assert done.err.count("Do not pass an `input_shape`") == 1
    assert done.err.count("Explicitly requested dtype int64") == 1
    failed = next(line for line in done.err.splitlines() if " FAIL " in line)
    shown = sweep("show", "space", failed.split("trial ")[1].split()[0], cwd=tmp_path)
    assert "four is odd, and so on" in shown.out
    assert "x1b" not in shown.out + done.err
    board = sweep("leaderboard", cwd=tmp_path).out.split("\n\n")[0]
    assert "FAIL" in board and max(map(len, board.splitlines())) < 160


AMID_AN_IMPORT = """
import signal, sys

class Dropping:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

class CtrlC:
    def find_spec(name, path, target=None):
        if name == "typer":
            WHERE

signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.HOW)
sys.meta_path.insert(0, CtrlC)
sys.argv = ["sweep", "list"]
from keras_sweep.cli.start import main
main()
"""


@pytest.mark.parametrize(
    "where", [*(f"signal.raise_signal(signal.SIG{name})" for name in ("INT", "TERM")), "Dropping()"]
)
def test_a_signal_while_the_command_is_imported_is_said_in_one_line(where):
    code = AMID_AN_IMPORT.replace("WHERE", where).replace("HOW", "SIG_DFL")
    assert process([sys.executable, "-c", code]) == Ended(130, "", "interrupted\n")


def test_a_signal_that_is_ignored_as_nohup_has_it_ends_nothing():
    code = AMID_AN_IMPORT.replace("WHERE", "signal.raise_signal(signal.SIGHUP)").replace("HOW", "SIG_IGN")
    assert process([sys.executable, "-c", code]).code == 0


@pytest.mark.parametrize(("set_to", "seen"), [({}, "20"), ({"OPENBLAS_THREAD_TIMEOUT": "26"}, "26")])
def test_idle_threads_of_openblas_sleep_soon_unless_the_user_decides(set_to, seen):
    code = "import atexit, os, sys\n"
    code += "atexit.register(lambda: print(os.environ['OPENBLAS_THREAD_TIMEOUT'], 'numpy' in sys.modules))\n"
    code += "sys.argv = ['sweep', '--help']\nfrom keras_sweep.cli.start import main\nmain()"
    others = {name: value for name, value in os.environ.items() if name != "OPENBLAS_THREAD_TIMEOUT"}
    # NumPy reads the variable when it is imported.
    assert process([sys.executable, "-c", code], environment=others | set_to).out.splitlines()[-1] == f"{seen} False"


@pytest.mark.parametrize("words", ["leaderboard digits", pytest.param("data digits", marks=pytest.mark.soak)])
def test_an_answer_that_nobody_reads_is_no_fault(finished: Path, words: str) -> None:
    command = f"{sys.executable} -m keras_sweep {words} | true; exit ${{PIPESTATUS[0]}}"
    assert "error" not in process(["bash", "-c", command], finished).ok().err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("sweep sh", ["show"]), ("sweep export ", ["digits"])],
)
def test_what_is_offered(finished, typed, offered):
    words = typed.split(" ")
    variables = {"_SWEEP_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    ended = sweep(cwd=finished, new=True, **variables)
    assert ended.out.split() == offered
    assert (ended.code, ended.err) == (0, "")  # what is said there stands amid the line that is typed


def test_a_real_bash_completes_once_that_is_installed(finished, tmp_path):
    script = """
        sweep --install-completion; echo "code $?"
        . ~/.bashrc
        COMP_WORDS=(sweep show dig); COMP_CWORD=2; _sweep_completion sweep
        echo "offered: ${COMPREPLY[*]}"
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name != "SWEEPS_DIR"}
    done = process(["bash", "-c", script], finished, {**environment, "HOME": str(tmp_path), "PATH": path}).ok()
    assert done.err == ""
    assert "code 0\n" in done.out and done.out.endswith("offered: digits\n")


# A container's user: no entry in the table of users, and no HOME.
NO_HOME = """
import os, pwd, sys

def without_entry(number):
    raise KeyError(number)

os.environ.pop("HOME", None)
pwd.getpwuid = without_entry
from keras_sweep.cli.main import main
main(sys.argv[1:])
"""
ANSWERS = (["leaderboard", "space"], ["report", "space"], ["export", "space"])


def test_a_user_without_a_home_runs_and_exports_a_sweep(folder: Path) -> None:
    for words in (["check", "space.yaml"], ["run", "space.yaml", "--quiet"], *ANSWERS):
        python(NO_HOME, *words, cwd=folder, SWEEP_CACHE_DIR="").ok()
    assert state(folder) == "done"
    assert sorted(path.name for path in folder.iterdir() if "~" in path.name) == []


def test_a_path_below_a_home_that_is_unknown_is_said_in_one_line(folder: Path) -> None:
    ended = python(NO_HOME, "list", "--sweeps-dir", "~/sweeps", cwd=folder)
    assert ended.err.startswith("error: the home folder of this user is unknown, so `~` has no meaning. Set HOME")
    assert ended.code == 2


def test_a_home_in_which_nothing_can_be_written_costs_no_trial_and_no_line(folder: Path) -> None:
    home = folder / "file"
    home.write_text("no folder, so that not even root writes into it")
    for words in (["run", "space.yaml", "--quiet"], *ANSWERS):
        ended = sweep(*words, cwd=folder, new=True, HOME=str(home), SWEEP_CACHE_DIR="").ok()
        assert "file" not in ended.err
    assert state(folder) == "done"


def test_two_workers_share_a_single_core(folder: Path) -> None:
    only_core = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"  # macOS lends a process all cores
    lent = f"import os\nif hasattr(os, 'sched_setaffinity'):\n    {only_core}\n"
    call = "from keras_sweep.cli.main import main\nmain(['run', 'space.yaml', '--quiet', '--workers', '2'])"
    python(lent + call, cwd=folder).ok()
    assert state(folder) == "done"


def test_without_a_folder_for_temporary_files_a_command_says_to_set_one(folder: Path) -> None:
    nowhere = "import tempfile\ntempfile._candidate_tempdir_list = lambda: ['/proc/none']\ntempfile.tempdir = None\n"
    ended = python(nowhere + RUN, cwd=folder)
    assert ended.code == 1
    assert ended.err.startswith("error: can't write temporary files: No usable temporary directory found")
    assert ended.err.endswith("Set TMPDIR to a folder that you can write to\n")


def test_neither_git_nor_make_nor_a_shell_is_called(folder: Path) -> None:
    for words in (["run", "space.yaml", "--quiet"], *ANSWERS):
        sweep(*words, cwd=folder, new=True, PATH=str(folder / "none")).ok()
    assert state(folder) == "done"
