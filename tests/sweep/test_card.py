"""What a model card says: its trial, scores and rows as they are; and which card stands beside a model."""

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_sweep.data.search_data import Fold, Rows, Stream
from keras_sweep.errors import RecordError, UsageError
from keras_sweep.record.facts import Facts, Refit, TestLook
from keras_sweep.record.recorded_sweep import RecordedSweep
from keras_sweep.record.sweep_folder import SweepFolder
from keras_sweep.space.data_spec import CsvOptions, DataSpec, Split
from keras_sweep.space.search_space import Goal, Objective
from keras_sweep.space.sweep_spec import Output
from keras_sweep.sweep.card import build_card, card_text, data_record, read_card, read_kept_card, seeds_record
from keras_sweep.sweep.card import test_record as record_of_test
from keras_sweep.trial.comparison import Comparison, Estimate
from keras_sweep.trial.result import Suggestion
from tests.helpers.factory import digits, make_spec
from tests.helpers.results import result

DATA = replace(digits(64, 32), test_rows=8, test_fingerprint="of the test rows")
FACTS = Facts("val_accuracy", Goal.MAXIMIZE, 42, "", {})
REFIT = Refit(1, None, 4, 96, {"loss": 0.5}, "digest")
LOOK = TestLook(8, {"accuracy": 0.9, "loss": 0.2}, {"accuracy": 0.1}, None, 1, None, False)


def sweep_of(*results, facts=FACTS, estimate=None, best=1):
    sweep = RecordedSweep(SweepFolder(Path("dense")), facts, results)
    vars(sweep)["comparison"] = Comparison(best, estimate)
    return sweep


def card(training, *results, spec=None, data=DATA, refit=None, **about):
    sweep = sweep_of(*(results or (result(0), training)), **about)
    return build_card(sweep, spec or make_spec(), training, data, opening="keras.models.load_model(path)", refit=refit)


def finalist(number, recipe, seed, value):
    trained = result(number, value, params={"epochs": 4, "seed": seed})
    return replace(trained, suggestion=Suggestion(number, trained.params, recipe=recipe))


def test_a_card_says_the_trial_what_it_was_made_of_and_what_it_scored():
    said = card(result(1, 0.9), estimate=Estimate(0.89, 0.8, 0.95, 0.9, "paired"))
    assert (said["sweep"], said["trial"], said["trials"], said["seed"], said["epoch"]) == ("digits", 1, 2, 42, 4)
    assert said["params"] == {"optimizer": "adam", "learning_rate": 0.001, "epochs": 4}
    assert said["open"] == "keras.models.load_model(path)"
    assert (said["loss"], said["metrics"]) == ("sparse_categorical_crossentropy", ["accuracy"])
    assert said["metric"] == {"name": "val_accuracy", "goal": "maximize"}
    assert (said["engine"], said["runner"]) == ("optuna/tpe", "compiled/jax")
    assert said["validation"]["value"] == 0.9 and said["validation"]["stderr"] == 0.0033
    assert said["validation"]["val_accuracy"] == 0.9 and "accuracy" not in said["validation"]
    assert said["estimate"] == {"value": 0.89, "low": 0.8, "high": 0.95, "naive": 0.9, "method": "paired"}
    assert (
        said["test"] is None and said["refit"] is None and re.fullmatch(r"[-\d]{10}T[:\d]{8}\+00:00", said["created"])
    )
    assert {"versions", "keras_config"} <= set(said)
    assert not {"seeds", "goals", "outputs", "loss_arguments", "metric_arguments", "sha256"} & set(said)
    assert card_text(said).endswith("}\n") and json.loads(card_text(said)) == said


def test_the_estimate_is_of_the_winner_alone_and_a_trials_own_seed_is_its_own():
    estimate = Estimate(0.89, 0.8, 0.95, 0.9, "paired")
    other = result(0, 0.8, params={"epochs": 4, "seed": 7})
    assert card(other, other, result(1), estimate=estimate)["estimate"] is None
    assert card(other, other, result(1))["seed"] == 7


def test_what_only_some_sweeps_have_is_said_where_they_have_it():
    further = (Objective("parameters", Goal.MINIMIZE), Objective("val_loss", Goal.MINIMIZE))
    spec = make_spec(
        objective=Objective("val_accuracy", Goal.MAXIMIZE, further=further),
        loss_arguments={"from_logits": True},
        metric_arguments={"f_beta": {"beta": 2.0}},
        outputs={"digit": Output("mse", metrics=("mae",), weight=2.0)},
    )
    facts = replace(FACTS, goals=further)
    said = card(result(1, measured={"parameters": 650.0}), spec=spec, refit=REFIT, facts=facts)
    assert said["goals"]["parameters"] == 650 and said["goals"]["val_loss"] == said["validation"]["val_loss"]
    assert said["loss_arguments"] == {"from_logits": True}
    assert said["metric_arguments"] == {"f_beta": {"beta": 2.0}}
    assert said["outputs"]["digit"]["weight"] == 2.0 and said["outputs"]["digit"]["metrics"] == ("mae",)
    assert said["refit"]["scores"] == {"loss": 0.5}


def test_over_several_seeds_a_card_says_each_once_they_decide():
    first = replace(result(1, 0.9), finalists=(finalist(2, 1, 43, 0.8), finalist(3, 1, 44, 0.85)), final=True)
    said = card(first.finalists[0], result(0), first)
    assert (said["trial"], said["seed"], said["validation"]["value"]) == (1, 43, 0.8)
    assert said["seeds"]["values"] == {"42": 0.9, "43": 0.8, "44": 0.85}
    assert said["seeds"]["count"] == 3 and said["seeds"]["mean"] == pytest.approx(0.85)
    assert set(said["seeds"]) == {"count", "mean", "stderr", "unstable", "values"}
    assert seeds_record(replace(first, final=False), 42) == {} == seeds_record(result(0), 42)


def test_scores_of_the_test_rows_are_said_with_how_often_somebody_looked():
    facts = replace(FACTS, test=LOOK, test_looks=3)
    said = record_of_test(facts, result(1))
    about = {"rows": 8, "looks": 3, "stderr": 0.1, "stderrs": {"accuracy": 0.1}}
    assert said == {"accuracy": 0.9, "loss": 0.2, **about}
    assert record_of_test(replace(facts, metric="val_loss"), result(1))["stderr"] is None
    assert record_of_test(facts, result(0)) is None and record_of_test(FACTS, result(1)) is None


def test_rows_are_said_as_they_are():
    said = data_record(make_spec(), DATA)
    assert (said["name"], said["test_fingerprint"]) == ("digits", "of the test rows")
    assert (said["train_rows"], said["validation_rows"], said["test_rows"]) == (64, 32, 8)
    assert (said["input_shape"], said["input"], said["classes"]) == ([64], "rows as the source gives them, float32", 10)
    assert not {"folds", "steps_per_epoch"} & set(said)
    fold = Fold(np.zeros(1, np.int32), np.zeros(1, np.int32))
    odd = data_record(make_spec(), replace(DATA, class_names=("a", "b"), folds=(fold,) * 3, stream=Stream(list, 7)))
    assert (odd["classes"], odd["folds"], odd["train_rows"], odd["steps_per_epoch"]) == (["a", "b"], 3, None, 7)
    pictures = data_record(make_spec(data=DataSpec("named", "fashion_mnist")), DATA)
    assert pictures["input"] == "pixels divided by 255, as float32, flattened to 784"
    x = {"a": np.zeros((4, 2, 3)), "b": np.zeros((4,))}
    several = data_record(make_spec(), replace(DATA, train=Rows(x, np.zeros(4))))
    assert several["input_shape"] == {"a": [2, 3], "b": []}


def test_the_source_is_named_from_the_space_files_folder_and_only_by_what_it_has(tmp_path):
    table = DataSpec("csv", str(tmp_path / "data" / "rows.csv"), "kind", Split(stratify=True))
    said = data_record(make_spec(data=table, folder=tmp_path), DATA)["source"]
    assert (said["kind"], said["source"], said["target"]) == ("csv", "data/rows.csv", "kind")
    assert said["split"] == {"validation": 0.2, "test": 0.2, "seed": 42, "stratify": True, "folds": 0}
    assert not {"weights", "options", "transform", "inputs"} & set(said)
    whole = replace(table, weights="w", options=CsvOptions(separator=";"), transform="log", inputs=("a",))
    said = data_record(make_spec(data=replace(whole, target=None), folder=tmp_path / "spaces"), DATA)["source"]
    assert (said["source"], said["target"], said["weights"]) == ("../data/rows.csv", None, "w")
    assert (said["options"], said["transform"], said["inputs"]) == ({"separator": ";"}, "log", ("a",))
    assert data_record(make_spec(folder=tmp_path), DATA)["source"]["source"] == "digits"


def written(model: Path, **changes) -> None:
    about = json.loads(card_text(card(result(1))))
    about["data"]["source"]["split"].pop("groups", None)
    (model.parent / f"{model.stem}.card.json").write_text(json.dumps({**about, **changes}))


def test_a_card_stands_beside_its_model_and_in_a_sweep_in_its_folder(tmp_path):
    written(tmp_path / "mine.keras")
    path, read, whole = read_card(tmp_path / "mine.keras")
    assert path == tmp_path / "mine.card.json" and (read.trial, read.metric.goal) == (1, Goal.MAXIMIZE)
    assert whole["engine"] == "optuna/tpe" and read.data.source.split.seed == 42
    shutil.copy(path, tmp_path / "card.json")
    assert read_card(tmp_path / "best.keras")[0] == tmp_path / "card.json"
    written(tmp_path / "best.keras", trial=0)
    assert read_card(tmp_path / "best.keras")[1].trial == 0
    with pytest.raises(UsageError, match=r"other\.keras has no card: .*other\.card\.json is missing"):
        read_card(tmp_path / "other.keras")


@pytest.mark.parametrize(
    ("text", "place"), [("{", "Invalid JSON"), ('{"sweep": 3}', "sweep: Input should be"), ("[]", "Input should be an")]
)
def test_what_is_no_card_is_said_with_the_place(tmp_path, text, place):
    (tmp_path / "mine.card.json").write_text(text)
    with pytest.raises(RecordError, match=rf"mine\.card\.json is not a model card: {place}"):
        read_card(tmp_path / "mine.keras")


def test_the_card_that_a_sweep_kept_is_the_one_that_its_record_and_its_model_know(tmp_path):
    folder = SweepFolder(tmp_path)
    assert read_kept_card(folder, FACTS) == {}
    folder.best.write_bytes(b"a model")
    about = {"trial": 1, "sha256": hashlib.sha256(b"a model").hexdigest()}
    folder.card.write_text(json.dumps(about))
    facts = replace(FACTS, card=hashlib.sha256(folder.card.read_bytes()).hexdigest())
    assert read_kept_card(folder, facts) == about
    with pytest.raises(RecordError, match="was changed after the sweep wrote it") as refused:
        read_kept_card(folder, FACTS)
    assert refused.value.hint == "`sweep run` with the space file writes the model and its card again"
    folder.best.write_bytes(b"another")
    with pytest.raises(RecordError, match=r"best\.keras is not the model that card\.json describes"):
        read_kept_card(folder, facts)
    folder.best.unlink()
    assert read_kept_card(folder, facts) == {}
    folder.card.unlink()
    folder.card.symlink_to(tmp_path / "nowhere")
    with pytest.raises(RecordError):
        read_kept_card(folder, facts)
