"""What an option's text means, and what is said of one that means nothing."""

import pytest

from keras_sweep.cli.options import seconds_of
from keras_sweep.errors import UsageError
from tests.helpers.command import called


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1h1m1s", 3661), ("0.5s", 0.5), (" 1.5m ", 90)],
)
def test_a_time_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "0s", "0h0m0s", "10m1h", "-3s", "1d", "5 m", "1m30"])
def test_a_time_without_unit_order_or_length_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as error:
        seconds_of(text)
    assert error.value.message == f"`--for` takes a time with its unit, like 90s, 10m or 1h30m, but got {text!r}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--format", "jsn"], "`--format` must be one of table, json, but got 'jsn'. Did you mean 'json'?"),
        (["list", "--format", "xml"], "`--format` must be one of table, json, but got 'xml'"),
        (["run", "x.yaml", "--runner", "fits"], "one of compiled, fit, but got 'fits'. Did you mean 'fit'?"),
        (["leaderboard", "--top", "1.5"], "'1.5' is not a whole number. `sweep leaderboard --help` says what there is"),
        (["run", "x.yaml", "--trials", "3", "--add", "a=1"], "`--add` is one point. Give one of them"),
        (["run", "x.yaml", "--more", "3", "--add", "a=1"], "`--add` is one point. Give one of them"),
        (["run", "x.yaml", "--more", "3", "--trials", "3"], "`--add` is one point. Give one of them"),
        (["run", "x.yaml", "--trials", "3"], "x.yaml: there is no such file (`sweep init SOURCE` writes one)"),
        (["init"], "one of SOURCE and `--example` is needed. For example `sweep init --example digits`"),
        (["init", "a.csv", "--example", "digits"], "one of SOURCE and `--example` is needed"),
        (["init", "--example", "digit"], "there is no data set 'digit'. Did you mean `digits`?"),
        (["data", "digits", "--save", "folder.npz"], "takes a .npz file in a folder that is there, but got folder.npz"),
        (["data", "digits", "--picture", "it.jpg"], "takes a .png file in a folder that is there, but got it.jpg"),
    ],
)
def test_a_value_that_means_nothing_is_named_with_what_may_stand_there(words, said, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.npz").mkdir()
    code, answer, told = called(words)
    told = " ".join(told.split())
    assert (code, answer) == (2, "") and said in told
    assert told.count("Did you mean") == said.count("Did you mean")


def test_a_space_file_has_a_name_that_a_sweep_may_have(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = "\n".join(f"{row},{row % 2}" for row in range(40))
    (tmp_path / "my rows (1).csv").write_text(f"width,kind\n{lines}\n")
    assert called(["init", "my rows (1).csv"])[:2] == (0, "my_rows_1_.yaml\n")
    assert called(["init", "my rows (1).csv", "-o", "b.yaml"])[:2] == (0, "b.yaml\n")
