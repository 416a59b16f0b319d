"""The reference has every option, key, error, Python name and attribute of a record, each with an example."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

import keras_sweep as ks
from keras_sweep.record.encoding import CHECKSUM, encode
from keras_sweep.record.facts import Facts
from keras_sweep.record.lock import Owner
from keras_sweep.search.engine import Capabilities
from keras_sweep.space.data_spec import Source
from keras_sweep.space_file.read import read_space_file
from keras_sweep.sweep.card import Card
from keras_sweep.training.runner import Runner
from keras_sweep.trial.comparison import Comparison
from keras_sweep.trial.result import Result, Suggestion, TrialState
from tests.helpers.command import sweep
from tests.helpers.pages import blocks
from tests.helpers.records import ROOT

DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

import command_page  # noqa: E402
import errors_page  # noqa: E402
import messages  # noqa: E402
import record_page  # noqa: E402
import space_file_page  # noqa: E402

COMMANDS = command_page.read_group().commands


@pytest.fixture(scope="module")
def commands() -> dict[str, str]:
    """The parts of the page of commands."""
    parts = re.split(r"^## (.*)\n", command_page.make_page(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope="module")
def space_page() -> space_file_page.SpaceFilePage:
    return space_file_page.SpaceFilePage()


def options_of(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if parameter.param_type_name == "option"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_in_its_table_and_in_an_example(name: str, commands: dict[str, str]) -> None:
    part = commands[f"sweep {name}"]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    examples = [command_page.Example(line) for line in block.splitlines()]
    for option in options_of(COMMANDS[name]):
        assert f"`{option.opts[0]}" in part
        assert any(example.uses(option) for example in examples), option.opts


def test_the_options_without_a_command_have_examples(commands: dict[str, str]) -> None:
    assert all(commands["sweep"].count(option.opts[0]) > 1 for option in options_of(command_page.read_group()))


@pytest.mark.parametrize(
    "example",
    [example for example in command_page.read_examples() if not example.page],
    ids=lambda example: example.line,
)
def test_an_example_that_no_page_runs_is_a_command_with_options_that_exist(example: command_page.Example) -> None:
    name, *words = [word for word in example.words[1:] if word != "--debug"]
    if name in COMMANDS:
        COMMANDS[name].make_context(name, words)  # raises for an option or a value that does not exist
    else:
        assert any(name in option.opts for option in options_of(command_page.read_group()))


def test_every_key_of_a_space_file_has_a_type_a_meaning_and_an_example(
    space_page: space_file_page.SpaceFilePage,
) -> None:
    rows = [(keys.path, name) for keys in space_page.tables.values() for name in space_page.rows(keys)]
    assert len(rows) > 150
    shown = [(keys.path, name) for keys in space_page.tables.values() for name in keys.examples]
    assert set(rows) - set(shown) == set()
    assert [line for line in space_page.make().splitlines() if re.search(r"\|\s+\|", line)] == []


def test_an_example_of_a_key_is_read_as_it_is_shown(space_page: space_file_page.SpaceFilePage) -> None:
    page = space_page.make()
    assert "[`sampler: tpe`](" in page and "`learning_rate_power: {min: -1.0, max: -0.1}`" in page


@pytest.fixture(scope="module")
def spaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file and module that the examples name."""
    folder = tmp_path_factory.mktemp("spaces") / "search_spaces"
    shutil.copytree(ROOT / "search_spaces", folder)
    for name in ("data/reviews.csv", "load.csv", "shop.db"):
        (folder / name).write_text("")
    (folder / "own_losses.py").write_text("")
    (folder / "pictures" / "flowers").mkdir(parents=True)
    return folder


@pytest.mark.parametrize("text", space_file_page.read_more_examples())
def test_an_example_of_keys_that_no_page_shows_is_a_space_file(text: str, spaces: Path) -> None:
    assert read_space_file(spaces / "shown.yaml", text=space_file_page.complete(text)).data


def unescape(text: str) -> str:
    codes = {"&#123;": "{", "&#125;": "}", "&lt;": "<", "&#124;": "|", "&#96;": "`"}
    for code, char in codes.items():
        text = text.replace(code, char)
    return re.sub(r"\\([*_\[\]\\])", r"\1", text)


def test_the_page_of_errors_has_every_error_that_a_user_sees_as_it_is_printed() -> None:
    page = unescape(errors_page.make_page())
    errors = [error for error in messages.read_errors() if errors_page.find_topic(error)]
    assert len(errors) > 350
    assert [error for error in errors if " ".join(error.text.split()) not in page] == []
    assert all(f"| `{name}` | {kind.exit_code} |" in page for name, kind in kinds())


def kinds() -> Iterator[tuple[str, Any]]:
    from keras_sweep import errors

    yield from ((name, kind) for name, kind in vars(errors).items() if hasattr(kind, "exit_code"))


def test_every_room_of_the_package_has_a_topic() -> None:
    rooms = {message.module for message in messages.read_errors()}
    assert {room for room in rooms if not any(room.startswith(prefix) for prefix in errors_page.TOPICS)} <= {
        "testing/trackers.py"
    }


def test_the_collector_follows_variables_constants_and_helpers(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "errors.py").write_text("class SweepError(Exception): ...\nclass DataError(SweepError): ...\n")
    (tmp_path / "limits.py").write_text("MOST = 100\nADVICE = 'Take some of them out'\n")
    (tmp_path / "reader.py").write_text(
        "from keras_sweep.limits import ADVICE, MOST\n"
        "def fault(name) -> DataError:\n"
        "    return DataError(f'column {quote(name)} has gaps', hint=ADVICE)\n"
        "def read(rows, column):\n"
        "    where = f'in row {rows[0]}' if rows else ''\n"
        "    message = f'{pluralize(len(rows), \"row\")} of {column.name} are too many{where}: at most {MOST}'\n"
        "    raise DataError(message, hint='Leave it out' if column else ADVICE)\n"
    )
    monkeypatch.setattr(messages, "SOURCES", tmp_path)
    messages.read_module.cache_clear()
    messages.list_error_classes.cache_clear()
    try:
        found = {(error.kind, error.text, error.hint) for error in messages.read_errors()}
    finally:
        messages.read_module.cache_clear()
        messages.list_error_classes.cache_clear()
    assert found == {
        ("DataError", "column {name} has gaps", "Take some of them out"),
        (
            "DataError",
            "{number} rows of {name} are too many[in row {rows}]: at most 100",
            "Leave it out / Take some of them out",
        ),
    }


PYTHON_PAGES = sorted((DOCS / "reference").glob("python*.md"))


@pytest.mark.parametrize("name", ks.__all__)
def test_every_public_name_is_on_a_page_and_in_an_example(name: str) -> None:
    text = "\n".join(page.read_text() for page in PYTHON_PAGES)
    code = "\n".join(code for page in PYTHON_PAGES for kind, code in blocks(page) if kind == "python")
    assert re.search(rf"^::: keras_sweep\.(api\.\w+\.{name}|errors)$", text, re.MULTILINE)
    assert re.search(rf"\bks\.{name}\b", code)


def test_the_page_of_plugins_has_their_groups_contracts_and_attributes() -> None:
    from keras_sweep import testing
    from keras_sweep.api.report import TRACKERS
    from keras_sweep.search.engines import SAMPLERS
    from keras_sweep.search.pruning import PRUNING_RULES
    from keras_sweep.space.data_spec import SOURCES
    from keras_sweep.training.choose import RUNNERS

    page = (DOCS / "reference" / "plugins.md").read_text()
    registries = (SAMPLERS, PRUNING_RULES, SOURCES, RUNNERS, TRACKERS)
    assert all(f"`{registry.group}`" in page for registry in registries)
    assert all(f"::: keras_sweep.testing.{name}\n" in page for name in testing.__all__)
    known = {name: repr(value) for name, value in vars(Capabilities).items() if not name.startswith("_")}
    known |= {field.name: "required" if field.default is MISSING else repr(field.default) for field in fields(Source)}
    known |= {name: repr(getattr(Runner, name, MISSING)) for name in Runner.__annotations__}
    rows = dict(re.findall(r"^\| `(\w+)` \| `?(.*?)`? \|", page, re.MULTILINE))
    assert set(known) <= set(rows)
    for name, default in known.items():
        assert rows[name] in (default.replace("'", '"'), "required", "none"), name


def test_the_page_of_the_record_has_every_key_that_the_code_names() -> None:
    page = record_page.read_page()
    of_study = {field.name for field in fields(Facts)} - {"foreign"}  # which is counted, and not recorded
    of_trial = set(encode(Result(Suggestion(0, {}), TrialState.FAIL, None), 42)) | {CHECKSUM}
    in_code = {
        "Attributes of the study": of_study,
        "Attributes of a trial": of_trial,
        "card.json": set(Card.model_fields),
        "scores/comparison.json": {field.name for field in fields(Comparison)},
        "lock.json": {field.name for field in fields(Owner)},
    }
    for heading, keys in in_code.items():
        assert keys - set(page[heading]) == set(), heading
    for heading, lines in record_page.TABLES.items():
        assert page[heading] == list(lines)


def test_the_page_of_the_record_has_every_key_of_a_real_record(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "search_spaces", tmp_path / "search_spaces")
    (tmp_path / "small.yaml").write_text(record_page.SPACE)
    sweep("run", "small.yaml", "--quiet", cwd=tmp_path).ok()
    folder, page = tmp_path / "sweeps" / "small", record_page.read_page()
    for heading, keys in record_page.read_record(folder).items():
        assert set(keys) - set(page[heading]) == set(), heading
    names = {path.name.split("-")[0] for path in folder.iterdir()}  # SQLite's `study.db-wal` belongs to `study.db`
    files = set(re.findall(r"^\| `([\w.]+)", (ROOT / "sweeps" / "README.md").read_text(), re.MULTILINE))
    assert names <= files
    card = json.loads((folder / "card.json").read_text())
    assert card["sweep"] == "small"
