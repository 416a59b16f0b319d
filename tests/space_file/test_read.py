"""What a space file says is what the spec says."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keras_sweep.errors import SpaceFileError
from keras_sweep.space.data_spec import CsvOptions, DataSpec, ImageOptions, PythonOptions, SeriesOptions, TableOptions
from keras_sweep.space.distributions import Categorical, Float, Int
from keras_sweep.space.search_space import Condition, Goal, Objective, Parameter
from keras_sweep.space.sweep_spec import EarlyTerminate, Finalists, ModelSpec, SearchSettings, SweepSpec
from keras_sweep.space_file.read import read_space_file
from keras_sweep.space_file.yaml_tree import parse_yaml
from tests.helpers.space_texts import DENSE, dense, own_model, schema_errors, spec_of, with_parameters

SPACES = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))


def read(text: str, folder: Path = Path(), **options: Any) -> SweepSpec:
    """What the text says, after a check that the JSON Schema allows it, too."""
    assert schema_errors(parse_yaml(text).plain) == []
    return spec_of(text, folder, **options)


def test_losses_and_metrics_of_the_users_may_have_arguments_that_are_searched(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    text = dense(
        loss="loss: {python: 'mine:focal', gamma: 2.0}",
        metrics="metrics: [accuracy, {python: 'mine:sub.sure', share: 0.5}]",
        metric="metric: {name: val_sure, goal: minimize}",
    )
    spec = read(text.replace("parameters:\n", "parameters:\n  loss.gamma: {values: [-1.0, half]}\n"), tmp_path)
    assert (spec.loss, dict(spec.loss_arguments)) == ("mine:focal", {"gamma": 2.0})
    assert spec.metric_arguments == {"sure": {"share": 0.5, "python": "mine:sub.sure"}}
    assert spec.objective == Objective("val_sure", Goal.MINIMIZE) and spec.warnings == ()
    assert spec.code == ("mine:focal", "mine:sub.sure")
    watching = "metric: {name: val_loss}\ntraining: {early_stopping: {monitor: val_sure}}"
    for instead, message in (
        ("metric: {name: val_sure}", "`goal` is missing: for your own metric 'val_sure'"),
        (watching, "`min` or `max` for your own metric 'val_sure'"),
    ):
        with pytest.raises(SpaceFileError, match=message):
            spec_of(text.replace("metric: {name: val_sure, goal: minimize}", instead), tmp_path)


def test_what_the_data_are_read_with_may_be_searched(tmp_path: Path) -> None:
    (tmp_path / "it.csv").write_text("time,a\n")
    series = dense(data="data: {series: it.csv, target: a}", loss="loss: mean_squared_error", metrics="metrics: []")
    series = series.replace("val_accuracy, goal: maximize", "val_loss")
    spec = read(series.replace("parameters:\n", "parameters:\n  data.window: {min: 2, max: 6, q: 2}\n"), tmp_path)
    assert spec.data.options == SeriesOptions(2, longest=6)
    (tmp_path / "mine.py").write_text("")
    called = dense(data="data: {python: 'mine:rows', arguments: {border: 1, sharp: true}}")
    spec = read(called.replace("parameters:\n", "parameters:\n  data.border: 2\n"), tmp_path)
    assert spec.data.options == PythonOptions(arguments={"border": 2, "sharp": True})
    for text, parameter, message in (
        (series, "", "`window` is missing"),
        (series, "data.widow: [2, 4]", "is not a parameter of this data source \\(did you mean `data.window`"),
        (series, "data.window: {values: [2, 0]}", "must be a whole number above 0, but got 0"),
        (series, "data.window: {min: 1, max: 70}", "at most 64 variants .* got 70 \\(`data.window` has 70\\)"),
        (DENSE, "data.window: 2", "leave it out: there are none"),
        (called, "data.border: {min: 0.1, max: 0.5}", "got infinitely many"),
        (called, "data.border: {value: 1, when: {optimizer: sgd}}", "can't be used with `data.\\*` parameters"),
        (called + "early_terminate: {type: hyperband}", "data.border: {values: [1, 2]}", "do not train together"),
    ):
        with pytest.raises(SpaceFileError, match=message):
            spec_of(text.replace("parameters:\n", f"parameters:\n  {parameter}\n"), tmp_path)


def test_the_main_space_file_reads_as_it_is_written() -> None:
    spec = read_space_file(next(path for path in SPACES if path.name == "dense.yaml"))
    assert (spec.name, spec.loss, spec.metrics) == ("dense", "sparse_categorical_crossentropy", ("accuracy",))
    assert spec.data == DataSpec("named", "fashion_mnist")
    assert spec.model == ModelSpec("dense", "dense", {"units": 10, "activation": "softmax"})
    assert spec.objective == Objective("val_accuracy", Goal.MAXIMIZE)
    assert spec.space.parameters == (
        Parameter("optimizer", Categorical(("sgd", "rmsprop", "adam"))),
        Parameter("learning_rate", Float(1e-4, 1.0, log=True)),
        Parameter("epochs", Int(1, 20)),
    )
    assert spec.search == SearchSettings("optuna", "tpe", 64, 42)
    assert (spec.warnings, spec.objective.take_best) == ((), False)


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_every_space_file_of_the_project_reads_without_warnings(path: Path) -> None:
    spec = read_space_file(path)
    assert spec.warnings == ()
    assert replace(read(spec.text, path.parent), name=spec.name, file=spec.file) == spec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs: {min: 1, max: 20, log: true}", Int(1, 20, log=True)),
        ("epochs: {min: 5, max: 20, q: 5}", Int(5, 20, step=5)),
        ("learning_rate: {min: 0.1, max: 1}", Float(0.1, 1.0)),
        ("momentum: {min: 0.0, max: 0.9, q: 0.1}", Float(0.0, 0.9, step=0.1)),
        ("momentum: {values: [0, 0.5]}", Categorical((0.0, 0.5))),
        ("momentum: {min: 0, max: 1}", Float(0.0, 1.0, step=1.0)),
        ("nesterov: {values: [true, false]}", Categorical((True, False))),
        ("clipnorm: {values: [null, 1.0]}", Categorical((None, 1.0))),
        ("model.hidden: {values: [[], [64], [128, 64], 32]}", Categorical(((), (64,), (128, 64), 32))),
        ("epochs: {values: [1, 2], probabilities: [0.25, 0.75]}", Categorical((1, 2), (0.25, 0.75))),
        ("learning_rate:\n    min: 1e-3\n    max: 1e-1\n    log: false", Float(1e-3, 1e-1)),
    ],
)
def test_a_parameter_draws_from_what_its_keys_say(text: str, expected: object) -> None:
    (only,) = read(with_parameters("optimizer: sgd", text)).space.parameters
    assert only.distribution == expected


def test_a_bare_scalar_and_a_value_are_constants() -> None:
    spec = read(with_parameters("epochs: 5", "batch_size: {value: 64}", "model.hidden: {value: [32, 16]}"))
    assert spec.space.parameters == ()
    assert spec.space.constants == {"epochs": 5, "batch_size": 64, "model.hidden": (32, 16)}
    assert spec.space.size == 1


def test_optimizer_names_are_read_in_any_case() -> None:
    spec = read(with_parameters("optimizer: {values: [SGD, AdamW]}", "momentum: {value: 0.9, when: {optimizer: Sgd}}"))
    assert spec.space.parameters == (
        Parameter("optimizer", Categorical(("sgd", "adamw"))),
        Parameter("momentum", Categorical((0.9,)), (Condition("optimizer", ("sgd",)),)),
    )


NESTEROV = "nesterov: {values: [true, false], when: {optimizer: sgd}}"


def test_conditions_may_be_many_and_look_forward_in_the_file() -> None:
    spec = read(
        with_parameters(
            "momentum: {min: 0.0, max: 0.9, when: {optimizer: [sgd, rmsprop], epochs: 3}}",
            NESTEROV,
            "epochs: {values: [1, 3]}",
            "optimizer: {values: [sgd, rmsprop, adam]}",
        )
    )
    assert [p.name for p in spec.space.parameters] == ["epochs", "optimizer", "momentum", "nesterov"]
    assert spec.space.parameters[2].when == (Condition("optimizer", ("sgd", "rmsprop")), Condition("epochs", (3,)))


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        (["epochs: 3", "batch_size: {values: [1, 2], when: {epochs: 3}}"], 2),
        (["seed: {min: 1, max: 3}", "batch_size: {values: [1, 2], when: {seed: [1, 3]}}"], 5),
        (["seed: {values: [1, 2]}", "batch_size: {values: [1, 2], when: {seed: 1.0}}"], 3),
        (["seed: {min: 16, max: 64, q: 16}", "batch_size: {values: [1, 2], when: {seed: 32}}"], 5),
        (["optimizer: {values: [sgd, adam]}", NESTEROV, "momentum: {values: [0.1, 0.9], when: {nesterov: true}}"], 4),
    ],
)
def test_a_condition_may_be_on_a_constant_a_number_or_another_condition(lines: list[str], size: int) -> None:
    assert read(with_parameters(*lines)).space.size == size


def test_a_range_may_depend_on_the_value_of_another_parameter() -> None:
    lines = ("  - {when: {optimizer: SGD}, min: 1e-3, max: 1, log: true}", "  - {when: {optimizer: adam}, value: 1e-4}")
    spec = read(with_parameters("optimizer: {values: [sgd, adam, muon]}", "learning_rate:", *lines))
    assert spec.space.parameters[1:] == (
        Parameter("learning_rate", Float(1e-3, 1.0, log=True), (Condition("optimizer", ("sgd",)),), 1),
        Parameter("learning_rate", Categorical((1e-4,)), (Condition("optimizer", ("adam",)),), 2),
    )
    assert spec.space.distributions["learning_rate"] == Float(1e-4, 1.0, log=True)
    assert spec.space.make_example(0.5)["learning_rate"] == 1e-4
    assert "learning_rate" not in spec.space.make_example(0.9)


def test_take_best_trains_to_the_maximum_and_leaves_the_space() -> None:
    for block in ("{max: 20, take: best}", "{value: 20, take: best}"):
        spec = read(dense(epochs=f"  epochs: {block}"))
        assert spec.objective.take_best
        assert spec.space.constants == {"epochs": 20}
        assert [p.name for p in spec.space.parameters] == ["optimizer", "learning_rate"]
        assert spec.warnings == ()
    assert not read(dense(epochs="  epochs: {min: 1, max: 20, take: last}")).objective.take_best
    assert "no effect" in read(dense(epochs="  epochs: {min: 1, max: 20, take: best}")).warnings[0]


def test_what_is_left_out_has_defaults() -> None:
    spec = read(dense(search="", metrics="", metric="metric: {name: val_loss}"))
    assert spec.search == SearchSettings("optuna", "tpe", 64, 42)
    assert spec.objective == Objective("val_loss", Goal.MINIMIZE)
    assert spec.metrics == ()
    assert read(dense(search="search: {engine: keras-tuner}")).search.sampler == "random"


def test_options_are_those_of_the_sampler() -> None:
    search = "search: {engine: keras-tuner, sampler: bayesian, options: {beta: 4}}"
    assert read(dense(search=search)).search.options == {"beta": 4}
    with pytest.raises(SpaceFileError, match="'random' has no option of this name"):
        read(dense(search=search.replace("bayesian", "random")))
    with pytest.raises(SpaceFileError, match="it has num_initial_points, alpha, beta"):
        read(dense(search=search.replace("beta", "gamma")))


@pytest.mark.parametrize(
    ("metric", "goal"),
    [("accuracy", "maximize"), ("mae", "minimize"), ("r2_score", "maximize")],
)
def test_the_goal_is_by_default_what_suits_the_metric(metric: str, goal: str) -> None:
    spec = read(dense(metrics=f"metrics: [{metric}]", metric=f"metric: {{name: val_{metric}}}"))
    assert spec.objective == Objective(f"val_{metric}", Goal(goal))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("model: dense", ModelSpec("dense", "dense")),
        ("model: {dense: }", ModelSpec("dense", "dense")),
        ("model: {dense: {hidden: [64, 32]}}", ModelSpec("dense", "dense", {"hidden": (64, 32)})),
        ("model: {python: my_model:build, shape: [1, 2]}", ModelSpec("python", "my_model:build", {"shape": (1, 2)})),
    ],
)
def test_a_model_is_dense_or_a_function(model: str, expected: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text("raise RuntimeError('reading a file must run nothing')\n")
    assert read(dense(model=model, dense=""), tmp_path).model == expected


def test_data_files_are_relative_to_the_space_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("a.csv", "a.parquet", "a.npz"):
        (tmp_path / "data" / name).touch()
    (tmp_path / "rows.py").touch()
    file = tmp_path / "data"
    for text, expected in {
        "csv: data/a.csv, target: y": DataSpec("csv", str(file / "a.csv"), "y", options=CsvOptions()),
        "parquet: data/a.parquet, target: y": DataSpec("parquet", str(file / "a.parquet"), "y", options=TableOptions()),
        "npz: data/a.npz, target: y": DataSpec("npz", str(file / "a.npz"), "y"),
        "python: rows:load, steps_per_epoch: 9": DataSpec("python", "rows:load", options=PythonOptions(9)),
        "images: data, size: [8, 9]": DataSpec("images", str(file), options=ImageOptions([8, 9])),
        "series: data/a.csv, target: y, window: 29": DataSpec(
            "series", str(file / "a.csv"), "y", options=SeriesOptions(29)
        ),
    }.items():
        assert read(dense(data=f"data: {{{text}}}"), tmp_path).data == expected


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{type: hyperband, min_iter: 2, eta: 4}", EarlyTerminate("hyperband", 2, 4)),
        ("{type: successive_halving}", EarlyTerminate("successive_halving", 1, 3)),
        ("", None),
    ],
)
def test_early_terminate_takes_wandb_keys(block: str, expected: EarlyTerminate | None) -> None:
    assert read(DENSE + f"early_terminate: {block}\n").early_terminate == expected


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + DENSE.replace("\n", "\r\n").encode())
    assert read_space_file(path).space == read(DENSE).space


NEVER_TOGETHER = (
    "optimizer: {values: [sgd, rmsprop]}",
    "centered: {values: [true, false], when: {optimizer: rmsprop}}",
    "nesterov: {values: [true, false], when: {centered: true, optimizer: sgd}}",
)
LINEAR = dense(learning_rate="  learning_rate: {min: 1e-4, max: 1.0}")
WEIGHTED = dense(epochs="  epochs: {values: [1, 2], probabilities: [0.5, 0.5]}")


def test_line_ends_of_windows_give_the_same_sweep(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_bytes(DENSE.replace("\n", "\r\n").encode())
    from_windows = read_space_file(tmp_path / "space.yaml")
    assert from_windows == read_space_file(tmp_path / "space.yaml", text=DENSE)
    assert from_windows.text == DENSE  # what the record keeps


def test_trials_whose_losses_differ_are_not_ranked_by_them() -> None:
    text = dense(loss="loss: categorical_crossentropy", metric="metric: {name: val_loss}")
    text = text.replace("parameters:\n", "parameters:\n  loss.label_smoothing: {values: [0.0, 0.1]}\n")
    with pytest.raises(
        SpaceFileError, match=r"loss.label_smoothing: `val_loss` can't rank trials with different losses"
    ):
        read(text)
    assert read(text.replace("{name: val_loss}", "{name: val_accuracy, goal: maximize}")).warnings == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LINEAR, "line 9: parameters.learning_rate: a learning rate is best drawn on a log scale; add `log: true`"),
        (dense(epochs="  epochs: {min: 5, max: 5}"), "line 10: parameters.epochs: has only the value 5"),
        (
            with_parameters("epochs: {min: 1, max: 3}"),
            "search.trials: the space has 3 configurations, so the search ends before 64 trials",
        ),
        (dense(search="search: {sampler: grid}"), "a grid cuts a continuous range into a few values"),
        (
            dense(search="search: {sampler: grid}"),
            "search.trials: the grid has 600 points; 64 trials are the limit: set `trials: 600`",
        ),
        (
            WEIGHTED.replace("engine: optuna, sampler: tpe", "engine: keras-tuner"),
            "random ignores probabilities; only optuna",
        ),
        (dense(metric="metric: {name: val_loss, goal: maximize}"), "`val_loss` is usually minimized, not maximized"),
        (DENSE + "early_terminate: {type: median, min_iter: 20}\n", "never stops a trial"),
        (with_parameters(*NEVER_TOGETHER), "nesterov: its conditions never hold together, so no trial has it"),
        (with_parameters("momentum: {min: 0, max: 1}"), "draws whole numbers only"),
        (with_parameters("epochs: {min: 1, max: 20, q: 5}"), "draws only multiples of q=5, so the lowest value is 5"),
    ],
)
def test_a_likely_slip_is_a_warning(text: str, words: str) -> None:
    warnings = read(text).warnings
    assert any(words in warning for warning in warnings), warnings


@pytest.mark.parametrize(
    ("sampler", "rule", "words"),
    [
        (
            "hyperband",
            "median",
            "early_terminate: `sampler: hyperband` stops poor trials by itself (leave out `early_terminate`",
        ),
        ("random", "halving", "early_terminate.type: `type: halving` draws its first trials at random, but"),
    ],
)
def test_a_rule_that_the_sampler_can_not_be_stopped_by_is_a_fault(sampler: str, rule: str, words: str) -> None:
    text = dense(search=f"search: {{engine: keras-tuner, sampler: {sampler}}}")
    with pytest.raises(SpaceFileError, match=re.escape(words)):
        read(text + f"early_terminate: {{type: {rule}}}\n")


def test_what_is_no_slip_is_not_warned_of() -> None:
    cases = "learning_rate: [{when: {optimizer: sgd}, values: [0.1, 1.0]}, {when: {optimizer: adam}, values: [0.01]}]"
    one_value = with_parameters("optimizer: {values: [sgd, adam]}", cases)
    tuned = own_model(with_parameters("epochs: {min: 1, max: 3}"), "tests.helpers.odd_models:tuned")  # brings some
    for text, words in ((one_value, "only the value"), (tuned, "more than the space")):
        assert not any(words in warning for warning in read(text).warnings)


def test_warnings_come_in_the_order_of_the_file() -> None:
    text = with_parameters("epochs: {min: 5, max: 5}", "learning_rate: {min: 0.1, max: 1.0}", "seed: {values: [1]}")
    lines = [int(warning.split(":")[0].removeprefix("line ")) for warning in read(text).warnings]
    assert lines == sorted(lines) == [8, 9, 10]


def test_reading_takes_no_heavy_import() -> None:
    code = (
        "import sys; from keras_sweep.space_file.read import read_space_file; "
        f"[read_space_file(path) for path in {list(map(str, SPACES))!r}]; "
        "heavy = {'keras', 'jax', 'tensorflow', 'torch', 'sklearn', 'optuna', 'polars', 'pandas'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_name_is_the_stem_or_the_one_given() -> None:
    assert read(DENSE).name == "space"
    assert read(DENSE, name="try-2.b") == replace(read(DENSE), name="try-2.b")


def test_finalists_are_five_with_three_seeds_within_a_quarter_unless_the_file_asks_for_them() -> None:
    for line, finalists, asked in (
        ("", Finalists(5, 3), False),
        ("finalists: {top: 3}\n", Finalists(3, 3), True),
        ("finalists: none\n", None, False),
    ):
        spec = read(DENSE + line)
        assert (spec.finalists, spec.finalists_asked) == (finalists, asked)


@pytest.mark.parametrize("seed", ["7", "{values: [1, 2]}"])
def test_a_parameter_seed_turns_finalists_off_and_says_so_where_they_were_asked_for(seed: str) -> None:
    text = DENSE.replace("parameters:\n", f"parameters:\n  seed: {seed}\n")
    assert (read(text).finalists, read(text).warnings) == (None, read(DENSE).warnings)
    asked = read(text + "finalists: {top: 3, seeds: 1}\n")
    assert asked.finalists is None
    assert any(
        "finalists: `sweep` trains no finalists, since `seed` is a parameter" in warning for warning in asked.warnings
    )


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ('model: {python: "tl.py:build"}', "did you mean `tl:build`?"),
        ("model: {python: tl.build}", "did you mean `tl:build`?"),
        ('model: {function: "tl.py:build"}', "did you mean `python: tl:build`?"),
        ('model: "tl:build"', "did you mean `python: tl:build`?"),
        ('model: {python: "tl:build", args: {units: 3}}', "write {python: ..., units: ...}: arguments are beside"),
        ('data: {function: "tl:load"}', "did you mean `python: tl:load`?"),
        ('data: {python: "tl.py:load"}', "did you mean `tl:load`?"),
        ('loss: {function: "tl:own"}', "did you mean `python: tl:own`?"),
        ('loss: {python: "tl.py:own"}', "did you mean `tl:own`?"),
        ('metrics: [{function: "tl:own"}]', "did you mean `python: tl:own`?"),
        ('metrics: [{python: "tl.py:own"}]', "did you mean `tl:own`?"),
    ],
)
def test_a_function_that_is_named_in_another_form_is_suggested_in_the_right_form(line, hint, tmp_path):
    (tmp_path / "tl.py").touch()
    key = line.partition(":")[0]
    kept = [one for one in DENSE.splitlines() if not one.startswith((f"{key}:", "  dense:" if key == "model" else "-"))]
    (tmp_path / "space.yaml").write_text("\n".join([line, *kept]))
    with pytest.raises(SpaceFileError) as raised:
        read_space_file(tmp_path / "space.yaml")
    assert any(hint in str(fault.hint) for fault in raised.value.faults), str(raised.value)
