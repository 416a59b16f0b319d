"""A model's file and its card: the scores come out, or it is said which does not, or which of the two is wrong."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

import keras_sweep as ks
from keras_sweep.data.search_data import Rows
from keras_sweep.errors import ChangedSweep, DataError, RecordError, UsageError
from keras_sweep.files.plain import file_digest
from keras_sweep.sweep import verify
from keras_sweep.sweep.card import read_card
from keras_sweep.sweep.replay import Match
from keras_sweep.training.logged_metric import LoggedMetric
from keras_sweep.views.replay_view import fact_lines, verify_json, verify_verdict
from tests.helpers.factory import make_spec
from tests.helpers.ran import ran_as
from tests.helpers.whole_spaces import SPACES

FEW = SPACES["plain"].replace("trials: 18", "trials: 2").replace("min: 1, max: 3", "min: 2, max: 3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of digits and one of a table, exported as digits.keras and table.keras."""
    folder: Path = tmp_path_factory.mktemp("verified")
    rows = [f"{a},{b},{'red' if a > b else 'blue'}" for a in range(8) for b in range(9)]
    (folder / "rows.csv").write_text("\n".join(["a,b,colour", *rows]))
    table = FEW.replace("data: digits", "data: {csv: rows.csv, target: colour}").replace("units: 10, ", "")
    for name, text in (("digits", FEW), ("table", table)):
        ran_as(folder, name, text).export(folder / f"{name}.keras")
    return folder


@pytest.fixture
def exported(folder: Path, tmp_path: Path) -> Path:
    """A copy of digits.keras with its card, to be altered."""
    for name in ("digits.keras", "digits.card.json"):
        shutil.copy(folder / name, tmp_path / name)
    return tmp_path / "digits.keras"


def alter_card(model: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = model.with_name("digits.card.json")
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))


def test_the_scores_of_a_card_come_out(folder):
    done = ks.verify(folder / "digits.keras", sweeps_dir=folder / "sweeps")
    assert done.matches
    assert [check.name for check in done.checks] == ["val_accuracy", "val_loss", "stderr"]
    assert (done.validation_rows, done.test_rows) == (288, None)


def test_a_model_of_a_table_takes_raw_rows_which_are_found_by_its_sweep_or_where_they_are_said_to_be(folder, tmp_path):
    assert json.loads((folder / "table.card.json").read_text())["data"]["source"]["source"] == "rows.csv"
    assert ks.verify(folder / "table.keras", sweeps_dir=folder / "sweeps").matches
    with pytest.raises(UsageError, match=r"rows\.csv"):
        ks.verify(folder / "table.keras", sweeps_dir=tmp_path)
    assert ks.verify(folder / "table.keras", sweeps_dir=tmp_path, data_dir=folder).matches


def test_a_look_at_the_test_rows_is_counted_where_the_sweep_is(folder, tmp_path):
    sweep = ks.open("table", sweeps_dir=folder / "sweeps")
    before = sweep.test_looks
    done = ks.verify(folder / "table.keras", test=True, sweeps_dir=folder / "sweeps")
    assert done.matches
    assert {"test accuracy", "test loss"} <= {check.name for check in done.checks}
    assert (done.looks, sweep.test_looks) == (before + 1, before + 1)
    elsewhere = ks.verify(folder / "table.keras", test=True, sweeps_dir=tmp_path, data_dir=folder)
    assert (elsewhere.looks, sweep.test_looks) == (None, before + 1)


def test_one_weight_altered_is_another_file_and_shows_in_the_scores_where_the_card_was_adapted(exported):
    model = keras.models.load_model(exported)
    kernel, bias = model.get_weights()
    kernel[20, 0] += 0.01
    model.set_weights([kernel, bias])
    model.save(exported)
    with pytest.raises(RecordError, match=r"is not the model that .* describes"):
        ks.verify(exported)
    alter_card(exported, lambda card: card.update(sha256=file_digest(exported)))
    done = ks.verify(exported)
    assert not done.matches
    assert "val_loss" in {check.name for check in done.checks if check.gap.match == "parted"}
    assert json.loads(verify_json(done))["matches"] is False


def test_one_digit_altered_in_the_card_is_named(exported):
    alter_card(exported, lambda card: card["validation"].update(val_loss=card["validation"]["val_loss"] * 1.001))
    done = ks.verify(exported)
    assert [check.name for check in done.checks if check.gap.match == "parted"] == ["val_loss"]


def test_a_file_without_a_card_or_with_anothers_is_refused(folder, exported):
    card = exported.with_name("digits.card.json")
    card.unlink()
    with pytest.raises(UsageError, match=r"has no card: .*digits\.card\.json is missing"):
        ks.verify(exported)
    shutil.copy(folder / "table.card.json", card)
    with pytest.raises(RecordError, match="is not the model that"):
        ks.verify(exported)


def test_a_card_alone_runs_no_code(exported, tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    alter_card(exported, lambda card: card["data"]["source"].update(kind="python", source="trap:rows"))
    with pytest.raises(UsageError, match="the card names code that runs only if you trust it"):
        ks.verify(exported)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_holds_code_is_not_opened(exported):
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Lambda(lambda x: x), keras.layers.Dense(10)])
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save(exported)
    alter_card(exported, lambda card: card.update(sha256=file_digest(exported)))
    with pytest.raises(UsageError, match="without its Python code"):
        ks.verify(exported)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda card: card["data"]["source"]["split"].update(validation=3), RecordError, "is not a model card"),
        (lambda card: card["data"]["source"]["split"].update(seed=7), ChangedSweep, "the rows of digits have changed"),
        (lambda card: card.update(test=None), UsageError, "has no test scores"),
    ],
)
def test_a_card_that_can_not_be_followed_is_refused_plainly(exported, change, error, said):
    alter_card(exported, change)
    with pytest.raises(error, match=said):
        ks.verify(exported, test=True)


def changed_facts(done: Any) -> dict[str, str]:
    """What is not so, and who says it."""
    return {fact.name: fact.by for fact in done.wrong_facts}


def test_all_that_a_card_says_is_compared_with_the_record_where_the_sweep_is_here(folder, exported):
    done = ks.verify(exported, sweeps_dir=folder / "sweeps", test=True)
    assert done.matches and done.why == ""
    assert {"versions", "created"} < {*done.unseen} and not {"validation", "test"} & {*done.unseen}
    assert {"params.learning_rate", "seed", "estimate.value"} <= {fact.name for fact in done.facts}
    text = "\n".join(fact_lines(done))
    assert "not checked: epoch, model, loss" in text and "the record confirms: trial, params, seed" in text
    alter_card(exported, lambda card: card["params"].update(learning_rate=0.5))
    altered = ks.verify(exported, sweeps_dir=folder / "sweeps")
    assert changed_facts(altered) == {"params.learning_rate": "record"} and not altered.matches
    assert "params.learning_rate" in verify_verdict(altered)


def test_without_the_sweep_the_files_optimizer_is_compared_and_what_nobody_looked_at_is_said(exported, tmp_path):
    done = ks.verify(exported, sweeps_dir=tmp_path)
    assert done.matches
    assert {fact.name for fact in done.facts if fact.by == "file"} >= {"params.learning_rate"}
    assert {"seed", "estimate", "params.epochs", "test"} <= set(done.unseen)
    assert "(the card's sweep is not available)" in fact_lines(done)[-1]


ROWS = Rows(np.zeros((4, 2)), np.zeros(4))


def test_each_score_is_compared_with_the_one_of_its_name():
    said = {"val_loss": 0.5, "val_mae": 1, "note": "text", "loss_of": 3.0}
    checks = verify._compare_scores("test ", said, {"mae": 1.5, "loss": 0.5, "auc": 0.9}, ROWS)
    assert [(one.name, one.card, one.now, one.gap.match) for one in checks] == [
        ("test mae", 1.0, 1.5, Match.PARTED),
        ("test loss", 0.5, 0.5, Match.EQUAL),
    ]


SPEC = make_spec()
OUTPUTS = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.2, 0.8]], np.float32)


def checks_of(said: dict[str, Any], scores: dict[str, float]) -> list[tuple[str, float, float, Match, float]]:
    card = SimpleNamespace(validation=said, first_seed={}, metric=SPEC.objective)
    found = verify._check_validation(SPEC, card, scores, ROWS, {"predict": lambda: OUTPUTS})  # type: ignore[arg-type]
    return [(one.name, one.card, one.now, one.gap.match, one.gap.relative) for one in found]


def test_the_value_that_ranked_is_the_score_of_its_name():
    said = {"value": 0.75, "val_accuracy": 0.75, "stderr": None}
    equal = ("val_accuracy", 0.75, 0.75, Match.EQUAL, 0.0)
    assert checks_of(said, {"accuracy": 0.75}) == [equal]
    for value in (0.85, 0.65):
        other = checks_of({**said, "value": value}, {"accuracy": 0.75})
        assert other[0] == equal and other[1][:4] == ("value (val_accuracy)", value, 0.75, Match.PARTED)
    assert checks_of({"value": None, "val_accuracy": 0.75}, {"accuracy": 0.75}) == [equal]
    assert checks_of({"value": 0.5}, {"accuracy": 0.75}) == []


def test_the_standard_error_is_that_of_the_score():
    scores, said = {"accuracy": 0.75}, {"val_accuracy": 0.75, "value": 0.75}
    now = LoggedMetric("val_accuracy", SPEC.loss, 0.75, ROWS, pytest.fail).standard_error()
    assert checks_of({**said, "stderr": now}, scores)[1:] == [("stderr", now, now, Match.EQUAL, 0.0)]
    near, far = now * (1 + 0.9e-4), now * (1 - 1.2e-4)
    ((_, card, came, match, relative),) = checks_of({**said, "stderr": near}, scores)[1:]
    assert (card, came, match) == (near, now, Match.ROUNDING) and relative == pytest.approx(0.9e-4, rel=1e-3)
    ((*_, match, relative),) = checks_of({**said, "stderr": far}, scores)[1:]
    assert match is Match.PARTED and relative == pytest.approx(1.2e-4, rel=1e-3)
    assert checks_of({"stderr": now}, {"loss": 1.0}) == []


def test_the_card_is_followed_where_its_sweep_is_of_the_same_rows(folder, tmp_path):
    _, card, _ = read_card(folder / "digits.keras")
    found = verify._find_sweep(card, folder / "sweeps")
    assert found is not None and found.folder.name == "digits"
    assert verify._find_sweep(card, tmp_path) is None
    other = card.model_copy(update={"data": card.data.model_copy(update={"fingerprint": "other"})})
    assert verify._find_sweep(other, folder / "sweeps") is None


def test_rows_that_are_others_than_the_cards_test_rows_are_no_look(exported, folder, tmp_path):
    alter_card(exported, lambda card: card["data"].update(test_fingerprint="other"))
    before = ks.open("digits", sweeps_dir=folder / "sweeps").test_looks
    with pytest.raises(DataError, match="the test rows of digits have changed since the card was written"):
        ks.verify(exported, test=True, sweeps_dir=folder / "sweeps")
    assert ks.open("digits", sweeps_dir=folder / "sweeps").test_looks == before


OWN = """
import keras


class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""
BUILD = """
import keras
from layers_of_mine import Twice


def build():
    inputs = keras.Input((64,))
    return keras.Model(inputs, keras.layers.Dense(10, activation=sharp)(Twice()(inputs)))


def sharp(x):
    return keras.ops.softmax(2 * x)
"""


def test_layers_of_ones_own_are_opened_with_trust_alone(tmp_path, monkeypatch):
    (tmp_path / "layers_of_mine.py").write_text(OWN)
    (tmp_path / "build_of_mine.py").write_text(BUILD)
    model = next(line for line in FEW.splitlines() if "dense: {" in line)
    sweep = ran_as(tmp_path, "own", FEW.replace(model, "  python: build_of_mine:build"))
    with pytest.warns(UserWarning, match="this opens it"):
        sweep.export(tmp_path / "own.keras")
    for name in ("layers_of_mine", "build_of_mine"):
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError, match=r"without its Python code.*add `trust=True`"):
        ks.verify(tmp_path / "own.keras", sweeps_dir=tmp_path / "sweeps")
    assert "layers_of_mine" not in sys.modules
    with pytest.warns(
        UserWarning, match=r"`trust=True`: imports and runs layers_of_mine:Twice from .*layers_of_mine\.py"
    ):
        done = ks.verify(tmp_path / "own.keras", trust=True, sweeps_dir=tmp_path / "sweeps")
    assert done.matches and "params.learning_rate" in {fact.name for fact in done.facts}


NAMELESS = """
import keras


def build():
    inputs = keras.Input((64,))
    same = keras.layers.Lambda(lambda x: x)(inputs)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(same))
"""


def test_what_a_card_says_of_opening_its_file_is_no_advice_of_ours(tmp_path):
    """Card and record may be somebody else's."""
    (tmp_path / "nameless.py").write_text(NAMELESS)
    model = next(line for line in FEW.splitlines() if "dense: {" in line)
    ran_as(tmp_path, "own", FEW.replace(model, "  python: nameless:build"))
    with pytest.warns(UserWarning, match=r"alone can't open the model: the key `open` of its card has the call$"):
        ks.open("own", sweeps_dir=tmp_path / "sweeps").export(tmp_path / "own.keras")
    card = json.loads((tmp_path / "own.card.json").read_text())
    (tmp_path / "own.card.json").write_text(json.dumps({**card, "open": "os.system('evil')"}))
    with pytest.raises(UsageError, match=r"without its Python code") as told:
        ks.verify(tmp_path / "own.keras", sweeps_dir=tmp_path / "sweeps")
    assert "evil" not in str(told.value)
    assert told.value.hint == "If you trust the file, open it in Python with the call in `open` of its card"


COMPILED = """\
data: digits
model: {python: "own_compiles:of_the_users"}
metric: {name: val_accuracy, goal: maximize}
parameters: {epochs: 1}
search: {trials: 1, seed: 42}
"""


def test_a_model_that_compiles_itself_with_functions_of_ones_own_is_opened_with_trust_alone(tmp_path):
    shutil.copy(Path(__file__).parents[1] / "helpers" / "own_compiles.py", tmp_path)
    with pytest.warns(UserWarning, match=r"this opens it.*compile=False"):
        ran_as(tmp_path, "own", COMPILED).export(tmp_path / "own.keras")
    with pytest.raises(
        UsageError, match=r"Could not locate function '(squares|surest)'. If you trust .* add `trust=True`"
    ):
        ks.verify(tmp_path / "own.keras", sweeps_dir=tmp_path / "sweeps")
    with pytest.warns(
        UserWarning, match=r"`trust=True`: imports and runs own_compiles:squares from .* and own_compiles:surest"
    ):
        done = ks.verify(tmp_path / "own.keras", trust=True, sweeps_dir=tmp_path / "sweeps")
    assert done.matches
    assert {"val_accuracy", "val_loss", "val_surest"} <= {check.name for check in done.checks}
