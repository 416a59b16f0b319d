from __future__ import annotations

import json
import shutil

from tests.helpers.command import sweep


def test_a_sweep_and_its_copy_are_told_to_be_one_as_good_as_the_other(finished, tmp_path):
    sweeps = tmp_path / "sweeps"
    shutil.copytree(finished / "sweeps", sweeps)
    shutil.copytree(sweeps / "digits", sweeps / "again")
    ended = sweep("compare", "digits", "again", "--html", "page.html", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "these rows can't tell their winners apart" in ended.out
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    record = json.loads(sweep("compare", "digits", "again", "--format", "json", cwd=tmp_path).out)
    assert [one["behind"] for one in record["sweeps"]] == [0.0, 0.0]
