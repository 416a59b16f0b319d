"""A space file is written for given data, and checked, from Python as by the command."""

from pathlib import Path

import pytest

import keras_sweep as ks
from keras_sweep.api.events import Noticed
from keras_sweep.errors import SweepWarning
from tests.api.conftest import digits_spec
from tests.helpers.command import called

ROWS = "".join(f"{row},{row % 3},{'yes' if row % 2 else 'no'}\n" for row in range(60))


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("plants.csv").write_text(f"width,height,species\n{ROWS}")
    return tmp_path


def test_a_file_is_written_as_by_the_command_and_what_was_guessed_is_a_warning(table: Path) -> None:
    with pytest.warns(SweepWarning, match="The target is 'species'; `target` chooses another of 'width', 'height'"):
        assert ks.init("plants.csv") == Path("plants.yaml")
    text = Path("plants.yaml").read_text()
    Path("plants.yaml").unlink()
    code, answer, told = called(["init", "plants.csv"])
    assert (code, answer, Path("plants.yaml").read_text()) == (0, "plants.yaml\n", text)
    assert "note: The target is 'species'; `--target` chooses another of" in " ".join(told.split())
    with pytest.raises(ks.UsageError, match=r"plants.yaml already exists\. Choose another file: `path=FILE`"):
        ks.init("plants.csv", target="species", listener=lambda event: None)
    with pytest.raises(ks.UsageError, match="`init` needs either SOURCE or `example`"):
        ks.init()


def test_a_space_is_checked_with_its_warnings_and_its_time(table: Path) -> None:
    heard: list[str] = []

    def listener(event: object) -> None:
        heard.extend([event.message] if isinstance(event, Noticed) else [])

    checked = ks.check(ks.init("plants.csv", target="species", listener=listener), set={"search.trials": 4})
    assert (checked.spec.code, checked.spec.search.trials, checked.spec.name) == ((), 4, "plants")
    cost = checked.estimate(listener=listener)
    assert cost.time is not None and cost.time.seconds > 0 and len(cost.data.train) == 38 and cost.workers is None
    of_spec = ks.check(digits_spec(method="bayes"))
    assert of_spec.spec.warnings[-1].endswith("use `search: {sampler: tpe}`") and of_spec.spec.code
    with pytest.raises(ks.UsageError, match="there is no runner 'fits'"):
        checked.estimate(runner="fits")
    with pytest.raises(ks.UsageError, match=r"Spec: loss.*crossentropie"):
        ks.check(digits_spec(loss="crossentropie"))


def test_the_schema_is_that_of_space_files() -> None:
    assert {"data", "model", "parameters", "search"} <= ks.schema()["properties"].keys()
