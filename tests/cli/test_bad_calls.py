"""Whatever is wrong with a call: exit 2, one plain message that names what and what to do, nothing written."""

import os
import re
from pathlib import Path

import pytest

from tests.helpers.command import called
from tests.helpers.space_texts import DIGITS

# name -> (the call, words of the message)
CALLS = {
    "an unknown command": (["runn", "space.yaml"], ["runn"]),
    "an unknown option": (["run", "space.yaml", "--trails", "3"], ["--trails"]),
    "no space file": (["run"], ["SPACE", "`sweep run --help`"]),
    "a space file that is not there": (["run", "spaces.yaml"], ["spaces.yaml", "space.yaml"]),
    "a folder for a space file": (["run", "folder"], ["folder"]),
    "an unknown backend": (["run", "space.yaml", "--backend", "tensorfow"], ["--backend", "tensorflow", "tensorfow"]),
    "an unknown runner": (["run", "space.yaml", "--runner", "fits"], ["--runner", "fit"]),
    "an unknown engine": (["run", "space.yaml", "--engine", "optunna"], ["optuna"]),
    "an unknown sampler": (["run", "space.yaml", "--sampler", "tpee"], ["tpe"]),
    "a sampler of the other engine": (["run", "space.yaml", "--sampler", "bayesian"], ["bayesian"]),
    "no trials": (["run", "space.yaml", "--trials", "0"], ["trials", "0"]),
    "trials that are no number": (["run", "space.yaml", "--trials", "many"], ["--trials", "many"]),
    "no more trials": (["run", "space.yaml", "--more", "0"], ["--more", "0"]),
    "a total and more": (["run", "space.yaml", "--trials", "9", "--more", "3"], ["--trials", "--more"]),
    "a time that is none": (["run", "space.yaml", "--for", "soon"], ["--for", "soon", "10m"]),
    "no time": (["run", "space.yaml", "--for", "0s"], ["--for"]),
    "a time without its unit": (["run", "space.yaml", "--for", "5"], ["--for", "unit", "10m", "'5'"]),
    "a negative seed": (["run", "space.yaml", "--seed", "-1"], ["seed", "-1"]),
    "a set without a value": (["run", "space.yaml", "--set", "epochs.max"], ["--set", "epochs.max"]),
    "a set of an unknown key": (["run", "space.yaml", "--set", "epoch.max=3"], ["epoch"]),
    "a set that empties a range": (["run", "space.yaml", "--set", "epochs.max=0"], ["epochs", "0"]),
    "a name that leaves the folder": (["run", "space.yaml", "--name", "../x"], ["../x"]),
    "a name with a slash": (["run", "space.yaml", "--name", "a/b"], ["a/b"]),
    "a negative bound of failures": (["run", "space.yaml", "--max-failures", "-1"], ["--max-failures"]),
    "check without a file": (["check"], ["space file"]),
    "check by an unknown runner": (["check", "space.yaml", "--no-probe", "--runner", "fits"], ["--runner", "fit"]),
    "check of a broken file": (["check", "broken.yaml"], ["broken.yaml:1"]),
    "a leaderboard where there is no sweep": (["leaderboard"], ["no sweep"]),
    "an unknown sweep": (["leaderboard", "dense"], ["dense"]),
    "an unknown format": (["leaderboard", "--format", "yaml"], ["--format", "yaml"]),
    "a trial that is no number": (["show", "dense", "best"], ["best"]),
    "show of an unknown sweep": (["show", "dense", "1"], ["dense"]),
    "evaluate of an unknown sweep": (["evaluate", "dense"], ["dense"]),
    "export of an unknown sweep": (["export", "dense"], ["dense"]),
    "an unknown export format": (
        ["export", "dense", "--format", "pickle"],
        ["`--format` must be", "keras", "onnx", "pickle"],
    ),
    "an unknown data set": (["data", "fashion_minst"], ["fashion_mnist"]),
    "a picture in no folder": (["data", "digits", "--picture", "no/where.png"], ["--picture"]),
    "a baseline of a broken file": (["baseline", "broken.yaml"], ["broken.yaml:1"]),
    "an import of nothing": (["import", "nothing.db"], ["nothing.db"]),
    "an import of what is no storage": (["import", "space.yaml"], ["space.yaml"]),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "space.yaml").write_text(DIGITS)
    (tmp_path / "broken.yaml").write_text("data digits\n")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SWEEPS_DIR", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    return tmp_path


@pytest.mark.parametrize("name", CALLS)
def test_a_bad_call_says_what_is_wrong_and_writes_nothing(name, folder):
    call, words = CALLS[name]
    before = sorted(folder.rglob("*"))
    code, out, err = called(call)
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert "should not have happened" not in err
    for word in words:
        assert word in err
    assert not re.search(r"[?!]\.|\. (as|did)\b|\b1 \w+s\b|\[\[", err), err  # plain sentences
    assert sorted(folder.rglob("*")) == before


def test_without_arguments_the_help_is_printed(folder):
    code, out, err = called([])
    assert (code, err) == (0, "")
    assert out.startswith("Usage: sweep [OPTIONS] COMMAND") and "\n  leaderboard " in out


def test_an_unknown_backend_in_the_environment_is_named(folder, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    code, _, err = called(["run", "space.yaml"])
    assert code == 2 and "KERAS_BACKEND" in err


def test_a_sweeps_folder_that_cannot_be_written_is_named(folder):
    (folder / "sweeps").write_text("a file")
    code, _, err = called(["list"])
    assert code in (1, 2) and "sweeps" in err


def test_debug_brings_the_traceback(folder):
    assert "Traceback" in called(["leaderboard", "--debug"])[2]
    assert os.environ["KERAS_BACKEND"] == "jax"
