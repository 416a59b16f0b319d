"""What a card says of a training, and which files are taken for a card."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from keras_sweep.errors import RecordError, UsageError
from keras_sweep.record.facts import Facts
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.search_space import Goal
from keras_sweep.sweep.card import (
    card_text,
    data_record,
    is_card_of,
    kept_card,
    model_card,
    read_card,
    refit_record,
    seeds_record,
    test_record,
    validation_record,
)
from keras_sweep.sweep.comparison import RecordedSweep
from keras_sweep.trial.events import Refit, TestLook
from keras_sweep.trial.result import Suggestion
from tests.helpers.factory import digits, make_spec
from tests.helpers.results import result

test_record.__test__ = False  # not a test, whatever its name begins with
FACTS = Facts("val_accuracy", Goal.MAXIMIZE, 42, "", {})
TRIAL = result(3, 0.75, curve={"accuracy": (0.5, 0.8), "val_accuracy": (0.4, 0.75), "val_loss": (2.0, 1.5)}, epochs=2)


def test_validation_scores_are_those_of_the_scored_epoch():
    assert validation_record(TRIAL) == {"value": 0.75, "stderr": 0.0033, "val_accuracy": 0.75, "val_loss": 1.5}


def test_the_values_of_all_seeds_stand_under_their_seeds_where_they_decide():
    others = tuple(
        replace(result(3, value), suggestion=Suggestion(9, {"seed": seed}, recipe=3))
        for seed, value in ((43, 0.7), (44, 0.8))
    )
    said = seeds_record(replace(TRIAL, finalists=others, final=True), 42)["seeds"]
    assert said["values"] == {"42": 0.75, "43": 0.7, "44": 0.8}
    assert (said["count"], said["mean"], said["unstable"]) == (3, pytest.approx(0.75), True)
    assert said["stderr"] == pytest.approx(0.05 / 3**0.5)
    assert seeds_record(replace(TRIAL, finalists=others), 42) == {}
    assert seeds_record(replace(TRIAL, final=True), 42) == {}


def test_a_model_that_saw_all_rows_says_so():
    said = refit_record(Refit(3, None, 2, 500, {"loss": 0.5}, "digest"))
    assert (said["rows"], said["epochs"], said["scores"]) == (500, 2, {"loss": 0.5})
    assert "this model has seen them all" in said["validation_and_estimate_are_of"]
    assert refit_record(None) is None


@pytest.mark.parametrize(
    ("card", "params", "recipe", "same"),
    [
        ({"trial": 3, "seed": 42}, {}, None, True),
        ({"trial": 3, "seed": 43}, {}, None, False),
        ({"trial": 2, "seed": 42}, {}, None, False),
        ({"trial": 3, "seed": 43}, {"seed": 43}, None, True),
        ({"trial": 1, "seed": 43}, {"seed": 43}, 1, True),
        ({"trial": 3, "seed": 43}, {"seed": 43}, 1, False),
        ({}, {}, None, False),
    ],
)
def test_a_card_is_of_a_recipe_with_one_seed(card, params, recipe, same):
    assert is_card_of(card, replace(TRIAL, suggestion=Suggestion(3, params, recipe=recipe)), 42) is same


def test_test_scores_are_said_of_the_training_that_was_looked_at():
    look = TestLook(
        number=3,
        seed=None,
        refit=False,
        rows=100,
        scores={"accuracy": 0.7, "loss": 2.0},
        stderrs={"accuracy": 0.05},
        per_class=None,
    )
    facts = replace(FACTS, test=look, test_looks=2)
    assert test_record(facts, TRIAL) == {
        "accuracy": 0.7,
        "loss": 2.0,
        "stderr": 0.05,
        "stderrs": {"accuracy": 0.05},
        "rows": 100,
        "looks": 2,
    }
    assert test_record(facts, result(4, 0.7)) is None
    assert test_record(FACTS, TRIAL) is None


CARD = {
    "sweep": "s", "trial": 3, "params": {}, "model": {"source": "dense"}, "open": "keras.models.load_model(path)",
    "loss": "mse", "metrics": ["accuracy"], "metric": {"name": "val_accuracy", "goal": "maximize"}, "runner": "fit/jax",
    "data": {"fingerprint": "abc", "source": {"kind": "named", "source": "digits"}}, "validation": {"value": 0.5},
    "test": None,
}  # fmt: skip


def test_the_card_beside_a_model_is_read_under_its_name_and_in_a_sweeps_folder_as_the_sweep_writes_it(tmp_path: Path):
    model, other = tmp_path / "best.keras", tmp_path / "mine.keras"
    for path in (model, other):
        with pytest.raises(UsageError, match=rf"there is no card of {path}: .*{path.stem}\.card\.json is missing"):
            read_card(path)
    (tmp_path / "card.json").write_text(card_text(CARD))
    path, card, said = read_card(model)
    assert (path.name, card.trial, card.metric.name, card.sha256, said) == ("card.json", 3, "val_accuracy", "", CARD)
    with pytest.raises(UsageError, match="there is no card"):
        read_card(other)
    (tmp_path / "best.card.json").write_text(card_text({**CARD, "trial": 7}))
    path, card, _ = read_card(model)
    assert (path.name, card.trial) == ("best.card.json", 7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (card_text({**CARD, "trial": "three"}), "is no card of a model: trial: Input should be a valid integer"),
        (card_text({**CARD, "data": {"fingerprint": "abc"}}), "is no card of a model: data.source: Field required"),
        ("{", "is no card of a model: Invalid JSON"),
    ],
)
def test_what_is_no_card_is_named_with_the_first_thing_that_is_wrong(tmp_path: Path, text: str, said: str):
    (tmp_path / "m.card.json").write_text(text)
    with pytest.raises(RecordError) as error:
        read_card(tmp_path / "m.keras")
    assert str(error.value).startswith(f"{tmp_path / 'm.card.json'} {said}")


def test_a_card_is_kept_where_it_and_the_model_are_as_the_sweep_wrote_them(tmp_path: Path):
    folder = SweepFolder(tmp_path / "s")
    folder.path.mkdir()
    assert kept_card(folder, FACTS) == {}
    folder.best.write_bytes(b"model")
    assert kept_card(folder, FACTS) == {}
    card = {**CARD, "sha256": hashlib.sha256(b"model").hexdigest()}
    folder.card.write_text(json.dumps(card))
    facts = replace(FACTS, card=hashlib.sha256(folder.card.read_bytes()).hexdigest())
    assert kept_card(folder, facts) == card
    with pytest.raises(RecordError, match="is not as the sweep wrote it"):
        kept_card(folder, FACTS)
    folder.best.write_bytes(b"other")
    with pytest.raises(RecordError, match="is not the file that"):
        kept_card(folder, facts)
    folder.best.unlink()
    assert kept_card(folder, facts) == {}
    folder.card.unlink()
    folder.card.symlink_to(tmp_path / "gone")
    with pytest.raises(RecordError):
        kept_card(folder, facts)


def test_the_rows_are_said_as_they_were_read_and_a_file_by_its_path_from_the_space_file(tmp_path: Path):
    spec = make_spec()
    said = data_record(spec, digits())
    assert (said["name"], said["fingerprint"], said["test_fingerprint"]) == ("digits", "no fingerprint", None)
    assert (said["train_rows"], said["validation_rows"], said["test_rows"]) == (288, 96, digits().test_rows)
    assert (said["input_shape"], said["classes"]) == ([64], 10)
    assert said["input"] == "rows as the source gives them, float32"
    assert not {"steps_per_epoch", "folds"} & said.keys()
    source = said["source"]
    assert (source["kind"], source["source"]) == (spec.data.kind, spec.data.source)
    assert not {"weights", "options", "transform", "inputs"} & source.keys()
    assert None not in source["split"].values()
    there = replace(spec, folder=tmp_path, data=replace(spec.data, source=str(tmp_path / "rows" / "a.csv")))
    assert data_record(there, digits())["source"]["source"] == "rows/a.csv"


def test_a_card_says_the_trial_its_plan_and_its_scores(tmp_path: Path):
    spec = make_spec(name="s", metric_arguments={"accuracy": {"threshold": 0.4}}, loss_arguments={"alpha": 0.5})
    sweep = RecordedSweep(SweepFolder(tmp_path / "s"), FACTS, [result(0, 0.5), result(1, 0.75, params={"epochs": 2})])
    card = model_card(sweep, spec, sweep.results[1], digits(), opening="open it", refit=None)
    assert (card["sweep"], card["trial"], card["trials"], card["seed"]) == ("s", 1, 2, 42)
    assert (card["params"], card["epoch"], card["refit"], card["open"]) == ({"epochs": 2}, 4, None, "open it")
    assert (card["loss"], card["metrics"]) == (spec.loss, ["accuracy"])
    assert card["loss_arguments"] == {"alpha": 0.5}
    assert card["metric_arguments"] == {"accuracy": {"threshold": 0.4}}
    assert card["metric"] == {"name": "val_accuracy", "goal": "maximize"}
    assert (card["engine"], card["runner"]) == ("optuna/tpe", "compiled/jax")
    assert (card["estimate"], card["test"]) == (None, None)
    assert not {"goals", "outputs", "seeds"} & card.keys()
    assert card["validation"]["value"] == 0.75
    plain = model_card(sweep, make_spec(), sweep.results[1], digits(), opening="", refit=None)
    assert not {"loss_arguments", "metric_arguments"} & plain.keys()
