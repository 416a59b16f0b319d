"""The command where its surroundings are poor: a full disk behind a pipe, little memory, a clock without a battery."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.command import python, sweep
from tests.helpers.space_texts import small

RUN = "from keras_sweep.cli.main import main\nmain(['run', 'space.yaml', '--quiet'])"
EARLY = f"import time\ntime.localtime = lambda *_: time.gmtime(0)\n{RUN}"  # no battery: it begins at 1970
FULL = "import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nfrom keras_sweep.cli.main import main\n"
LIMITED = f"import resource\nresource.setrlimit(resource.RLIMIT_AS, (7 * 2**30, -1))\n{RUN}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "space.yaml").write_text(small(search="{sampler: random, trials: 1}"))
    return tmp_path


def state(folder: Path) -> str:
    return json.loads(sweep("list", "--format", "json", cwd=folder).out)[0]["state"]


def test_a_sweep_whose_model_could_not_be_written_is_not_done_and_the_next_run_makes_it_good(folder: Path) -> None:
    failed = python(EARLY, cwd=folder)
    assert failed.code == 1
    assert "best.keras can't be written: this machine's clock says 1970-01-01" in failed.err
    assert "this should not have happened" not in failed.err
    assert state(folder) == "no model"
    again = sweep("run", "space.yaml", "--quiet", cwd=folder)
    assert again.code == 0, again.err
    assert (folder / "sweeps" / "space" / "best.keras").exists()
    assert state(folder) == "done"


def test_warnings_that_raise_in_other_programs_raise_in_no_sweep(folder: Path) -> None:
    done = sweep("run", "space.yaml", "--quiet", cwd=folder, PYTHONWARNINGS="error")
    assert done.code == 0, done.err
    assert state(folder) == "done"


@pytest.mark.parametrize("words", ["'list'", "'leaderboard', '--format', 'json'", "'--version'"])
def test_an_answer_that_no_disk_takes_is_no_fault_of_ours(words: str, folder: Path) -> None:
    sweep("run", "space.yaml", "--quiet", cwd=folder)
    ended = python(FULL + f"main([{words}])", cwd=folder)
    assert ended.code == 1
    assert ended.err.startswith("error: the output can't be written: No space left on device. ")


def test_little_memory_is_warned_of_before_it_runs_out(folder: Path) -> None:
    assert "`ulimit -v` leaves this process 7.0 GiB" in python(LIMITED, cwd=folder).err
    assert "ulimit" not in python(RUN, cwd=folder).err
