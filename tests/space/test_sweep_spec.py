"""What a spec may say, and what follows from it."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from keras_sweep.space import sweep_spec
from keras_sweep.space.data_spec import CsvOptions, DataSpec, ImageOptions, SeriesOptions, Split, TargetScale
from keras_sweep.space.sweep_spec import (
    EarlyStopping,
    EarlyTerminate,
    Finalists,
    Finish,
    Output,
    SearchSettings,
    Training,
)
from tests.helpers.factory import make_spec

SETTINGS = [
    (SearchSettings, "trials", 1, 1_000_000),
    (SearchSettings, "seed", 0, 2**32 - 1),
    (SearchSettings, "generation", 0, 10_000),
    (Finalists, "top", 2, 1000),
    (Finalists, "seeds", 1, 1000),
    (EarlyTerminate, "min_iter", 1, None),
    (EarlyTerminate, "eta", 2, None),
    (Split, "folds", 0, 100),
    (SeriesOptions, "horizon", 1, None),
]


@pytest.mark.parametrize(("kind", "name", "least", "most"), SETTINGS)
def test_a_setting_is_a_whole_number_between_its_bounds(kind: Any, name: str, least: int, most: int | None) -> None:
    needed = {"type": "median"} if kind is EarlyTerminate else {}
    for value in (least, most or 10**6):
        assert getattr(kind(**needed, **{name: value}), name) == value
    for wrong in (least - 1, *((most + 1,) if most else ()), least + 0.5, True, str(least)):
        with pytest.raises(ValidationError):
            kind(**needed, **{name: wrong})


def test_shares_of_a_split_leave_rows_on_every_side() -> None:
    assert (Split(validation=0.99).validation, Split(test=0.0).test, Split(test=0.99).test) == (0.99, 0.0, 0.99)
    for wrong in ({"validation": 0.0}, {"validation": 1.0}, {"test": -0.1}, {"test": 1.0}, {"groups": ""}):
        with pytest.raises(ValidationError):
            Split(**wrong)
    assert [Split().by, Split(groups="g").by, Split(time="t").by] == [None, "g", "t"]


def test_what_is_left_out_has_its_default() -> None:
    assert SearchSettings().engine_name == "optuna/tpe"
    assert (Finalists().top, Finalists().seeds, EarlyTerminate("median").eta, Finish().refit) == (5, 3, 3, False)
    assert Split() == Split(0.2, 0.2, 42, stratify=False, folds=0)
    assert (CsvOptions().separator, ImageOptions().size, SeriesOptions().horizon) == (",", (64, 64), 1)
    assert (Training().is_watched, Training().adapt) == (False, False)
    assert Training(early_stopping=EarlyStopping()).is_watched
    assert Training(reduce_lr_on_plateau=sweep_spec.ReduceLROnPlateau()).is_watched
    for wrong in ({"separator": ""}, {"separator": "ab"}):
        with pytest.raises(ValidationError):
            CsvOptions(**wrong)


def test_data_are_told_by_what_is_not_so_by_default() -> None:
    assert DataSpec("named", "digits").words == {}
    assert DataSpec("csv", "a", options=CsvOptions()).words == {}
    told = DataSpec("csv", "a", options=CsvOptions(separator=";", drop=["id"])).words
    assert told == {"separator": ";", "drop": ["id"]}


PRICES = {
    "price": Output("mse", metrics=("mae",)),
    "price_tier": Output("m:loss", {"a": 1}, ("acc",), {"acc": {"k": 2}}),
}
SEVERAL = make_spec(outputs=PRICES, loss=sweep_spec.LOSS_OF_OUTPUTS)


def test_a_recorded_metric_is_of_one_output() -> None:
    names = ("val_price_mae", "price_loss", "val_price_tier_acc")
    found = [SEVERAL.find_output(name) for name in names]
    assert found == [("price", "val_mae"), ("price", "loss"), ("price_tier", "val_acc")]
    assert {SEVERAL.find_output(name) for name in ("loss", "val_price", "price_acc", "tier_acc")} == {None}
    assert sweep_spec.list_recorded_names(PRICES) == ("price_loss", "price_mae", "price_tier_loss", "price_tier_acc")


def test_a_sweep_as_if_the_model_had_an_output_alone() -> None:
    one = SEVERAL.output("price_tier")
    assert (one.loss, one.loss_arguments, one.metrics, one.outputs) == ("m:loss", {"a": 1}, ("acc",), {})
    assert one.metric_arguments == {"acc": {"k": 2}}
    assert (SEVERAL.part((1, 2), "price_tier"), SEVERAL.part({"price": 3}, "price")) == (2, 3)


def test_code_of_the_users_is_named_once_a_place() -> None:
    plain = make_spec()
    assert (plain.code, plain.needs_user_code, SEVERAL.code, SEVERAL.needs_user_code) == ((), False, ("m:loss",), True)
    own = make_spec(
        data=DataSpec("python", "m:rows"),
        model=sweep_spec.ModelSpec("python", "m:build"),
        metric_arguments={"sure": {"python": "m:sure"}, "f1": {"average": "macro"}},
        training=Training(callbacks=[sweep_spec.UserCallback("m:callback")]),
    )
    assert own.code == ("m:rows", "m:build", "m:sure", "m:callback")
    assert own.needs_user_code
    assert replace(plain, scale=TargetScale("log", 1.0)).needs_user_code
    assert not replace(plain, metric_arguments={"f1": {"average": "macro"}}).needs_user_code


def test_epochs_leave_the_drawn_space_where_they_are_read_off_curves() -> None:
    plain = make_spec()
    assert plain.sampler_space is plain.space
    read = replace(plain, objective=replace(plain.objective, epochs_from=1)).sampler_space
    assert [one.name for one in read.parameters] == ["optimizer", "learning_rate"]
    assert read.constants == {"epochs": 4}


def test_a_winner_is_trained_on_all_rows_where_the_file_says_so_or_there_are_folds() -> None:
    plain = make_spec()
    assert not plain.needs_refit
    assert replace(plain, finish=Finish(refit=True)).needs_refit
    assert replace(plain, data=replace(plain.data, split=Split(folds=2))).needs_refit
